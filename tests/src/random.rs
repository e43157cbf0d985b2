//! Bytes and numbers drawn from a seed, so that a failure comes back.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};

/// A sequence drawn from a seed (SplitMix64).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.draw() % end
    }

    /// Overwrites a buffer.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        for piece in buffer.chunks_mut(8) {
            piece.copy_from_slice(&self.draw().to_le_bytes()[..piece.len()]);
        }
    }
}

/// A seed that nobody had before.
pub fn seed() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// So many bytes of the sequence of this seed.
pub fn bytes(seed: u64, count: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(count).expect("they fit in memory")];
    Random::new(seed).fill(&mut bytes);
    bytes
}

/// The same bytes, one buffer at a time: for bodies larger than memory should be.
#[derive(Debug, Clone)]
pub struct RandomReader {
    random: Random,
    left: u64,
}

impl RandomReader {
    /// So many bytes of the sequence of this seed.
    pub fn new(seed: u64, count: u64) -> Self {
        Self { random: Random::new(seed), left: count }
    }
}

impl Read for RandomReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        // Whole words but at the end, so that the bytes do not depend on the buffers.
        let count = if most as u64 == self.left { most } else { most & !7 };
        assert!(count > 0 || most == 0, "read at least 8 bytes at a time");
        self.random.fill(&mut buffer[..count]);
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_gives_the_bytes_of_its_seed_whatever_the_buffers() {
        for buffer_bytes in [8, 13, 4096] {
            let mut reader = RandomReader::new(7, 10_001);
            let mut read = Vec::new();
            let mut buffer = vec![0; buffer_bytes];
            loop {
                let count = reader.read(&mut buffer).unwrap();
                if count == 0 {
                    break;
                }
                read.extend_from_slice(&buffer[..count]);
            }
            assert!(read == bytes(7, 10_001), "buffers of {buffer_bytes}");
        }
    }

    #[test]
    fn seeds_give_different_bytes() {
        assert_ne!(bytes(1, 64), bytes(2, 64));
    }
}
