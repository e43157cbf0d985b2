//! Clients at work: each draws its operations from the seed, one after the other, beside
//! the others.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use chunk_store::body::SliceSource;
use chunk_store::error::Error;
use chunk_store::object::{GetOptions, ListOptions, ObjectInfo, Precondition, PutOptions};
use chunk_store::range::ByteRange;
use chunk_store_tests::digest;
use chunk_store_tests::random::{Random, bytes};
use tokio::time::Instant;

use crate::register::{Content, Effect, Event};
use crate::world::SimulatedStore;

/// The keys that all clients share.
pub const KEYS: [&str; 2] = ["a", "b"];

/// Sizes around what is inline, a chunk, and several chunks.
const SIZES: [u64; 8] = [0, 1, 1000, 65_536, 65_537, 131_072, 200_000, 400_000];

/// No operation takes longer: an operation of the store is some kv operations in a row,
/// each with a bound of its own.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

/// What all of them did, and what came of it.
#[derive(Default)]
pub struct History {
    /// By the digest.
    contents: RefCell<BTreeMap<String, PutContent>>,
    puts: Cell<u64>,
    events: RefCell<BTreeMap<String, Vec<Event>>>,
    /// Operations that have begun and not ended: what happened to them is not known if
    /// they never do.
    open: RefCell<BTreeMap<u64, (String, Effect, Instant)>>,
    opened: Cell<u64>,
    trace: bool,
}

/// Which put it was, its key, its content.
type PutContent = (u64, String, Rc<[u8]>);

impl History {
    pub fn new(trace: bool) -> Self {
        Self { trace, ..Self::default() }
    }

    /// What was seen of one key; operations that were cut off may have taken effect.
    pub fn events(&self, key: &str) -> Vec<Event> {
        let mut events = self.events.borrow().get(key).cloned().unwrap_or_default();
        let open = self.open.borrow();
        let cut_off = open.values().filter(|(of, ..)| of == key);
        events.extend(cut_off.map(|(_, effect, begun)| Event {
            effect: *effect,
            begun: *begun,
            ended: None,
        }));
        events
    }

    fn note(&self, line: impl FnOnce() -> String) {
        if self.trace {
            println!("{}  {}", ms(Instant::now()), line());
        }
    }

    /// A write begins that may take effect from now on.
    fn begin(&self, key: &str, effect: Effect) -> u64 {
        self.opened.set(self.opened.get() + 1);
        let event = (key.to_string(), effect, Instant::now());
        self.open.borrow_mut().insert(self.opened.get(), event);
        self.opened.get()
    }

    /// It ended: took effect, did not, or nobody knows.
    fn end(&self, open: u64, outcome: Outcome) {
        let (key, effect, begun) = self.open.borrow_mut().remove(&open).expect("it was begun");
        let ended = match outcome {
            Outcome::Done => Some(Instant::now()),
            Outcome::Unknown => None,
            Outcome::Nothing => return,
        };
        self.push(&key, Event { effect, begun, ended });
    }

    /// A read, or a write that came to nothing because of what it found.
    fn saw(&self, key: &str, content: Content, begun: Instant) {
        self.push(key, Event { effect: Effect::Saw(content), begun, ended: Some(Instant::now()) });
    }

    fn push(&self, key: &str, event: Event) {
        self.events.borrow_mut().entry(key.to_string()).or_default().push(event);
    }

    /// Which put made this object: one of this key, and with this content.
    pub fn content_of(&self, info: &ObjectInfo) -> (u64, Rc<[u8]>) {
        let contents = self.contents.borrow();
        let found = contents.get(&info.digest);
        let (put, key, content) = found.unwrap_or_else(|| panic!("nobody put {info:?}"));
        assert_eq!(*key, info.key, "an object under another key than its own");
        assert_eq!(content.len() as u64, info.size);
        (*put, content.clone())
    }
}

enum Outcome {
    Done,
    Nothing,
    Unknown,
}

/// One client.
pub struct Client {
    pub store: SimulatedStore,
    pub random: Random,
    pub history: Rc<History>,
    pub name: usize,
}

impl Client {
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

    async fn step(&mut self) {
        let key = KEYS[self.random.below(KEYS.len() as u64) as usize];
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
        let number = self.history.puts.get() + 1;
        self.history.puts.set(number);
        let size = SIZES[self.random.below(SIZES.len() as u64) as usize];
        // The number makes all contents differ, the empty one too.
        let mut content = number.to_le_bytes().to_vec();
        content.extend(bytes(number, size));
        let digest = digest(&content);
        let content: Rc<[u8]> = content.into();
        let entry = (number, key.to_string(), content.clone());
        self.history.contents.borrow_mut().insert(digest.clone(), entry);

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
            ..PutOptions::default()
        };
        let (begun, open) = (Instant::now(), self.history.begin(key, effect));
        let piece = 1 + self.random.below(100_000) as usize;
        let result = self.store.put(key, SliceSource::new(&content, piece), &options).await;
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

    /// What an error tells of the object, and that it is one of those there may be.
    fn failed(&self, key: &str, error: Error, begun: Instant) {
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
    async fn get(&mut self, key: &str, range: Option<ByteRange>) {
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
                    tokio::time::sleep(Duration::from_millis(self.random.below(50))).await;
                }
                Err(error) => {
                    self.history.note(|| format!("{} get {key} of {put}: {error:?}", self.name));
                    let known = matches!(error, Error::Unavailable(..) | Error::Replaced);
                    assert!(known, "{key}, put {put}: {error:?}");
                    return;
                }
            }
        }
        assert_eq!(at, part.len(), "a short read ended well: {key}, put {put}");
        self.history.note(|| format!("{} get {key}: all of {put}", self.name));
    }

    async fn verify(&mut self, key: &str) {
        match self.store.verify(key).await {
            Ok(report) => {
                let young = self.store.limits().staleness_ms > 0;
                assert!(young || report.problems.is_empty(), "{key}: {report:?}");
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

fn told(result: &Result<ObjectInfo, Error>) -> String {
    match result {
        Ok(info) => format!("ok, {} bytes", info.size),
        Err(Error::PreconditionFailed(info)) => {
            format!("there is {}", if info.is_some() { "one" } else { "none" })
        }
        Err(error) => format!("{error:?}"),
    }
}

/// Milliseconds of the test's own time, of which only differences mean something.
fn ms(moment: Instant) -> u128 {
    static ORIGIN: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    moment.into_std().saturating_duration_since(*ORIGIN).as_millis()
}
