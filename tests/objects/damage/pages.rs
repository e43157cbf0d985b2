//! Damaged pages: the chunk list of a large object lies in values of its own.

use super::*;
use chunk_store_tests::random::bytes;

const MIB: u64 = 1 << 20;

/// What one page lists: 512 chunks of 64 KiB.
const PAGE: u64 = 32 * MIB;

/// Two pages, and a rest that the manifest lists itself.
const SIZE: u64 = 70 * MIB + 9;

async fn stored() -> Stored {
    let options = PutOptions { chunk_bytes_max: Some(64 << 10), ..PutOptions::default() };
    let stored = Stored::new(bytes(131, SIZE), options).await;
    assert_eq!((stored.pages().len(), stored.chunks().len()), (2, 1121));
    stored.is_whole().await;
    stored
}

/// Asserts that everything behind this page cannot be read, and all else can.
async fn only_this_page_is_lost(stored: &Stored, page: usize, words: &str) {
    let file = &stored.pages_of_the_whole()[page];
    let start = page as u64 * PAGE;
    let page = format!("the page of chunks {} at byte {start}", stored.kv_key(file));
    let names = ["\"object\" cannot be read", &page, words];
    stored.ends_at(start, &names).await;
    stored.range_fails(start, start + 1, &names).await;
    stored.range_fails(start + PAGE - 1, start + PAGE + 1, &names).await;
    if start > 0 {
        stored.range_works(0, start).await;
    }
    stored.range_works(start + PAGE, SIZE).await;
    stored.verify_names(&[&[&page, words]]).await;
}

impl Stored {
    /// Where the two pages lie, or lay.
    fn pages_of_the_whole(&self) -> [PathBuf; 2] {
        let segment = &list(&self.on.data().join("x+"))[0];
        [segment.join("00000000"), segment.join("00000001")]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_page_ends_the_read() {
    let stored = stored().await;
    for (page, file) in stored.pages_of_the_whole().iter().enumerate() {
        let before = fs::read(file).unwrap();
        fs::remove_file(file).unwrap();
        only_this_page_is_lost(&stored, page, "is missing").await;
        fs::write(file, before).unwrap();
    }
    stored.is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_a_page_ends_the_read() {
    let stored = stored().await;
    let file = &stored.pages()[1];
    let length = fs::metadata(file).unwrap().len() as usize;
    for byte in [0, 20, 32, length / 2, length - 1] {
        flip_bit(file, byte, 1);
        only_this_page_is_lost(&stored, 1, "page").await;
        flip_bit(file, byte, 1);
    }
    stored.is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_cut_short_or_emptied_ends_the_read() {
    let stored = stored().await;
    let file = &stored.pages()[0];
    let before = fs::read(file).unwrap();
    for length in [0, 10, before.len() - 1] {
        fs::write(file, &before[..length]).unwrap();
        only_this_page_is_lost(&stored, 0, "cut short").await;
    }
    fs::write(file, before).unwrap();
    stored.is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn swapped_pages_are_both_named() {
    let stored = stored().await;
    let [one, other] = stored.pages_of_the_whole();
    swap(&one, &other);
    let names = [&one, &other].map(|page| format!("the page of chunks {}", stored.kv_key(page)));
    stored.ends_at(0, &[&names[0]]).await;
    stored.range_fails(PAGE, PAGE + 1, &[&names[1]]).await;
    stored.range_works(2 * PAGE, SIZE).await;
    stored.verify_names(&[&[&names[0]], &[&names[1]]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_goes_on_behind_a_page_and_names_chunks_too() {
    let stored = stored().await;
    let (pages, chunks) = (stored.pages_of_the_whole(), stored.chunks());
    fs::remove_file(&pages[1]).unwrap();
    flip_bit(&chunks[7], 0, 0);
    fs::remove_file(&chunks[600]).unwrap();
    cut_short(&chunks[1030], 1000);
    let named = |chunk: usize| format!("chunk {chunk} ({})", stored.kv_key(&chunks[chunk]));
    let page = stored.kv_key(&pages[1]);
    // Chunk 600 is behind the page: of that one nothing can be said.
    stored.verify_names(&[&[&named(7)], &[&page, "is missing"], &[&named(1030)]]).await;
    stored.range_works(8 << 16, PAGE).await;
    let at = 1030 << 16;
    stored.range_fails(at, at + 1, &[&named(1030), &format!("at byte {at}")]).await;
}
