//! GET and HEAD of an object (RFC 9110, sections 9.3.1, 9.3.2, 14, 15.3.7).
//!
//! The object is opened first and its conditions are judged by what was opened, so that
//! the usual read is one read of the manifest. The first bytes are verified before the
//! head of the answer goes out: what is missing at the start is still an error with a
//! status.

use chunk_store::clock::Clock;
use chunk_store::error::Error;
use chunk_store::kv::Kv;
use chunk_store::object::{Content, GetOptions, ObjectInfo, Precondition};
use chunk_store::range::{ByteRange, Span};
use chunk_store::store::get::Reader;
use futures::future::LocalBoxFuture;
use headers::{ContentLength, HeaderMapExt};
use http::header::CONTENT_RANGE;
use http::{HeaderMap, Response, StatusCode};

use crate::auth::Caller;
use crate::body::{Body, Piece, Pieces};
use crate::conditions::{Conditions, Verdict, if_range_holds};
use crate::gateway::{Call, Gateway};
use crate::limits::{RANGES_MAX, READ_ATTEMPTS};
use crate::problem::Problem;
use crate::ranges::{self, Wanted, content_range, is_satisfiable};
use crate::representation::{describe, describe_version, put_text};
use crate::route::Target;

/// A read whose conditions are known.
pub(crate) struct Reading<'a> {
    pub key: String,
    /// What the caller may no longer read after this; seconds since the Unix epoch.
    pub until: Option<u64>,
    conditions: Conditions,
    headers: &'a HeaderMap,
}

impl<'a> Reading<'a> {
    fn new(call: &Call<'a>) -> Result<Self, Problem> {
        let Target::Object(key) = &call.target else { unreachable!("only objects are read") };
        let until = match call.caller {
            Caller::Link { expires } => Some(expires),
            _ => None,
        };
        let headers = &call.head.headers;
        let conditions = Conditions::of_read(headers)?;
        Ok(Self { key: key.clone(), until, conditions, headers })
    }

    fn wanted(&self) -> Wanted {
        ranges::wanted(self.headers)
    }

    fn may_be_in_part(&self, info: &ObjectInfo) -> bool {
        if_range_holds(self.headers, info)
    }
}

