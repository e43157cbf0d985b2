//! What pacing has to reach, in virtual time: the same on every machine.

use std::cell::Cell as Shared;

use chunk_store::limits::FIRST_CHUNK_BYTES;
use chunk_store::object::{GetOptions, PutOptions};
use chunk_store::store::Store;
use chunk_store_pacing::cell::Cell;
use chunk_store_pacing::ends::{SteadySource, take};
use chunk_store_pacing::kv::{Ability, SimulatedKv};
use chunk_store_pacing::time::Time;
use futures::future::join;

const MIB: u64 = 1 << 20;
const MS: u64 = 1_000_000;

/// A fast kv that is 20 ms away, with the memory that a store has by default.
const NEAR: Ability = Ability {
    latency_ns: 20 * MS,
    jitter: 0.0,
    bytes_per_second: 2e9,
    at_once: 64,
    calls_per_second: None,
    useful_max: 16,
    memory_bytes_max: 16 * MIB,
};

/// Sources and readers that are never what is waited for.
const AT_ONCE: f64 = 1e10;

struct World {
    time: Time,
    kv: SimulatedKv,
    store: Store<SimulatedKv, Time>,
}

impl World {
    fn new(ability: Ability) -> Self {
        let time = Time::default();
        let kv = SimulatedKv::new(&time, ability);
        Self { store: Store::new(kv.clone(), time.clone()), kv, time }
    }

    /// Puts so many bytes; gives how long that took, in seconds.
    async fn put(&self, key: &str, bytes: u64) -> f64 {
        let begun_ns = self.time.now_ns();
        let source = SteadySource::new(&self.time, bytes, AT_ONCE);
        let options = PutOptions { size: Some(bytes), ..PutOptions::default() };
        self.store.put(key, source, &options).await.unwrap();
        (self.time.now_ns() - begun_ns) as f64 / 1e9
    }

    /// Reads an object at this speed; gives how long that took, and until the first byte.
    async fn get(&self, key: &str, bytes_per_second: f64) -> (f64, u64) {
        let begun_ns = self.time.now_ns();
        let (_, mut reader) = self.store.get(key, &GetOptions::default()).await.unwrap();
        let (_, first_ns) = take(&self.time, &mut reader, bytes_per_second).await.unwrap();
        ((self.time.now_ns() - begun_ns) as f64 / 1e9, first_ns - begun_ns)
    }

    fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.store.metrics().value(name, labels)
    }
}

#[test]
fn a_kv_that_is_20_ms_away_is_as_fast_as_memory_allows() {
    let bytes = 300 * MIB;
    let in_turn = World::new(Ability { useful_max: 1, ..NEAR });
    let many = World::new(NEAR);
    let (put_in_turn, get_in_turn) = in_turn
        .time
        .run(async { (in_turn.put("a", bytes).await, in_turn.get("a", AT_ONCE).await.0) });
    let (put, get) =
        many.time.run(async { (many.put("a", bytes).await, many.get("a", AT_ONCE).await.0) });
    // With 16 MiB in 4 MiB chunks there are four at once, less what one takes to move.
    assert!(put < put_in_turn / 3.0, "{put} s, and one after the other {put_in_turn} s");
    assert!(get < get_in_turn / 2.5, "{get} s, and one after the other {get_in_turn} s");
    assert!(many.kv.counts().most.get() >= 8);
    assert!(many.value("chunk_store_buffer_peak_bytes", &[]) <= (16 * MIB) as f64);
}

#[test]
fn the_first_byte_of_a_large_object_comes_after_two_round_trips() {
    let world = World::new(NEAR);
    let first_ns = world.time.run(async {
        world.put("a", 1024 * MIB).await;
        world.get("a", AT_ONCE).await.1
    });
    let moves_ns = (FIRST_CHUNK_BYTES as f64 * 1e9 / NEAR.bytes_per_second) as u64;
    assert!(first_ns <= 2 * NEAR.latency_ns + 4 * moves_ns, "{} ms", first_ns as f64 / 1e6);
}

