//! Feeds a body through the chunker into a segment.

use super::Store;
use super::write::SegmentWriter;
use crate::body::Source;
use crate::budget::{Member, Share};
use crate::chunker::{Chunk, Chunker};
use crate::clock::Clock;
use crate::error::Error;
use crate::kv::{Kv, KvLimits};

/// A body on its way into a segment.
pub(super) struct Feed<'a, K, C> {
    store: &'a Store<K, C>,
    limits: KvLimits,
    /// Where its chunks go.
    pub writer: SegmentWriter<'a, K, C>,
    chunker: Chunker,
    /// The object's length, if it is known.
    size: Option<u64>,
    /// The memory of the chunk being filled.
    share: Option<Share>,
    member: Member,
}

impl<'a, K: Kv + 'a, C: Clock + 'a> Feed<'a, K, C> {
    /// From where the chunker stands.
    pub fn new(
        store: &'a Store<K, C>,
        limits: KvLimits,
        writer: SegmentWriter<'a, K, C>,
        chunker: Chunker,
        size: Option<u64>,
    ) -> Self {
        let member = store.budget(&limits).join();
        Self { store, limits, writer, chunker, size, share: None, member }
    }

    /// Takes bytes in that are at hand, in memory that this share stands for.
    pub async fn push(&mut self, bytes: &[u8], share: Option<Share>) -> Result<(), Error> {
        self.share = share.or(self.share.take());
        let full = self.chunker.push(bytes);
        check_size(self.chunker.taken(), self.size, false)?;
        self.write(full).await
    }

    /// Takes a body in to its end. One that is too long is refused before anything of
    /// the excess is written.
    pub async fn read(&mut self, source: &mut impl Source) -> Result<(), Error> {
        let mut ended = false;
        while !ended {
            self.chunker.suit(self.store.useful_at_once(self.limits.concurrency_max));
            let left = self.left();
            if self.share.is_none() {
                let bytes = left.min(self.chunker.chunk_bytes());
                self.share = Some(self.take_share(bytes).await?);
            }
            let buffer = self.chunker.take_buffer(left);
            let had = buffer.len();
            let (buffer, end) = self.writer.alongside(source.read(buffer)).await?;
            ended = end;
            let full = self.chunker.fill(buffer, had);
            check_size(self.chunker.taken(), self.size, false)?;
            self.write(full).await?;
        }
        Ok(())
    }

    /// The object's length up to here, if the body has ended.
    pub fn taken(&self) -> Result<u64, Error> {
        let taken = self.chunker.taken();
        check_size(taken, self.size, true)?;
        Ok(taken)
    }

    /// Writes what does not fill a chunk.
    pub async fn finish(&mut self) -> Result<(), Error> {
        let last = self.chunker.finish();
        self.write(last.into_iter().collect()).await
    }

    async fn write(&mut self, chunks: Vec<Chunk>) -> Result<(), Error> {
        for chunk in chunks {
            let share = match self.share.take() {
                Some(share) => share,
                None => self.take_share(chunk.bytes.len() as u64).await?,
            };
            self.writer.write(chunk, share).await?;
        }
        Ok(())
    }

    /// Takes memory, waiting for it if it is within this body's part; beyond, only what
    /// nobody else needs, or what its own chunks give back.
    async fn take_share(&mut self, bytes: u64) -> Result<Share, Error> {
        while !self.writer.is_idle() && !self.member.may_have(bytes) {
            if let Some(share) = self.member.try_take(bytes) {
                return Ok(share);
            }
            self.writer.one_less().await?;
        }
        let share = self.writer.alongside(self.store.take_share(bytes, &self.limits)).await??;
        Ok(self.member.holds(share))
    }

    /// How many bytes the body can still have, and one more, so that it is seen to
    /// end (or not to) without another buffer.
    fn left(&self) -> u64 {
        self.size.map_or(u64::MAX, |size| size.saturating_sub(self.chunker.taken()) + 1)
    }
}

/// Refuses a body of another length than announced; one that has not `ended` only
/// once it is too long.
pub(super) fn check_size(taken: u64, size: Option<u64>, ended: bool) -> Result<(), Error> {
    match size {
        Some(size) if taken > size => {
            Err(Error::BodyMismatch(format!("the body is longer than the announced {size} bytes")))
        }
        Some(size) if ended && taken < size => Err(Error::BodyMismatch(format!(
            "the body ended after {taken} of the announced {size} bytes"
        ))),
        _ => Ok(()),
    }
}
