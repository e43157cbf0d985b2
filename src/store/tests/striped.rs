//! Objects that several readers give together, a run in turn each.

use futures_executor::block_on;

use super::scripted::{Bed, able, chunked, content};
use crate::body::SliceSource;
use crate::error::Error;
use crate::object::{GetOptions, PutOptions};
use crate::range::{ByteRange, Span};
use crate::stripe::Stripe;

/// What one of the readers gives, or the error that ends it, and what part it says.
fn read(bed: &Bed, range: Option<ByteRange>, stripe: Stripe) -> Result<(Span, Vec<u8>), Error> {
    block_on(async {
        let options = GetOptions { range, stripe: Some(stripe), ..GetOptions::default() };
        let (content, mut reader) = bed.store.get("a", &options).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = reader.next().await {
            bytes.extend_from_slice(&piece?.bytes);
        }
        Ok((content.part, bytes))
    })
}

/// Deals a part out as the readers do, and compares.
fn assert_dealt(bed: &Bed, body: &[u8], range: Option<ByteRange>, run_bytes: u64, of: u32) {
    let part = range
        .map_or(Span::new(0, body.len() as u64), |range| range.resolve(body.len() as u64).unwrap());
    let mut shares = vec![Vec::new(); of as usize];
    for at in part.start..part.end {
        let turn = (at / run_bytes - part.start / run_bytes) % u64::from(of);
        shares[turn as usize].push(body[at as usize]);
    }
    for (index, share) in (0..of).zip(shares) {
        let read = read(bed, range, Stripe { run_bytes, of, index });
        assert!(read == Ok((part, share)), "{index} of {of}, runs of {run_bytes}, {range:?}");
    }
}

#[test]
fn only_the_first_to_open_waits_for_memory() {
    let bed = Bed::new(able());
    bed.put("a", &content(700_001)).unwrap();
    let all = block_on(bed.store.take_share(1 << 20, &able())).unwrap();
    let open = |index| {
        let stripe = Some(Stripe { run_bytes: 65_536, of: 2, index });
        block_on(bed.store.get("a", &GetOptions { stripe, ..GetOptions::default() })).err()
    };
    let before = bed.clock.ms.get();
    assert_eq!(open(1), None);
    assert_eq!(bed.clock.ms.get(), before);
    assert!(matches!(open(0), Some(Error::Unavailable(..))));
    assert!(bed.clock.ms.get() > before);
    drop(all);
    assert_eq!(open(0), None);
}

const RANGES: [Option<ByteRange>; 4] = [
    None,
    Some(ByteRange::Between(65_535, 262_145)),
    Some(ByteRange::From(131_072)),
    Some(ByteRange::Last(70_000)),
];

#[test]
fn runs_of_one_chunk_of_several_and_of_part_of_one_are_dealt_out() {
    let bed = Bed::new(able());
    let body = content(700_001);
    bed.put("a", &body).unwrap();
    for run_bytes in [65_536, 131_072, 100_000, 20_000, 1 << 30] {
        for of in [1, 2, 3] {
            for range in RANGES {
                assert_dealt(&bed, &body, range, run_bytes, of);
            }
        }
    }
}

#[test]
fn a_chunk_list_in_pages_is_dealt_out() {
    let bed = Bed::new(crate::kv::KvLimits { value_bytes_max: 65_536, ..able() });
    let body = content(200 * 65_536 + 5);
    bed.put("a", &body).unwrap();
    assert!(bed.kv.keys("x/").len() > 1);
    assert_dealt(&bed, &body, None, 65_536, 2);
    assert_dealt(&bed, &body, Some(ByteRange::From(1_000_000)), 4 << 20, 3);
}

#[test]
fn content_in_the_manifest_is_dealt_out() {
    let bed = Bed::new(able());
    let body = content(1000);
    bed.put_from("a", SliceSource::new(&body, 1000), &PutOptions::default()).unwrap();
    for run_bytes in [10, 300, 4096] {
        for range in [None, Some(ByteRange::Between(5, 999))] {
            assert_dealt(&bed, &body, range, run_bytes, 2);
        }
    }
}

#[test]
fn nobody_fetches_chunks_of_another() {
    let bed = Bed::new(able());
    bed.put("a", &content(640_000)).unwrap();
    let chunks = bed.kv.keys("c/").len();
    for index in 0..2 {
        let before = bed.kv.asked("get").len();
        read(&bed, None, Stripe { run_bytes: 65_536, of: 2, index }).unwrap();
        assert_eq!(bed.kv.asked("get").len() - before, 1 + chunks / 2);
    }
}

#[test]
fn what_is_put_back_comes_again() {
    let bed = Bed::new(able());
    let body = content(640_000);
    bed.put_from("a", SliceSource::new(&body, 10_000), &chunked()).unwrap();
    let stripe = Some(Stripe { run_bytes: 131_072, of: 2, index: 1 });
    let options = GetOptions { stripe, ..GetOptions::default() };
    let expected = [&body[131_072..262_144], &body[393_216..524_288]].concat();
    let read = block_on(async {
        let (_, mut reader) = bed.store.get("a", &options).await.unwrap();
        let mut bytes = Vec::new();
        while let Some(piece) = reader.next().await {
            let piece = piece.unwrap();
            let kept = piece.bytes.len().min(60_000);
            bytes.extend_from_slice(&piece.bytes[..kept]);
            reader.put_back((piece.bytes.len() - kept) as u64);
        }
        bytes
    });
    assert!(read == expected);
}

#[test]
fn a_stripe_that_cannot_be_is_refused() {
    let bed = Bed::new(able());
    bed.put("a", &content(10)).unwrap();
    let refused = read(&bed, None, Stripe { run_bytes: 4096, of: 2, index: 2 });
    assert!(matches!(&refused, Err(Error::InvalidArgument(_))), "{refused:?}");
}
