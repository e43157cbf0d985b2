//! Checking an object: every chunk and page is read and compared, and all that is
//! wrong is named, not only the first.

use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesOrdered;

use super::Store;
use super::walk::{Fault, Walk};
use crate::budget::Share;
use crate::clock::Clock;
use crate::error::Error;
use crate::kv::{Kv, KvLimits};
use crate::limits::{INLINE_BYTES_DEFAULT, PROBLEMS_MAX};
use crate::manifest::codec;
use crate::manifest::paging::HEADER_BYTES;
use crate::metrics::On;
use crate::object::VerifyReport;
use crate::pacing;
use crate::range::Span;

impl<K: Kv, C: Clock> Store<K, C> {
    /// Reads every chunk of an object and checks it against the manifest.
    ///
    /// [`Error::NotFound`] where there is no object, [`Error::Corrupt`] where its
    /// manifest cannot be read; what is wrong below it is in the report.
    pub async fn verify(&self, key: &str) -> Result<VerifyReport, Error> {
        self.counted("verify", On::Key(key), async {
            let limits = self.limits();
            self.check_key(key, &limits)?;
            // The content may come along with the manifest.
            let share = self.take_share(INLINE_BYTES_DEFAULT + HEADER_BYTES, &limits).await?;
            let stored = self.load_whole(key).await?;
            let manifest = self.current(key, &stored)?.ok_or(Error::NotFound)?.clone();
            let mut report = VerifyReport::default();
            if manifest.is_inline() {
                let content = stored.map(|stored| stored.content).unwrap_or_default();
                let checked = codec::inline_content(&manifest, &content);
                report.add(checked.map(|()| content.len() as u64).map_err(Fault::Wrong))?;
                return Ok(report);
            }
            drop(share);
            let span = Span::new(0, manifest.info.size);
            let mut walk =
                Walk::new(manifest.nodes.clone(), manifest.segments.clone(), span.into());
            let mut fetches: FuturesOrdered<LocalBoxFuture<'_, Result<u64, Fault>>> =
                FuturesOrdered::new();
            while let Some(step) = walk.next(self).await {
                match step {
                    Err(fault) => fetches.push_back(Box::pin(async { Err(fault) })),
                    Ok(step) => {
                        let share = self
                            .take_or_wait(step.node.length, &limits, &mut fetches, &mut report)
                            .await?;
                        let lone = manifest.is_lone_chunk();
                        fetches.push_back(Box::pin(async move {
                            // Only the length counts from here on: the bytes go at once.
                            let bytes = self.fetch(step, lone).await?;
                            drop(share);
                            Ok(bytes.len() as u64)
                        }));
                    }
                }
                while fetches.len() >= pacing::depth(&limits) {
                    report.add_next(&mut fetches).await?;
                }
            }
            while !fetches.is_empty() {
                report.add_next(&mut fetches).await?;
            }
            Ok(report)
        })
        .await
    }

    /// A share of the budget for the next fetch: at once, or after those under way.
    async fn take_or_wait(
        &self,
        bytes: u64,
        limits: &KvLimits,
        fetches: &mut FuturesOrdered<LocalBoxFuture<'_, Result<u64, Fault>>>,
        report: &mut VerifyReport,
    ) -> Result<Share, Error> {
        loop {
            if fetches.is_empty() {
                return self.take_share(bytes, limits).await;
            }
            if let Some(share) = self.budget(limits).try_take(bytes) {
                return Ok(share);
            }
            report.add_next(fetches).await?;
        }
    }
}

impl VerifyReport {
    async fn add_next(
        &mut self,
        fetches: &mut FuturesOrdered<LocalBoxFuture<'_, Result<u64, Fault>>>,
    ) -> Result<(), Error> {
        match fetches.next().await {
            Some(fetched) => self.add(fetched),
            None => Ok(()),
        }
    }

    /// Counts what was read; a kv that does not serve ends the check, since nothing
    /// can be said of the rest.
    fn add(&mut self, fetched: Result<u64, Fault>) -> Result<(), Error> {
        self.chunks += 1;
        match fetched {
            Ok(bytes) => self.bytes += bytes,
            Err(Fault::Failed(error)) => return Err(error),
            Err(fault) if self.problems.len() < PROBLEMS_MAX => {
                self.problems.push(fault.describe())
            }
            Err(_) => self.problems_omitted += 1,
        }
        Ok(())
    }
}
