//! A client that sends what it is told to, over HTTP/1.1 or HTTP/2, and takes what comes.

use std::future::poll_fn;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::client::conn::{http1, http2};
use hyper::header::AsHeaderName;
use hyper::{HeaderMap, Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};

/// An exchange takes no longer than this, or something hangs.
const EXCHANGE: Duration = Duration::from_secs(90);

/// What connections speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 by prior knowledge.
    Http2,
}

/// A client of one server. Connections are kept and used again.
pub struct Client {
    authority: String,
    protocol: Protocol,
    token: Option<String>,
    idle: Mutex<Vec<http1::SendRequest<Sending>>>,
    shared: Mutex<Option<http2::SendRequest<Sending>>>,
}

impl Client {
    /// A client of the server at `http://HOST:PORT`, with this token.
    pub fn new(url: &str, protocol: Protocol, token: Option<&str>) -> Self {
        let authority = url.strip_prefix("http://").expect("http://HOST:PORT");
        Self {
            authority: authority.trim_end_matches('/').to_string(),
            protocol,
            token: token.map(str::to_string),
            idle: Mutex::default(),
            shared: Mutex::default(),
        }
    }

    /// Another client of the same server, with another token or none.
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self::new(&format!("http://{}", self.authority), self.protocol, token)
    }

    /// Sends `METHOD /TARGET`; the target goes out as it is. There has to be an answer.
    pub async fn send(
        &self,
        line: &str,
        headers: &[(&str, &str)],
        body: impl Into<Sending>,
    ) -> Answer {
        self.try_send(line, headers, body).await.unwrap_or_else(|why| panic!("{line}: {why}"))
    }

    /// Sends it; there may be no answer.
    pub async fn try_send(
        &self,
        line: &str,
        headers: &[(&str, &str)],
        body: impl Into<Sending>,
    ) -> Result<Answer, String> {
        let answered = timeout(EXCHANGE, self.exchange(line, headers, body.into())).await;
        answered.unwrap_or_else(|_| panic!("{line}: no answer in {EXCHANGE:?}"))
    }

    async fn exchange(
        &self,
        line: &str,
        headers: &[(&str, &str)],
        body: Sending,
    ) -> Result<Answer, String> {
        let (method, target) = line.split_once(' ').expect("METHOD /TARGET");
        let mut request = Request::builder().method(method);
        request = match self.protocol {
            Protocol::Http1 => request.uri(target).header("host", &self.authority),
            Protocol::Http2 => {
                request.version(Version::HTTP_2).uri(format!("http://{}{target}", self.authority))
            }
        };
        if let Some(token) = &self.token
            && !headers.iter().any(|(name, _)| *name == "authorization")
        {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let empty = body.is_end_stream();
        let request = request.body(body).expect("a request");
        match self.protocol {
            Protocol::Http1 => {
                let mut connection = self.connection().await;
                let answer = taken(connection.send_request(request).await, method).await?;
                // Of a body that was not wanted something may still be on its way.
                if answer.broken.is_none() && (empty || answer.status < 300) {
                    self.idle.lock().unwrap().push(connection);
                }
                Ok(answer)
            }
            Protocol::Http2 => {
                taken(self.multiplexed().await.send_request(request).await, method).await
            }
        }
    }

    /// Asks by GET, over a connection of its own, and hands on what comes of the content,
    /// piece by piece, until `take` has had enough; then it leaves. Gives the status.
    pub async fn take(&self, target: &str, mut take: impl FnMut(&[u8]) -> bool) -> u16 {
        let token = self.token.as_deref().unwrap_or_default();
        let request = Request::get(target)
            .header("host", &self.authority)
            .header("authorization", format!("Bearer {token}"))
            .body(Sending::from(b""))
            .expect("a request");
        let (mut sender, connection) =
            http1::handshake(self.connect().await).await.expect("a connection");
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.expect("an answer");
        let (head, mut body) = response.into_parts();
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let frame = frame.expect("a body that does not break off");
            if !take(frame.data_ref().map_or(&[][..], |data| data)) {
                break;
            }
        }
        connection.abort();
        head.status.as_u16()
    }

    async fn connect(&self) -> TokioIo<TcpStream> {
        let stream = TcpStream::connect(&self.authority).await.expect("the server is there");
        stream.set_nodelay(true).expect("a socket");
        TokioIo::new(stream)
    }

    async fn connection(&self) -> http1::SendRequest<Sending> {
        loop {
            let Some(mut idle) = self.idle.lock().unwrap().pop() else { break };
            if idle.ready().await.is_ok() {
                return idle;
            }
        }
        let (sender, connection) =
            http1::handshake(self.connect().await).await.expect("a connection");
        tokio::spawn(connection);
        sender
    }

    async fn multiplexed(&self) -> http2::SendRequest<Sending> {
        if let Some(open) = self.shared.lock().unwrap().as_ref().filter(|open| !open.is_closed()) {
            return open.clone();
        }
        let (sender, connection) = http2::handshake(TokioExecutor::new(), self.connect().await)
            .await
            .expect("a connection");
        tokio::spawn(connection);
        *self.shared.lock().unwrap() = Some(sender.clone());
        sender
    }
}

