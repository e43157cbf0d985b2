//! Range requests (RFC 9110, section 14).

use chunk_store_tests::random::bytes;

use crate::site::Site;

const SIZE: u64 = 1_000_000;

/// Stores an object in several chunks as `/a`; gives its content.
async fn stored(site: &Site) -> Vec<u8> {
    let content = bytes(7, SIZE);
    site.put("/a", &[], &content).await;
    content
}

pub async fn one_range_is_a_part(site: &Site) {
    let content = stored(site).await;
    site.put("/small", &[], &content[..100]).await;
    for (path, range, first, last, size) in [
        ("/a", "bytes=0-0", 0, 0, SIZE),
        ("/a", "bytes=10-19", 10, 19, SIZE),
        ("/a", "bytes=262143-262144", 262_143, 262_144, SIZE),
        ("/a", "bytes=999999-", 999_999, 999_999, SIZE),
        ("/a", "bytes=-700000", 300_000, 999_999, SIZE),
        ("/a", "bytes=0-99999999999", 0, 999_999, SIZE),
        ("/a", "bytes=-99999999999", 0, 999_999, SIZE),
        ("/a", "Bytes=1-2", 1, 2, SIZE),
        ("/small", "bytes=10-19", 10, 19, 100),
        ("/small", "bytes=-1000", 0, 99, 100),
    ] {
        let answer = site.ask(&format!("GET {path}"), &[("range", range)]).await.is(206);
        assert!(answer.bytes == content[first..=last], "{range}");
        assert_eq!(answer.header("content-range"), format!("bytes {first}-{last}/{size}"));
        assert_eq!(answer.header("content-length"), (last - first + 1).to_string());
    }
}

pub async fn a_range_beyond_the_end_says_how_much_there_is(site: &Site) {
    site.put("/a", &[], b"hello").await;
    for range in ["bytes=5-", "bytes=5-9", "bytes=-0", "bytes=7-8,9-", "bytes=-0,-0"] {
        let answer = site.ask("GET /a", &[("range", range)]).await;
        let answer = answer.fails(416, "range-not-satisfiable");
        assert_eq!(answer.header("content-range"), "bytes */5", "{range}");
    }
}

pub async fn a_range_that_says_nothing_is_passed_over(site: &Site) {
    site.put("/a", &[], b"hello").await;
    for range in
        ["bytes=", "bytes=3-1", "bytes=a-b", "lines=1-2", "1-2", "bytes=-", "bytes=0-1,x", "x"]
    {
        let answer = site.ask("GET /a", &[("range", range)]).await.is(200);
        assert_eq!(answer.bytes, b"hello", "{range}");
    }
    let head = site.ask("HEAD /a", &[("range", "bytes=0-1")]).await.is(200);
    assert_eq!(head.header("content-length"), "5");
}

pub async fn of_an_empty_object_only_the_last_bytes_can_be_asked_for(site: &Site) {
    site.put("/a", &[], b"").await;
    site.ask("GET /a", &[]).await.is(200);
    site.ask("GET /a", &[("range", "bytes=-5")]).await.is(200);
    site.ask("GET /a", &[("range", "bytes=-5,-6")]).await.is(200);
    site.ask("GET /a", &[("range", "bytes=0-")]).await.is(416);
}

pub async fn several_ranges_are_parts_in_the_order_of_asking(site: &Site) {
    let content: Vec<u8> = bytes(7, SIZE).into_iter().map(|byte| b'a' + byte % 26).collect();
    site.put("/a", &[], &content).await;
    let range = ("range", "bytes=200000-200002, 0-1, 790000-790001, 999999-");
    let answer = site.ask("GET /a", &[range]).await.is(206);
    assert_eq!(answer.header("content-range"), "");
    let boundary =
        answer.header("content-type").strip_prefix("multipart/byteranges; boundary=").unwrap();
    let text = String::from_utf8(answer.bytes.clone()).unwrap();
    let delimiter = format!("\r\n--{boundary}");
    let mut parts = text.split(&delimiter);
    assert_eq!(parts.next(), Some(""));
    for (start, end) in [(200_000, 200_003), (0, 2), (790_000, 790_002), (999_999, 1_000_000)] {
        let sent = std::str::from_utf8(&content[start..end]).unwrap();
        let head = format!("\r\nContent-Range: bytes {start}-{}/{SIZE}\r\n\r\n", end - 1);
        assert_eq!(parts.next(), Some(&*format!("{head}{sent}")));
    }
    assert_eq!((parts.next(), parts.next()), (Some("--\r\n"), None));
}

pub async fn a_part_has_the_media_type_of_the_object(site: &Site) {
    site.put("/a", &[("content-type", "video/mp4")], &bytes(1, 1000)).await;
    let answer = site.ask("GET /a", &[("range", "bytes=0-0,999-")]).await.is(206);
    assert!(answer.header("content-type").starts_with("multipart/byteranges"));
    assert!(String::from_utf8_lossy(&answer.bytes).contains("\r\nContent-Type: video/mp4\r\n"));
}

pub async fn several_ranges_that_come_to_one_are_sent_as_one(site: &Site) {
    site.put("/a", &[], b"0123456789").await;
    for (range, told) in [
        ("bytes=0-3,2-5", "bytes 0-5/10"),
        ("bytes=0-1,7-8", "bytes 0-8/10"),
        ("bytes=3-4,50-", "bytes 3-4/10"),
        ("bytes=0-,0-,0-,-10", "bytes 0-9/10"),
    ] {
        let answer = site.ask("GET /a", &[("range", range)]).await.is(206);
        assert_eq!(answer.header("content-range"), told, "{range}");
    }
}

pub async fn more_ranges_than_anyone_needs_are_refused(site: &Site) {
    site.put("/a", &[], &bytes(1, 100_000)).await;
    let range = |count: usize| {
        let specs: Vec<String> = (0..count).map(|i| format!("{0}-{0}", i * 1000)).collect();
        format!("bytes={}", specs.join(","))
    };
    site.ask("GET /a", &[("range", &range(32))]).await.is(206);
    for count in [33, 1000] {
        let answer = site.ask("GET /a", &[("range", &range(count))]).await.is(416);
        assert_eq!(answer.header("content-range"), "bytes */100000");
    }
}
