//! Taking out of a segment what its object does not list: chunks that an append had
//! written and not written down when it was cut off, and last chunks that the next
//! append superseded. Only appends leave such; it is done once for each segment.

use super::{Halt, Sweep};
use crate::clock::Clock;
use crate::key::{self, Id};
use crate::kv::Kv;
use crate::manifest::{Manifest, Place, codec};
use crate::segment::Segment;

/// The chunks and pages of a segment that a manifest lists, in ascending order.
#[derive(Default)]
struct Listed {
    chunks: Vec<u32>,
    pages: Vec<u32>,
}

impl<K: Kv, C: Clock> Sweep<'_, K, C> {
    /// Deletes what a committed object does not list of a segment that it needs, once
    /// nobody can be writing or reading that any more.
    pub(super) async fn trim(
        &mut self,
        (kv_key, id, record, version): (&str, Id, &Segment, Option<String>),
        manifest: &Manifest,
        trimmed: &mut u64,
    ) -> Result<(), Halt> {
        let settled = self.rules.now >= manifest.info.modified.saturating_add(self.rules.grace_ms);
        if record.upload.is_none() || self.dry_run || !settled {
            return Ok(());
        }
        // One that cannot be walked is left as it is.
        let Some(listed) = self.listed(id, manifest).await? else { return Ok(()) };
        let unlisted = |end: u32, listed: &[u32]| -> Vec<u32> {
            let numbers = 0..end.min(key::NUMBER_END);
            numbers.filter(|number| listed.binary_search(number).is_err()).collect()
        };
        let chunks = unlisted(record.chunks_end, &listed.chunks);
        let pages = unlisted(record.pages_end, &listed.pages);
        let keys = chunks.into_iter().map(|number| key::chunk(id, number));
        let keys = keys.chain(pages.into_iter().map(|number| key::page(id, number)));
        self.delete_all(keys, trimmed).await?;
        let end = |listed: &[u32]| listed.last().map_or(0, |last| last + 1);
        let trimmed = Segment {
            // As that of a put, which needs no trimming.
            upload: None,
            chunks_end: end(&listed.chunks),
            pages_end: end(&listed.pages),
            ..record.clone()
        };
        self.spend(1)?;
        self.rewrite(kv_key, &trimmed, version).await?;
        Ok(())
    }

    /// `None` where that cannot be told, or not with the operations that are left.
    async fn listed(&mut self, id: Id, manifest: &Manifest) -> Result<Option<Listed>, Halt> {
        let mut listed = Listed::default();
        let mut lists = vec![(0, manifest.nodes.clone())];
        while let Some((mut offset, nodes)) = lists.pop() {
            for node in nodes {
                match node.place {
                    Place::Chunk { segment, number } if segment == id => {
                        listed.chunks.push(number);
                    }
                    Place::Chunk { .. } => {}
                    Place::Page { segment, number, .. } => {
                        if segment == id {
                            listed.pages.push(number);
                        }
                        if self.spend(1).is_err() {
                            // A call with so few operations would never come further.
                            return Ok(None);
                        }
                        let entry = self.store.kv().get(&key::page(segment, number), None).await?;
                        let Some(entry) = entry else { return Ok(None) };
                        let segments = &manifest.segments;
                        match codec::decode_page(&entry.value, &node, offset, segments) {
                            Ok(below) => lists.push((offset, below)),
                            Err(_) => return Ok(None),
                        }
                    }
                }
                offset += node.length;
            }
        }
        // Pages are walked from the last one on.
        listed.chunks.sort_unstable();
        listed.pages.sort_unstable();
        Ok(Some(listed))
    }
}
