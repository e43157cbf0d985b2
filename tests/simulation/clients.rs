//! Clients at work: each draws its operations from the seed, one after the other, beside
//! the others.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use chunk_store::error::Error;
use chunk_store::object::{GetOptions, ListOptions, Precondition, PutOptions};
use chunk_store::range::ByteRange;
use chunk_store_tests::random::{Random, bytes};
use tokio::time::Instant;

use crate::history::{History, Outcome, ms, told};
use crate::register::{Content, Effect};
use crate::source::{Pace, PacedSource};
use crate::world::{Member, SimulatedStore, Wall, World};

/// The keys that all clients share.
pub const KEYS: [&str; 2] = ["a", "b"];

/// Sizes around what is inline, a chunk, and several chunks.
const SIZES: [u64; 8] = [0, 1, 1000, 65_536, 65_537, 131_072, 200_000, 400_000];

/// No operation takes longer: an operation of the store is some kv operations in a row,
/// each with a bound of its own.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

/// One client.
pub struct Client {
    pub store: SimulatedStore,
    pub wall: Wall,
    pub random: Random,
    pub history: Rc<History>,
    pub name: usize,
    /// How its bodies come, how it reads, and whether its writes have deadlines.
    pub pace: Pace,
}

impl Client {
    /// One whose clock is right, for when nothing fails any more.
    pub fn after_all(world: &World, mut random: Random, history: &Rc<History>) -> Self {
        let Member { store, wall, .. } = world.exact_member(&mut random);
        Self { store, wall, random, history: history.clone(), name: 9, pace: Pace::Steady }
    }

    /// Does so many operations.
    pub async fn work(mut self, operations: u64) {
        for _ in 0..operations {
            let pause = self.random.below(3000);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let name = self.name;
            let step = self.step();
            let ended = tokio::time::timeout(PATIENCE, step).await;
            assert!(ended.is_ok(), "an operation of client {name} hangs");
        }
    }

