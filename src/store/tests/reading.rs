//! Chunks on their way back.

use futures_executor::block_on;

use super::scripted::{Act, Bed, able, chunked, content};
use crate::body::SliceSource;
use crate::error::Error;
use crate::kv::KvError;
use crate::object::{GetOptions, ListOptions};
use crate::range::ByteRange;

#[test]
fn no_byte_of_a_wrong_chunk_is_delivered() {
    let body = content(300_000);
    for number in 0..5 {
        let bed = Bed::new(able());
        bed.put("a", &body).unwrap();
        let key = bed.kv.keys("c/")[number].clone();
        bed.kv.damage(&key);
        let (read, end) = bed.read("a");
        assert_eq!(read, body[..number * 65_536], "chunk {number}");
        let Err(Error::Corrupt(why)) = end else { panic!("{end:?}") };
        assert!(why.contains(&format!("chunk {number}")) && why.contains(&key), "{why}");
    }
}

#[test]
fn a_range_beside_a_wrong_chunk_is_served() {
    let bed = Bed::new(able());
    let body = content(300_000);
    bed.put("a", &body).unwrap();
    bed.kv.damage(&bed.kv.keys("c/")[2]);
    let read = |start, end| {
        block_on(async {
            let range = Some(ByteRange::Between(start, end));
            let options = GetOptions { range, ..GetOptions::default() };
            let (_, mut reader) = bed.store.get("a", &options).await.unwrap();
            let mut bytes = Vec::new();
            while let Some(piece) = reader.next().await {
                bytes.extend_from_slice(&piece?.bytes);
            }
            Ok::<_, Error>(bytes)
        })
    };
    assert_eq!(read(65_530, 131_072).unwrap(), body[65_530..131_072]);
    assert_eq!(read(196_608, 300_000).unwrap(), body[196_608..]);
    assert!(matches!(read(196_607, 196_609), Err(Error::Corrupt(_))));
}

#[test]
fn an_object_replaced_and_swept_under_its_reader_is_replaced_not_corrupt() {
    let bed = Bed::new(able());
    bed.put("a", &content(1_000_000)).unwrap();
    let (_, mut reader) = block_on(bed.store.get("a", &GetOptions::default())).unwrap();
    let swept = bed.kv.keys("c/");
    bed.put("a", &content(10)).unwrap();
    swept.iter().for_each(|key| bed.kv.remove(key));
    let end = block_on(async {
        loop {
            match reader.next().await {
                Some(Ok(_)) => {}
                end => return end.map(|end| end.map(|_| ())),
            }
        }
    });
    assert_eq!(end, Some(Err(Error::Replaced)));
}

#[test]
fn failures_that_pass_are_not_seen() {
    let bed = Bed::new(able());
    let body = content(400_000);
    bed.put("a", &body).unwrap();
    let mut count = 0;
    bed.kv.rule(move |_| {
        count += 1;
        (count % 2 == 0).then(|| Act::Fail(KvError::Unavailable("busy".to_string())))
    });
    assert_eq!(bed.read("a"), (body, Ok(())));
}

#[test]
fn an_object_larger_than_the_memory_is_read_in_it() {
    let bed = Bed::new(able());
    let body = content(3_000_000);
    bed.put("a", &body).unwrap();
    assert_eq!(bed.read("a"), (body, Ok(())));
}

#[test]
fn a_long_chunk_list_is_read_through_its_pages() {
    let limits = crate::kv::KvLimits { value_bytes_max: 65_536, ..able() };
    let bed = Bed::new(limits);
    let body = content(200 * 65_536 + 5);
    bed.put("a", &body).unwrap();
    let pages = bed.kv.keys("x/");
    assert!(pages.len() > 1, "{} pages", pages.len());
    assert_eq!(bed.read("a"), (body, Ok(())));
    bed.kv.damage(&pages[1]);
    let (_, end) = bed.read("a");
    assert!(matches!(&end, Err(Error::Corrupt(why)) if why.contains(&pages[1])), "{end:?}");
    let report = block_on(bed.store.verify("a")).unwrap();
    assert_eq!(report.problems.len(), 1);
    assert!(report.problems[0].contains(&pages[1]), "{:?}", report.problems);
}

#[test]
fn verify_names_everything_that_is_wrong() {
    let bed = Bed::new(able());
    bed.put("a", &content(500_000)).unwrap();
    let chunks = bed.kv.keys("c/");
    bed.kv.damage(&chunks[1]);
    bed.kv.remove(&chunks[3]);
    let short = bed.kv.values.borrow()[&chunks[5]].0[1000..].to_vec();
    bed.kv.put_value(&chunks[5], &short);
    let report = block_on(bed.store.verify("a")).unwrap();
    assert_eq!((report.chunks, report.problems.len()), (8, 3));
    for (problem, part) in report.problems.iter().zip([
        "chunk 1 (c/",
        "chunk 3 (c/",
        "has 64536 bytes in place of 65536",
    ]) {
        assert!(problem.contains(part), "{problem}");
    }
}

#[test]
fn listings_roll_up_across_the_pages_of_kv() {
    let bed = Bed::new(able());
    for key in ["a", "b/1", "b/2", "b/3", "c", "d/1", "d/2", "e"] {
        bed.put_from(key, SliceSource::new(b"x", 1), &chunked()).unwrap();
    }
    for page_keys_max in [1, 2, 3, 100] {
        bed.kv.page_keys_max(page_keys_max);
        for limit in [1, 2, 5, 1000] {
            let mut options = ListOptions {
                delimiter: Some("/".to_string()),
                limit,
                details: true,
                ..ListOptions::default()
            };
            let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
            loop {
                let page = block_on(bed.store.list(&options)).unwrap();
                assert!(page.objects.len() + page.prefixes.len() <= limit as usize);
                objects.extend(page.objects.into_iter().map(|object| object.key));
                prefixes.extend(page.prefixes);
                options.cursor = page.cursor;
                if options.cursor.is_none() {
                    break;
                }
            }
            assert_eq!(objects, ["a", "c", "e"], "{page_keys_max} {limit}");
            assert_eq!(prefixes, ["b/", "d/"], "{page_keys_max} {limit}");
        }
    }
}
