//! Range requests (RFC 9110, section 14).

use chunk_store_tests::random::bytes;

use crate::server::Server;

const SIZE: u64 = 1_000_000;

async fn stored() -> (Server, Vec<u8>, String) {
    let (server, content) = (Server::open(), bytes(7, SIZE));
    let etag = server.put("/a", &content).await;
    (server, content, etag)
}

#[tokio::test]
async fn one_range_is_a_part_of_the_content() {
    let (server, content, _) = stored().await;
    for (range, first, last) in [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=262143-262144", 262_143, 262_144),
        ("bytes=999999-", 999_999, 999_999),
        ("bytes=-5", 999_995, 999_999),
        ("bytes=0-99999999999", 0, 999_999),
        ("bytes=-99999999999", 0, 999_999),
        ("Bytes=1-2", 1, 2),
    ] {
        let answer = server.get("/a", &[("range", range)]).await.is(206);
        assert!(answer.bytes == content[first..=last], "{range}");
        assert_eq!(answer.header("content-range"), format!("bytes {first}-{last}/{SIZE}"));
        assert_eq!(answer.header("content-length"), (last - first + 1).to_string());
    }
}

#[tokio::test]
async fn a_range_of_nothing_says_how_much_there_is() {
    let (server, ..) = stored().await;
    for range in ["bytes=1000000-", "bytes=2000000-3000000", "bytes=-0"] {
        let answer = server.get("/a", &[("range", range)]).await.is(416);
        assert_eq!(answer.header("content-range"), format!("bytes */{SIZE}"), "{range}");
    }
}

#[tokio::test]
async fn a_range_that_says_nothing_is_passed_over() {
    let (server, content, _) = stored().await;
    for range in ["bytes=", "bytes=5-1", "bytes=a-b", "lines=1-2", "1-2", "bytes=-"] {
        assert!(server.get("/a", &[("range", range)]).await.is(200).bytes == content, "{range}");
    }
}

#[tokio::test]
async fn several_ranges_come_as_parts_with_boundaries() {
    let (server, content, _) = stored().await;
    let range = "bytes=0-9, 500000-500099,-10";
    let answer = server.get("/a", &[("range", range)]).await.is(206);
    let content_type = answer.header("content-type");
    let boundary = content_type.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let boundary = boundary.trim_matches('"');
    let mut expected = Vec::new();
    for (first, last) in [(0, 9), (500_000, 500_099), (999_990, 999_999)] {
        let part = format!("content-range: bytes {first}-{last}/{SIZE}");
        let text = String::from_utf8_lossy(&answer.bytes).to_lowercase();
        assert!(text.contains(&part), "{part}");
        expected.push(&content[first..=last]);
    }
    for part in expected {
        assert!(answer.bytes.windows(part.len()).any(|window| window == part));
    }
    assert!(answer.bytes.ends_with(format!("--{boundary}--\r\n").as_bytes()));
}

#[tokio::test]
async fn ranges_without_end_are_refused() {
    let (server, ..) = stored().await;
    let many: Vec<String> = (0..5000).map(|n| format!("{}-{}", 2 * n, 2 * n)).collect();
    let answer = server.get("/a", &[("range", &format!("bytes={}", many.join(",")))]).await;
    assert_eq!(answer.status.as_u16(), 416);
}

#[tokio::test]
async fn if_range_gives_the_whole_of_another_version() {
    let (server, content, etag) = stored().await;
    let range = ("range", "bytes=0-9");
    server.get("/a", &[range, ("if-range", &etag)]).await.is(206);
    for other in ["\"x\"".to_string(), format!("W/{etag}")] {
        let whole = server.get("/a", &[range, ("if-range", &other)]).await.is(200);
        assert!(whole.bytes == content, "{other}");
    }
}
