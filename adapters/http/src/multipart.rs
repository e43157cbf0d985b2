//! `multipart/byteranges` (RFC 9110, sections 14.6 and 15.3.7.2; RFC 2046, section 5.1).

use std::collections::VecDeque;

use bytes::Bytes;
use chunk_store::clock::Clock;
use chunk_store::error::Error;
use chunk_store::kv::Kv;
use chunk_store::object::ObjectInfo;
use chunk_store::range::Span;
use futures::future::LocalBoxFuture;

use crate::body::{Body, Piece, Pieces};
use crate::gateway::Gateway;
use crate::ranges::content_range;

/// A body of several spans on its way out. One span is open at a time.
struct Multipart<K, C> {
    gateway: Gateway<K, C>,
    info: ObjectInfo,
    boundary: String,
    /// Not begun yet, each with its body if that is open.
    spans: VecDeque<(Span, Option<Body>)>,
    /// The one that is being sent.
    current: Option<Body>,
    ended: bool,
}

impl<K: Kv + 'static, C: Clock + 'static> Gateway<K, C> {
    /// The body of several spans of an object, in this order, and its media type. The first
    /// is opened here; a later one that belongs to another object by then breaks the body.
    pub(crate) async fn multipart_body(
        &self,
        info: &ObjectInfo,
        spans: Vec<Span>,
    ) -> Result<(Body, String), Error> {
        let mut spans: VecDeque<_> = spans.into_iter().map(|span| (span, None)).collect();
        if let Some((span, body)) = spans.front_mut() {
            *body = Some(self.open(info, *span).await?);
        }
        // Nobody can have put it into the content.
        let boundary = format!("{:032x}", self.clock().random());
        let content_type = format!("multipart/byteranges; boundary={boundary}");
        let parts = spans
            .iter()
            .map(|(span, _)| part_head(&boundary, info, *span).len() as u64 + span.len());
        let length = parts.sum::<u64>() + closing(&boundary).len() as u64;
        let (gateway, info) = (self.clone(), info.clone());
        let multipart = Multipart { gateway, info, boundary, spans, current: None, ended: false };
        Ok((Body::new(Some(length), multipart), content_type))
    }
}

impl<K: Kv + 'static, C: Clock + 'static> Pieces for Multipart<K, C> {
    fn next(&mut self) -> LocalBoxFuture<'_, Option<Result<Piece, Error>>> {
        Box::pin(async { self.next_piece().await.transpose() })
    }

    /// Only what the body of a part gave may be put back, and then that part is current.
    fn put_back(&mut self, bytes: u64) {
        if let Some(body) = &mut self.current {
            body.put_back(bytes);
        }
    }
}

impl<K: Kv + 'static, C: Clock + 'static> Multipart<K, C> {
    async fn next_piece(&mut self) -> Result<Option<Piece>, Error> {
        if let Some(body) = &mut self.current {
            if let Some(piece) = body.next().await {
                return piece.map(Some);
            }
            self.current = None;
        }
        let Some((span, opened)) = self.spans.pop_front() else {
            let last = (!self.ended).then(|| Piece::from(Bytes::from(closing(&self.boundary))));
            self.ended = true;
            return Ok(last);
        };
        self.current = Some(match opened {
            Some(body) => body,
            None => match self.gateway.open(&self.info, span).await {
                Err(Error::PreconditionFailed(_) | Error::NotFound) => return Err(Error::Replaced),
                opened => opened?,
            },
        });
        Ok(Some(Piece::from(Bytes::from(part_head(&self.boundary, &self.info, span)))))
    }
}

/// What stands before a part. The first line break is for the part before; ahead of the
/// first one it is a preamble that says nothing.
fn part_head(boundary: &str, info: &ObjectInfo, span: Span) -> String {
    let content_type = match &info.content_type {
        Some(content_type) => format!("Content-Type: {content_type}\r\n"),
        None => String::new(),
    };
    let range = content_range(span, info.size);
    format!("\r\n--{boundary}\r\n{content_type}Content-Range: {range}\r\n\r\n")
}

fn closing(boundary: &str) -> String {
    format!("\r\n--{boundary}--\r\n")
}
