//! Large objects, and several at once.

use std::io::Read as _;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chunk_store_tests::http::{Client, Sending};
use chunk_store_tests::random::{RandomReader, bytes};
use chunk_store_tests::workers::Workerd;
use futures::future::join_all;
use tokio::time::sleep;

use crate::workerd;

/// What a guest may have.
const GUEST_BYTES_MAX: u64 = 32 << 20;

/// What the Worker's heap may have, and the buffers beside it, when all is done.
const HEAP_BYTES_MAX: u64 = 24 << 20;

/// What both may have together meanwhile, garbage included.
const PEAK_BYTES_MAX: u64 = 40 << 20;

const MB: u64 = 1_000_000;

fn digest_of(seed: u64, size: u64) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut reader = RandomReader::new(seed, size);
    let mut buffer = vec![0; 1 << 20];
    loop {
        match reader.read(&mut buffer).unwrap() {
            0 => return format!("blake3:{}", hasher.finalize()),
            count => hasher.update(&buffer[..count]),
        };
    }
}

/// Puts an object and gets it again, each with its digest compared.
async fn there_and_back(client: &Client, path: &str, size: u64) {
    let digest = digest_of(size, size);
    let content = Sending::read_from(RandomReader::new(size, size), size);
    let put = client.send(&format!("PUT {path}"), &[], content).await.is(204);
    assert_eq!(put.header("x-digest"), digest);
    let (mut hasher, mut count) = (blake3::Hasher::new(), 0);
    let status = client.take(path, |piece| {
        hasher.update(piece);
        count += piece.len() as u64;
        true
    });
    assert_eq!(status.await, 200);
    assert_eq!((count, format!("blake3:{}", hasher.finalize())), (size, digest));
}

/// The most that the Worker's heap and the buffers beside it have together while this is done.
async fn peak_during(workerd: &Workerd, work: impl Future<Output = ()>) -> u64 {
    let mut work = pin!(work);
    let mut peak = 0;
    loop {
        tokio::select! {
            () = &mut work => return peak,
            () = sleep(Duration::from_millis(200)) => {
                let (heap, buffers) = workerd.heap().await;
                peak = peak.max(heap + buffers);
            }
        }
    }
}

async fn assert_guests_are_small(workerd: &Workerd) {
    for bytes in workerd.take_guest_memory().await {
        assert!(bytes <= GUEST_BYTES_MAX, "{} MiB", bytes >> 20);
    }
}

#[tokio::test]
async fn a_gigabyte_comes_back_in_flat_memory() {
    let workerd = workerd().await;
    let client = workerd.client();
    there_and_back(&client, "/small", 20 * MB).await;
    let guests = workerd.take_guest_memory().await;
    let (heap, buffers) = workerd.heap().await;
    println!("20 MB: guests {guests:?}, heap {heap}, buffers {buffers}");

    let peak = peak_during(&workerd, there_and_back(&client, "/large", 1000 * MB)).await;
    let (heap, buffers) = workerd.heap().await;
    let large = workerd.take_guest_memory().await;
    println!("1 GB: guests {large:?}, heap {heap}, buffers {buffers}, peak {peak}");
    assert_eq!(large, guests, "guests are as large as for 20 MB");
    assert!(large.iter().all(|bytes| *bytes <= GUEST_BYTES_MAX), "{large:?}");
    assert!(heap <= HEAP_BYTES_MAX && buffers <= HEAP_BYTES_MAX, "{heap} {buffers}");
    assert!((1..=PEAK_BYTES_MAX).contains(&peak), "{peak}");
}

#[tokio::test]
async fn six_puts_and_six_gets_at_once_are_right() {
    let workerd = workerd().await;
    let clients: Vec<Arc<Client>> = (0..6).map(|_| Arc::new(workerd.client())).collect();
    let sizes = (1..=6).map(|number| number * 3 * MB + number);
    let all: Vec<(Arc<Client>, u64)> = clients.into_iter().zip(sizes).collect();
    let puts = all.iter().map(async |(client, size)| {
        client.send(&format!("PUT /{size}"), &[], &bytes(*size, *size)).await.is(204)
    });
    join_all(puts).await;
    let gets = all.iter().map(async |(client, size)| {
        let got = client.send(&format!("GET /{size}"), &[], b"").await.is(200);
        assert!(got.bytes == bytes(*size, *size), "{size}");
    });
    join_all(gets).await;
    // And both beside each other.
    let both = all.iter().map(async |(client, size)| {
        let got = client.send(&format!("GET /{size}"), &[], b"").await.is(200);
        assert!(got.bytes == bytes(*size, *size), "{size}");
        client.send(&format!("PUT /again/{size}"), &[], &bytes(*size, *size)).await.is(204)
    });
    join_all(both).await;
    assert_guests_are_small(&workerd).await;
}
