use proptest::prelude::*;

use super::*;
use crate::limits::INLINE_BYTES_DEFAULT;
use crate::manifest::paging::{HEADER_BYTES, list_nodes_max};

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
        ("Workers KV", platform(25 * MIB, 8 * MIB, Some(1000))),
        ("Workers KV, 50 subrequests", platform(25 * MIB, 8 * MIB, Some(50))),
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
    for offset in [512 * MIB, GIB, 8 * GIB, TIB] {
        assert_eq!(plan.chunk_bytes(offset), 4 * MIB, "at {offset}");
    }
}

/// What is written with much memory has to be read with little.
#[test]
fn more_memory_does_not_make_larger_chunks() {
    for size in [None, Some(GIB), Some(TIB)] {
        let of = |memory| Plan::new(size, &platform(512 * MIB, memory, None), None).unwrap();
        assert_eq!(lengths(&of(16 * MIB), 600), lengths(&of(GIB), 600));
    }
}

#[test]
fn media_have_a_head_of_small_chunks() {
    let plan = Plan::new(Some(GIB), &platform(512 * MIB, 16 * MIB, None), None).unwrap();
    for media in ["video/mp4", "Audio/MPEG; codecs=x", "application/MP4"] {
        let media = lengths(&plan.of_type(Some(media)), 8);
        let expected = [256, 256, 256, 256, 1024, 2048, 4096, 4096].map(|kib| kib * KIB);
        assert_eq!(media, expected);
    }
    assert_eq!(plan.of_type(Some("text/plain")), plan);
    assert_eq!(plan.of_type(None), plan);
}

#[test]
fn archives_of_a_known_size_have_large_chunks_from_the_start() {
    let files = platform(512 * MIB, 16 * MIB, None);
    let of = |size| Plan::new(size, &files, None).unwrap().of_type(Some("application/x-tar"));
    assert!(lengths(&of(Some(GIB)), 20).iter().all(|length| *length == 4 * MIB));
    assert_eq!(lengths(&of(None), 2), [256 * KIB, 256 * KIB], "it may be short");
}

#[test]
fn where_operations_are_counted_the_media_type_takes_none() {
    let plan = Plan::new(Some(GIB), &platform(25 * MIB, 32 * MIB, Some(1000)), None).unwrap();
    assert_eq!(plan.of_type(Some("video/mp4")), plan);
}

#[test]
fn a_slow_kv_gets_as_many_chunks_at_once_as_are_useful() {
    let files = platform(25 * MIB, 16 * MIB, None);
    for (at_once, length) in [(1, 4), (6, 4), (10, 2), (16, 1), (1000, 1)] {
        let length = length * MIB;
        let mut plan = Plan::new(None, &files, None).unwrap();
        let usual = plan;
        plan.suit(Some(at_once));
        assert_eq!(lengths(&plan, 8), lengths(&usual, 8), "the beginning stays");
        assert_eq!(plan.chunk_bytes(16 * MIB), length);
        assert_eq!(plan.chunk_bytes(17 * MIB), MIB);
        plan.suit(None);
        assert_eq!(plan.chunk_bytes(20 * MIB), 4 * MIB);
    }
}

/// A reader would have to fetch a page before the first byte.
#[test]
fn a_gibibyte_on_a_slow_kv_needs_no_page() {
    let files = platform(25 * MIB, 16 * MIB, None);
    let mut plan = Plan::new(Some(GIB), &files, None).unwrap();
    plan.suit(Some(1000));
    let (mut offset, mut chunks) = (0, 0);
    while offset < GIB {
        offset += plan.chunk_bytes(offset);
        chunks += 1;
    }
    assert!(chunks <= list_nodes_max(files.value_bytes_max), "{chunks}");
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

/// The table of `docs/chunk-sizes.md`: how each size is cut on each platform.
fn table() -> String {
    let sizes = [
        ("1 KiB", KIB),
        ("256 KiB", 256 * KIB),
        ("1 MiB", MIB),
        ("16 MiB", 16 * MIB),
        ("256 MiB", 256 * MIB),
        ("1 GiB", GIB),
        ("16 GiB", 16 * GIB),
        ("1 TiB", TIB),
    ];
    let mut table = String::from("| |");
    for (name, _) in sizes {
        table += &format!(" {name} |");
    }
    table += &format!("\n|---|{}\n", "---|".repeat(sizes.len()));
    for (name, limits) in platforms() {
        table += &format!("| {name} |");
        for (_, size) in sizes {
            table += &format!(" {} |", cell(&limits, size));
        }
        table += "\n";
    }
    table
}

fn cell(limits: &KvLimits, size: u64) -> String {
    if size <= INLINE_BYTES_DEFAULT.min(limits.value_bytes_max - HEADER_BYTES) {
        return "inline".into();
    }
    match Plan::new(Some(size), limits, None) {
        Ok(plan) => {
            let largest = plan.chunk_bytes_max().min(size.next_power_of_two() / 2);
            format!("{} up to {}", plan.chunks(size), in_binary(largest))
        }
        Err(_) => "refused".into(),
    }
}

fn in_binary(bytes: u64) -> String {
    match bytes {
        0..MIB => format!("{} KiB", bytes / KIB),
        _ => format!("{} MiB", bytes / MIB),
    }
}

#[test]
fn the_documentation_shows_how_each_platform_cuts() {
    let documented = include_str!("../docs/chunk-sizes.md");
    let table = table();
    assert!(documented.contains(&table), "docs/chunk-sizes.md has to contain\n{table}");
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
        content_type in proptest::option::of("video/mp4|application/zstd|text/plain"),
        slow in 0usize..300,
    ) {
        let limits = platform(value, memory, operations);
        if let Ok(plan) = Plan::new(size, &limits, bound) {
            let mut plan = plan.of_type(content_type.as_deref());
            let mut offset = 0u64;
            for number in 0..300 {
                plan.suit((number >= slow).then_some(slow as u32));
                let length = plan.chunk_bytes(offset);
                prop_assert!(length.is_power_of_two() && offset.is_multiple_of(length));
                prop_assert!(length <= value && length >= CHUNK_BYTES_MIN);
                prop_assert!(u64::from(bound.unwrap_or(u32::MAX)) >= length);
                offset += length;
            }
        }
    }

    #[test]
    fn counting_by_runs_is_counting(
        size in 0u64..40 * GIB,
        memory in MIB..600 * MIB,
        content_type in proptest::option::of("video/mp4|application/zstd"),
    ) {
        let plan = Plan::new(Some(size), &platform(512 * MIB, memory, None), None).unwrap();
        let plan = plan.of_type(content_type.as_deref());
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
