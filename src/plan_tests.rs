use proptest::prelude::*;

use super::*;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

fn platform(value_bytes_max: u64, memory_bytes_max: u64, operations_max: Option<u32>) -> KvLimits {
    KvLimits {
        value_bytes_max,
        key_bytes_max: 512,
        summary_bytes_max: 0,
        ttl_seconds_min: None,
        staleness_ms: 0,
        write_lag_ms_max: 0,
        rewrite_interval_ms: 0,
        operations_max,
        concurrency_max: 6,
        memory_bytes_max,
        ranged_get: false,
        conditional_write: false,
    }
}

/// Every row of the table of platforms that the store is for: values, memory,
/// operations of an invocation.
fn platforms() -> Vec<(&'static str, KvLimits)> {
    vec![
        ("Workers KV", platform(25 * MIB, 32 * MIB, Some(1000))),
        ("Workers KV, 50 subrequests", platform(25 * MIB, 32 * MIB, Some(50))),
        ("Redis", platform(512 * MIB, 64 * MIB, None)),
        ("files", platform(512 * MIB, 16 * MIB, None)),
        ("Spin", platform(1_000_000, 16 * MIB, None)),
        ("DynamoDB", platform(400_000, 16 * MIB, None)),
        ("Cosmos DB", platform(2_000_000, 16 * MIB, None)),
        ("etcd", platform(1_500_000, 16 * MIB, None)),
        ("NATS", platform(1_000_000, 16 * MIB, None)),
        ("FoundationDB", platform(100_000, 16 * MIB, None)),
        ("Deno KV", platform(64 * KIB, 16 * MIB, None)),
        ("Durable Objects", platform(128 * KIB, 16 * MIB, None)),
    ]
}

fn lengths(plan: &Plan, count: usize) -> Vec<u64> {
    let mut offset = 0;
    let mut next = || {
        let length = plan.chunk_bytes(offset);
        offset += length;
        length
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn starts_small_and_grows() {
    let plan = Plan::new(None, &platform(512 * MIB, 512 * MIB, None), None).unwrap();
    assert_eq!(
        lengths(&plan, 8),
        [256 * KIB, 256 * KIB, 512 * KIB, MIB, 2 * MIB, 4 * MIB, 4 * MIB, 4 * MIB]
    );
    for (offset, length) in [(512 * MIB, 4), (GIB, 8), (2 * GIB, 16), (8 * GIB, 64), (TIB, 64)] {
        assert_eq!(plan.chunk_bytes(offset), length * MIB, "at {offset}");
    }
}

#[test]
fn the_callers_bound_is_rounded_down_to_a_power_of_two() {
    let files = platform(512 * MIB, 64 * MIB, None);
    let plan = Plan::new(None, &files, Some(100_000)).unwrap();
    assert!(lengths(&plan, 20).iter().all(|length| *length == 64 * KIB));
    assert!(matches!(Plan::new(None, &files, Some(65_535)), Err(Error::InvalidArgument(_))));
    assert!(Plan::new(None, &files, Some(u32::MAX)).is_ok());
}

#[test]
fn a_platform_with_tiny_values_is_refused() {
    let error = Plan::new(None, &platform(65_535, 16 * MIB, None), None).unwrap_err();
    assert!(matches!(error, Error::LimitExceeded(_)));
}

#[test]
fn each_platform_holds_a_size_or_refuses_it_at_once() {
    for (name, limits) in platforms() {
        for power in 0..=40 {
            for size in [(1u64 << power) - 1, 1 << power, (1 << power) + 1] {
                check_plan(name, &limits, size);
            }
        }
    }
}

fn check_plan(name: &str, limits: &KvLimits, size: u64) {
    let plan = match Plan::new(Some(size), limits, None) {
        Ok(plan) => plan,
        Err(error) => {
            let operations = limits.operations_max.expect("only counted operations refuse");
            assert!(size / plan_max(limits) > u64::from(operations) / 2, "{name}, {size}: {error}");
            return;
        }
    };
    assert!(plan.chunk_bytes_max() <= limits.value_bytes_max, "{name}, {size}");
    assert!(plan.chunk_bytes_max() <= limits.memory_bytes_max / MEMORY_PER_CHUNK, "{name}, {size}");
    let chunks = plan.chunks(size);
    assert!(chunks < u64::from(NUMBER_END), "{name}, {size}: {chunks} chunks");
    if let Some(operations) = limits.operations_max {
        assert!(chunks + PUT_OPERATIONS <= u64::from(operations), "{name}, {size}");
    }
}

fn plan_max(limits: &KvLimits) -> u64 {
    floor_power(limits.value_bytes_max.min(limits.memory_bytes_max / MEMORY_PER_CHUNK))
}

#[test]
fn where_operations_are_counted_chunks_start_as_large_as_needed() {
    let workers = platform(25 * MIB, 128 * MIB, Some(1000));
    let small = Plan::new(Some(300 * MIB), &workers, None).unwrap();
    assert_eq!(small.chunk_bytes(0), 256 * KIB);
    let large = Plan::new(Some(15 * GIB), &workers, None).unwrap();
    assert_eq!(large.chunk_bytes(GIB), 16 * MIB);
    let error = Plan::new(Some(17 * GIB), &workers, None).unwrap_err().to_string();
    assert!(error.contains("chunks"), "{error}");
}

proptest! {
    /// What makes each chunk a whole subtree of the digest tree.
    #[test]
    fn every_chunk_is_aligned(
        value in 64 * KIB..600 * MIB,
        memory in MIB..600 * MIB,
        operations in proptest::option::of(20u32..2000),
        size in proptest::option::of(0u64..4 * GIB),
        bound in proptest::option::of(65_536u32..100_000_000),
    ) {
        let limits = platform(value, memory, operations);
        if let Ok(plan) = Plan::new(size, &limits, bound) {
            let mut offset = 0u64;
            for _ in 0..300 {
                let length = plan.chunk_bytes(offset);
                prop_assert!(length.is_power_of_two() && offset.is_multiple_of(length));
                prop_assert!(length <= value && length >= CHUNK_BYTES_MIN);
                prop_assert!(u64::from(bound.unwrap_or(u32::MAX)) >= length);
                offset += length;
            }
        }
    }

    #[test]
    fn counting_by_runs_is_counting(size in 0u64..40 * GIB, memory in 8 * MIB..600 * MIB) {
        let plan = Plan::new(None, &platform(512 * MIB, memory, None), None).unwrap();
        let (mut offset, mut chunks) = (0, 0);
        while offset < size {
            offset += plan.chunk_bytes(offset);
            chunks += 1;
        }
        prop_assert_eq!(plan.chunks(size), chunks);
        prop_assert!(plan.chunks_reach(size, chunks));
        prop_assert!(chunks == 0 || !plan.chunks_reach(size, chunks - 1));
    }
}
