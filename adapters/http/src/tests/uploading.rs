//! `/_/uploads`: what depends on the clock, and on bytes that came in by other ways.

use chunk_store::body::SliceSource;
use futures_executor::block_on;

use super::bed::{Answer, Bed};

const TUS: (&str, &str) = ("tus-resumable", "1.0.0");

/// Begins an upload of 5 bytes for `a`; gives its path.
fn begin(bed: &Bed) -> String {
    // `key YQ==` is the key `a`.
    let headers = [TUS, ("upload-metadata", "key YQ=="), ("upload-length", "5")];
    let answer = bed.ask("POST /_/uploads", &headers);
    assert_eq!(answer.status, 201, "{:?}", String::from_utf8_lossy(&answer.body));
    answer.header("location").to_string()
}

fn look(bed: &Bed, path: &str) -> Answer {
    bed.ask(&format!("HEAD {path}"), &[TUS])
}

/// The bytes came in by other ways than PATCH, or the commit after it failed.
#[test]
fn who_is_told_the_full_offset_has_an_object() {
    let bed = Bed::open();
    let path = begin(&bed);
    let name = path.rsplit('/').next().unwrap();
    let source = SliceSource::new(b"hello", 5);
    block_on(bed.store.append(name, 0, source)).unwrap();
    assert_eq!(bed.content("a"), None);
    assert_eq!(look(&bed, &path).header("upload-offset"), "5");
    assert_eq!(bed.content("a").unwrap(), b"hello");
}

#[test]
fn an_upload_ends_with_its_time() {
    let bed = Bed::open();
    let path = begin(&bed);
    bed.clock.pass_seconds(24 * 3600 + 1);
    assert_eq!(look(&bed, &path).status, 404);
}