/// An error with what caused it.
fn told(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", told(cause)),
        None => error.to_string(),
    }
}

/// Takes the answer to a request of this method in, as far as it comes.
async fn taken(
    response: hyper::Result<Response<Incoming>>,
    method: &str,
) -> Result<Answer, String> {
    let (head, mut body) = response.map_err(|error| told(&error))?.into_parts();
    let mut bytes = Vec::new();
    let mut broken = None;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        match frame {
            Ok(frame) => bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
            Err(error) => {
                broken = Some(told(&error));
                break;
            }
        }
    }
    let answer = Answer { status: head.status.as_u16(), headers: head.headers, bytes, broken };
    answer.check(method);
    Ok(answer)
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The head's fields.
    pub headers: HeaderMap,
    /// As much of the body as came.
    pub bytes: Vec<u8>,
    /// Why the body ended before its end.
    pub broken: Option<String>,
}

impl Answer {
    /// A header, or "" where there is none.
    pub fn header(&self, name: impl AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap_or("not ASCII"))
    }

    /// Asserts the status, and that the body came whole.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?}", String::from_utf8_lossy(&self.bytes));
        assert_eq!(self.broken, None);
        self
    }

    /// Asserts that it is an error, told as a problem (RFC 9457) of this kind.
    #[track_caller]
    pub fn fails(self, status: u16, error: &str) -> Self {
        let answer = self.is(status);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.header("cache-control"), "no-store");
        let problem = answer.json();
        assert_eq!((&problem["status"], &problem["error"]), (&status.into(), &error.into()));
        assert!(problem["detail"].is_string() && problem["title"].is_string(), "{problem}");
        answer
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What holds of every answer: the client has compared the body with the length in the
    /// head; where there can be no body there is none, and 204 says nothing of one.
    fn check(&self, method: &str) {
        if method == "HEAD" || [204, 304].contains(&self.status) {
            assert!(self.bytes.is_empty(), "{method}: {self:?}");
        }
        assert!(self.status != 204 || !self.headers.contains_key("content-length"), "{self:?}");
    }
}

/// A request's body.
pub struct Sending {
    bytes: Bytes,
    announced: Option<u64>,
    breaks: Option<Pin<Box<Sleep>>>,
    /// Where more comes from.
    source: Option<Box<dyn Read + Send>>,
}

impl Sending {
    /// These bytes, without a word of how many they are.
    pub fn unannounced(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), announced: None, breaks: None, source: None }
    }

    /// What is read there, so many bytes: for bodies larger than memory should be. Reading
    /// must not block.
    pub fn read_from(source: impl Read + Send + 'static, announced: u64) -> Self {
        let source: Option<Box<dyn Read + Send>> = Some(Box::new(source));
        Self { bytes: Bytes::new(), announced: Some(announced), breaks: None, source }
    }

    /// Reads the next piece, if there is more to read.
    fn refill(&mut self) -> io::Result<()> {
        let Some(source) = self.source.as_mut().filter(|_| self.bytes.is_empty()) else {
            return Ok(());
        };
        let mut piece = vec![0; 256 << 10];
        let count = source.read(&mut piece)?;
        piece.truncate(count);
        self.bytes = piece.into();
        if count == 0 {
            self.source = None;
        }
        Ok(())
    }

    /// These bytes; then it breaks off. `announced` is how many were to come.
    pub fn broken(bytes: impl Into<Bytes>, announced: Option<u64>) -> Self {
        // What came before shall be on its way by then.
        let breaks = Some(Box::pin(sleep(Duration::from_millis(100))));
        Self { bytes: bytes.into(), announced, breaks, source: None }
    }

    /// These bytes; then nothing more, not even the end.
    pub fn stalled(bytes: impl Into<Bytes>, announced: Option<u64>) -> Self {
        let breaks = Some(Box::pin(sleep(2 * EXCHANGE)));
        Self { bytes: bytes.into(), announced, breaks, source: None }
    }
}

impl From<Bytes> for Sending {
    fn from(bytes: Bytes) -> Self {
        let announced = Some(bytes.len() as u64);
        Self { bytes, announced, breaks: None, source: None }
    }
}

impl From<&[u8]> for Sending {
    fn from(bytes: &[u8]) -> Self {
        Bytes::copy_from_slice(bytes).into()
    }
}

impl From<&Vec<u8>> for Sending {
    fn from(bytes: &Vec<u8>) -> Self {
        bytes[..].into()
    }
}

impl<const N: usize> From<&[u8; N]> for Sending {
    fn from(bytes: &[u8; N]) -> Self {
        bytes[..].into()
    }
}

impl hyper::body::Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.refill()?;
        if !self.bytes.is_empty() {
            let count = self.bytes.len().min(64 << 10);
            return Poll::Ready(Some(Ok(Frame::data(self.bytes.split_to(count)))));
        }
        match &mut self.breaks {
            None => Poll::Ready(None),
            Some(soon) => soon
                .as_mut()
                .poll(cx)
                .map(|()| Some(Err(io::Error::other("the test breaks off its body")))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && self.breaks.is_none() && self.source.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        // The length is told once, before anything is sent.
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
