//! Damaged chunks.

use super::*;
use chunk_store_tests::random::bytes;

const MIB: u64 = 1 << 20;

/// Where the chunks of the object begin: two of 256 KiB, one of 512 KiB, 1, 2, 4, 4
/// MiB, and 5 bytes.
const OFFSETS: [u64; 8] = [0, MIB / 4, MIB / 2, MIB, 2 * MIB, 4 * MIB, 8 * MIB, 12 * MIB];

const SIZE: u64 = 12 * MIB + 5;

async fn stored() -> Stored {
    let stored = Stored::new(bytes(111, SIZE), PutOptions::default()).await;
    assert_eq!(stored.chunks().len(), OFFSETS.len());
    stored
}

fn end(chunk: usize) -> u64 {
    OFFSETS.get(chunk + 1).copied().unwrap_or(SIZE)
}

/// Does something to each chunk in turn, and asserts that reading ends there, in
/// these words, and nowhere else.
async fn each_ends_the_read(damage: impl Fn(&Path), words: &str) {
    let stored = stored().await;
    for (index, file) in stored.chunks().iter().enumerate() {
        let before = fs::read(file).unwrap();
        damage(file);
        let (start, end) = (OFFSETS[index], end(index));
        let key = stored.kv_key(file);
        let chunk = format!("chunk {index} ({key}) at byte {start}");
        let names = ["object", &chunk, words];
        stored.ends_at(start, &names).await;
        stored.range_fails(start, start + 1, &names).await;
        stored.range_fails(end - 1, end, &names).await;
        stored.range_fails(start.saturating_sub(1), end, &names).await;
        if start > 0 {
            stored.range_works(0, start).await;
        }
        if end < SIZE {
            stored.range_works(end, SIZE).await;
        }
        stored.verify_names(&[&[&chunk, words]]).await;
        fs::write(file, before).unwrap();
    }
    stored.is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_chunk_ends_the_read() {
    each_ends_the_read(|file| fs::remove_file(file).unwrap(), "is missing").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_ends_the_read() {
    for where_from_the_end in [false, true] {
        let flip = |file: &Path| {
            let last = fs::metadata(file).unwrap().len() as usize - 1;
            flip_bit(file, if where_from_the_end { last } else { 0 }, 3);
        };
        each_ends_the_read(flip, "does not hold the bytes that were written").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_cut_short_ends_the_read() {
    let cut = |file: &Path| cut_short(file, fs::metadata(file).unwrap().len().min(1000));
    each_ends_the_read(cut, "in place of").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_with_a_byte_too_many_ends_the_read() {
    let lengthen = |file: &Path| {
        let length = fs::metadata(file).unwrap().len();
        fs::File::options().write(true).open(file).unwrap().set_len(length + 1).unwrap();
    };
    each_ends_the_read(lengthen, "in place of").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_of_zeroes_ends_the_read() {
    let clear = |file: &Path| {
        let length = fs::metadata(file).unwrap().len() as usize;
        fs::write(file, vec![0; length]).unwrap();
    };
    each_ends_the_read(clear, "does not hold the bytes that were written").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swapped_pair_ends_the_read_at_the_first() {
    let stored = stored().await;
    let chunks = stored.chunks();
    for (one, other) in [(0, 1), (5, 6)] {
        swap(&chunks[one], &chunks[other]);
        let names =
            [one, other].map(|chunk| format!("chunk {chunk} ({})", stored.kv_key(&chunks[chunk])));
        stored.ends_at(OFFSETS[one], &["object", &names[0]]).await;
        stored.range_fails(OFFSETS[other], OFFSETS[other] + 1, &["object", &names[1]]).await;
        stored.range_works(end(other), SIZE).await;
        let words = "does not hold the bytes that were written";
        stored.verify_names(&[&[&names[0], words], &[&names[1], words]]).await;
        swap(&chunks[one], &chunks[other]);
        stored.is_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_chunk_is_checked_too() {
    let options = PutOptions { inline_bytes_max: Some(0), ..PutOptions::default() };
    for size in [1, 1000, 1024, 1025, 256 << 10] {
        let stored = Stored::new(bytes(112, size), options.clone()).await;
        let chunks = stored.chunks();
        flip_bit(&chunks[0], size as usize / 2, 0);
        let chunk = format!("chunk 0 ({}) at byte 0", stored.kv_key(&chunks[0]));
        stored.ends_at(0, &["object", &chunk]).await;
        stored.verify_names(&[&[&chunk]]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_names_each_of_several() {
    let stored = stored().await;
    let chunks = stored.chunks();
    let names: Vec<String> = (0..chunks.len())
        .map(|chunk| format!("chunk {chunk} ({})", stored.kv_key(&chunks[chunk])))
        .collect();
    fs::remove_file(&chunks[1]).unwrap();
    flip_bit(&chunks[3], 500_000, 7);
    cut_short(&chunks[4], 1000);
    swap(&chunks[5], &chunks[6]);
    fs::remove_file(&chunks[7]).unwrap();
    stored
        .verify_names(&[
            &[&names[1], "is missing"],
            &[&names[3], "does not hold the bytes"],
            &[&names[4], &format!("has {} bytes in place of {}", 2 * MIB - 1000, 2 * MIB)],
            &[&names[5], "does not hold the bytes"],
            &[&names[6], "does not hold the bytes"],
            &[&names[7], "is missing"],
        ])
        .await;
    stored.ends_at(OFFSETS[1], &[&names[1]]).await;
    stored.range_works(OFFSETS[2], end(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_of_another_object_is_noticed() {
    let stored = stored().await;
    let other = bytes(113, SIZE);
    let chunks = stored.chunks();
    stored.on.put_bytes("other", &other).await;
    let directory = chunks[0].parent().unwrap();
    let segments = list(directory.parent().unwrap());
    let theirs = segments.iter().find(|segment| *segment != directory).unwrap();
    fs::copy(theirs.join(chunks[2].file_name().unwrap()), &chunks[2]).unwrap();
    let chunk = format!("chunk 2 ({})", stored.kv_key(&chunks[2]));
    stored.ends_at(OFFSETS[2], &["object", &chunk]).await;
    assert!(stored.on.read("other").await == other, "and the other one is none the worse");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_object_is_mended_by_putting_it_again() {
    let stored = stored().await;
    fs::remove_file(&stored.chunks()[4]).unwrap();
    stored.on.put_bytes("object", &stored.content).await;
    stored.is_whole().await;
}