impl<K: Kv + 'static, C: Clock + 'static> Gateway<K, C> {
    pub(crate) async fn head(&self, mut call: Call<'_>) -> Result<Response<Body>, Problem> {
        let follow = call.query.take_switch("follow")?;
        let reading = Reading::new(&call)?;
        // `Range` says nothing of HEAD (section 14.2).
        match self.store().head(&reading.key, None).await {
            Ok(info) => match self.answer_unsent(&reading, &info)? {
                Some(response) => Ok(response),
                None => Ok(self.whole(&reading, &info, Body::empty())),
            },
            Err(Error::NotFound) if follow => self.follow(&reading.key).await,
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn get(&self, mut call: Call<'_>) -> Result<Response<Body>, Problem> {
        let follow = call.query.take_switch("follow")?;
        let reading = Reading::new(&call)?;
        match self.get_committed(&reading).await {
            Err(problem) if follow && problem.status == StatusCode::NOT_FOUND => {}
            answer => return answer,
        }
        match self.follow(&reading.key).await {
            // It may have been committed between the two looks.
            Err(problem) if problem.status == StatusCode::NOT_FOUND => {
                self.get_committed(&reading).await
            }
            answer => answer,
        }
    }

    async fn get_committed(&self, reading: &Reading<'_>) -> Result<Response<Body>, Problem> {
        match reading.wanted() {
            Wanted::Whole => self.get_whole(reading).await,
            Wanted::One(range) => self.get_one(reading, range).await,
            Wanted::Several(ranges) => self.get_several(reading, &ranges).await,
            Wanted::TooMany => self.get_several(reading, &[]).await,
        }
    }

    async fn get_whole(&self, reading: &Reading<'_>) -> Result<Response<Body>, Problem> {
        let (content, reader) = self.store().get(&reading.key, &GetOptions::default()).await?;
        if let Some(response) = self.answer_unsent(reading, &content.info)? {
            return Ok(response);
        }
        let body = body(reader, content.part).await?;
        Ok(self.whole(reading, &content.info, body))
    }

    async fn get_one(
        &self,
        reading: &Reading<'_>,
        range: ByteRange,
    ) -> Result<Response<Body>, Problem> {
        let options = GetOptions { range: Some(range), ..GetOptions::default() };
        let (Content { info, part }, reader) = match self.store().get(&reading.key, &options).await
        {
            Ok(opened) => opened,
            Err(Error::RangeNotSatisfiable(_)) => return self.get_none(reading).await,
            Err(error) => return Err(error.into()),
        };
        if let Some(response) = self.answer_unsent(reading, &info)? {
            return Ok(response);
        }
        if !reading.may_be_in_part(&info) {
            return self.get_whole(reading).await;
        }
        if !is_satisfiable(range, info.size) {
            return Err(not_satisfiable(info.size));
        }
        // The last bytes of nothing: there is no `Content-Range` for them.
        if part.is_empty() {
            return Ok(self.whole(reading, &info, Body::empty()));
        }
        let body = body(reader, part).await?;
        Ok(self.partial(reading, &info, part, body))
    }

    /// For ranges that select nothing: conditions go before them (section 13.2.2).
    async fn get_none(&self, reading: &Reading<'_>) -> Result<Response<Body>, Problem> {
        let info = self.store().head(&reading.key, None).await?;
        if let Some(response) = self.answer_unsent(reading, &info)? {
            return Ok(response);
        }
        match reading.may_be_in_part(&info) {
            true => Err(not_satisfiable(info.size)),
            false => self.get_whole(reading).await,
        }
    }

    /// `ranges` are none where there are more than anyone needs.
    async fn get_several(
        &self,
        reading: &Reading<'_>,
        ranges: &[ByteRange],
    ) -> Result<Response<Body>, Problem> {
        for _ in 0..READ_ATTEMPTS {
            let info = self.store().head(&reading.key, None).await?;
            if let Some(response) = self.answer_unsent(reading, &info)? {
                return Ok(response);
            }
            if !reading.may_be_in_part(&info) {
                return self.get_whole(reading).await;
            }
            if ranges.is_empty() {
                let why = format!("there are more than {RANGES_MAX} ranges; ask for fewer");
                return Err(Problem::range_not_satisfiable(info.size, why));
            }
            let spans = ranges::select(ranges, info.size);
            let opened = match spans[..] {
                [] if ranges.iter().any(|range| is_satisfiable(*range, info.size)) => {
                    Ok(self.whole(reading, &info, Body::empty()))
                }
                [] => return Err(not_satisfiable(info.size)),
                [span] => self
                    .open(&info, span)
                    .await
                    .map(|body| self.partial(reading, &info, span, body)),
                _ => self.multipart(reading, &info, spans).await,
            };
            match opened {
                // Replaced since it was looked at.
                Err(Error::PreconditionFailed(_)) => {}
                opened => return Ok(opened?),
            }
        }
        Err(Error::Replaced.into())
    }

    /// Opens bytes of this very object; [`Error::PreconditionFailed`] if it is another now.
    pub(crate) async fn open(&self, info: &ObjectInfo, span: Span) -> Result<Body, Error> {
        let options = GetOptions {
            range: Some(ByteRange::Between(span.start, span.end)),
            precondition: Some(Precondition::GenerationIs(info.generation.clone())),
            stripe: None,
        };
        let (content, reader) = self.store().get(&info.key, &options).await?;
        body(reader, content.part).await
    }

    /// 304 or 412, where a condition says so.
    fn answer_unsent(
        &self,
        reading: &Reading<'_>,
        info: &ObjectInfo,
    ) -> Result<Option<Response<Body>>, Problem> {
        match reading.conditions.judge_read(info) {
            Verdict::Send => Ok(None),
            Verdict::Failed => Err(Problem::condition_failed(Some(&info.etag))),
            Verdict::NotModified => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                let now_ms = self.clock().wall_ms();
                describe_version(info, now_ms, reading.until, response.headers_mut());
                Ok(Some(response))
            }
        }
    }

    /// 200.
    fn whole(&self, reading: &Reading<'_>, info: &ObjectInfo, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        describe(info, self.clock().wall_ms(), reading.until, response.headers_mut());
        response
    }

    /// 206 with one range.
    fn partial(
        &self,
        reading: &Reading<'_>,
        info: &ObjectInfo,
        part: Span,
        body: Body,
    ) -> Response<Body> {
        let mut response = self.whole(reading, info, body);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let headers = response.headers_mut();
        put_text(headers, CONTENT_RANGE, &content_range(part, info.size));
        headers.typed_insert(ContentLength(part.len()));
        response
    }

    /// 206 with several.
    async fn multipart(
        &self,
        reading: &Reading<'_>,
        info: &ObjectInfo,
        spans: Vec<Span>,
    ) -> Result<Response<Body>, Error> {
        let (body, content_type) = self.multipart_body(info, spans).await?;
        let length = body.length();
        let mut response = self.whole(reading, info, body);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let headers = response.headers_mut();
        put_text(headers, http::header::CONTENT_TYPE, &content_type);
        if let Some(length) = length {
            headers.typed_insert(ContentLength(length));
        }
        Ok(response)
    }
}

fn not_satisfiable(size: u64) -> Problem {
    let why = format!("no byte of the object is in the range; it has {size} bytes");
    Problem::range_not_satisfiable(size, why)
}

/// The body of a read, once its first bytes are there.
async fn body<K: Kv + 'static, C: Clock + 'static>(
    mut reader: Reader<K, C>,
    part: Span,
) -> Result<Body, Error> {
    let first = reader.next().await.transpose()?;
    Ok(Body::new(Some(part.len()), OfObject { first, reader }))
}

struct OfObject<K, C> {
    first: Option<Piece>,
    reader: Reader<K, C>,
}

impl<K: Kv + 'static, C: Clock + 'static> Pieces for OfObject<K, C> {
    fn next(&mut self) -> LocalBoxFuture<'_, Option<Result<Piece, Error>>> {
        Box::pin(async {
            match self.first.take() {
                Some(first) => Some(Ok(first)),
                None => self.reader.next().await,
            }
        })
    }

    fn put_back(&mut self, bytes: u64) {
        self.reader.put_back(bytes);
    }
}
