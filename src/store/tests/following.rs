//! Reading what is still being written.

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use futures_executor::block_on;

use super::scripted::{Bed, able, chunked, content};
use crate::body::SliceSource;
use crate::error::Error;
use crate::kv::KvLimits;
use crate::object::{ObjectInfo, PutOptions};
use crate::store::follow::Followed;

/// What a follower gets: the bytes, and how they end.
async fn followed(bed: &Bed, start: u64, stall: u32) -> (Vec<u8>, Result<ObjectInfo, Error>) {
    let mut bytes = Vec::new();
    let mut follower = match bed.store.follow("a", start, stall).await {
        Ok((_, follower)) => follower,
        Err(error) => return (bytes, Err(error)),
    };
    loop {
        match follower.next().await {
            Ok(Followed::Piece(piece)) => bytes.extend_from_slice(&piece.bytes),
            Ok(Followed::Committed(info)) => return (bytes, Ok(info)),
            Err(error) => return (bytes, Err(error)),
        }
    }
}

/// Follows while one step after the other is taken, each a second after the one before.
fn while_following(
    bed: &Bed,
    start: u64,
    steps: Vec<LocalBoxFuture<'_, ()>>,
) -> (Vec<u8>, Result<ObjectInfo, Error>) {
    let begun = bed.clock.ms.get();
    let work = async {
        for (i, step) in steps.into_iter().enumerate() {
            // The follower's sleep moves the clock.
            while bed.clock.ms.get() < begun + 1000 * (i as u64 + 1) {
                futures::pending!();
            }
            step.await;
        }
    };
    block_on(async { futures::join!(followed(bed, start, 60), woken(work)).0 })
}

/// Polls again and again, as something that waits for time to pass has to be.
async fn woken(work: impl Future<Output = ()>) {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|cx| {
        cx.waker().wake_by_ref();
        work.as_mut().poll(cx)
    })
    .await;
}

#[test]
fn what_is_there_then_what_is_added_until_the_commit() {
    let body = &content(500_000)[..];
    for start in [0, 1, 65_536, 99_999, 100_000, 350_000] {
        let bed = Bed::new(able());
        let name = &bed.begin("a")[..];
        bed.append(name, 0, &body[..100_000]).unwrap();
        let store = &bed.store;
        let add = |from: usize, to: usize| {
            let part = SliceSource::new(&body[from..to], 10_000);
            async move { drop(store.append(name, from as u64, part).await.unwrap()) }.boxed_local()
        };
        let steps = vec![
            add(100_000, 100_001),
            add(100_001, 400_000),
            add(400_000, 500_000),
            async { drop(store.commit_upload(name).await.unwrap()) }.boxed_local(),
        ];
        let (bytes, ended) = while_following(&bed, start, steps);
        assert!(bytes == body[start as usize..], "from {start}");
        assert_eq!(ended.unwrap().size, 500_000);
    }
}

#[test]
fn the_newest_upload_is_followed() {
    let bed = Bed::new(able());
    for (i, bytes) in [b"old", b"new"].iter().enumerate() {
        let name = bed.begin("a");
        bed.append(&name, 0, *bytes).unwrap();
        bed.later(i as u64 + 1);
    }
    assert_eq!(block_on(followed(&bed, 0, 1)).0, b"new");
}

#[test]
fn a_writer_that_stands_still_ends_it_after_the_stall_time() {
    let bed = Bed::new(able());
    let name = bed.begin("a");
    bed.append(&name, 0, &content(100_000)).unwrap();
    let begun = bed.clock.ms.get();
    let (bytes, ended) = block_on(followed(&bed, 0, 7));
    assert_eq!(bytes, content(100_000));
    assert!(matches!(&ended, Err(Error::Unavailable(why, _)) if why.contains("7 s")), "{ended:?}");
    assert!((7000..8000).contains(&(bed.clock.ms.get() - begun)));
}

#[test]
fn an_abort_ends_it() {
    let bed = Bed::new(able());
    let name = bed.begin("a");
    bed.append(&name, 0, &content(100_000)).unwrap();
    let abort = async { bed.store.abort(&name).await.unwrap() }.boxed_local();
    let (bytes, ended) = while_following(&bed, 0, vec![abort]);
    assert_eq!((bytes, ended), (content(100_000), Err(Error::NotFound)));
}

#[test]
fn a_commit_is_seen_and_who_comes_later_reads_the_object() {
    let bed = Bed::new(able());
    let name = bed.begin("a");
    bed.append(&name, 0, &content(100_000)).unwrap();
    let commit = async { drop(bed.store.commit_upload(&name).await.unwrap()) }.boxed_local();
    let (bytes, ended) = while_following(&bed, 0, vec![commit]);
    assert_eq!((bytes, ended.unwrap().size), (content(100_000), 100_000));
    assert_eq!(block_on(followed(&bed, 0, 1)).1, Err(Error::NotFound));
    assert_eq!(bed.read("a"), (content(100_000), Ok(())));
}

