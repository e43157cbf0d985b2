//! The golden files, and round trips over arbitrary objects; what is refused is in
//! [`refused`].
//!
//! A golden file is a value as it was stored once, for ever: the reader must give
//! what it says, and the writer of that version must give its bytes.

#[path = "codec_tests/refused.rs"]
pub(crate) mod refused;

use std::fmt::Debug;
use std::{env, fs};

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::digest::{ChunkHasher, chunk_is};
use crate::json;
use crate::manifest::paging::{ChunkList, FullPage};
use crate::manifest::{Draft, summary};
use crate::object::ObjectSummary;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

/// Every golden file, in order. Those of a released version are never changed.
const GOLDEN: [&str; 23] = [
    "v1-manifest-chunks.bin",
    "v1-manifest-inline-empty.bin",
    "v1-manifest-inline.bin",
    "v1-manifest-lone-chunk.bin",
    "v1-manifest-pages.bin",
    "v1-manifest-two-segments.bin",
    "v1-page-of-pages.bin",
    "v1-page.bin",
    "v1-segment-condemned.bin",
    "v1-segment-upload-condemned.bin",
    "v1-segment.bin",
    "v1-summary.json",
    "v1-upload-aborted.bin",
    "v1-upload-committed.bin",
    "v1-upload-open-absent.bin",
    "v1-upload-open-chunks.bin",
    "v1-upload-open-etag-in.bin",
    "v1-upload-open-etag-not-in.bin",
    "v1-upload-open-exists.bin",
    "v1-upload-open-generation-is.bin",
    "v1-upload-open-lone-chunk.bin",
    "v1-upload-open.bin",
    "v1-upload-sealed.bin",
];

/// 1 January 2026, in milliseconds since the Unix epoch.
pub(crate) const NEW_YEAR_MS: u64 = 1_767_225_600_000;
pub(crate) const SEGMENT: Id = Id(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
pub(crate) const OTHER_SEGMENT: Id = Id(0x8888_0000_7777_1111_6666_2222_5555_3333);
pub(crate) const GENERATION: Id = Id(0x00c0_ffee_00c0_ffee_00c0_ffee_00c0_ffee);

/// Holds a value against its golden file, as it is written and as it is read.
#[expect(clippy::disallowed_methods, reason = "who regenerates golden files says so by hand")]
pub(crate) fn golden<T: Debug + PartialEq>(
    name: &str,
    value: &T,
    encode: impl Fn(&T) -> Vec<u8>,
    decode: impl Fn(&[u8]) -> Result<T, String>,
) {
    assert!(GOLDEN.contains(&name), "{name} is not in the list of golden files");
    let path = format!("{DIRECTORY}/{name}");
    let written = encode(value);
    if env::var("CHUNK_STORE_GOLDEN").is_ok_and(|wish| wish == "write") {
        fs::write(&path, &written).expect("tests/golden can be written");
    }
    let how = "`CHUNK_STORE_GOLDEN=write cargo test -p chunk-store --lib golden` writes the golden \
               files anew; right only for a form that has never been released";
    let Ok(stored) = fs::read(&path) else {
        panic!("tests/golden/{name} is missing; {how}");
    };
    assert_eq!(decode(&stored).as_ref(), Ok(value), "tests/golden/{name} reads differently");
    // Not `assert_eq`: it would print hundreds of numbers.
    assert!(
        written == stored,
        "tests/golden/{name} is written differently now:\n{}\nbefore:\n{}\n{how}",
        written.escape_ascii(),
        stored.escape_ascii(),
    );
}

/// Content that anyone can make: byte i is i * 31 + i / 251.
pub(crate) fn content(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 + i / 251) as u8).collect()
}

/// How an object is cut.
#[derive(Debug, Clone)]
pub(crate) struct Cut {
    /// The first chunk and the longest, in bytes.
    pub first: u64,
    pub cap: u64,
    /// The last one takes the rest, and the pages.
    pub segments: Vec<Id>,
    pub chunks_per_segment: usize,
    pub nodes_max: usize,
}

/// Chunks of 1 KiB in one segment, no pages.
pub(crate) fn small_chunks() -> Cut {
    Cut {
        first: 1024,
        cap: 1024,
        segments: vec![SEGMENT],
        chunks_per_segment: usize::MAX,
        nodes_max: 100,
    }
}

/// An object as a writer leaves it.
#[derive(Debug)]
pub(crate) struct Stored {
    pub content: Vec<u8>,
    pub chunks: Vec<Node>,
    pub pages: Vec<FullPage>,
    pub nodes: Vec<Node>,
    pub segments: Vec<Id>,
}

