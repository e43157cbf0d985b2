//! Redis without the store: the loop over it, and what it can do by itself.
//!
//! Requests are written as they stand in the protocol (RESP), so that nothing is between the
//! loop and the socket.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::kv::KvLimits;
use chunk_store::plan::Plan;
use chunk_store::range::Span;
use chunk_store_host::kv;
use chunk_store_tests::redis::{Server, Settings};

use crate::compare::native::{Lane, Native, Place};
use crate::compare::subject::{
    Entry, Group, Opening, Result, Role, Site, Small, Source, Subject, Taken,
};

/// The largest value of a Redis as it comes, in bytes.
const VALUE_BYTES_MAX: u64 = 512 << 20;

/// So much of a source is read at once.
const PIECE_BYTES: usize = 1 << 20;

/// Beside the store on Redis, with and without a disk.
pub const ENTRIES: [Entry; 6] = [
    floor(Group::Redis, |_| Box::pin(native(Settings::forgetful()))),
    chunks(Group::Redis, |_| Box::pin(plain(Settings::forgetful(), Cut::Chunks))),
    whole(Group::Redis, |_| Box::pin(plain(Settings::forgetful(), Cut::Whole))),
    floor(Group::RedisSynced, |_| Box::pin(native(Settings::default()))),
    chunks(Group::RedisSynced, |_| Box::pin(plain(Settings::default(), Cut::Chunks))),
    whole(Group::RedisSynced, |_| Box::pin(plain(Settings::default(), Cut::Whole))),
];

type Open = for<'a> fn(&'a Site) -> Opening<'a>;

const fn floor(group: Group, open: Open) -> Entry {
    Entry {
        group,
        name: "native loop",
        role: Role::Floor,
        note: "the same chunks and digests, `SET` and `GET` over four connections",
        bytes_max: u64::MAX,
        open,
    }
}

const fn chunks(group: Group, open: Open) -> Entry {
    Entry {
        group,
        name: "raw chunks",
        role: Role::Bound,
        note: "`SET` and `GET` of the same chunks, all in one pipeline: digests nothing, commits nothing, bounds no memory",
        bytes_max: u64::MAX,
        open,
    }
}

const fn whole(group: Group, open: Open) -> Entry {
    Entry {
        group,
        name: "whole value",
        role: Role::Plain,
        note: "one `SET`, one `GET`, `GETRANGE`: digests nothing, and the server copies the object whole into its memory; at most 512 MiB",
        bytes_max: VALUE_BYTES_MAX,
        open,
    }
}

/// What a server keeps takes so much of its memory, in bytes.
pub fn stored_bytes(server: &Server) -> Result<u64> {
    let memory = server.cli(&["INFO", "memory"]);
    let line = memory.lines().find_map(|line| line.strip_prefix("used_memory_dataset:"));
    Ok(line.ok_or("redis tells no used_memory_dataset")?.trim().parse()?)
}

fn limits(server: &Server) -> impl Future<Output = Result<KvLimits>> {
    let url = server.url();
    async move { Ok(kv::open(&url).await?.limits()) }
}

async fn native(settings: Settings) -> Result<Box<dyn Subject>> {
    let server = Server::with(settings);
    let limits = limits(&server).await?;
    Ok(Box::new(Native::new(server, limits)))
}

async fn plain(settings: Settings, cut: Cut) -> Result<Box<dyn Subject>> {
    let server = Server::with(settings);
    let limits = limits(&server).await?;
    let connection = Mutex::new(Connection::open(&server)?);
    Ok(Box::new(Plain { server, limits, connection, cut, sizes: Mutex::default() }))
}

/// A connection that speaks RESP.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(server: &Server) -> Result<Self> {
        let stream = TcpStream::connect(server.address())?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::with_capacity(PIECE_BYTES, stream)))
    }

    /// Sends a command whose arguments are short.
    fn send(&mut self, arguments: &[&str]) -> Result {
        let mut request = format!("*{}\r\n", arguments.len());
        for argument in arguments {
            request += &format!("${}\r\n{argument}\r\n", argument.len());
        }
        Ok(self.0.get_mut().write_all(request.as_bytes())?)
    }

    /// Sends the head of a `SET`; `length` bytes and a line's end have to follow.
    fn send_set(&mut self, key: &str, length: usize) -> Result {
        let head = format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${length}\r\n", key.len());
        Ok(self.0.get_mut().write_all(head.as_bytes())?)
    }

    fn send_bytes(&mut self, bytes: &[u8]) -> Result {
        Ok(self.0.get_mut().write_all(bytes)?)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        Ok(line.trim_end().to_string())
    }

    /// Takes the answer to a `SET`.
    fn done(&mut self) -> Result {
        match self.line()?.as_str() {
            "+OK" => Ok(()),
            other => Err(format!("redis answers {other:?}").into()),
        }
    }

    /// Takes the answer to a `GET`; gives the pieces as they come.
    fn value(&mut self, mut take: impl FnMut(&[u8])) -> Result {
        let line = self.line()?;
        let length = line.strip_prefix('$').ok_or_else(|| format!("redis answers {line:?}"))?;
        let mut left: usize = length.parse()?;
        while left > 0 {
            let piece = self.0.fill_buf()?;
            if piece.is_empty() {
                return Err("redis has hung up".into());
            }
            let count = piece.len().min(left);
            take(&piece[..count]);
            self.0.consume(count);
            left -= count;
        }
        self.line().map(drop)
    }

    /// The same, in one piece.
    fn whole_value(&mut self) -> Result<Bytes> {
        let line = self.line()?;
        let length = line.strip_prefix('$').ok_or_else(|| format!("redis answers {line:?}"))?;
        let length: u64 = length.parse()?;
        let mut bytes = Vec::with_capacity(length as usize);
        (&mut self.0).take(length).read_to_end(&mut bytes)?;
        self.line()?;
        Ok(bytes.into())
    }
}