    /// One of the keys.
    pub fn key(&mut self) -> &'static str {
        KEYS[self.random.below(KEYS.len() as u64) as usize]
    }

    pub async fn step(&mut self) {
        let key = self.key();
        match self.random.below(10) {
            0..=3 => self.put(key).await,
            4..=6 => {
                let range = self.range();
                self.get(key, range).await;
            }
            7 => self.head(key).await,
            8 => self.delete(key).await,
            _ if self.random.below(2) == 0 => self.verify(key).await,
            _ => self.list().await,
        }
    }

    async fn put(&mut self, key: &str) {
        let number = self.history.number();
        let size = SIZES[self.random.below(SIZES.len() as u64) as usize];
        // So large that a reader is not done with it as soon as it has begun.
        let size = if self.pace.stops() { 3 * size } else { size };
        // The number makes all contents differ, the empty one too.
        let mut content = number.to_le_bytes().to_vec();
        content.extend(bytes(number, size));
        let content = Bytes::from(content);
        let digest = self.history.will_put(number, key, &content);

        let conditional = self.store.limits().conditional_write;
        let precondition = match self.random.below(6) {
            0 if conditional => Some(Precondition::Absent),
            1 if conditional => Some(Precondition::Exists),
            _ => None,
        };
        let effect = match precondition {
            None => Effect::Wrote(Some(number)),
            Some(Precondition::Absent) => Effect::Created(number),
            Some(_) => Effect::Changed(Some(number)),
        };
        let options = PutOptions {
            size: (self.random.below(2) == 0).then_some(content.len() as u64),
            inline_bytes_max: Some(2000),
            chunk_bytes_max: Some(65_536),
            precondition,
            deadline_seconds: self.deadline_seconds(),
            ..PutOptions::default()
        };
        let (begun, open) = (Instant::now(), self.history.begin(key, effect));
        let source = self.source(content.clone());
        let result = self.store.put(key, source, &options).await;
        self.history.note(|| {
            format!(
                "{} put {key} {number} {effect:?} since {}: {}",
                self.name,
                ms(begun),
                told(&result)
            )
        });
        match result {
            Ok(info) => {
                assert_eq!(info.digest, digest);
                self.history.end(open, Outcome::Done);
            }
            Err(Error::Uncertain(_)) => self.history.end(open, Outcome::Unknown),
            Err(error) => {
                self.history.end(open, Outcome::Nothing);
                self.failed(key, error, begun);
            }
        }
    }

    async fn delete(&mut self, key: &str) {
        let (begun, open) = (Instant::now(), self.history.begin(key, Effect::Wrote(None)));
        let result = self.store.delete(key, None).await;
        self.history.note(|| format!("{} delete {key} since {}: {result:?}", self.name, ms(begun)));
        match result {
            Ok(()) => self.history.end(open, Outcome::Done),
            Err(Error::Uncertain(_)) => self.history.end(open, Outcome::Unknown),
            Err(error) => {
                self.history.end(open, Outcome::Nothing);
                self.failed(key, error, begun);
            }
        }
    }

    /// A body in pieces, as it comes from this client.
    pub fn source(&mut self, content: Bytes) -> PacedSource {
        let piece_bytes = 1 + self.random.below(100_000) as usize;
        PacedSource::new(content, piece_bytes, self.pace, &mut self.random)
    }

    /// When a write of this client has to be done.
    pub fn deadline_seconds(&mut self) -> Option<u32> {
        let hours = self.pace.stops() && self.random.below(3) > 0;
        hours.then(|| 120 + self.random.below(2 * 3600) as u32)
    }

    /// What an error tells of the object, and that it is one of those there may be.
    pub fn failed(&self, key: &str, error: Error, begun: Instant) {
        match error {
            Error::NotFound | Error::PreconditionFailed(None) => self.history.saw(key, None, begun),
            Error::PreconditionFailed(Some(info)) => {
                let (put, _) = self.history.content_of(&info);
                self.history.saw(key, Some(put), begun);
            }
            Error::Unavailable(..) => {}
            error => panic!("{key}: {error:?} is no error of these operations"),
        }
    }

    async fn head(&mut self, key: &str) {
        let begun = Instant::now();
        let result = self.store.head(key, None).await;
        self.history.note(|| format!("{} head {key}: {:?}", self.name, told(&result)));
        match result {
            Ok(info) => {
                let (put, _) = self.history.content_of(&info);
                self.history.saw(key, Some(put), begun);
            }
            Err(error) => self.failed(key, error, begun),
        }
    }

    fn range(&mut self) -> Option<ByteRange> {
        let (a, b) = (self.random.below(400_000), self.random.below(400_000));
        match self.random.below(6) {
            0 => Some(ByteRange::Between(a.min(b), a.max(b))),
            1 => Some(ByteRange::Last(a)),
            _ => None,
        }
    }

    /// Reads an object, or part: every byte is the right one of one put, and if nothing
    /// failed all of them are there.
    pub async fn get(&mut self, key: &str, range: Option<ByteRange>) {
        let begun = Instant::now();
        let options = GetOptions { range, ..GetOptions::default() };
        let (content, mut reader) = match self.store.get(key, &options).await {
            Ok(opened) => opened,
            // The range is past the object's end.
            Err(Error::RangeNotSatisfiable(_)) => return,
            Err(error) => return self.failed(key, error, begun),
        };
        let (put, bytes) = self.history.content_of(&content.info);
        self.history.saw(key, Some(put), begun);
        let part = &bytes[content.part.start as usize..content.part.end as usize];
        let mut at = 0;
        while let Some(piece) = reader.next().await {
            match piece {
                Ok(piece) => {
                    let end = at + piece.bytes.len();
                    assert!(
                        part.get(at..end) == Some(&piece.bytes[..]),
                        "a mixture: {key}, put {put}"
                    );
                    at = end;
                    // A reader that takes its time.
                    let pause_ms = self.pace.reading_ms(&mut self.random);
                    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                }
                Err(error) => {
                    self.history.note(|| format!("{} get {key} of {put}: {error:?}", self.name));
                    return self.broke_off(key, error, begun);
                }
            }
        }
        assert_eq!(at, part.len(), "a short read ended well: {key}, put {put}");
        self.history.note(|| format!("{} get {key}: all of {put}", self.name));
    }

    /// A read that has begun ends early only if it took longer than a sweep keeps what
    /// was replaced, or if kv does not serve.
    fn broke_off(&self, key: &str, error: Error, begun: Instant) {
        let young = self.store.limits().staleness_ms > 0;
        match error {
            Error::Unavailable(..) => {}
            Error::Replaced if young || self.history.is_past_grace(begun) => {}
            error => panic!("{key}, read since {}: {error:?}", ms(begun)),
        }
    }

    async fn verify(&mut self, key: &str) {
        let begun = Instant::now();
        match self.store.verify(key).await {
            Ok(report) => {
                let may = self.store.limits().staleness_ms > 0 || self.history.is_past_grace(begun);
                assert!(may || report.problems.is_empty(), "{key}: {report:?}");
            }
            Err(Error::NotFound | Error::Unavailable(..)) => {}
            Err(error) => panic!("verify of {key}: {error:?}"),
        }
    }

    async fn list(&mut self) {
        let options =
            ListOptions { limit: 1 + self.random.below(3) as u32, ..ListOptions::default() };
        if let Ok(page) = self.store.list(&options).await {
            let keys: Vec<&str> = page.objects.iter().map(|object| object.key.as_str()).collect();
            assert!(keys.is_sorted() && keys.iter().all(|key| KEYS.contains(key)), "{keys:?}");
        }
    }

    /// Reads a key whole once nothing fails any more: what there is, is right.
    pub async fn read_after_all(&mut self, key: &str) -> Content {
        let begun = Instant::now();
        let found = match self.store.get(key, &GetOptions::default()).await {
            Ok((content, mut reader)) => {
                let (put, bytes) = self.history.content_of(&content.info);
                let mut read = Vec::new();
                while let Some(piece) = reader.next().await {
                    let piece = piece.unwrap_or_else(|error| panic!("{key}, put {put}: {error:?}"));
                    read.extend_from_slice(&piece.bytes);
                }
                assert!(read == *bytes, "{key}, put {put}, is not what was put");
                let report = self.store.verify(key).await.expect("it is there");
                assert!(report.problems.is_empty(), "{key}, put {put}: {report:?}");
                Some(put)
            }
            Err(Error::NotFound) => None,
            Err(error) => panic!("{key}, after all: {error:?}"),
        };
        self.history.note(|| format!("after all {key} holds {found:?}"));
        self.history.saw(key, found, begun);
        found
    }
}
