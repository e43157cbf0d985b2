//! The store's work as a loop: the same chunks, the same digests, as many under way, nothing
//! between the loop and the place where chunks lie.
//!
//! One thread digests, as one instance of the component does; others move chunks.

use std::collections::HashMap;
use std::io::Read as _;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::chunker::{Chunk, Chunker};
use chunk_store::digest::{Tree, chunk_is};
use chunk_store::kv::KvLimits;
use chunk_store::plan::Plan;
use chunk_store::range::Span;

use super::subject::{Result, SMALL_AT_ONCE, Small, Source, Subject, Taken, each_blocking};

/// How many chunks are under way: as many of 4 MiB as the store's usual memory holds.
const DEPTH: usize = 4;

/// What a chunk is filled by, in bytes: it is digested while it is in the cache.
const PIECE_BYTES: usize = 256 << 10;

/// A place for values.
pub trait Place: Send + Sync + 'static {
    /// A way to it, for one thread.
    fn lane(&self) -> Result<Box<dyn Lane + '_>>;

    /// Makes all that lies below this name as durable as it has to be.
    fn commit(&self, _key: &str) -> Result {
        Ok(())
    }

    /// The processes that serve it.
    fn servers(&self) -> Vec<u32> {
        Vec::new()
    }

    /// What everything in it takes, in bytes.
    fn stored_bytes(&self) -> Result<Option<u64>> {
        Ok(None)
    }
}

/// Moves values, one at a time.
pub trait Lane: Send {
    /// Sets one, durably if the place is.
    fn set(&mut self, name: &str, value: Bytes) -> Result;

    /// Gets one.
    fn get(&mut self, name: &str) -> Result<Bytes>;
}

/// A loop over a place.
pub struct Native<P> {
    place: P,
    limits: KvLimits,
    objects: Mutex<HashMap<String, Object>>,
}

/// What a manifest holds.
#[derive(Clone)]
struct Object {
    chunks: Vec<Piece>,
    size: u64,
    digest: [u8; 32],
}

#[derive(Clone, Copy)]
struct Piece {
    offset: u64,
    length: u64,
    cv: [u8; 32],
}

fn name(key: &str, number: usize) -> String {
    format!("{key}/{number:08}")
}

impl<P: Place> Native<P> {
    /// The loop that does what the store would do on a kv with these limits.
    pub fn new(place: P, limits: KvLimits) -> Self {
        Self { place, limits, objects: Mutex::default() }
    }

    fn object(&self, key: &str) -> Result<Object> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(objects.get(key).ok_or("there is no such object")?.clone())
    }

    fn put_all(&self, key: &str, source: &Source) -> Result<Object> {
        let plan = Plan::new(Some(source.size), &self.limits, None)?;
        // Nobody waits in between: what is under way are the chunks in the lanes.
        let (chunks, queue) = sync_channel::<(usize, Bytes)>(0);
        let queue = Mutex::new(queue);
        let object = thread::scope(|scope| {
            let lanes: Vec<_> =
                (0..DEPTH).map(|_| scope.spawn(|| self.set_from(key, &queue))).collect();
            let object = cut(source, plan, chunks);
            for lane in lanes {
                lane.join().expect("it does not panic")?;
            }
            object
        })?;
        self.place.lane()?.set(&format!("{key}/manifest"), object.manifest())?;
        self.place.commit(key)?;
        Ok(object)
    }

    fn set_from(&self, key: &str, queue: &Mutex<Receiver<(usize, Bytes)>>) -> Result {
        let mut lane = self.place.lane()?;
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((number, bytes)) = next else { return Ok(()) };
            lane.set(&name(key, number), bytes)?;
        }
    }

    fn get_all(&self, key: &str, taken: &mut Taken) -> Result {
        let object = self.object(key)?;
        self.get_some(key, &object, 0..object.chunks.len(), |_, bytes| taken.take(&bytes))
    }

    /// Gives these chunks, in their order, verified.
    fn get_some(
        &self,
        key: &str,
        object: &Object,
        numbers: Range<usize>,
        mut take: impl FnMut(&Piece, Bytes),
    ) -> Result {
        let lanes = DEPTH.min(numbers.len());
        thread::scope(|scope| {
            let (senders, receivers): (Vec<_>, Vec<_>) =
                (0..lanes).map(|_| sync_channel::<Result<Bytes>>(0)).unzip();
            for (at, sender) in senders.into_iter().enumerate() {
                let numbers = numbers.clone().skip(at).step_by(lanes);
                scope.spawn(move || self.get_into(key, numbers, &sender));
            }
            for (at, number) in numbers.enumerate() {
                let bytes = receivers[at % lanes].recv()??;
                object.verify(number, &bytes)?;
                take(&object.chunks[number], bytes);
            }
            Ok(())
        })
    }

    fn get_into(
        &self,
        key: &str,
        numbers: impl Iterator<Item = usize>,
        sender: &SyncSender<Result<Bytes>>,
    ) {
        let mut lane = self.place.lane();
        for number in numbers {
            let got = match &mut lane {
                Ok(lane) => lane.get(&name(key, number)),
                Err(error) => Err(error.to_string().into()),
            };
            // Who reads has had enough.
            if sender.send(got).is_err() {
                return;
            }
        }
    }
}

