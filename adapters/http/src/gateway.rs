//! From a request to what answers it.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use chunk_store::body::Source;
use chunk_store::clock::Clock;
use chunk_store::kv::Kv;
use chunk_store::metrics::Snapshot;
use chunk_store::store::Store;
use headers::{Allow, ContentLength, ContentType, HeaderMapExt};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde::Serialize;

use crate::auth::{self, Caller, Need};
use crate::body::Body;
use crate::cors;
use crate::problem::Problem;
use crate::query::Query;
use crate::route::Target;
use crate::settings::Settings;
#[cfg(feature = "ui")]
use crate::ui;
use crate::{lead, uploads};

/// A store with HTTP in front. Cheap to clone; clones are the same gateway.
#[derive(Debug)]
pub struct Gateway<K, C> {
    inner: Rc<Inner<K, C>>,
}

#[derive(Debug)]
struct Inner<K, C> {
    store: Store<K, C>,
    clock: C,
    settings: Settings,
    /// What others have counted.
    past: RefCell<Snapshot>,
}

impl<K, C> Clone for Gateway<K, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

/// What a handler needs to know of a request besides its body.
pub(crate) struct Call<'a> {
    pub head: &'a Parts,
    pub target: Target,
    pub query: Query,
    pub caller: Caller,
}

impl<K: Kv + 'static, C: Clock + 'static> Gateway<K, C> {
    /// A gateway to a store. `clock` is the one that the store was made with, or tells the
    /// same times.
    pub fn new(store: Store<K, C>, clock: C, settings: Settings) -> Self {
        Self { inner: Rc::new(Inner { store, clock, settings, past: RefCell::default() }) }
    }

    /// Has `/_/metrics` tell from now on what others have counted before, too, that this one
    /// stands for.
    pub fn tell(&self, past: Snapshot) {
        self.inner.past.replace(past);
    }

    /// What it has counted, and those before it.
    pub(crate) fn counted(&self) -> Snapshot {
        let mut sum = self.inner.past.borrow().clone();
        sum.go_on_with(self.inner.store.metrics());
        sum
    }

    pub(crate) fn store(&self) -> &Store<K, C> {
        &self.inner.store
    }

