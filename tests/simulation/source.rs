//! Bodies as clients send them: in pieces, and some take their time.

use std::time::Duration;

use bytes::Bytes;
use chunk_store::body::Source;
use chunk_store_tests::random::Random;

/// A body does not stop more often.
const PAUSES_MAX: usize = 6;

/// How a client goes about its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Bodies come at once, and what is read is taken soon.
    Steady,
    /// At times it stops in the middle, for minutes or for hours, and between two works.
    Leisurely,
    /// As leisurely in the middle, and then at once on to the next: everything meets.
    Busy,
}

impl Pace {
    /// Whether it may stop in the middle.
    pub fn stops(self) -> bool {
        self != Pace::Steady
    }

    /// How long it rests between two works, in milliseconds.
    pub fn rest_ms(self, random: &mut Random) -> u64 {
        let longest_ms = match self {
            Pace::Leisurely => [3000, 3000, 3000, 60_000, 1_200_000, 7_200_000],
            Pace::Steady | Pace::Busy => [3000; 6],
        };
        let longest_ms = longest_ms[random.below(6) as usize];
        random.below(longest_ms)
    }

    /// How long a reader takes over one piece, in milliseconds.
    pub fn reading_ms(self, random: &mut Random) -> u64 {
        match self {
            Pace::Leisurely | Pace::Busy => {
                let longest_ms = [50, 50, 50, 60_000, 60_000, 600_000][random.below(6) as usize];
                random.below(longest_ms)
            }
            Pace::Steady => random.below(50),
        }
    }
}

/// A body in pieces, with pauses between them.
pub struct PacedSource {
    bytes: Bytes,
    piece_bytes: usize,
    /// How often it may yet stop, for how many milliseconds at most.
    pauses: usize,
    longest_ms: u64,
    random: Random,
}

impl PacedSource {
    pub fn new(bytes: Bytes, piece_bytes: usize, pace: Pace, random: &mut Random) -> Self {
        let (pauses, longest_ms, random) = match pace {
            Pace::Steady => (0, 0, Random::new(0)),
            Pace::Leisurely | Pace::Busy => {
                let longest_ms = [100, 100, 10_000, 600_000, 3_600_000][random.below(5) as usize];
                (PAUSES_MAX, longest_ms, Random::new(random.draw()))
            }
        };
        Self { bytes, piece_bytes, pauses, longest_ms, random }
    }
}

impl Source for PacedSource {
    async fn read(&mut self, mut buffer: Vec<u8>) -> (Vec<u8>, bool) {
        if self.pauses > 0 && self.random.below(3) == 0 {
            self.pauses -= 1;
            let pause_ms = self.random.below(self.longest_ms);
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
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