/// Cuts content up; the chunk list is that of an upload: no digest in a lone chunk.
pub(crate) fn store(content: Vec<u8>, cut: &Cut) -> Stored {
    let last = cut.segments.len() - 1;
    let mut list = ChunkList::new(cut.segments[last], cut.nodes_max);
    let (mut chunks, mut pages) = (Vec::new(), Vec::new());
    let mut offset = 0;
    while offset < content.len() {
        let aligned = if offset == 0 { cut.first } else { 1 << offset.trailing_zeros() };
        let end = content.len().min(offset + aligned.min(cut.cap) as usize);
        let mut hasher = ChunkHasher::new(offset as u64);
        hasher.update(&content[offset..end]);
        let index = (chunks.len() / cut.chunks_per_segment).min(last);
        let number = (chunks.len() - index.saturating_mul(cut.chunks_per_segment)) as u32;
        let place = Place::Chunk { segment: cut.segments[index], number };
        let node = Node { length: (end - offset) as u64, cv: hasher.finish().cv, place };
        chunks.push(node);
        pages.extend(list.push(node));
        offset = end;
    }
    let mut segments: Vec<Id> = chunks.iter().map(Node::segment).collect();
    segments.extend((!pages.is_empty()).then_some(cut.segments[last]));
    segments.sort_unstable();
    segments.dedup();
    Stored { content, chunks, pages, nodes: list.finish(), segments }
}

impl Stored {
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.content)
    }

    fn draft(&self) -> Draft<'static> {
        let mut nodes = self.nodes.clone();
        if let [lone] = &mut nodes[..] {
            lone.cv = self.digest().0;
        }
        Draft {
            key: "data/sample.bin",
            size: self.content.len() as u64,
            digest: self.digest(),
            generation: GENERATION,
            content_type: None,
            metadata: &[],
            modified: NEW_YEAR_MS,
            expires: None,
            nodes,
            segments: self.segments.clone(),
        }
    }
}

fn inline(content: &[u8]) -> Draft<'static> {
    let stored = store(Vec::new(), &small_chunks());
    Draft { size: content.len() as u64, digest: Digest::of(content), ..stored.draft() }
}

type Whole = (Manifest, Vec<u8>);

fn encode_whole((manifest, content): &Whole) -> Vec<u8> {
    [&encode_manifest(manifest)[..], content].concat()
}

fn decode_whole(bytes: &[u8]) -> Result<Whole, String> {
    let (manifest, end) = decode_manifest(bytes)?;
    if manifest.is_inline() {
        inline_content(&manifest, &bytes[end..])?;
    }
    Ok((manifest, bytes[end..].to_vec()))
}

fn golden_manifest(name: &str, draft: Draft<'_>, content: &[u8]) {
    golden(name, &(draft.finish(), content.to_vec()), encode_whole, decode_whole);
}

fn metadata() -> Vec<(String, String)> {
    [("author", "Zoë"), ("quote\"\\", ""), ("camera", "X/100")]
        .map(|(a, b)| (a.into(), b.into()))
        .into()
}

fn all_fields<'a>(stored: &Stored, metadata: &'a [(String, String)]) -> Draft<'a> {
    Draft {
        key: "videos/café \"1\".mp4",
        content_type: Some("video/mp4; codecs=\"av01\""),
        metadata,
        expires: Some(NEW_YEAR_MS + 3_600_000),
        ..stored.draft()
    }
}

/// 21 chunks of 1 KiB and one of 500 bytes, in lists of at most 4: a page of pages,
/// a page, two chunks.
fn paged() -> Stored {
    store(content(21 * 1024 + 500), &Cut { nodes_max: 4, ..small_chunks() })
}

#[test]
fn golden_manifests_without_pages() {
    let hello = b"Hello, chunk store!\n";
    let draft = Draft { key: "greetings/hello.txt", ..inline(hello) };
    golden_manifest("v1-manifest-inline.bin", draft, hello);
    golden_manifest("v1-manifest-inline-empty.bin", inline(b""), b"");

    let planned = Cut { first: 1 << 18, cap: 1 << 22, ..small_chunks() };
    let lone = store(content(3000), &planned);
    assert_eq!(lone.chunks.len(), 1);
    golden_manifest("v1-manifest-lone-chunk.bin", lone.draft(), b"");

    let chunks = store(content(600_000), &planned);
    let metadata = metadata();
    golden_manifest("v1-manifest-chunks.bin", all_fields(&chunks, &metadata), b"");

    let two =
        Cut { segments: vec![OTHER_SEGMENT, SEGMENT], chunks_per_segment: 2, ..small_chunks() };
    golden_manifest("v1-manifest-two-segments.bin", store(content(4000), &two).draft(), b"");
}