/// Reads the source into chunks, digests them and hands them on.
fn cut(source: &Source, plan: Plan, chunks: SyncSender<(usize, Bytes)>) -> Result<Object> {
    let mut file = source.open()?;
    let mut chunker = Chunker::new(plan, 0);
    let mut tree = Tree::default();
    let mut pieces = Vec::new();
    let mut hand_on = |chunk: Chunk| -> Result {
        let length = chunk.bytes.len() as u64;
        tree.push(length, chunk.digest);
        let whole = chunk.digest.whole.filter(|_| length == source.size);
        let cv = whole.map_or(chunk.digest.cv, |digest| digest.0);
        pieces.push(Piece { offset: chunk.offset, length, cv });
        let sent = chunks.send((pieces.len() - 1, chunk.bytes));
        sent.map_err(|_| "no lane takes chunks any more".into())
    };
    while chunker.taken() < source.size {
        let mut buffer = chunker.take_buffer(source.size - chunker.taken());
        let had = buffer.len();
        let lacks = (buffer.capacity() - had).min(PIECE_BYTES) as u64;
        if (&mut file).take(lacks).read_to_end(&mut buffer)? == 0 {
            return Err("the source ends early".into());
        }
        chunker.fill(buffer, had).into_iter().try_for_each(&mut hand_on)?;
    }
    chunker.finish().into_iter().try_for_each(&mut hand_on)?;
    let digest = tree.root().ok_or("the chunks make no object")?;
    match digest.0 == *source.digest.as_bytes() {
        true => Ok(Object { chunks: pieces, size: source.size, digest: digest.0 }),
        false => Err("the loop has another digest than the source".into()),
    }
}

impl Object {
    fn verify(&self, number: usize, bytes: &[u8]) -> Result {
        let piece = &self.chunks[number];
        match chunk_is(bytes, piece.offset, self.chunks.len() == 1, &piece.cv) {
            true => Ok(()),
            false => Err(format!("the chunk {number} is damaged").into()),
        }
    }

    /// The numbers of the chunks that hold these bytes.
    fn holding(&self, span: Span) -> Range<usize> {
        let first = self.chunks.partition_point(|piece| piece.offset + piece.length <= span.start);
        let end = self.chunks.partition_point(|piece| piece.offset < span.end);
        first..end
    }

    fn manifest(&self) -> Bytes {
        let head = self.size.to_le_bytes().into_iter().chain(self.digest);
        head.chain(self.chunks.iter().flat_map(|piece| piece.cv)).collect()
    }
}

#[async_trait]
impl<P: Place> Subject for Native<P> {
    async fn put(&self, key: &str, source: &Source) -> Result {
        let object = tokio::task::block_in_place(|| self.put_all(key, source))?;
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        objects.insert(key.to_string(), object);
        Ok(())
    }

    async fn get(&self, key: &str, taken: &mut Taken) -> Result {
        tokio::task::block_in_place(|| self.get_all(key, taken))
    }

    async fn range(&self, key: &str, span: Span) -> Result<Option<Bytes>> {
        let object = self.object(key)?;
        let mut read = Vec::with_capacity(span.len() as usize);
        tokio::task::block_in_place(|| {
            self.get_some(key, &object, object.holding(span), |piece, bytes| {
                let at = |offset: u64| offset.clamp(piece.offset, piece.offset + piece.length);
                let [start, end] =
                    [span.start, span.end].map(|it| (at(it) - piece.offset) as usize);
                read.extend_from_slice(&bytes[start..end]);
            })
        })?;
        Ok(Some(read.into()))
    }

    async fn put_small(&self, objects: &[Small]) -> Result<bool> {
        let lanes = Lanes::new(&self.place);
        each_blocking(objects, |object| {
            // As a manifest holds it: with the digest in front.
            let digest = blake3::hash(&object.bytes);
            let value = [digest.as_bytes(), &object.bytes[..]].concat();
            lanes.with(|lane| lane.set(&object.key, value.into()))?;
            self.place.commit(&object.key)
        })?;
        Ok(true)
    }

    async fn get_small(&self, objects: &[Small]) -> Result<Option<Vec<Bytes>>> {
        let lanes = Lanes::new(&self.place);
        let read = each_blocking(objects, |object| {
            let value = lanes.with(|lane| lane.get(&object.key))?;
            let (digest, bytes) = value.split_at_checked(32).ok_or("the value is too short")?;
            match blake3::hash(bytes).as_bytes() == digest {
                true => Ok(value.slice(32..)),
                false => Err("a small object is damaged".into()),
            }
        });
        read.map(Some)
    }

    fn servers(&self) -> Result<Vec<u32>> {
        Ok(self.place.servers())
    }

    async fn stored_bytes(&self) -> Result<Option<u64>> {
        self.place.stored_bytes()
    }
}

/// Lanes that are not in use.
struct Lanes<'a, P> {
    place: &'a P,
    idle: Mutex<Vec<Box<dyn Lane + 'a>>>,
}

impl<'a, P: Place> Lanes<'a, P> {
    fn new(place: &'a P) -> Self {
        Self { place, idle: Mutex::new(Vec::with_capacity(SMALL_AT_ONCE)) }
    }

    fn with<T>(&self, work: impl FnOnce(&mut dyn Lane) -> Result<T>) -> Result<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut lane = match idle {
            Some(lane) => lane,
            None => self.place.lane()?,
        };
        let done = work(&mut *lane)?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(lane);
        Ok(done)
    }
}
