//! What is known of one upload: what was sent to it, what was seen of it, and when it may
//! have become an object.
//!
//! Each append sends either its part of the body that the upload was begun for, or bytes
//! of its own, so that of two at once it shows whose came in. Whatever is seen of an upload
//! has to be put together from beginnings of what was sent, each where the one before it
//! ends. Where reads are current and kv has conditional writes it only ever grows: all
//! that anybody sees agrees, and what was acknowledged is there.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use chunk_store::error::Error;
use chunk_store::object::{ObjectInfo, Precondition, PutOptions, UploadStatus};
use chunk_store_tests::digest;
use tokio::time::Instant;

use crate::register::{Effect, Event};

pub struct Upload {
    pub name: String,
    pub key: String,
    /// What it becomes, in the events of its key.
    pub number: u64,
    /// What it was begun for.
    pub body: Bytes,
    pub options: PutOptions,
    /// By the clock of whoever began it, in milliseconds since the Unix epoch.
    pub started: u64,
    pub deadline: u64,
    /// For how long a write may be on its way after its caller has given it up.
    pub lag: Duration,
    /// Reads are current and kv has conditional writes.
    pub exact: bool,
    pub sent: RefCell<Vec<Sent>>,
    /// What was seen, and where.
    seen: RefCell<Vec<(u64, Bytes)>>,
    /// Contents that were recognised, by the digest.
    recognised: RefCell<BTreeMap<String, Bytes>>,
    /// How far it has been seen to come.
    reached: Cell<u64>,
    commits: RefCell<Vec<CommitCall>>,
    object: RefCell<Option<ObjectInfo>>,
    /// Somebody has tried to abort it; and was told that it is.
    pub abort_tried: Cell<bool>,
    pub aborted: Cell<bool>,
}

/// What an append was to add.
pub struct Sent {
    pub at: u64,
    pub bytes: Bytes,
}

#[derive(Debug, Clone, Copy)]
struct CommitCall {
    begun: Instant,
    /// `None` while it goes on, and if it was cut off by the end of everything.
    ended: Option<Instant>,
    outcome: Committed,
}

/// What came of a call of commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// The object is there, or was.
    Acknowledged,
    /// Nobody knows.
    Unknown,
    /// Not by this call.
    Nothing,
}

impl Upload {
    pub fn new(
        (name, key, number): (String, &str, u64),
        (body, options): (Bytes, PutOptions),
        (started, deadline): (u64, u64),
        (lag, exact): (Duration, bool),
    ) -> Self {
        Self {
            name,
            key: key.to_string(),
            number,
            body,
            options,
            started,
            deadline,
            lag,
            exact,
            sent: RefCell::default(),
            seen: RefCell::default(),
            recognised: RefCell::default(),
            reached: Cell::default(),
            commits: RefCell::default(),
            object: RefCell::default(),
            abort_tried: Cell::default(),
            aborted: Cell::default(),
        }
    }

    /// What it was seen to hold up to, so far: where it stands at least from now on, if
    /// what is accepted stays.
    pub fn reached(&self) -> u64 {
        if self.exact { self.reached.get() } else { 0 }
    }

    /// Somebody was told that it stands there.
    pub fn reaches(&self, offset: u64) {
        self.reached.set(self.reached.get().max(offset));
    }

    /// These bytes were seen there.
    pub fn saw(&self, at: u64, bytes: Bytes) {
        assert!(self.was_sent(at, &bytes), "{}: nobody sent what is at byte {at}", self.name);
        if !self.exact {
            return;
        }
        let mut seen = self.seen.borrow_mut();
        for (before, other) in seen.iter() {
            let agree = overlap((at, &bytes), (*before, other));
            assert!(agree, "{}: two contents from byte {at} on", self.name);
        }
        self.reaches(at + bytes.len() as u64);
        let whole = |(before, other): &(u64, Bytes)| {
            *before >= at && before + other.len() as u64 <= at + bytes.len() as u64
        };
        seen.retain(|other| !whole(other));
        seen.push((at, bytes));
    }

    /// Whether bytes that were seen somewhere are put together from beginnings of what was
    /// sent.
    fn was_sent(&self, at: u64, bytes: &[u8]) -> bool {
        let sent = self.sent.borrow();
        // What may explain them from where on: at first whatever lies there, then what
        // begins as far as that goes.
        let lies_there = |sent: &Sent| sent.at <= at && at < sent.at + sent.bytes.len() as u64;
        let mut going: Vec<(u64, &Sent)> =
            sent.iter().filter(|sent| lies_there(sent)).map(|sent| (at, sent)).collect();
        let mut tried = vec![false; sent.len()];
        while let Some((from, here)) = going.pop() {
            let same =
                beginning(&here.bytes[(from - here.at) as usize..], &bytes[(from - at) as usize..]);
            let until = from + same as u64;
            if until == at + bytes.len() as u64 {
                return true;
            }
            for (next, tried) in sent.iter().zip(&mut tried) {
                if from < next.at && next.at <= until && !std::mem::replace(tried, true) {
                    going.push((next.at, next));
                }
            }
        }
        bytes.is_empty()
    }

    /// The content of this digest and size, if it can be put together from what was sent.
    pub fn content(&self, wanted: &str, size: u64) -> Option<Bytes> {
        if let Some(content) = self.recognised.borrow().get(wanted) {
            return (content.len() as u64 == size).then(|| content.clone());
        }
        let mut content = Vec::new();
        if !self.put_together(&mut content, size, wanted, &mut BTreeSet::new()) {
            return None;
        }
        let content = Bytes::from(content);
        self.recognised.borrow_mut().insert(wanted.to_string(), content.clone());
        Some(content)
    }

