//! Where the content of an object lies: a part of its chunk list, for people who look.

use super::Store;
use super::get::explain;
use super::walk::{Step, Walk};
use crate::clock::Clock;
use crate::digest::to_hex;
use crate::error::Error;
use crate::key;
use crate::kv::Kv;
use crate::limits::LIST_LIMIT_MAX;
use crate::manifest::{Manifest, Place};
use crate::metrics::On;
use crate::object::{ListedChunk, ListedPage, ObjectChunks};
use crate::range::Span;

impl<K: Kv, C: Clock> Store<K, C> {
    /// Lists chunks of an object in order, `limit` of them (1 to 1000), from the one that
    /// holds the byte `from` on. Their content is not read; pages are, as far as they list
    /// what is asked for.
    ///
    /// Past the end, and of an object whose content lies in the manifest itself, there are
    /// none. [`Error::NotFound`] where there is no object; a page that is missing or wrong
    /// is the error that a reader would get.
    pub async fn chunks(&self, key: &str, from: u64, limit: u32) -> Result<ObjectChunks, Error> {
        self.counted("chunks", On::Key(key), async {
            if !(1..=LIST_LIMIT_MAX).contains(&limit) {
                return Err(Error::InvalidArgument(format!("limit is 1 to {LIST_LIMIT_MAX}")));
            }
            self.check_key(key, &self.limits())?;
            let stored = self.load_header(key).await?;
            let manifest = self.current(key, &stored)?.ok_or(Error::NotFound)?;
            let size = manifest.info.size;
            let span = Span::new(from.min(size), size);
            let mut walk =
                Walk::new(manifest.nodes.clone(), manifest.segments.clone(), span.into());
            let mut chunks = Vec::new();
            let mut next = None;
            while let Some(step) = walk.next(self).await {
                let step = match step {
                    Ok(step) => step,
                    Err(fault) => return Err(explain(self, manifest, fault).await),
                };
                if chunks.len() == limit as usize {
                    next = Some(step.offset);
                    break;
                }
                chunks.push(listed(step));
            }
            let end = next.unwrap_or(size);
            let pages = pages(manifest, Span::new(span.start.min(end), end));
            Ok(ObjectChunks { info: manifest.info.clone(), chunks, pages, next })
        })
        .await
    }
}

fn listed(step: Step) -> ListedChunk {
    let Place::Chunk { segment, number } = step.node.place else {
        unreachable!("a walk gives chunks")
    };
    ListedChunk {
        index: step.index,
        offset: step.offset,
        size: step.node.length,
        chaining_value: to_hex(&step.node.cv),
        segment: segment.to_string(),
        value: key::chunk(segment, number),
    }
}

/// The pages that the manifest itself names and that list chunks of this span.
fn pages(manifest: &Manifest, span: Span) -> Vec<ListedPage> {
    let mut offset = 0;
    let mut pages = Vec::new();
    for node in &manifest.nodes {
        let here = Span::new(offset, offset + node.length);
        offset = here.end;
        if let Place::Page { segment, number, chunks } = node.place
            && !here.intersect(span).is_empty()
        {
            let value = key::page(segment, number);
            pages.push(ListedPage { offset: here.start, size: node.length, chunks, value });
        }
    }
    pages
}
