//! Storing an object.
//!
//! A body that fits into the manifest is one set. Any other goes out in chunks as
//! it arrives, and one set of the manifest commits it. Whatever fails before that
//! leaves no object, and the one that was there is untouched.

use super::commit::{Against, Commit};
use super::feed::{Feed, check_size};
use super::load::check_precondition;
use super::measure::CountedSource;
use super::write::{SegmentWriter, past_deadline};
use super::{Store, check_write_precondition};
use crate::body::Source;
use crate::budget::Share;
use crate::chunker::Chunker;
use crate::clock::Clock;
use crate::digest::Digest;
use crate::error::Error;
use crate::key::Id;
use crate::kv::{Kv, KvLimits};
use crate::limits::{
    CHUNKS_END_FIRST, CONTENT_TYPE_BYTES_MAX, DEADLINE_SECONDS_DEFAULT, FIRST_READ_BYTES,
    INLINE_BYTES_DEFAULT, MEMORY_PER_CHUNK, METADATA_BYTES_MAX, PUT_OPERATIONS,
};
use crate::manifest::{Draft, Node, paging};
use crate::metrics::On;
use crate::object::{ObjectInfo, PutOptions};
use crate::plan::Plan;
use crate::segment::Segment;

impl<K: Kv, C: Clock> Store<K, C> {
    /// Stores a body under a key. The object appears at once and whole, or not at
    /// all.
    pub async fn put(
        &self,
        key: &str,
        source: impl Source,
        options: &PutOptions,
    ) -> Result<ObjectInfo, Error> {
        self.counted("put", On::Key(key), async {
            let limits = self.limits();
            self.check_key(key, &limits)?;
            check_options(options)?;
            check_write_precondition(options.precondition.as_ref(), &limits)?;
            // Refused before the body is read, if it can be; decided at the commit.
            if options.precondition.is_some() {
                let stored = self.load_header(key).await?;
                check_precondition(options.precondition.as_ref(), self.current(key, &stored)?)?;
            }
            let seconds = options.deadline_seconds.unwrap_or(DEADLINE_SECONDS_DEFAULT);
            let put = Put {
                store: self,
                key,
                options,
                deadline: self.clock().wall_ms() + u64::from(seconds) * 1000,
                limits,
            };
            let metrics = self.measures().clone();
            put.run(CountedSource { source, metrics }).await
        })
        .await
    }
}

struct Put<'a, K, C> {
    store: &'a Store<K, C>,
    key: &'a str,
    options: &'a PutOptions,
    deadline: u64,
    limits: KvLimits,
}

/// The beginning of a body, read to find out whether it is short.
struct Head {
    bytes: Vec<u8>,
    ended: bool,
    share: Option<Share>,
}

