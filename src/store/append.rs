//! Adding to an upload: the body goes into a segment of its own, and the record of the
//! upload follows what is acknowledged.
//!
//! A last chunk that is not whole is read back and begins the new segment, so that the
//! object is cut as if it had come in one piece. The record names the old chunk until
//! the new one is acknowledged.

use bytes::Bytes;

use super::Store;
use super::feed::Feed;
use super::measure::CountedSource;
use super::upload::{Held, status, upload_plan};
use super::write::{Kept, SegmentWriter};
use crate::body::Source;
use crate::chunker::Chunker;
use crate::clock::Clock;
use crate::error::Error;
use crate::key::Id;
use crate::kv::{Kv, KvLimits};
use crate::limits::{CHUNKS_END_APPEND, FIRST_READ_BYTES, LEASE_MS};
use crate::manifest::{Node, Place};
use crate::metrics::On;
use crate::object::UploadStatus;
use crate::plan::Plan;
use crate::segment::Segment;
use crate::upload::{State, StoredOptions, Upload};

impl<K: Kv, C: Clock> Store<K, C> {
    /// Adds what a body gives to an upload, which has to stand at `offset`, and tells how
    /// it then stands. If the body breaks off, what came of it stays; after an error
    /// [`Store::status`] tells what did.
    ///
    /// [`Error::OffsetMismatch`] where it stands elsewhere, or somebody else has added to
    /// it meanwhile; [`Error::NotFound`]; [`Error::InvalidArgument`] when its commit has
    /// begun; [`Error::BodyMismatch`] for more than the announced size.
    pub async fn append(
        &self,
        name: &str,
        offset: u64,
        source: impl Source,
    ) -> Result<UploadStatus, Error> {
        self.counted("append", On::Upload(name), async {
            let limits = self.limits();
            let mut source = CountedSource { source, metrics: self.measures().clone() };
            let mut held = self.load_upload(name, &limits).await?;
            check_open(&held.upload, offset)?;
            let loaded_ns = self.clock().monotonic_ns();
            let mut buffer = Vec::with_capacity(FIRST_READ_BYTES);
            let mut ended = false;
            while buffer.is_empty() && !ended {
                (buffer, ended) = source.read(buffer).await;
            }
            if buffer.is_empty() {
                return Ok(status(&held.upload));
            }
            if self.clock().monotonic_ns() - loaded_ns >= LEASE_MS * 1_000_000 {
                // The body took its time to begin; others may have superseded the last chunk.
                held = self.load_upload(name, &limits).await?;
                check_open(&held.upload, offset)?;
            }
            let mut append = self.begin_append(held, limits.clone()).await?;
            let feed = &mut append.feed;
            let appended = async {
                feed.push(&buffer, None).await?;
                drop(buffer);
                if !ended {
                    feed.read(&mut source).await?;
                }
                feed.finish().await?;
                feed.writer.finish_append().await
            };
            match appended.await {
                Ok(upload) => {
                    self.condemn(append.superseded.as_slice(), &limits).await;
                    Ok(status(&upload))
                }
                // Somebody else has added to it, or ended it.
                Err(Error::OffsetMismatch(_)) => {
                    let now = self.load_upload(name, &limits).await?.upload;
                    check_open(&now, offset)?;
                    Err(Error::OffsetMismatch(now.offset))
                }
                Err(error) => {
                    append.feed.writer.salvage().await;
                    Err(error)
                }
            }
        })
        .await
    }

    async fn begin_append(&self, held: Held, limits: KvLimits) -> Result<Append<'_, K, C>, Error> {
        let upload = &held.upload;
        let StoredOptions { size, chunk_bytes_max, content_type, .. } = &upload.options;
        let plan = upload_plan(*size, &limits, *chunk_bytes_max, content_type.as_deref())?;
        let (kept, tail) = kept(upload, &plan);
        let chunker = Chunker::new(plan, kept.offset);
        let record = Segment {
            key: upload.key.clone(),
            upload: Some(upload.upload),
            deadline: upload.deadline,
            chunks_end: CHUNKS_END_APPEND,
            pages_end: 0,
            condemned_at: None,
        };
        // The old chunk and the new one at once, so that nobody waits while holding.
        let old_bytes = tail.map_or(0, |tail| tail.length);
        let share = self.take_share(old_bytes + chunker.chunk_bytes(), &limits).await?;
        let begun = match tail {
            None => Bytes::new(),
            Some(_) => self.chunk_of_upload(&held, upload.nodes.len() - 1, &limits).await?,
        };
        let size = upload.options.size;
        let superseded = tail.map(|tail| tail.segment());
        let superseded = superseded.filter(|segment| !kept.segments.contains(segment));
        let writer = SegmentWriter::append(self, record, &limits, held, kept);
        let mut feed = Feed::new(self, limits, writer, chunker, size);
        feed.push(&begun, Some(share)).await?;
        Ok(Append { feed, superseded })
    }
}

struct Append<'a, K, C> {
    feed: Feed<'a, K, C>,
    /// A segment that held nothing but the chunk that is written anew.
    superseded: Option<Id>,
}

/// What an append keeps, and the last chunk if it supersedes that.
fn kept(upload: &Upload, plan: &Plan) -> (Kept, Option<Node>) {
    let mut kept = Kept {
        nodes: upload.nodes.clone(),
        segments: upload.segments.clone(),
        offset: upload.offset,
    };
    let Some(tail) = kept.nodes.pop_if(|last| {
        let begins = upload.offset - last.length;
        let whole = last.length.is_power_of_two() && last.length >= plan.chunk_bytes(begins);
        matches!(last.place, Place::Chunk { .. }) && !whole
    }) else {
        return (kept, None);
    };
    kept.offset -= tail.length;
    // Chunks of the same segment that are listed by a page only: the page, or one above
    // it, then lies in that segment too, since one append wrote them all.
    if !kept.nodes.iter().any(|node| node.segment() == tail.segment()) {
        kept.segments.retain(|segment| *segment != tail.segment());
    }
    (kept, Some(tail))
}

fn check_open(upload: &Upload, offset: u64) -> Result<(), Error> {
    if upload.state != State::Open {
        return Err(Error::InvalidArgument(
            "the upload is complete and nothing can be added to it; commit it".to_string(),
        ));
    }
    if upload.offset != offset {
        return Err(Error::OffsetMismatch(upload.offset));
    }
    Ok(())
}
