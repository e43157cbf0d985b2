//! A Redis that is 20 ms away: put and get with what pacing keeps under way, beside the
//! same with one operation at a time.

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chunk_store::object::{GetOptions, PutOptions};
use chunk_store_host::{Body, ChunkStore, kv};
use chunk_store_tests::counted::Counted;
use chunk_store_tests::proxy::Proxy;
use chunk_store_tests::redis::{Server, Settings};
use tokio::runtime::Runtime;

use crate::table::{self, Row};

/// How much longer a round trip takes.
const ROUND_TRIP: Duration = Duration::from_millis(20);

/// Both are cut alike: what is compared is how many are under way.
const CHUNK_BYTES: u32 = 1 << 20;

/// So many times as fast as one at a time.
const TIMES_MIN: f64 = 4.0;

/// A file of `size` bytes.
pub struct Bench<'a> {
    source: &'a Path,
    size: u64,
    digest: blake3::Hash,
    rows: [Row; 4],
}

impl<'a> Bench<'a> {
    /// `source` holds `size` bytes with this digest.
    pub fn new(source: &'a Path, size: u64, digest: blake3::Hash) -> Self {
        let rows = ["put", "put, one at a time", "get", "get, one at a time"].map(Row::new);
        Self { source, size, digest, rows }
    }

    /// Measures everything once, in an order that changes with the round.
    pub fn round(&mut self, round: u32) -> Result<(), Box<dyn Error + Send + Sync>> {
        let runtime = Runtime::new()?;
        for turn in 0..2 {
            let (at, useful_max) = match (round + turn) % 2 {
                0 => (0, None),
                _ => (1, Some(1)),
            };
            let (put, get) = runtime.block_on(self.put_and_get(useful_max))?;
            self.rows[at].push(put);
            self.rows[2 + at].push(get);
        }
        Ok(())
    }

    async fn put_and_get(
        &self,
        useful_max: Option<u32>,
    ) -> Result<(Duration, Duration), Box<dyn Error + Send + Sync>> {
        let server = Server::with(Settings::forgetful());
        let proxy = Proxy::before(server.address(), ROUND_TRIP).await;
        let redis = kv::open(&format!("redis://{}", proxy.address())).await?;
        let store = ChunkStore::new(Arc::new(Counted::new(redis, useful_max)))?;
        let options = PutOptions {
            size: Some(self.size),
            chunk_bytes_max: Some(CHUNK_BYTES),
            ..PutOptions::default()
        };
        let begun = Instant::now();
        let body = Body::blocking(File::open(self.source)?);
        let info = store.put("object", body, options).await?;
        let put = begun.elapsed();
        if info.digest != format!("blake3:{}", self.digest) {
            return Err(format!("the object has the digest {}", info.digest).into());
        }
        let begun = Instant::now();
        let mut reader = store.get("object", GetOptions::default()).await?;
        let mut read = 0;
        while let Some(piece) = reader.next().await {
            read += piece?.len() as u64;
        }
        let get = begun.elapsed();
        if read != self.size {
            return Err(format!("{read} of {} bytes came back", self.size).into());
        }
        Ok((put, get))
    }

    /// Prints it; whether the bars hold.
    pub fn report(&self) -> bool {
        let [put, put_in_turn, get, get_in_turn] = &self.rows;
        let mut holds = true;
        table::print_head("times");
        for (many, in_turn) in [(put, put_in_turn), (get, get_in_turn)] {
            let alone = in_turn.rate(self.size);
            in_turn.print(self.size, alone);
            many.print(self.size, alone);
            holds &= many.rate(self.size) >= TIMES_MIN * alone;
        }
        println!("at least {TIMES_MIN} times: {}", if holds { "holds" } else { "FAILS" });
        holds
    }
}