#[test]
fn golden_manifest_with_pages() {
    let stored = paged();
    golden_manifest("v1-manifest-pages.bin", stored.draft(), b"");
    let top = stored.nodes[0];
    assert!(matches!(top.place, Place::Page { number: 5, chunks: 16, .. }), "{top:?}");

    let page = |number: usize, node: Node, offset| {
        let read = move |bytes: &[u8]| decode_page(bytes, &node, offset, &[SEGMENT]);
        (read(&stored.pages[number].bytes).unwrap(), read)
    };
    let (pages, read) = page(5, top, 0);
    golden("v1-page-of-pages.bin", &pages, |nodes| encode_page(0, nodes), read);
    let (chunks, read) = page(1, pages[1], 4096);
    golden("v1-page.bin", &chunks, |nodes| encode_page(4096, nodes), read);
}

#[test]
fn golden_summary() {
    let stored = store(content(600_000), &small_chunks());
    let info = all_fields(&stored, &metadata()).finish().info;
    let read = json::read::<ObjectSummary>;
    let written = |_: &ObjectSummary| summary(&info, 1024).unwrap();
    golden("v1-summary.json", &ObjectSummary::from(&info), written, read);
}

#[test]
fn golden_files_are_all_there_and_no_others() {
    let files = fs::read_dir(DIRECTORY).expect("tests/golden is there");
    let mut names: Vec<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, GOLDEN);
}

/// Every chunk below these nodes, in order.
fn expand(nodes: &[Node], mut offset: u64, stored: &Stored) -> Vec<Node> {
    let mut chunks = Vec::new();
    for node in nodes {
        match node.place {
            Place::Chunk { .. } => chunks.push(*node),
            Place::Page { number, .. } => {
                let page = &stored.pages[number as usize].bytes;
                let below = decode_page(page, node, offset, &stored.segments).unwrap();
                chunks.extend(expand(&below, offset, stored));
            }
        }
        offset += node.length;
    }
    chunks
}

prop_compose! {
    pub(crate) fn any_stored()(
        length in 0usize..60_000,
        (first, cap) in (0u32..6, 0u32..6),
        ids in btree_set(any::<u128>(), 1..4).prop_map(Vec::from_iter).prop_shuffle(),
        chunks_per_segment in 1usize..20,
        nodes_max in 4usize..12,
    ) -> Stored {
        store(content(length), &Cut {
            first: 1024 << first.min(cap),
            cap: 1024 << cap,
            segments: ids.into_iter().map(Id).collect(),
            chunks_per_segment,
            nodes_max,
        })
    }
}

proptest! {
    #[test]
    fn every_object_reads_as_it_was_written(
        stored in any_stored(),
        key in ".{1,40}",
        content_type in option::of(".{0,40}"),
        metadata in vec((".{0,10}", ".{0,10}"), 0..4),
        (generation, modified, expires) in (any::<u128>(), any::<u64>(), any::<Option<u64>>()),
    ) {
        let manifest = Draft {
            key: &key,
            content_type: content_type.as_deref(),
            metadata: &metadata,
            generation: Id(generation),
            modified,
            expires,
            ..stored.draft()
        }.finish();
        let bytes = encode_manifest(&manifest);
        let (read, end) = decode_manifest(&bytes).unwrap();
        prop_assert_eq!((&read, end), (&manifest, bytes.len()));

        let mut chunks = stored.chunks.clone();
        if let [lone] = &mut chunks[..] {
            lone.cv = stored.digest().0;
        }
        prop_assert_eq!(expand(&read.nodes, 0, &stored), &chunks[..]);
        let mut offset = 0;
        for node in chunks {
            let bytes = &stored.content[offset..offset + node.length as usize];
            prop_assert!(chunk_is(bytes, offset as u64, read.is_lone_chunk(), &node.cv));
            offset += node.length as usize;
        }
    }

    #[test]
    fn inline_content_reads_as_it_was_written(content: Vec<u8>) {
        let whole = (inline(&content).finish(), content);
        prop_assert_eq!(decode_whole(&encode_whole(&whole)), Ok(whole));
    }
}