#[test]
fn a_kv_that_refuses_calls_gets_nine_tenths_of_what_it_allows() {
    for calls in [20.0, 100.0] {
        let world = World::new(Ability { calls_per_second: Some(calls), ..NEAR });
        let bytes = 2048 * MIB;
        let chunked = PutOptions {
            size: Some(bytes),
            chunk_bytes_max: Some(256 << 10),
            ..PutOptions::default()
        };
        let seconds = world.time.run(async {
            let source = SteadySource::new(&world.time, bytes, AT_ONCE);
            world.store.put("a", source, &chunked).await.unwrap();
            world.time.now_ns() as f64 / 1e9
        });
        let counts = world.kv.counts();
        let (made, refused) = (counts.calls.get() as f64, counts.refused.get() as f64);
        // After a pause as many as in a second are allowed at once.
        let allowed = calls * (seconds + 1.0);
        assert!(made - refused > 0.9 * allowed, "{} of {allowed} calls", made - refused);
        assert!(refused < 0.05 * made, "{refused} of {made} calls were refused");
    }
}

#[test]
fn a_slow_reader_has_little_read_ahead_for_it() {
    let world = World::new(NEAR);
    world.time.run(async {
        world.put("a", 64 * MIB).await;
        let (_, mut reader) = world.store.get("a", &GetOptions::default()).await.unwrap();
        let mut taken = 0;
        let most = Shared::new(0.0f64);
        while let Some(piece) = reader.next().await {
            let piece = piece.unwrap();
            taken += piece.bytes.len() as u64;
            // A second for each piece.
            world.time.until(world.time.now_ns() + 1000 * MS).await;
            let in_use = world.value("chunk_store_buffer_bytes", &[]);
            if taken > 16 * MIB {
                most.set(most.get().max(in_use));
            }
        }
        assert!(most.get() <= (12 * MIB) as f64, "{} bytes", most.get());
    });
    assert_eq!(world.value("chunk_store_read_ahead_bytes_total", &[("outcome", "wasted")]), 0.0);
}

#[test]
fn puts_at_once_share_what_there_is_alike() {
    let bytes = 128 * MIB;
    let alone = World::new(NEAR);
    let alone = alone.time.run(alone.put("a", bytes));
    let world = World::new(NEAR);
    let (a, b) = world.time.run(join(world.put("a", bytes), world.put("b", bytes)));
    let (least, most) = (a.min(b), a.max(b));
    assert!(most < 1.2 * least, "{a} s and {b} s");
    assert!(most < 2.4 * alone, "{a} s and {b} s, alone {alone} s");
    assert!(world.value("chunk_store_buffer_peak_bytes", &[]) <= (16 * MIB) as f64);
}

#[test]
fn a_reader_who_takes_nothing_does_not_keep_a_put_out() {
    let bytes = 128 * MIB;
    let world = World::new(NEAR);
    let (beside, alone) = world.time.run(async {
        let alone = world.put("a", bytes).await;
        let (_, mut reader) = world.store.get("a", &GetOptions::default()).await.unwrap();
        let piece = reader.next().await.unwrap().unwrap();
        let beside = world.put("b", bytes).await;
        drop((piece, reader));
        (beside, alone)
    });
    assert!(beside < 2.0 * alone, "{beside} s, alone {alone} s");
}

/// The corners of the grid of `cargo xtask bench pacing`, and one in the middle.
#[test]
fn six_tenths_of_what_is_possible_are_reached_anywhere() {
    let mut shares = Vec::new();
    for bytes_per_second in [1e6, 64e6, 2e9] {
        for latency_ns in [MS / 10, 20 * MS, 500 * MS] {
            for (line, at_once) in [(20e6, 4), (2e9, 64)] {
                let ability = Ability {
                    latency_ns,
                    jitter: 0.5,
                    bytes_per_second: line,
                    at_once,
                    useful_max: 64,
                    ..NEAR
                };
                let cell = Cell { ability, bytes_per_second };
                let (put, get) = cell.run().unwrap();
                for reached in [put, get] {
                    assert!(reached.share() > 0.6, "{cell:?} came to {reached:?}");
                    assert!(reached.memory_bytes <= ability.memory_bytes_max);
                    shares.push(reached.share());
                }
            }
        }
    }
    shares.sort_by(f64::total_cmp);
    assert!(shares[shares.len() / 2] > 0.9, "{shares:?}");
}
