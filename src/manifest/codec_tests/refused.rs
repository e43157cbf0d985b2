//! What is refused: each broken rule with its sentence, and anything else without a
//! panic.

use blake3::hazmat::{Mode, merge_subtrees_non_root};
use proptest::sample::select;
use serde_json::{Value, json};

use super::*;
use crate::manifest::etag;
use crate::manifest::paging::NODE_BYTES;

#[test]
fn every_cut_and_every_flipped_bit_is_noticed() {
    let stored = paged();
    let whole = encode_whole(&(inline(b"content").finish(), b"content".to_vec()));
    let list = encode_manifest(&stored.draft().finish());
    let pages = expand_once(&stored);
    type Check<'a> = (&'a [u8], &'a dyn Fn(&[u8]) -> bool);
    let checks: [Check<'_>; 3] = [
        (&whole, &|bytes| decode_whole(bytes).is_err()),
        (&list, &|bytes| decode_whole(bytes).is_err()),
        (&stored.pages[1].bytes, &|bytes| decode_page(bytes, &pages[1], 4096, &[SEGMENT]).is_err()),
    ];
    for (bytes, is_refused) in checks {
        assert!(!is_refused(bytes));
        for length in 0..bytes.len() {
            assert!(is_refused(&bytes[..length]), "cut at {length}");
        }
        assert!(is_refused(&[bytes, b"x"].concat()), "a byte too many");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(is_refused(&flipped), "bit {bit}");
        }
    }
}

/// The pages that the page of pages of [`paged`] lists.
fn expand_once(stored: &Stored) -> Vec<Node> {
    decode_page(&stored.pages[5].bytes, &stored.nodes[0], 0, &[SEGMENT]).unwrap()
}

pub(crate) fn header_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(&bytes[record::FRAME_BYTES..]).unwrap()
}

