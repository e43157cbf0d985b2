//! One client and no faults: every answer is the one that a map would give.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chunk_store::body::SliceSource;
use chunk_store::error::Error;
use chunk_store::kv::KvLimits;
use chunk_store::object::{GetOptions, ListOptions, ObjectInfo, Precondition, PutOptions};
use chunk_store::range::ByteRange;
use chunk_store_host::kv::fault::Plan;
use chunk_store_tests::random::{Random, bytes};
use tokio::time::Instant;

use crate::world::{SimulatedStore, World};

const KEYS: [&str; 8] = ["a", "a/b", "a/c/d", "a/c/e", "a0", "b", "b/", "z"];

/// So many histories on each platform, of so many operations.
const HISTORIES: u64 = 60;
const OPERATIONS: u64 = 60;

struct Held {
    info: ObjectInfo,
    content: Vec<u8>,
    expires: Option<Instant>,
}

struct Model {
    store: SimulatedStore,
    limits: KvLimits,
    random: Random,
    objects: BTreeMap<String, Held>,
}

impl Model {
    async fn step(&mut self) {
        // Past the staleness of reads, and at times past the end of some objects.
        let pause = u64::from(self.limits.staleness_ms) + 1 + self.random.below(5000);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let now = Instant::now();
        self.objects.retain(|_, held| held.expires.is_none_or(|expires| now < expires));
        let key = KEYS[self.random.below(KEYS.len() as u64) as usize];
        match self.random.below(8) {
            0..=2 => self.put(key).await,
            3 | 4 => self.get(key).await,
            5 => self.delete(key).await,
            6 => self.list().await,
            _ => self.look(key).await,
        }
    }

    /// A precondition, and whether it holds of what the model has.
    fn precondition(&mut self, key: &str) -> (Option<Precondition>, bool) {
        let held = self.objects.get(key).map(|held| held.info.clone());
        let etag = held.as_ref().map_or("\"none\"".to_string(), |info| info.etag.clone());
        match self.random.below(8) {
            0 => (Some(Precondition::Absent), held.is_none()),
            1 => (Some(Precondition::Exists), held.is_some()),
            2 => (Some(Precondition::EtagIn(vec!["\"x\"".into(), etag])), held.is_some()),
            3 => (Some(Precondition::EtagNotIn(vec![etag])), held.is_none()),
            4 => (Some(Precondition::GenerationIs("0".repeat(32))), false),
            _ => (None, true),
        }
    }

    async fn put(&mut self, key: &str) {
        let sizes = [0, 1, 5000, 65_536, 65_537, 200_000];
        let size = sizes[self.random.below(6) as usize];
        let content = bytes(self.random.draw(), size);
        let (precondition, holds) = self.precondition(key);
        let ttl_seconds = (self.random.below(4) == 0).then(|| 1 + self.random.below(600) as u32);
        let options = PutOptions {
            size: (self.random.below(2) == 0).then_some(size),
            content_type: (self.random.below(2) == 0).then(|| "video/mp4".into()),
            metadata: vec![("n".into(), self.random.below(9).to_string())],
            ttl_seconds,
            precondition: precondition.clone(),
            inline_bytes_max: Some(6000),
            chunk_bytes_max: Some(65_536),
            ..PutOptions::default()
        };
        let source = SliceSource::new(&content, 1 + self.random.below(70_000) as usize);
        let result = self.store.put(key, source, &options).await;
        if precondition.is_some() && !self.limits.conditional_write {
            return assert!(matches!(result, Err(Error::Unsupported(_))), "{result:?}");
        }
        if !holds {
            return self.assert_refused(key, result);
        }
        let info = result.unwrap();
        assert_eq!((info.size, &info.content_type), (size, &options.content_type));
        // Its times are in milliseconds, by a clock that is right.
        let expires = ttl_seconds.map(|ttl| Instant::now() + Duration::from_secs(ttl.into()));
        self.objects.insert(key.into(), Held { info, content, expires });
    }

    fn assert_refused<T: std::fmt::Debug>(&self, key: &str, result: Result<T, Error>) {
        let Err(Error::PreconditionFailed(found)) = result else { panic!("{key}: {result:?}") };
        let held = self.objects.get(key).map(|held| &held.info);
        assert_eq!(found.as_deref(), held, "what is there comes with the refusal");
    }

