//! The stored form of manifests and pages; `docs/format.md` gives it field by
//! field. Unknown fields are refused: within a version the form is fixed.

use serde::Serialize;

use super::{Manifest, Node, Place, check_nodes};
use crate::digest::{self, Digest};
use crate::json::{self, Read, Reader};
use crate::key::Id;
use crate::object::ObjectInfo;
use crate::record::{self, Kind};

/// A run of nodes of the same kind, with consecutive numbers in one segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Chunks: length and chaining value of each.
    Chunks {
        /// The segment they lie in.
        segment: Id,
        /// The number of the first.
        first: u32,
        /// One pair for each.
        list: Vec<(u64, String)>,
    },
    /// Pages: chunks below, length and chaining value of each.
    Pages {
        /// The segment they lie in.
        segment: Id,
        /// The number of the first.
        first: u32,
        /// One triple for each.
        list: Vec<(u32, u64, String)>,
    },
}

impl Read for Part {
    fn read(from: &mut Reader<'_>) -> Result<Self, String> {
        from.case(|name, from| match (name, from) {
            ("chunks", Some(from)) => Some(Self::chunks(from)),
            ("pages", Some(from)) => Some(Self::pages(from)),
            _ => None,
        })
    }
}

impl Part {
    fn chunks(from: &mut Reader<'_>) -> Result<Self, String> {
        json::fields!(from, Part::Chunks { segment: "segment", first: "first", list: "list" })
    }

