//! Walks over the chunks of an object, or of part of it, fetching pages as it comes
//! to them.

use bytes::Bytes;

use super::Store;
use crate::clock::Clock;
use crate::digest::chunk_is;
use crate::error::Error;
use crate::key::{self, Id};
use crate::kv::Kv;
use crate::manifest::{Node, Place, codec};
use crate::range::Span;
use crate::stripe::Cut;

/// Why the bytes behind a node cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// They are not there; says which.
    Missing(String),
    /// They are not the ones that were written; says which and how.
    Wrong(String),
    /// The kv did not serve.
    Failed(Error),
}

impl Fault {
    /// One line for whoever has to know.
    pub fn describe(&self) -> String {
        match self {
            Fault::Missing(what) => format!("{what} is missing"),
            Fault::Wrong(what) => what.clone(),
            Fault::Failed(error) => error.to_string(),
        }
    }
}

/// A chunk on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Where it begins in the object.
    pub offset: u64,
    /// Which one of the object's chunks, from 0.
    pub index: u64,
    /// What the list says of it.
    pub node: Node,
}

impl Step {
    /// Which bytes of the object it holds.
    pub fn span(&self) -> Span {
        Span::new(self.offset, self.offset + self.node.length)
    }
}

/// A walk under way.
#[derive(Debug)]
pub(super) struct Walk {
    /// Lists entered and not done with, the innermost last.
    lists: Vec<std::vec::IntoIter<Node>>,
    cut: Cut,
    segments: Vec<Id>,
    offset: u64,
    index: u64,
}

impl Walk {
    /// Over all chunks of a list that hold bytes of what is read; chunks and pages lie in
    /// these segments.
    pub fn new(nodes: Vec<Node>, segments: Vec<Id>, cut: Cut) -> Self {
        Self { lists: vec![nodes.into_iter()], cut, segments, offset: 0, index: 0 }
    }

    /// The next chunk. A page that cannot be had is a fault; the walk can go on
    /// behind it.
    pub async fn next<K: Kv, C: Clock>(
        &mut self,
        store: &Store<K, C>,
    ) -> Option<Result<Step, Fault>> {
        loop {
            let Some(node) = self.lists.last_mut()?.next() else {
                self.lists.pop();
                continue;
            };
            let step = Step { offset: self.offset, index: self.index, node };
            if self.cut.first_in(step.span()).is_none() {
                self.pass(&node);
                continue;
            }
            let Place::Page { segment, number, .. } = node.place else {
                self.pass(&node);
                return Some(Ok(step));
            };
            match self.page(store, segment, number, &node).await {
                Ok(nodes) => self.lists.push(nodes.into_iter()),
                Err(fault) => {
                    self.pass(&node);
                    return Some(Err(fault));
                }
            }
        }
    }

    fn pass(&mut self, node: &Node) {
        self.offset += node.length;
        self.index += u64::from(node.chunks());
    }

    async fn page<K: Kv, C: Clock>(
        &self,
        store: &Store<K, C>,
        segment: Id,
        number: u32,
        node: &Node,
    ) -> Result<Vec<Node>, Fault> {
        let kv_key = key::page(segment, number);
        let what = format!("the page of chunks {kv_key} at byte {}", self.offset);
        let entry = store.kv().get(&kv_key, None).await.map_err(Fault::Failed)?;
        let value = entry.ok_or_else(|| Fault::Missing(what.clone()))?.value;
        codec::decode_page(&value, node, self.offset, &self.segments)
            .map_err(|why| Fault::Wrong(format!("{what}: {why}")))
    }
}

impl<K: Kv, C: Clock> Store<K, C> {
    /// The bytes of a chunk, verified. `lone`: it is the whole object.
    pub(super) async fn fetch(&self, step: Step, lone: bool) -> Result<Bytes, Fault> {
        let Place::Chunk { segment, number } = step.node.place else {
            unreachable!("a walk gives chunks")
        };
        let kv_key = key::chunk(segment, number);
        let what = format!("chunk {} ({kv_key}) at byte {}", step.index, step.offset);
        let entry = self.kv().get(&kv_key, None).await.map_err(Fault::Failed)?;
        let bytes = entry.ok_or_else(|| Fault::Missing(what.clone()))?.value;
        if bytes.len() as u64 != step.node.length {
            return Err(Fault::Wrong(format!(
                "{what} has {} bytes in place of {}",
                bytes.len(),
                step.node.length
            )));
        }
        if !chunk_is(&bytes, step.offset, lone, &step.node.cv) {
            return Err(Fault::Wrong(format!("{what} does not hold the bytes that were written")));
        }
        self.measure_chunk("read", bytes.len());
        Ok(bytes)
    }
}