impl Place for Server {
    fn lane(&self) -> Result<Box<dyn Lane + '_>> {
        Ok(Box::new(Connection::open(self)?))
    }

    fn servers(&self) -> Vec<u32> {
        vec![self.pid()]
    }

    fn stored_bytes(&self) -> Result<Option<u64>> {
        stored_bytes(self).map(Some)
    }
}

impl Lane for Connection {
    fn set(&mut self, name: &str, value: Bytes) -> Result {
        self.send_set(name, value.len())?;
        self.send_bytes(&value)?;
        self.send_bytes(b"\r\n")?;
        self.done()
    }

    fn get(&mut self, name: &str) -> Result<Bytes> {
        self.send(&["GET", name])?;
        self.whole_value()
    }
}

/// Redis by itself.
struct Plain {
    server: Server,
    limits: KvLimits,
    connection: Mutex<Connection>,
    cut: Cut,
    sizes: Mutex<Vec<(String, u64)>>,
}

enum Cut {
    Chunks,
    Whole,
}

impl Plain {
    /// The sizes of the values that an object of this size makes.
    fn values(&self, size: u64) -> Result<Vec<u64>> {
        if matches!(self.cut, Cut::Whole) {
            return Ok(vec![size]);
        }
        let plan = Plan::new(Some(size), &self.limits, None)?;
        let mut offset = 0;
        let mut values = Vec::new();
        while offset < size {
            let length = plan.chunk_bytes(offset).min(size - offset);
            values.push(length);
            offset += length;
        }
        Ok(values)
    }

    fn put_all(&self, key: &str, source: &Source) -> Result {
        let values = self.values(source.size)?;
        let mut connection = self.connection();
        let mut file = source.open()?;
        let mut buffer = vec![0; PIECE_BYTES];
        for (number, length) in values.iter().enumerate() {
            connection.send_set(&format!("{key}/{number}"), *length as usize)?;
            let mut left = *length as usize;
            while left > 0 {
                let piece = &mut buffer[..left.min(PIECE_BYTES)];
                file.read_exact(piece)?;
                connection.send_bytes(piece)?;
                left -= piece.len();
            }
            connection.send_bytes(b"\r\n")?;
        }
        values.iter().try_for_each(|_| connection.done())?;
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        sizes.push((key.to_string(), source.size));
        Ok(())
    }

    fn size(&self, key: &str) -> Result<u64> {
        let sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        let found = sizes.iter().rfind(|(name, _)| name == key);
        Ok(found.ok_or("there is no such object")?.1)
    }

    fn get_all(&self, key: &str, taken: &mut Taken) -> Result {
        let values = self.values(self.size(key)?)?;
        let mut connection = self.connection();
        for number in 0..values.len() {
            connection.send(&["GET", &format!("{key}/{number}")])?;
        }
        values.iter().try_for_each(|_| connection.value(|piece| taken.take(piece)))
    }

    fn connection(&self) -> std::sync::MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Subject for Plain {
    async fn put(&self, key: &str, source: &Source) -> Result {
        tokio::task::block_in_place(|| self.put_all(key, source))
    }

    async fn get(&self, key: &str, taken: &mut Taken) -> Result {
        tokio::task::block_in_place(|| self.get_all(key, taken))
    }

    async fn range(&self, key: &str, span: Span) -> Result<Option<Bytes>> {
        let Cut::Whole = self.cut else { return Ok(None) };
        let mut connection = self.connection();
        let [start, last] = [span.start, span.end - 1].map(|at| at.to_string());
        connection.send(&["GETRANGE", &format!("{key}/0"), &start, &last])?;
        connection.whole_value().map(Some)
    }

    /// All in one pipeline.
    async fn put_small(&self, objects: &[Small]) -> Result<bool> {
        let mut connection = self.connection();
        for object in objects {
            connection.send_set(&object.key, object.bytes.len())?;
            connection.send_bytes(&object.bytes)?;
            connection.send_bytes(b"\r\n")?;
        }
        objects.iter().try_for_each(|_| connection.done())?;
        Ok(true)
    }

    async fn get_small(&self, objects: &[Small]) -> Result<Option<Vec<Bytes>>> {
        let mut connection = self.connection();
        for object in objects {
            connection.send(&["GET", &object.key])?;
        }
        objects.iter().map(|_| connection.whole_value()).collect::<Result<_>>().map(Some)
    }

    fn servers(&self) -> Result<Vec<u32>> {
        Ok(vec![self.server.pid()])
    }

    async fn stored_bytes(&self) -> Result<Option<u64>> {
        stored_bytes(&self.server).map(Some)
    }
}