/// One change of a header, and what the reader says of it.
pub(crate) type Case = (fn(&mut Value), &'static str);

/// Each case is framed as if it had been written so, and refused with its sentence.
pub(crate) fn refuses<T: Debug>(
    kind: Kind,
    valid: &[u8],
    cases: &[Case],
    decode: impl Fn(&[u8]) -> Result<T, String>,
) {
    decode(&record::encode(kind, &header_of(valid))).expect("nothing is wrong yet");
    for (i, (change, sentence)) in cases.iter().enumerate() {
        let mut header = header_of(valid);
        change(&mut header);
        let error =
            decode(&record::encode(kind, &header)).expect_err(&format!("case {i}: {sentence}"));
        assert!(error.contains(sentence), "case {i}: {error:?} does not say {sentence:?}");
    }
    let mut newer = valid.to_vec();
    newer[8] = 2;
    assert!(decode(&newer).unwrap_err().contains("format version 2; this program reads up to 1"));
}

const HALF: u64 = 1 << 63;

/// Three chunks of 1024, 1024 and 452 bytes, the last in a segment of its own.
fn three_chunks() -> Vec<u8> {
    let segments = vec![SEGMENT, OTHER_SEGMENT];
    let stored = store(content(2500), &Cut { segments, chunks_per_segment: 2, ..small_chunks() });
    encode_manifest(&stored.draft().finish())
}

fn set_digest(manifest: &mut Value, digest: Digest) {
    manifest["digest"] = json!(digest.to_string());
    manifest["etag"] = json!(etag(&digest, None, &[]));
}

#[test]
fn a_manifest_that_breaks_a_rule_is_refused_with_a_sentence() {
    let cases: &[Case] = &[
        (|m| m["etag"] = json!("\"0\""), "its etag is not the one of its content"),
        (|m| m["content-type"] = json!("text/plain"), "its etag is not the one"),
        (|m| m["metadata"] = json!([["a", "b"]]), "its etag is not the one"),
        (|m| m["digest"] = json!("blake3:12"), "its digest is malformed"),
        (|m| m["digest"] = json!(format!("blake3:{}", "AB".repeat(32))), "its digest is malformed"),
        (|m| set_digest(m, Digest([7; 32])), "do not add up to its digest"),
        (|m| m["generation"] = json!("1"), "its generation is malformed"),
        (|m| m["size"] = json!(2501), "do not add up to its size"),
        (|m| m["size"] = json!(-1), "does not have the form of version 1"),
        (|m| m["size"] = json!(2500.0), "does not have the form of version 1"),
        (|m| m["chunks"] = json!(2), "does not list the chunks that it counts"),
        (|m| m["chunks"] = json!(0), "does not list the chunks that it counts"),
        (|m| m["chunks"] = json!(1u64 << 32), "does not have the form"),
        (|m| m["parts"] = json!([]), "does not list the chunks that it counts"),
        (|m| m["extra"] = json!(null), "unknown field `extra`"),
        (|m| m["key"] = json!(null), "does not have the form"),
        (|m| drop(m.as_object_mut().unwrap().remove("modified")), "missing field `modified`"),
        (|m| m["metadata"] = json!([["a"]]), "does not have the form"),
        (|m| m["segments"].as_array_mut().unwrap().reverse(), "its segments are not in order"),
        (|m| m["segments"][1] = m["segments"][0].clone(), "its segments are not in order"),
        (|m| m["segments"][0] = json!("0F"), "not 32 lowercase hex digits"),
        (
            |m| drop(m["segments"].as_array_mut().unwrap().pop()),
            "at byte 2048 is in a segment that it does not name",
        ),
        (|m| m["segments"] = json!([]), "at byte 0 is in a segment that it does not name"),
        (|m| m["parts"][0]["blocks"] = json!({}), "does not have the form"),
        (|m| m["parts"][0] = json!({"blocks": {}}), "unknown variant `blocks`"),
        (|m| m["parts"][0]["chunks"]["last"] = json!(1), "unknown field `last`"),
        (|m| m["parts"][0]["chunks"]["list"] = json!([]), "a part of the chunk list is empty"),
        (|m| m["parts"][0]["chunks"]["first"] = json!(99_999_999), "a chunk number is too large"),
        (|m| m["parts"][0]["chunks"]["first"] = json!(u32::MAX), "a chunk number is too large"),
        (|m| m["parts"][0]["chunks"]["first"] = json!(1u64 << 32), "does not have the form"),
        (|m| m["parts"][0]["chunks"]["list"][0][0] = json!(0), "misaligned at byte 0"),
        (|m| m["parts"][0]["chunks"]["list"][0][0] = json!(1023), "misaligned at byte 0"),
        (|m| m["parts"][0]["chunks"]["list"][0][0] = json!(512), "misaligned at byte 512"),
        (|m| m["parts"][0]["chunks"]["list"][1][0] = json!(2048), "misaligned at byte 1024"),
        (|m| m["parts"][0]["chunks"]["list"][0][0] = json!(u64::MAX), "misaligned at byte 0"),
        (|m| m["parts"][1]["chunks"]["list"][0][0] = json!(u64::MAX), "misaligned at byte 2048"),
        (|m| m["parts"][1]["chunks"]["list"][0][0] = json!(2049), "misaligned at byte 2048"),
        (
            |m| {
                m["parts"][0]["chunks"]["list"] =
                    json!([[HALF, "00".repeat(32)], [HALF, "00".repeat(32)]])
            },
            "longer than any object",
        ),
        (
            |m| m["parts"][0]["chunks"]["list"][0][1] = json!("0".repeat(64)),
            "do not add up to its digest",
        ),
        (|m| m["parts"][0]["chunks"]["list"][0][1] = json!("0".repeat(63)), "is no chaining value"),
        (
            |m| m["parts"][0]["chunks"]["list"][0][1] = json!("AB".repeat(32)),
            "is no chaining value",
        ),
        (
            |m| m["parts"][0]["chunks"]["list"][0][1] = json!("+0".repeat(32)),
            "is no chaining value",
        ),
        (
            |m| m["parts"][0] = pages(json!([[1, 2048, "00".repeat(32)]])),
            "its page at byte 0 is no whole run",
        ),
        (
            |m| m["parts"][1] = pages(json!([[2, 452, "00".repeat(32)]])),
            "its page at byte 2048 is no whole run",
        ),
        (
            |m| m["parts"][0] = pages(json!([[u32::MAX, 2048, "00".repeat(32)]])),
            "longer than any object",
        ),
        (
            // A lone page is no object: the digest is not that of a subtree.
            |m| {
                m["parts"] = json!([pages(json!([[3, 2048, m["digest"].as_str().unwrap()[7..]]]))]);
                m["size"] = json!(2048);
            },
            "do not add up to its digest",
        ),
    ];
    refuses(Kind::Manifest, &three_chunks(), cases, decode_manifest);
}

fn pages(list: Value) -> Value {
    json!({"pages": {"segment": SEGMENT.to_string(), "first": 0, "list": list}})
}

#[test]
fn a_page_that_breaks_a_rule_is_refused_with_a_sentence() {
    let stored = paged();
    let node = expand_once(&stored)[1];
    let cases: &[Case] = &[
        (|p| p["offset"] = json!(0), "is not the one that the list names"),
        (|p| p["offset"] = json!(null), "does not have the form"),
        (|p| p["extra"] = json!(1), "unknown field `extra`"),
        (|p| p["parts"] = json!([]), "is not the one that the list names"),
        (
            |p| p["parts"][0]["chunks"]["segment"] = json!(GENERATION),
            "in a segment that it does not name",
        ),
        (|p| p["parts"][0]["chunks"]["first"] = json!(99_999_997), "a chunk number is too large"),
        (|p| p["parts"][0]["chunks"]["list"][0][0] = json!(8192), "misaligned at byte 4096"),
        (
            |p| p["parts"][0]["chunks"]["list"][3][0] = json!(1000),
            "is not the one that the list names",
        ),
        (|p| p["parts"][0]["chunks"]["list"][3][0] = json!(u64::MAX), "misaligned at byte 7168"),
        (|p| drop(p["parts"][0]["chunks"]["list"].as_array_mut().unwrap().pop()), "not the one"),
        (
            |p| p["parts"][0]["chunks"]["list"].as_array_mut().unwrap().swap(1, 2),
            "its chaining value",
        ),
        (|p| p["parts"] = json!([pages(json!([[4, 4096, "00".repeat(32)]]))]), "is not the one"),
    ];
    refuses(Kind::Page, &stored.pages[1].bytes, cases, |b| decode_page(b, &node, 4096, &[SEGMENT]));
}

#[test]
fn a_page_of_another_number_of_chunks_is_refused() {
    let stored = paged();
    let node = expand_once(&stored)[1];
    for chunks in [3, 5, u32::MAX] {
        let node = Node { place: Place::Page { segment: SEGMENT, number: 1, chunks }, ..node };
        let error = decode_page(&stored.pages[1].bytes, &node, 4096, &[SEGMENT]).unwrap_err();
        assert!(error.contains("is not the one that the list names"), "{error}");
    }
}

/// A walk that followed a page listing itself would never end.
#[test]
fn a_page_that_lists_itself_is_refused() {
    let place = Place::Page { segment: SEGMENT, number: 0, chunks: 4 };
    let node = Node { length: 4096, cv: [1; 32], place };
    assert!(decode_page(&encode_page(0, &[node]), &node, 0, &[SEGMENT]).is_err());
}

#[test]
fn json_that_is_not_of_the_form_is_refused() {
    let valid = three_chunks();
    let text = String::from_utf8(valid[record::FRAME_BYTES..].to_vec()).unwrap();
    for (from, to) in [
        ("\"size\":2500", "\"size\":18446744073709551616"),
        ("\"size\":2500", "\"size\":2500,\"size\":2500"),
        ("\"chunks\":3", "\"chunks\":3e0"),
        ("\"first\":0", "\"first\":00"),
        ("}", ""),
    ] {
        let wrong = text.replacen(from, to, 1);
        assert_ne!(wrong, text);
        let error = decode_manifest(&framed(&wrong)).expect_err(to);
        assert!(error.contains("does not have the form of version 1"), "{error}");
    }
    // What `docs/format.md` lets other writers do.
    let (manifest, _) = decode_manifest(&valid).unwrap();
    for (from, to) in [
        (":", " :\n "),
        ("\"expires\":null,", ""),
        ("\"key\"", "\"\\u006bey\""),
        ("\"data/sample", "\"\\u0064ata\\/sample"),
    ] {
        let other = text.replacen(from, to, 1);
        assert_ne!(other, text);
        assert_eq!(decode_manifest(&framed(&other)).map(|read| read.0).as_ref(), Ok(&manifest));
    }
}

/// Frames text that need not be JSON, with a checksum that fits.
fn framed(header: &str) -> Vec<u8> {
    let mut bytes = record::encode(Kind::Manifest, &0)[..16].to_vec();
    bytes[12..].copy_from_slice(&(header.len() as u32).to_le_bytes());
    let checksum = blake3::hash(&[&bytes, header.as_bytes()].concat());
    bytes.extend_from_slice(&checksum.as_bytes()[..16]);
    bytes.extend_from_slice(header.as_bytes());
    bytes
}

#[test]
fn one_entry_takes_no_more_than_is_planned_for_it() {
    // What an object of as many of the largest chunks as can be numbered comes to.
    let (segment, number, length) = (SEGMENT, 99_999_999, 1 << 52);
    for place in
        [Place::Chunk { segment, number }, Place::Page { segment, number, chunks: 99_999_999 }]
    {
        let node = Node { length, cv: [255; 32], place };
        let one = serde_json::to_vec(&parts_of(&[node])).unwrap().len() as u64;
        assert!(one - 2 < NODE_BYTES, "{one} bytes with brackets and no comma");
    }
}

prop_compose! {
    /// A list as only somebody hostile would make it.
    pub(crate) fn hostile_list()(
        parts in vec((
            select(vec![0, 1, 1000, 1024, 1 << 62, HALF - 1024, HALF, u64::MAX - 1023, u64::MAX]),
            select(vec![0u32, 1, 2, u32::MAX - 1, u32::MAX]),
            select(vec![0, 99_999_999, 100_000_000, u32::MAX]),
            any::<bool>(),
        ), 0..5),
    ) -> Value {
        let cv = "00".repeat(32);
        let part = |(length, chunks, first, paged): (u64, u32, u32, bool)| match paged {
            true => json!({"pages": {"segment": SEGMENT, "first": first, "list": [[chunks, length, cv]]}}),
            false => json!({"chunks": {"segment": SEGMENT, "first": first, "list": [[length, cv]]}}),
        };
        Value::Array(parts.into_iter().map(part).collect())
    }
}

proptest! {
    #[test]
    fn garbage_is_refused_without_panicking(bytes: Vec<u8>, cut in 0usize..600) {
        let node = expand_once(&paged())[1];
        let mut behind = three_chunks();
        behind.truncate(cut);
        behind.extend_from_slice(&bytes);
        for bytes in [&bytes, &behind] {
            prop_assert!(decode_manifest(bytes).is_err());
            prop_assert!(decode_page(bytes, &node, 4096, &[SEGMENT]).is_err());
        }
    }

    #[test]
    fn hostile_lists_are_refused_without_panicking(
        parts in hostile_list(),
        offset in select(vec![0, 1, 1024, 1 << 62, HALF, u64::MAX - 1023, u64::MAX]),
        (length, chunks) in (select(vec![1024, 1 << 62, HALF, u64::MAX]), 0u32..5),
    ) {
        let mut manifest = header_of(&three_chunks());
        manifest["parts"] = parts.clone();
        prop_assert!(decode_manifest(&record::encode(Kind::Manifest, &manifest)).is_err());
        let page = record::encode(Kind::Page, &json!({"offset": offset, "parts": parts}));
        let place = Place::Page { segment: SEGMENT, number: 0, chunks };
        let node = Node { length, cv: [1; 32], place };
        prop_assert!(decode_page(&page, &node, offset, &[SEGMENT]).is_err());
    }

    /// Whatever aligned subtrees a page lists that add up to its length: they make
    /// up exactly one, so the merge has one outcome and cannot fail.
    #[test]
    fn aligned_nodes_of_one_power_of_two_make_up_one_subtree(
        splits in vec(any::<usize>(), 1..40),
        (top, place) in (10u32..64, any::<u64>()),
    ) {
        let length = 1u64 << top;
        let offset = if top == 63 { 0 } else { place & (u64::MAX >> 1) & !(length - 1) };
        let mut levels = vec![top];
        for split in splits {
            let at = split % levels.len();
            if levels[at] > 10 {
                levels[at] -= 1;
                levels.insert(at, levels[at]);
            }
        }
        prop_assume!(levels.len() > 1);
        let nodes: Vec<Node> = (0u32..).zip(&levels).map(|(number, level)| Node {
            length: 1 << level,
            cv: *blake3::hash(&number.to_le_bytes()).as_bytes(),
            place: Place::Chunk { segment: SEGMENT, number },
        }).collect();
        let cv = merged(top, &mut nodes.iter());
        let place = Place::Page { segment: SEGMENT, number: 0, chunks: nodes.len() as u32 };
        let node = Node { length, cv, place };
        prop_assert_eq!(decode_page(&encode_page(offset, &nodes), &node, offset, &[SEGMENT]), Ok(nodes));
    }
}

/// The chaining value of the subtree of 2^level bytes that the next nodes make up.
fn merged(level: u32, nodes: &mut std::slice::Iter<'_, Node>) -> [u8; 32] {
    match nodes.as_slice().first() {
        Some(node) if node.length == 1 << level => nodes.next().unwrap().cv,
        _ => {
            let left = merged(level - 1, nodes);
            merge_subtrees_non_root(&left, &merged(level - 1, nodes), Mode::Hash)
        }
    }
}