    async fn get(&mut self, key: &str) {
        let (a, b) = (self.random.below(250_000), self.random.below(250_000));
        let range = match self.random.below(4) {
            0 => Some(ByteRange::Between(a.min(b), a.max(b))),
            1 => Some(ByteRange::From(a)),
            2 => Some(ByteRange::Last(a)),
            _ => None,
        };
        let (precondition, holds) = self.precondition(key);
        let options = GetOptions { range, precondition, stripe: None };
        let result = self.store.get(key, &options).await;
        if !holds {
            return self.assert_refused(key, result.map(|(content, _)| content));
        }
        let Some(held) = self.objects.get(key) else {
            return assert_eq!(result.err(), Some(Error::NotFound));
        };
        let size = held.content.len() as u64;
        let span = match range.map_or(Ok((0, size)), |range| cut(range, size)) {
            Ok(span) => span,
            Err(()) => return assert_eq!(result.err(), Some(Error::RangeNotSatisfiable(size))),
        };
        let (content, mut reader) = result.unwrap();
        assert_eq!(
            (&content.info, content.part.start, content.part.end),
            (&held.info, span.0, span.1)
        );
        let mut read = Vec::new();
        while let Some(piece) = reader.next().await {
            read.extend_from_slice(&piece.unwrap().bytes);
        }
        assert!(read == held.content[span.0 as usize..span.1 as usize], "{key} {range:?}");
    }

    async fn delete(&mut self, key: &str) {
        let (precondition, holds) = self.precondition(key);
        let result = self.store.delete(key, precondition.as_ref()).await;
        if precondition.is_some() && !self.limits.conditional_write {
            return assert!(matches!(result, Err(Error::Unsupported(_))), "{result:?}");
        }
        if !holds {
            return self.assert_refused(key, result);
        }
        let held = self.objects.remove(key);
        assert_eq!(result.err(), held.is_none().then_some(Error::NotFound), "delete of {key}");
    }

    async fn look(&mut self, key: &str) {
        let held = self.objects.get(key);
        let info = self.store.head(key, None).await;
        assert_eq!(info.as_ref().ok(), held.map(|held| &held.info));
        let report = self.store.verify(key).await;
        match held {
            None => assert_eq!(report.err(), Some(Error::NotFound)),
            Some(held) => {
                let report = report.unwrap();
                assert!(report.problems.is_empty(), "{report:?}");
                assert_eq!(report.bytes, held.content.len() as u64);
            }
        }
    }

    async fn list(&mut self) {
        let prefix = ["", "a", "a/", "a/c", "b/", "x"][self.random.below(6) as usize];
        let delimiter = (self.random.below(2) == 0).then(|| "/".to_string());
        let (mut keys, mut prefixes) = (BTreeSet::new(), BTreeSet::new());
        for key in self.objects.keys().filter(|key| key.starts_with(prefix)) {
            let rest = &key[prefix.len()..];
            match rest.find('/').filter(|_| delimiter.is_some()) {
                Some(at) => prefixes.insert(key[..=prefix.len() + at].to_string()),
                None => keys.insert(key.clone()),
            };
        }
        let mut options = ListOptions {
            prefix: prefix.into(),
            delimiter,
            limit: 1 + self.random.below(5) as u32,
            details: true,
            ..ListOptions::default()
        };
        let (mut listed, mut rolled_up) = (Vec::new(), Vec::new());
        loop {
            let page = self.store.list(&options).await.unwrap();
            for object in page.objects {
                let held = self.objects.get(&object.key).map(|held| &held.info);
                assert_eq!(object.info.as_ref(), held, "{}", object.key);
                listed.push(object.key);
            }
            // A prefix whose objects have all expired may still be rolled up.
            rolled_up.extend(page.prefixes);
            options.cursor = page.cursor;
            if options.cursor.is_none() {
                break;
            }
        }
        assert_eq!(listed, keys.into_iter().collect::<Vec<_>>(), "{options:?}");
        assert!(prefixes.iter().all(|prefix| rolled_up.contains(prefix)), "{options:?}");
        assert!(rolled_up.is_sorted_by(|a, b| a < b), "{rolled_up:?}");
    }
}

/// The bytes that a range selects of so many; `Err` if it selects none of some.
fn cut(range: ByteRange, size: u64) -> Result<(u64, u64), ()> {
    let (start, end) = match range {
        ByteRange::Between(start, end) => (start, end.min(size)),
        ByteRange::From(start) => (start, size),
        ByteRange::Last(count) => (size.saturating_sub(count), size),
    };
    match (size, start < end) {
        (0, _) => Ok((0, 0)),
        (_, true) => Ok((start, end)),
        _ => Err(()),
    }
}

/// Values as small as the store can use: manifests of a few objects are paged.
fn narrow() -> KvLimits {
    KvLimits {
        value_bytes_max: 64 << 10,
        summary_bytes_max: 0,
        ttl_seconds_min: None,
        ..super::able()
    }
}

#[test]
fn every_answer_is_the_one_that_a_map_would_give() {
    for (name, limits) in
        [("able", super::able()), ("eventual", super::eventual()), ("narrow", narrow())]
    {
        for seed in 0..HISTORIES {
            println!("platform {name}, seed {seed}");
            super::in_virtual_time(async {
                let mut random = Random::new(seed);
                let world = World::new(limits.clone(), Plan::default(), seed);
                let store = world.exact_member(&mut random).store;
                let limits = limits.clone();
                let mut model = Model { store, limits, random, objects: BTreeMap::new() };
                for _ in 0..OPERATIONS {
                    model.step().await;
                }
            });
        }
    }
}
