//! What is measured, each under one name.

use serde::{Deserialize, Serialize};

/// A figure of one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Figure {
    /// The object in.
    Put,
    /// And out again.
    Get,
    /// From asking for the object to its first byte.
    FirstByte,
    /// Objects of 4 KiB in, 16 under way.
    SmallPuts,
    /// And out again.
    SmallGets,
    /// Reads of 64 KiB at random offsets of the object, one after the other.
    Ranges,
    /// Processor time of client and server for the put.
    PutCpu,
    /// And for the get.
    GetCpu,
    /// Peak memory of the process that asks.
    Client,
    /// Peak memory of the servers it asks.
    Server,
    /// Both together: who has a server has its memory there.
    Memory,
    /// What the object takes where it is kept.
    Stored,
}

/// Which values are the good ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Rates.
    More,
    /// Times and sizes.
    Less,
}

impl Figure {
    /// All, in the order of the tables.
    pub const ALL: [Self; 11] = [
        Self::Put,
        Self::Get,
        Self::FirstByte,
        Self::SmallPuts,
        Self::SmallGets,
        Self::Ranges,
        Self::PutCpu,
        Self::GetCpu,
        Self::Client,
        Self::Server,
        Self::Stored,
    ];

    /// Those in which somebody may be ahead.
    pub const JUDGED: [Self; 10] = [
        Self::Put,
        Self::Get,
        Self::FirstByte,
        Self::SmallPuts,
        Self::SmallGets,
        Self::Ranges,
        Self::PutCpu,
        Self::GetCpu,
        Self::Memory,
        Self::Stored,
    ];

    /// The column's head.
    pub fn title(self) -> &'static str {
        match self {
            Self::Put => "put, MB/s",
            Self::Get => "get, MB/s",
            Self::FirstByte => "first byte, ms",
            Self::SmallPuts => "4 KiB puts/s",
            Self::SmallGets => "4 KiB gets/s",
            Self::Ranges => "64 KiB ranges/s",
            Self::PutCpu => "put, CPU s/GB",
            Self::GetCpu => "get, CPU s/GB",
            Self::Client => "client, MiB",
            Self::Server => "server, MiB",
            Self::Memory => "memory, MiB",
            Self::Stored => "stored/byte",
        }
    }

    /// Which way is ahead.
    pub fn better(self) -> Better {
        match self {
            Self::Put | Self::Get | Self::SmallPuts | Self::SmallGets | Self::Ranges => {
                Better::More
            }
            Self::FirstByte
            | Self::PutCpu
            | Self::GetCpu
            | Self::Client
            | Self::Server
            | Self::Memory
            | Self::Stored => Better::Less,
        }
    }

    /// A value as tables show it.
    pub fn written(self, value: f64) -> String {
        match self {
            Self::FirstByte | Self::PutCpu | Self::GetCpu => format!("{value:.2}"),
            Self::Stored => format!("{value:.3}"),
            // Rates and sizes.
            _ => format!("{value:.0}"),
        }
    }

    /// How many times as good `value` is as `other`.
    pub fn times(self, value: f64, other: f64) -> f64 {
        match self.better() {
            Better::More => value / other,
            Better::Less => other / value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ahead_is_more_of_a_rate_and_less_of_a_time() {
        assert_eq!(Figure::Put.times(200.0, 100.0), 2.0);
        assert_eq!(Figure::FirstByte.times(2.0, 4.0), 2.0);
    }
}