    fn pages(from: &mut Reader<'_>) -> Result<Self, String> {
        json::fields!(from, Part::Pages { segment: "segment", first: "first", list: "list" })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ManifestHeader {
    key: String,
    size: u64,
    digest: String,
    etag: String,
    generation: String,
    content_type: Option<String>,
    metadata: Vec<(String, String)>,
    modified: u64,
    expires: Option<u64>,
    chunks: u32,
    segments: Vec<Id>,
    parts: Vec<Part>,
}

impl Read for ManifestHeader {
    fn read(from: &mut Reader<'_>) -> Result<Self, String> {
        json::fields!(
            from,
            ManifestHeader {
                key: "key",
                size: "size",
                digest: "digest",
                etag: "etag",
                generation: "generation",
                content_type: "content-type",
                metadata: "metadata",
                modified: "modified",
                expires: "expires",
                chunks: "chunks",
                segments: "segments",
                parts: "parts"
            }
        )
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct PageHeader {
    offset: u64,
    parts: Vec<Part>,
}

impl Read for PageHeader {
    fn read(from: &mut Reader<'_>) -> Result<Self, String> {
        json::fields!(from, PageHeader { offset: "offset", parts: "parts" })
    }
}

/// Groups nodes into parts.
pub fn parts_of(nodes: &[Node]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for node in nodes {
        let cv = digest::to_hex(&node.cv);
        match (node.place, parts.last_mut()) {
            (Place::Chunk { segment, number }, Some(Part::Chunks { segment: s, first, list }))
                if *s == segment && *first as usize + list.len() == number as usize =>
            {
                list.push((node.length, cv));
            }
            (
                Place::Page { segment, number, chunks },
                Some(Part::Pages { segment: s, first, list }),
            ) if *s == segment && *first as usize + list.len() == number as usize => {
                list.push((chunks, node.length, cv));
            }
            (Place::Chunk { segment, number }, _) => {
                parts.push(Part::Chunks { segment, first: number, list: vec![(node.length, cv)] });
            }
            (Place::Page { segment, number, chunks }, _) => parts.push(Part::Pages {
                segment,
                first: number,
                list: vec![(chunks, node.length, cv)],
            }),
        }
    }
    parts
}

/// Takes parts apart into nodes.
pub fn nodes_of(parts: &[Part]) -> Result<Vec<Node>, String> {
    let mut nodes = Vec::new();
    for part in parts {
        let before = nodes.len();
        match part {
            Part::Chunks { segment, first, list } => {
                for (i, (length, cv)) in list.iter().enumerate() {
                    let place = Place::Chunk { segment: *segment, number: number(*first, i)? };
                    nodes.push(Node { length: *length, cv: chaining_value(cv)?, place });
                }
            }
            Part::Pages { segment, first, list } => {
                for (i, (chunks, length, cv)) in list.iter().enumerate() {
                    let number = number(*first, i)?;
                    let place = Place::Page { segment: *segment, number, chunks: *chunks };
                    nodes.push(Node { length: *length, cv: chaining_value(cv)?, place });
                }
            }
        }
        if nodes.len() == before {
            return Err("a part of the chunk list is empty".to_string());
        }
    }
    Ok(nodes)
}

fn number(first: u32, i: usize) -> Result<u32, String> {
    let number = u32::try_from(i).ok().and_then(|i| first.checked_add(i));
    number
        .filter(|n| *n < crate::key::NUMBER_END)
        .ok_or_else(|| "a chunk number is too large".into())
}

fn chaining_value(hex: &str) -> Result<[u8; 32], String> {
    let lowercase = !hex.bytes().any(|byte| byte.is_ascii_uppercase());
    digest::from_hex(hex)
        .filter(|_| lowercase)
        .ok_or_else(|| format!("{hex:?} is no chaining value"))
}

/// The stored form of a manifest; inline content goes behind it.
pub fn encode_manifest(manifest: &Manifest) -> Vec<u8> {
    let ObjectInfo {
        key,
        size,
        digest,
        etag,
        generation,
        content_type,
        metadata,
        modified,
        expires,
        chunks,
    } = manifest.info.clone();
    let header = ManifestHeader {
        key,
        size,
        digest,
        etag,
        generation,
        content_type,
        metadata,
        modified,
        expires,
        chunks,
        segments: manifest.segments.clone(),
        parts: parts_of(&manifest.nodes),
    };
    record::encode(Kind::Manifest, &header)
}

/// Reads a manifest, and where inline content begins behind it. `bytes` may end
/// anywhere behind the header.
pub fn decode_manifest(bytes: &[u8]) -> Result<(Manifest, usize), String> {
    let (header, end): (ManifestHeader, usize) = record::decode(Kind::Manifest, bytes)?;
    let manifest = Manifest {
        nodes: nodes_of(&header.parts)?,
        segments: header.segments,
        info: ObjectInfo {
            key: header.key,
            size: header.size,
            digest: header.digest,
            etag: header.etag,
            generation: header.generation,
            content_type: header.content_type,
            metadata: header.metadata,
            modified: header.modified,
            expires: header.expires,
            chunks: header.chunks,
        },
    };
    manifest.check().map_err(|broken| format!("the manifest is wrong: {broken}"))?;
    let content_bytes_max = if manifest.is_inline() { manifest.info.size } else { 0 };
    let content_bytes = (bytes.len() - end) as u64;
    if content_bytes > content_bytes_max {
        let excess = content_bytes - content_bytes_max;
        return Err(format!("the manifest has {excess} bytes too many"));
    }
    Ok((manifest, end))
}

/// Takes the inline content out of a whole manifest value and checks it.
pub fn inline_content(manifest: &Manifest, content: &[u8]) -> Result<(), String> {
    if content.len() as u64 != manifest.info.size {
        return Err(format!(
            "the content in the manifest has {} bytes in place of {}",
            content.len(),
            manifest.info.size
        ));
    }
    if Digest::of(content) != manifest.digest() {
        return Err("the content in the manifest does not match its digest".to_string());
    }
    Ok(())
}

/// The stored form of a page: the nodes that begin at `offset` of the object.
pub fn encode_page(offset: u64, nodes: &[Node]) -> Vec<u8> {
    record::encode(Kind::Page, &PageHeader { offset, parts: parts_of(nodes) })
}

/// Reads the page behind `node`, which begins at `offset` of the object, and
/// checks that it is the one that the node vouches for.
pub fn decode_page(
    bytes: &[u8],
    node: &Node,
    offset: u64,
    segments: &[Id],
) -> Result<Vec<Node>, String> {
    let header: PageHeader = record::decode_whole(Kind::Page, bytes)?;
    let nodes = nodes_of(&header.parts)?;
    let sum = check_nodes(&nodes, offset, segments)
        .map_err(|broken| format!("the page is wrong: {broken}"))?;
    let fits = header.offset == offset && sum.length == node.length && sum.count == node.chunks();
    let all_whole = nodes.iter().all(|node| node.length.is_power_of_two());
    if !fits || !all_whole || nodes.len() < 2 {
        return Err("the page is not the one that the list names".to_string());
    }
    if digest::subtree_cv(nodes.iter().map(|node| (node.length, node.cv))) != node.cv {
        return Err("the page does not match its chaining value".to_string());
    }
    Ok(nodes)
}

#[cfg(test)]
#[path = "codec_tests.rs"]
pub(crate) mod tests;
