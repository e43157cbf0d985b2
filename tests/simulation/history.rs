//! What all clients did, and what came of it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use chunk_store::error::Error;
use chunk_store::object::ObjectInfo;
use chunk_store_tests::digest;
use tokio::time::Instant;

use crate::register::{Content, Effect, Event};
use crate::uploads::Upload;

/// What all of them did, and what came of it.
#[derive(Default)]
pub struct History {
    /// Of puts, by the digest.
    contents: RefCell<BTreeMap<String, PutContent>>,
    numbers: Cell<u64>,
    events: RefCell<BTreeMap<String, Vec<Event>>>,
    /// Operations that have begun and not ended: what happened to them is not known if
    /// they never do.
    open: RefCell<BTreeMap<u64, (String, Effect, Instant)>>,
    opened: Cell<u64>,
    uploads: RefCell<Vec<Rc<Upload>>>,
    /// For how long what was replaced is there at least; ever, if nobody sweeps.
    grace: Cell<Option<Duration>>,
    trace: bool,
}

/// Which put it was, its key, its content.
type PutContent = (u64, String, Bytes);

/// What is known of an operation that has ended.
pub enum Outcome {
    Done,
    Nothing,
    Unknown,
}

impl History {
    pub fn new(trace: bool) -> Self {
        Self { trace, ..Self::default() }
    }

    /// A number for the next content.
    pub fn number(&self) -> u64 {
        self.numbers.set(self.numbers.get() + 1);
        self.numbers.get()
    }

    /// A put is about to begin; gives the digest of its content.
    pub fn will_put(&self, number: u64, key: &str, content: &Bytes) -> String {
        let digest = digest(content);
        let entry = (number, key.to_string(), content.clone());
        self.contents.borrow_mut().insert(digest.clone(), entry);
        digest
    }

    /// An upload has begun.
    pub fn began(&self, upload: Upload) {
        self.uploads.borrow_mut().push(Rc::new(upload));
    }

    /// Every upload whose name is known, the oldest first.
    pub fn uploads(&self) -> Vec<Rc<Upload>> {
        self.uploads.borrow().clone()
    }

    /// Somebody sweeps, and leaves readers so much time.
    pub fn sweeps(&self, grace: Duration) {
        let least = self.grace.get().map_or(grace, |least| least.min(grace));
        self.grace.set(Some(least));
    }

    /// Whether what was there at this time may have been swept since.
    pub fn is_past_grace(&self, begun: Instant) -> bool {
        self.grace.get().is_some_and(|grace| begun.elapsed() >= grace)
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
            until: None,
        }));
        let uploads = self.uploads.borrow();
        events.extend(uploads.iter().filter(|upload| upload.key == key).flat_map(|u| u.events()));
        events
    }

    pub fn note(&self, line: impl FnOnce() -> String) {
        if self.trace {
            println!("{}  {}", ms(Instant::now()), line());
        }
    }

    /// A write begins that may take effect from now on.
    pub fn begin(&self, key: &str, effect: Effect) -> u64 {
        self.opened.set(self.opened.get() + 1);
        let event = (key.to_string(), effect, Instant::now());
        self.open.borrow_mut().insert(self.opened.get(), event);
        self.opened.get()
    }

    /// It ended: took effect, did not, or nobody knows.
    pub fn end(&self, open: u64, outcome: Outcome) {
        let (key, effect, begun) = self.open.borrow_mut().remove(&open).expect("it was begun");
        let ended = match outcome {
            Outcome::Done => Some(Instant::now()),
            Outcome::Unknown => None,
            Outcome::Nothing => return,
        };
        self.push(&key, Event { effect, begun, ended, until: None });
    }

    /// A read, or a write that came to nothing because of what it found.
    pub fn saw(&self, key: &str, content: Content, begun: Instant) {
        let ended = Some(Instant::now());
        self.push(key, Event { effect: Effect::Saw(content), begun, ended, until: None });
    }

    fn push(&self, key: &str, event: Event) {
        self.events.borrow_mut().entry(key.to_string()).or_default().push(event);
    }

    /// Which put or upload made this object: one of this key, and with this content.
    pub fn content_of(&self, info: &ObjectInfo) -> (u64, Bytes) {
        if let Some((put, key, content)) = self.contents.borrow().get(&info.digest) {
            assert_eq!(*key, info.key, "an object under another key than its own");
            assert_eq!(content.len() as u64, info.size);
            return (*put, content.clone());
        }
        let uploads = self.uploads.borrow();
        let of_key = uploads.iter().filter(|upload| upload.key == info.key);
        let found = of_key.filter_map(|upload| Some((upload.number, upload.became(info)?))).next();
        found.unwrap_or_else(|| panic!("nobody put {info:?}"))
    }
}

pub fn told(result: &Result<ObjectInfo, Error>) -> String {
    match result {
        Ok(info) => format!("ok, {} bytes", info.size),
        Err(Error::PreconditionFailed(info)) => {
            format!("there is {}", if info.is_some() { "one" } else { "none" })
        }
        Err(error) => format!("{error:?}"),
    }
}

/// Milliseconds of the test's own time, of which only differences mean something.
pub fn ms(moment: Instant) -> u128 {
    static ORIGIN: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    moment.into_std().saturating_duration_since(*ORIGIN).as_millis()
}