impl<K: Kv, C: Clock> Put<'_, K, C> {
    async fn run(&self, mut source: impl Source) -> Result<ObjectInfo, Error> {
        // Planned first, so that what cannot fit is refused before it is read.
        let plan = Plan::new(self.options.size, &self.limits, self.options.chunk_bytes_max)?
            .of_type(self.options.content_type.as_deref());
        let inline_bytes_max = self.inline_bytes_max();
        let head = match self.options.size {
            Some(size) if size > inline_bytes_max => Head::empty(),
            _ => self.read_head(&mut source, inline_bytes_max).await?,
        };
        if head.ended && head.bytes.len() as u64 <= inline_bytes_max {
            return self.put_inline(source, head).await;
        }
        self.put_chunks(source, head, plan).await
    }

    /// Up to where bodies are stored in the manifest: what was asked for, as far as
    /// values and memory hold it.
    fn inline_bytes_max(&self) -> u64 {
        let asked = self.options.inline_bytes_max.map_or(INLINE_BYTES_DEFAULT, u64::from);
        let value = self.limits.value_bytes_max.saturating_sub(paging::HEADER_BYTES);
        asked.min(value).min(self.limits.memory_bytes_max / MEMORY_PER_CHUNK)
    }

    /// Reads until the body has ended or is longer than `bytes_max`.
    async fn read_head(&self, source: &mut impl Source, bytes_max: u64) -> Result<Head, Error> {
        let most = bytes_max as usize + 1;
        let buffer = Vec::with_capacity(FIRST_READ_BYTES.min(most));
        let (mut bytes, mut ended) = source.read(buffer).await;
        if ended {
            return Ok(Head { bytes, ended, share: None });
        }
        // Twice: the bytes lie behind the header of the manifest once more.
        let share = self.store.take_share(2 * bytes_max, &self.limits).await?;
        bytes.reserve_exact(most - bytes.len());
        while !ended && bytes.len() < most {
            (bytes, ended) = source.read(bytes).await;
        }
        Ok(Head { bytes, ended, share: Some(share) })
    }

    async fn put_inline(&self, mut source: impl Source, head: Head) -> Result<ObjectInfo, Error> {
        source.done().await.map_err(source_failed)?;
        check_size(head.bytes.len() as u64, self.options.size, true)?;
        let digest = Digest::of(&head.bytes);
        self.commit(head.bytes.len() as u64, digest, Vec::new(), None, &head.bytes).await
    }

    async fn put_chunks(
        &self,
        mut source: impl Source,
        head: Head,
        plan: Plan,
    ) -> Result<ObjectInfo, Error> {
        let writer = SegmentWriter::new(
            self.store,
            Segment {
                key: self.key.to_string(),
                upload: None,
                deadline: self.deadline,
                chunks_end: self.chunks_expected(&plan),
                pages_end: 0,
                condemned_at: None,
            },
            &self.limits,
            self.options.ttl_seconds,
            self.limits.operations_max.map(|left| u64::from(left).saturating_sub(PUT_OPERATIONS)),
        );
        let size = self.options.size;
        let mut feed =
            Feed::new(self.store, self.limits.clone(), writer, Chunker::new(plan, 0), size);
        let written = async {
            let size = self.write_body(&mut source, head, &mut feed).await?;
            let segment = feed.writer.finish().await?;
            self.commit(size, segment.digest, segment.nodes, Some(segment.id), &[]).await
        }
        .await;
        if written.as_ref().is_err_and(|error| !matches!(error, Error::Uncertain(_))) {
            feed.writer.abandon().await;
        }
        written
    }

    /// The bound of chunk numbers to begin with: exact if the size is known.
    fn chunks_expected(&self, plan: &Plan) -> u32 {
        let chunks = self.options.size.map(|size| plan.chunks(size));
        chunks.and_then(|chunks| u32::try_from(chunks).ok()).unwrap_or(CHUNKS_END_FIRST)
    }

    /// Cuts the body into chunks and writes them; gives its length.
    async fn write_body(
        &self,
        source: &mut impl Source,
        head: Head,
        feed: &mut Feed<'_, K, C>,
    ) -> Result<u64, Error> {
        let Head { bytes, ended, share } = head;
        feed.push(&bytes, share).await?;
        drop(bytes);
        if !ended {
            feed.read(source).await?;
        }
        feed.writer.alongside(source.done()).await?.map_err(source_failed)?;
        let size = feed.taken()?;
        feed.finish().await?;
        Ok(size)
    }

    async fn commit(
        &self,
        size: u64,
        digest: Digest,
        nodes: Vec<Node>,
        segment: Option<Id>,
        content: &[u8],
    ) -> Result<ObjectInfo, Error> {
        check_digest(self.options.digest.as_deref(), &digest)?;
        let modified = self.store.clock().wall_ms();
        if modified > self.deadline {
            return Err(past_deadline());
        }
        let manifest = Draft {
            key: self.key,
            size,
            digest,
            generation: self.store.new_id(),
            content_type: self.options.content_type.as_deref(),
            metadata: &self.options.metadata,
            modified,
            expires: self.options.ttl_seconds.map(|ttl| modified + u64::from(ttl) * 1000),
            nodes,
            segments: segment.into_iter().collect(),
        }
        .finish();
        let against = Against::Any(self.options.precondition.as_ref());
        let ttl_seconds = self.options.ttl_seconds;
        let commit = Commit::new(&manifest, content, ttl_seconds, against, &self.limits)?;
        let replaced = self.store.commit(&commit, &self.limits).await?;
        self.store.condemn(&replaced, &self.limits).await;
        Ok(manifest.info)
    }
}

impl Head {
    fn empty() -> Self {
        Self { bytes: Vec::new(), ended: false, share: None }
    }
}

/// Refuses a body that is not the announced one.
pub(super) fn check_digest(announced: Option<&str>, digest: &Digest) -> Result<(), Error> {
    match announced {
        Some(announced) if announced.parse() != Ok(*digest) => Err(Error::BodyMismatch(format!(
            "the body has the digest {digest}, not the announced {announced}"
        ))),
        _ => Ok(()),
    }
}

fn source_failed(why: String) -> Error {
    Error::BodyMismatch(format!("the source of the body failed: {why}"))
}

/// Refuses options that can never work.
pub(super) fn check_options(options: &PutOptions) -> Result<(), Error> {
    let refuse = |why: String| Err(Error::InvalidArgument(why));
    if let Some(digest) = &options.digest
        && digest.parse::<Digest>().is_err()
    {
        return refuse(format!("{digest:?} is no digest; give `blake3:` and 64 hex digits"));
    }
    if let Some(content_type) = &options.content_type
        && (content_type.len() > CONTENT_TYPE_BYTES_MAX
            || content_type.chars().any(char::is_control))
    {
        return refuse(format!(
            "the content type is longer than {CONTENT_TYPE_BYTES_MAX} bytes or holds control characters"
        ));
    }
    // Counted as it is stored: the manifest has to fit in a value.
    let bytes = serde_json::to_vec(&options.metadata).expect("plain data").len();
    if bytes > METADATA_BYTES_MAX {
        return refuse(format!(
            "the metadata has {bytes} bytes as JSON; an object takes at most {METADATA_BYTES_MAX}"
        ));
    }
    for (i, (name, value)) in options.metadata.iter().enumerate() {
        if name.is_empty() || name.chars().chain(value.chars()).any(char::is_control) {
            return refuse(format!("the metadata {name:?} is empty or holds control characters"));
        }
        if options.metadata[..i].iter().any(|(earlier, _)| earlier == name) {
            return refuse(format!("the metadata {name:?} is given twice"));
        }
    }
    if options.ttl_seconds == Some(0) {
        return refuse("an object that lives for 0 seconds would never exist".to_string());
    }
    Ok(())
}
