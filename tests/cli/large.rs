//! Large objects: every byte, and the memory that they take.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::LazyLock;

use chunk_store_host::kv::MEMORY_BYTES_MAX_DEFAULT;
use chunk_store_tests::process::watch;
use chunk_store_tests::random::{Random, RandomReader};
use serde_json::Value;

use crate::program::{Place, chunk_files};

const MB: u64 = 1_000_000;

/// What the process may hold in memory.
pub const RESIDENT_BYTES_MAX: u64 = 160 << 20;

/// What the component may.
const GUEST_BYTES_MAX: u64 = 32 << 20;

/// What may be under way at once, and is not each time: chunks that wait for the disk.
/// `objects/memory.rs` makes them wait, and there the figures are within a tenth.
const BUFFER_BYTES: u64 = MEMORY_BYTES_MAX_DEFAULT;

/// What storing a body from a pipe has taken.
struct Cost {
    resident_bytes: u64,
    guest_bytes: u64,
}

/// Streams random bytes into the program and checks what it says of them.
fn put_from_a_pipe(place: &Place, seed: u64, size: u64) -> Cost {
    let mut command = place.command(&["--json", "put", "-", "big"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        let mut hasher = blake3::Hasher::new();
        let mut body = RandomReader::new(seed, size);
        let mut buffer = vec![0; 1 << 20];
        loop {
            let count = body.read(&mut buffer).unwrap();
            if count == 0 {
                return hasher.finalize();
            }
            hasher.update(&buffer[..count]);
            stdin.write_all(&buffer[..count]).unwrap();
        }
    });
    let resident_bytes = watch(&mut child);
    let output = child.wait_with_output().unwrap();
    let digest = writer.join().unwrap();
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
    let stored: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(stored["size"], size);
    assert_eq!(stored["digest"], format!("blake3:{digest}"));
    Cost { resident_bytes, guest_bytes: stored["guest-memory-bytes"].as_u64().unwrap() }
}

/// What a body of 300 MB takes; measured once.
static SMALL: LazyLock<Cost> = LazyLock::new(|| put_from_a_pipe(&Place::new(), 31, 300 * MB));

fn assert_little(cost: &Cost) {
    assert!(cost.resident_bytes > 0 && cost.guest_bytes > 0);
    assert!(cost.resident_bytes < RESIDENT_BYTES_MAX, "{} bytes resident", cost.resident_bytes);
    assert!(cost.guest_bytes < GUEST_BYTES_MAX, "{} bytes in the guest", cost.guest_bytes);
}

#[test]
fn three_hundred_megabytes_take_little_memory() {
    assert_little(&SMALL);
}

#[test]
fn a_gibibyte_takes_no_more_than_three_hundred_megabytes_and_what_is_under_way() {
    let cost = put_from_a_pipe(&Place::new(), 32, 1 << 30);
    assert_little(&cost);
    // In the process a chunk on its way lies twice: in the guest, and outside it.
    for (large, small, copies) in
        [(cost.resident_bytes, SMALL.resident_bytes, 2), (cost.guest_bytes, SMALL.guest_bytes, 1)]
    {
        let most = small + copies * BUFFER_BYTES;
        assert!(large <= most, "{large} bytes, where 300 MB took {small}");
    }
}

#[test]
fn three_hundred_megabytes_come_back_whole_and_in_part() {
    let place = Place::new();
    let size = 300 * MB;
    let content = chunk_store_tests::random::bytes(33, size);
    let file = place.file("big.bin", &content);
    let put = place.json(&["put", &file]).remove(0);
    let digest = chunk_store_tests::digest(&content);
    assert_eq!((&put["size"], &put["digest"]), (&size.into(), &digest.clone().into()));
    assert_eq!(place.json(&["head", "big.bin"])[0]["digest"], digest);

    place.works(&["get", "big.bin", "-o", "copy"]);
    assert!(fs::read(place.path("copy")).unwrap() == content, "the copy is the file");

    let mut joined = Vec::with_capacity(content.len());
    let chunks = chunk_files(&place.path("store"));
    assert_eq!(put["chunks"], chunks.len());
    for chunk in chunks {
        File::open(chunk).unwrap().read_to_end(&mut joined).unwrap();
    }
    assert!(joined == content, "the chunk files, one behind the other, are the file");

    let mut random = Random::new(34);
    for _ in 0..40 {
        let first = random.below(size);
        let last = first + random.below((size - first).min(20 * MB));
        let got = place.works(&["get", "big.bin", "--range", &format!("{first}-{last}")]);
        assert!(got == content[first as usize..=last as usize], "{first}-{last}");
    }
}
