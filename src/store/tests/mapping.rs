//! Where the content of objects lies, as `chunks` lists it.

use futures_executor::block_on;

use super::scripted::{Bed, able, content};
use crate::body::SliceSource;
use crate::digest::to_hex;
use crate::error::Error;
use crate::kv::KvLimits;
use crate::object::{ObjectChunks, PutOptions};

fn chunks(bed: &Bed, from: u64, limit: u32) -> ObjectChunks {
    block_on(bed.store.chunks("a", from, limit)).unwrap()
}

/// Where each chunk begins.
fn offsets(list: &ObjectChunks) -> Vec<u64> {
    list.chunks.iter().map(|chunk| chunk.offset).collect()
}

#[test]
fn chunks_are_listed_with_the_values_that_hold_them() {
    let bed = Bed::new(able());
    let body = content(150_000);
    let info = bed.put("a", &body).unwrap();
    let list = chunks(&bed, 0, 1000);
    assert_eq!((list.info, list.next), (info, None));
    assert!(list.pages.is_empty());
    assert_eq!(list.chunks.len(), 3);
    for (i, chunk) in list.chunks.iter().enumerate() {
        let span = i * 65_536..body.len().min((i + 1) * 65_536);
        assert_eq!(chunk.index, i as u64);
        assert_eq!((chunk.offset, chunk.size), (span.start as u64, span.len() as u64));
        assert_eq!(bed.kv.values.borrow()[&chunk.value].0, body[span]);
        assert!(chunk.value.contains(&chunk.segment), "{}", chunk.value);
    }
}

#[test]
fn a_lone_chunk_shows_the_digest() {
    let bed = Bed::new(able());
    let body = content(50_000);
    bed.put("a", &body).unwrap();
    let digest = to_hex(blake3::hash(&body).as_bytes());
    assert_eq!(chunks(&bed, 0, 1).chunks[0].chaining_value, digest);
}

#[test]
fn a_list_goes_on_from_any_byte() {
    let bed = Bed::new(able());
    bed.put("a", &content(300_000)).unwrap();
    let first = chunks(&bed, 0, 2);
    assert_eq!((offsets(&first), first.next), (vec![0, 65_536], Some(131_072)));
    let second = chunks(&bed, 131_072, 2);
    assert_eq!((offsets(&second), second.next), (vec![131_072, 196_608], Some(262_144)));
    assert_eq!(second.chunks[0].index, 2);
    let last = chunks(&bed, 262_144, 2);
    assert_eq!((offsets(&last), last.next), (vec![262_144], None));
    assert_eq!(offsets(&chunks(&bed, 131_071, 1)), [65_536]);
    for past in [300_000, u64::MAX] {
        assert_eq!((offsets(&chunks(&bed, past, 2)), chunks(&bed, past, 2).next), (vec![], None));
    }
}

#[test]
fn of_a_long_list_only_the_pages_in_question_are_read() {
    let bed = Bed::new(KvLimits { value_bytes_max: 65_536, ..able() });
    let body = content(200 * 65_536 + 5);
    bed.put("a", &body).unwrap();
    let mut seen = 0;
    let mut from = Some(0);
    while let Some(at) = from {
        let list = chunks(&bed, at, 50);
        assert_eq!(list.chunks[0].index, seen);
        seen += list.chunks.len() as u64;
        from = list.next;
    }
    assert_eq!(seen, 201);
    let first = chunks(&bed, 0, 1);
    assert_eq!(first.pages.len(), 1);
    assert_eq!(first.pages[0].offset, 0);
    assert!(bed.kv.keys("x/").contains(&first.pages[0].value));
    let read = bed.kv.asked("get").len();
    assert_eq!(chunks(&bed, 200 * 65_536, 1).chunks[0].index, 200);
    assert!(bed.kv.asked("get").len() - read <= 2, "the manifest, and one page at most");
}

#[test]
fn content_in_the_manifest_has_no_chunks() {
    let bed = Bed::new(able());
    bed.put_from("a", SliceSource::new(b"hello", 5), &PutOptions::default()).unwrap();
    let list = chunks(&bed, 0, 10);
    assert_eq!((list.info.size, list.chunks, list.next), (5, vec![], None));
}

#[test]
fn what_cannot_be_listed_is_told_as_to_a_reader() {
    let bed = Bed::new(KvLimits { value_bytes_max: 65_536, ..able() });
    assert_eq!(block_on(bed.store.chunks("a", 0, 1)), Err(Error::NotFound));
    for limit in [0, 1001] {
        let refused = block_on(bed.store.chunks("a", 0, limit));
        assert!(matches!(refused, Err(Error::InvalidArgument(_))), "{refused:?}");
    }
    bed.put("a", &content(200 * 65_536)).unwrap();
    let page = bed.kv.keys("x/")[0].clone();
    bed.kv.damage(&page);
    let refused = block_on(bed.store.chunks("a", 0, 1));
    assert!(matches!(&refused, Err(Error::Corrupt(why)) if why.contains(&page)), "{refused:?}");
}