#[test]
fn an_offset_behind_the_end_is_no_range() {
    let bed = Bed::new(able());
    let name = bed.begin("a");
    bed.append(&name, 0, &content(100)).unwrap();
    let commit = async { drop(bed.store.commit_upload(&name).await.unwrap()) }.boxed_local();
    let (bytes, ended) = while_following(&bed, 101, vec![commit]);
    assert_eq!((bytes, ended), (Vec::new(), Err(Error::RangeNotSatisfiable(100))));
}

#[test]
fn damage_is_told_and_not_given_out() {
    let bed = Bed::new(able());
    let name = bed.begin("a");
    bed.append(&name, 0, &content(200_000)).unwrap();
    bed.kv.damage(&bed.kv.keys("c/")[1]);
    let (bytes, ended) = block_on(followed(&bed, 0, 1));
    assert!(content(200_000).starts_with(&bytes) && bytes.len() <= 65_536);
    assert!(matches!(ended, Err(Error::Corrupt(_))), "{ended:?}");
}

#[test]
fn where_reads_can_be_stale_or_appends_can_take_turns_it_is_unsupported() {
    for limits in
        [KvLimits { staleness_ms: 1, ..able() }, KvLimits { conditional_write: false, ..able() }]
    {
        let bed = Bed::new(limits);
        bed.begin("a");
        assert!(matches!(block_on(followed(&bed, 0, 1)).1, Err(Error::Unsupported(_))));
    }
}

/// Follows, doing something at each piece.
fn following_with(
    bed: &Bed,
    stall: u32,
    mut at_piece: impl AsyncFnMut(usize),
) -> (usize, Result<ObjectInfo, Error>) {
    block_on(async {
        let (_, mut follower) = bed.store.follow("a", 0, stall).await.unwrap();
        let mut read = 0;
        loop {
            match follower.next().await {
                Ok(Followed::Piece(piece)) => {
                    read += piece.bytes.len();
                    drop(piece);
                    at_piece(read).await;
                }
                Ok(Followed::Committed(info)) => return (read, Ok(info)),
                Err(error) => return (read, Err(error)),
            }
        }
    })
}

/// The bug: a writer that was alive was called gone. The cause: the time that the reader took
/// for what was there counted as standing still, and the record was not looked at again. The
/// fix: the stall time runs from the first look that shows nothing more.
#[test]
fn a_reader_that_takes_its_time_does_not_find_the_writer_gone() {
    let bed = Bed::new(able());
    let name = bed.begin("a");
    let body = content(400_000);
    bed.append(&name, 0, &body[..200_000]).unwrap();
    let (read, ended) = following_with(&bed, 60, async |read| {
        bed.later(50_000);
        if read == 2 * 65_536 {
            let rest = SliceSource::new(&body[200_000..], 10_000);
            bed.store.append(&name, 200_000, rest).await.unwrap();
            bed.store.commit_upload(&name).await.unwrap();
        }
    });
    assert_eq!((read, ended.map(|info| info.size)), (400_000, Ok(400_000)));
}

/// The bug: `not-found` for who was still reading what had been committed in time.
#[test]
fn what_was_committed_before_the_deadline_is_read_to_its_end_after_it() {
    let bed = Bed::new(able());
    let options = PutOptions { deadline_seconds: Some(60), ..chunked() };
    let name = block_on(bed.store.begin("a", &options)).unwrap();
    bed.append(&name, 0, &content(200_000)).unwrap();
    let (read, ended) = following_with(&bed, 3600, async |read| {
        if read == 65_536 {
            bed.store.commit_upload(&name).await.unwrap();
            bed.later(61_000);
        }
    });
    assert_eq!((read, ended.map(|info| info.size)), (200_000, Ok(200_000)));
}

/// The bug: it was `corrupt`. The cause: who follows slowly an upload that is committed, and
/// replaced, and swept, compared the record of the upload only. The fix: it looks at the
/// object too. Found by the simulation.
#[test]
fn what_was_committed_and_replaced_and_swept_is_replaced() {
    let bed = Bed::new(able());
    let name = bed.begin("a");
    bed.append(&name, 0, &content(3 * 65_536)).unwrap();
    let (_, mut follower) = block_on(bed.store.follow("a", 0, 60)).unwrap();
    bed.commit(&name).unwrap();
    bed.put("a", b"other").unwrap();
    for chunk in bed.kv.keys("c/").into_iter().filter(|key| !key.ends_with("0")) {
        bed.kv.remove(&chunk);
    }
    let ended = block_on(async {
        loop {
            match follower.next().await {
                Ok(Followed::Piece(_)) => {}
                ended => break ended.map(drop),
            }
        }
    });
    assert_eq!(ended, Err(Error::Replaced));
}