    pub(crate) fn clock(&self) -> &C {
        &self.inner.clock
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Answers a request.
    ///
    /// The request's URI may be in origin form (`/a?b`), absolute, or `*`. Its body is read
    /// only by requests that store it, and only after all that can be refused has been;
    /// what is left of it is dropped with it. Errors are answers: `application/problem+json`
    /// with a [`Failure`](crate::Failure) among its extensions. The answer to `HEAD` has an
    /// empty body and the length of the whole in its head.
    pub async fn handle<S: Source>(&self, request: Request<S>) -> Response<Body> {
        let (head, source) = request.into_parts();
        let settings = &self.inner.settings;
        let mut trusted = false;
        let trace = head.headers.get("traceparent").and_then(|trace| trace.to_str().ok());
        let served = self.serve(&head, source, &mut trusted);
        let mut response = match self.inner.store.traced(trace, served).await {
            Ok(response) => response,
            Err(problem) => problem.into_response(trusted),
        };
        if uploads::is_for_uploads(head.uri.path()) {
            uploads::mark(response.headers_mut());
        }
        cors::apply(&settings.origins, &head, response.headers_mut());
        tell_length(&mut response);
        if head.method == Method::HEAD {
            *response.body_mut() = Body::empty();
        }
        response
    }

    async fn serve<S: Source>(
        &self,
        head: &Parts,
        source: S,
        trusted: &mut bool,
    ) -> Result<Response<Body>, Problem> {
        let settings = &self.inner.settings;
        let target = Target::of(head.uri.path())?;
        let mut query = Query::parse(head.uri.query())?;
        let method = uploads::method(head, &target)?;
        let caller = auth::identify(settings, head, &target, &mut query, self.clock())?;
        *trusted = caller == Caller::Trusted;
        let need = Need::of(&method, &target);
        auth::allow(settings, caller, need, head)?;
        let methods = target.methods(settings.read_only);
        if !methods.contains(&method) {
            return Err(not_allowed(methods));
        }
        let call = Call { head, target, query, caller };
        if method == Method::OPTIONS {
            return Ok(self.options(&call));
        }
        self.dispatch(&method, call, source).await
    }

    async fn dispatch<S: Source>(
        &self,
        method: &Method,
        call: Call<'_>,
        source: S,
    ) -> Result<Response<Body>, Problem> {
        match (&call.target, method.as_str()) {
            (Target::Object(_), "GET") => self.get(call).await,
            (Target::Object(_), "HEAD") => self.head(call).await,
            (Target::Object(_), "PUT") => self.put(call, source).await,
            (Target::Object(_), "DELETE") => self.delete(call).await,
            (Target::Uploads, "POST") => self.create_upload(call, source).await,
            (Target::Uploads, "GET" | "HEAD") => self.list_uploads(call).await,
            (Target::Upload(_), "HEAD") => self.look_at_upload(call).await,
            (Target::Upload(_), "GET") => self.describe_upload(call).await,
            (Target::Upload(_), "PATCH") => self.append_to_upload(call, source).await,
            (Target::Upload(_), "DELETE") => self.abort_upload(call).await,
            (Target::List, _) => self.list(call).await,
            (Target::Head(_), _) => self.describe_object(call).await,
            (Target::Manifest(_), _) => self.list_chunks(call).await,
            (Target::Sign(_), _) => self.sign(call),
            #[cfg(feature = "ui")]
            (Target::Ui(_), _) => ui::serve(call),
            // The platform has it, or nobody.
            #[cfg(not(feature = "ui"))]
            (Target::Ui(_), _) => Err(Problem::no_such_resource()),
            (Target::Root, _) => lead::lead(call),
            (Target::Sweep, _) => self.sweep(call).await,
            (Target::Metrics, _) => self.metrics(call),
            (Target::Health, _) => self.health(call).await,
            (Target::Object(_) | Target::Uploads | Target::Upload(_) | Target::Server, _) => {
                Err(not_allowed(call.target.methods(self.inner.settings.read_only)))
            }
        }
    }

    /// What can be done with a resource (RFC 9110, section 9.3.7).
    fn options(&self, call: &Call<'_>) -> Response<Body> {
        let mut response = no_content();
        let methods = call.target.methods(self.inner.settings.read_only);
        response.headers_mut().typed_insert(allow(methods));
        if matches!(call.target, Target::Uploads | Target::Upload(_)) {
            uploads::describe(response.headers_mut());
        }
        response
    }
}

fn allow(methods: &[Method]) -> Allow {
    methods.iter().cloned().collect()
}

/// 405 (RFC 9110, section 15.5.6).
fn not_allowed(methods: &[Method]) -> Problem {
    let list = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let detail = format!("this takes {list} only");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "invalid-argument", detail).with(ALLOW, &list)
}

/// Whether answers of this status end with their head (RFC 9112, section 6.3).
pub fn has_no_body(status: StatusCode) -> bool {
    [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status)
}

/// Says how long an answer is where that is known, so that it need not be chunked; not
/// where the status says that there is no content (RFC 9110, section 8.6).
fn tell_length(response: &mut Response<Body>) {
    if let Some(length) = response.body().length()
        && !has_no_body(response.status())
        && !response.headers().contains_key(CONTENT_LENGTH)
    {
        response.headers_mut().typed_insert(ContentLength(length));
    }
}

/// 204.
pub(crate) fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// 200 with JSON, which caches do not keep.
pub(crate) fn json(value: &impl Serialize) -> Response<Body> {
    let bytes = Bytes::from(serde_json::to_vec(value).expect("plain data"));
    let mut response = Response::new(Body::whole(bytes));
    response.headers_mut().typed_insert(ContentType::json());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