    fn put_together(
        &self,
        content: &mut Vec<u8>,
        size: u64,
        wanted: &str,
        tried: &mut BTreeSet<String>,
    ) -> bool {
        let at = content.len() as u64;
        // Two ways to the same beginning go on alike.
        let digest = digest(content);
        if at == size || !tried.insert(digest.clone()) {
            return at == size && digest == wanted;
        }
        let sent = self.sent.borrow();
        for here in sent.iter().filter(|sent| sent.at == at) {
            let longest = size.min(at + here.bytes.len() as u64);
            let others = sent.iter().map(|other| other.at).chain([size]);
            let ends: BTreeSet<u64> = others.filter(|end| at < *end && *end <= longest).collect();
            for end in ends {
                content.truncate(at as usize);
                content.extend_from_slice(&here.bytes[..(end - at) as usize]);
                if self.put_together(content, size, wanted, tried) {
                    return true;
                }
            }
        }
        content.truncate(at as usize);
        false
    }

    /// What this object holds, if it can be of this upload and is as announced; then it is
    /// the one that the upload becomes.
    pub fn became(&self, info: &ObjectInfo) -> Option<Bytes> {
        let announced = &self.options;
        let fits = announced.size.is_none_or(|size| size == info.size)
            && announced.digest.as_ref().is_none_or(|digest| *digest == info.digest);
        let content = self.content(&info.digest, info.size).filter(|_| fits)?;
        if self.exact {
            let mut object = self.object.borrow_mut();
            let first = object.get_or_insert_with(|| info.clone());
            assert_eq!(first, info, "{} became two objects", self.name);
            assert!(!self.aborted.get(), "{} was aborted and became an object", self.name);
            assert!(info.size >= self.reached(), "{} lost what it had accepted", self.name);
        }
        self.saw(0, content.clone());
        Some(content)
    }

    /// Checks how somebody was told that it stands; it had come so far before they asked.
    pub fn check(&self, status: &UploadStatus, reached: u64) {
        assert_eq!((&status.key, status.size), (&self.key, self.options.size));
        assert_eq!((status.started, status.deadline), (self.started, self.deadline));
        assert!(status.offset >= reached, "{}: {status:?} in place of {reached}", self.name);
        let digest = status.digest.as_ref().expect("`status` computes it");
        let content = self.content(digest, status.offset);
        let content = content.unwrap_or_else(|| panic!("{}: nobody sent {status:?}", self.name));
        self.saw(0, content);
        self.reaches(status.offset);
    }

    /// Whether it may be gone for somebody whose clock says so.
    pub fn may_be_gone(&self, wall_ms: u64) -> bool {
        self.abort_tried.get() || wall_ms > self.deadline
    }

    /// Checks an error that any call with its name may give.
    pub fn check_error(&self, error: &Error, wall_ms: u64) {
        match error {
            Error::Unavailable(..) => {}
            Error::NotFound => assert!(self.may_be_gone(wall_ms), "{} is gone", self.name),
            // When its commit has begun.
            Error::InvalidArgument(_) if !self.commits.borrow().is_empty() => {}
            error => panic!("{}: {error:?} is no error of this", self.name),
        }
    }

    /// A call of commit begins.
    pub fn commit_begins(&self) -> usize {
        let mut commits = self.commits.borrow_mut();
        let (begun, outcome) = (Instant::now(), Committed::Unknown);
        commits.push(CommitCall { begun, ended: None, outcome });
        commits.len() - 1
    }

    /// It ended, or was given up.
    pub fn commit_ended(&self, call: usize, outcome: Committed) {
        let call = &mut self.commits.borrow_mut()[call];
        (call.ended, call.outcome) = (Some(Instant::now()), outcome);
    }

    /// Its commits, as writes of its key: one before the first acknowledgement, for certain;
    /// and every other call that was under way until then may have written as well, or
    /// may yet, for as long as a write can be on its way. Who calls later changes nothing.
    pub fn events(&self) -> Vec<Event> {
        let effect = match self.options.precondition {
            Some(Precondition::Absent) => Effect::Created(self.number),
            Some(_) => Effect::Changed(Some(self.number)),
            None => Effect::Wrote(Some(self.number)),
        };
        let commits = self.commits.borrow();
        let calls = || commits.iter().filter(|call| call.outcome != Committed::Nothing);
        let acknowledged = |call: &&CommitCall| call.outcome == Committed::Acknowledged;
        let first = calls().filter(acknowledged).min_by_key(|call| call.ended);
        let in_time =
            |call: &&CommitCall| first.is_none_or(|first| Some(call.begun) <= first.ended);
        let mut events: Vec<Event> = calls()
            .filter(in_time)
            .filter(|call| first.is_none_or(|first| !std::ptr::eq(first, *call)))
            .map(|call| Event {
                effect,
                begun: call.begun,
                ended: None,
                until: call.ended.map(|ended| match call.outcome {
                    Committed::Acknowledged => ended,
                    _ => ended + self.lag,
                }),
            })
            .collect();
        if let Some(first) = first {
            let begun = calls().map(|call| call.begun).min().expect("there is a first");
            events.push(Event { effect, begun, ended: first.ended, until: None });
        }
        events
    }
}

/// Whether two pieces hold the same where both lie.
fn overlap((at, bytes): (u64, &Bytes), (before, other): (u64, &Bytes)) -> bool {
    let start = at.max(before);
    let end = (at + bytes.len() as u64).min(before + other.len() as u64);
    let cut = |from: u64, of: &Bytes| of.slice((start - from) as usize..(end - from) as usize);
    start >= end || cut(at, bytes) == cut(before, other)
}

/// How many bytes two pieces begin with alike.
fn beginning(a: &[u8], b: &[u8]) -> usize {
    let both = a.len().min(b.len());
    if a[..both] == b[..both] {
        return both;
    }
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
