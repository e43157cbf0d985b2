//! Bodies as clients send them: in pieces, and some take their time.

use std::time::Duration;

use bytes::Bytes;
use chunk_store::body::Source;
use chunk_store_tests::random::Random;

/// How a client goes about its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Bodies come at once, and what is read is taken soon.
    Steady,
    /// At times it stops in the middle, for minutes or for hours.
    Leisurely,
}

impl Pace {
    /// How long a reader takes over one piece, in milliseconds.
    pub fn reading_ms(self, random: &mut Random) -> u64 {
        match self {
            Pace::Leisurely if random.below(12) == 0 => random.below(600_000),
            _ => random.below(50),
        }
    }
}

/// A body in pieces, with pauses between them.
pub struct PacedSource {
    bytes: Bytes,
    piece_bytes: usize,
    /// How long it stops, in milliseconds, before how many pieces; the longest first.
    pauses: Option<(u64, Random)>,
}

impl PacedSource {
    pub fn new(bytes: Bytes, piece_bytes: usize, pace: Pace, random: &mut Random) -> Self {
        let longest_ms = match pace {
            Pace::Steady => None,
            Pace::Leisurely => Some([100, 100, 10_000, 600_000, 3_600_000][random.below(5) as usize]),
        };
        let pauses = longest_ms.map(|ms| (ms, Random::new(random.draw())));
        Self { bytes, piece_bytes, pauses }
    }
}

impl Source for PacedSource {
    async fn read(&mut self, mut buffer: Vec<u8>) -> (Vec<u8>, bool) {
        if let Some((longest_ms, random)) = &mut self.pauses
            && random.below(3) == 0
        {
            tokio::time::sleep(Duration::from_millis(random.below(*longest_ms))).await;
        }
        let room = buffer.capacity() - buffer.len();
        let now = self.bytes.split_to(self.bytes.len().min(room).min(self.piece_bytes));
        buffer.extend_from_slice(&now);
        (buffer, self.bytes.is_empty())
    }

    async fn done(&mut self) -> Result<(), String> {
        Ok(())
    }
}
