//! Servers of HTTP, asked by one client: who asks costs everybody the same.

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::range::Span;
use chunk_store_tests::http::{Answer, Client, Protocol, Sending};

use crate::compare::subject::{Result, Small, Source, Subject, Taken, each};

/// A server, and what is particular about it.
#[async_trait]
pub trait Web: Send + Sync {
    /// Where a key lies.
    fn target(&self, key: &str) -> String {
        format!("/{key}")
    }

    /// Stores a body of this size.
    async fn store(&self, client: &Client, key: &str, body: Sending, _size: u64) -> Result {
        let answer = client.try_send(&format!("PUT {}", self.target(key)), &[], body).await?;
        expect(answer, &[200, 201, 204]).map(drop)
    }

    /// Whether it answers a range with the range.
    fn has_ranges(&self) -> bool {
        true
    }

    /// Its processes.
    fn servers(&self) -> Result<Vec<u32>>;

    /// What all that it keeps takes.
    fn stored_bytes(&self) -> Result<Option<u64>>;

    /// `http://ADDRESS`.
    fn url(&self) -> String;
}

/// The answer, if it came whole and with one of these statuses.
pub fn expect(answer: Answer, statuses: &[u16]) -> Result<Answer> {
    if let Some(why) = &answer.broken {
        return Err(why.as_str().into());
    }
    match statuses.contains(&answer.status) {
        true => Ok(answer),
        false => Err(format!("the status is {}, not one of {statuses:?}", answer.status).into()),
    }
}

/// A server and its client.
pub struct Asked<W> {
    server: W,
    client: Client,
}

impl<W: Web> Asked<W> {
    /// With connections of its own.
    pub fn new(server: W) -> Self {
        let client = Client::new(&server.url(), Protocol::Http1, None);
        Self { server, client }
    }

    async fn put_one(&self, object: &Small) -> Result {
        let body = Sending::from(object.bytes.clone());
        self.server.store(&self.client, &object.key, body, object.bytes.len() as u64).await
    }

    async fn get_one(&self, object: &Small) -> Result<Bytes> {
        let line = format!("GET {}", self.server.target(&object.key));
        let answer = self.client.try_send(&line, &[], b"").await?;
        Ok(expect(answer, &[200])?.bytes.into())
    }
}

#[async_trait]
impl<W: Web> Subject for Asked<W> {
    async fn put(&self, key: &str, source: &Source) -> Result {
        let body = Sending::read_from(source.open()?, source.size);
        self.server.store(&self.client, key, body, source.size).await
    }

    async fn get(&self, key: &str, taken: &mut Taken) -> Result {
        let take = |bytes: &[u8]| {
            taken.take(bytes);
            true
        };
        match self.client.take(&self.server.target(key), take).await {
            200 => Ok(()),
            status => Err(format!("the status is {status}").into()),
        }
    }

    async fn range(&self, key: &str, span: Span) -> Result<Option<Bytes>> {
        if !self.server.has_ranges() {
            return Ok(None);
        }
        let line = format!("GET {}", self.server.target(key));
        let range = format!("bytes={}-{}", span.start, span.end - 1);
        let answer = self.client.try_send(&line, &[("range", range.as_str())], b"").await?;
        Ok(Some(expect(answer, &[206])?.bytes.into()))
    }

    async fn put_small(&self, objects: &[Small]) -> Result<bool> {
        each(objects, |object| Box::pin(self.put_one(object))).await?;
        Ok(true)
    }

    async fn get_small(&self, objects: &[Small]) -> Result<Option<Vec<Bytes>>> {
        each(objects, |object| Box::pin(self.get_one(object))).await.map(Some)
    }

    fn servers(&self) -> Result<Vec<u32>> {
        self.server.servers()
    }

    async fn stored_bytes(&self) -> Result<Option<u64>> {
        self.server.stored_bytes()
    }
}
