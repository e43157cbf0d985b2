//! Who sends a body, and who takes one, at a speed of their own.

use chunk_store::body::Source;
use chunk_store::error::Error;
use chunk_store::kv::Kv;
use chunk_store::store::get::Reader;

use crate::time::Time;

/// A source has so much ready, in bytes, if nobody took it meanwhile: what lies in the
/// buffers of a connection.
const READY_BYTES: f64 = (1 << 20) as f64;

/// It comes in pieces of at most so many bytes.
const PIECE_BYTES: usize = 64 << 10;

/// A body of zeros.
pub struct SteadySource {
    time: Time,
    left: u64,
    bytes_per_second: f64,
    /// When what was taken so far had come.
    came_ns: f64,
}

impl SteadySource {
    /// A body of so many bytes, which begins to come now.
    pub fn new(time: &Time, bytes: u64, bytes_per_second: f64) -> Self {
        let came_ns = time.now_ns() as f64;
        Self { time: time.clone(), left: bytes, bytes_per_second, came_ns }
    }
}

impl Source for SteadySource {
    async fn read(&mut self, mut buffer: Vec<u8>) -> (Vec<u8>, bool) {
        let room = (buffer.capacity() - buffer.len()).min(PIECE_BYTES);
        let piece = (room as u64).min(self.left);
        self.left -= piece;
        let ready_ns = READY_BYTES * 1e9 / self.bytes_per_second;
        let from_ns = self.came_ns.max(self.time.now_ns() as f64 - ready_ns);
        self.came_ns = from_ns + piece as f64 * 1e9 / self.bytes_per_second;
        self.time.until(self.came_ns as u64).await;
        buffer.resize(buffer.len() + piece as usize, 0);
        (buffer, self.left == 0)
    }

    async fn done(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// Takes a body at this speed; gives its length, and when the first bytes came.
pub async fn take<K: Kv + 'static>(
    time: &Time,
    reader: &mut Reader<K, Time>,
    bytes_per_second: f64,
) -> Result<(u64, u64), Error> {
    let mut taken = 0;
    let mut first_ns = None;
    let mut taken_ns = time.now_ns() as f64;
    while let Some(piece) = reader.next().await {
        let piece = piece?;
        first_ns.get_or_insert(time.now_ns());
        taken += piece.bytes.len() as u64;
        let ready_ns = READY_BYTES * 1e9 / bytes_per_second;
        let from_ns = taken_ns.max(time.now_ns() as f64 - ready_ns);
        taken_ns = from_ns + piece.bytes.len() as f64 * 1e9 / bytes_per_second;
        // Its memory is free when all of it is on its way.
        time.until((taken_ns - ready_ns).max(0.0) as u64).await;
    }
    time.until(taken_ns as u64).await;
    Ok((taken, first_ns.unwrap_or(0)))
}
