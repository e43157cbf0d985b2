use proptest::prelude::*;
use serde_json::Value;

use super::*;

#[test]
fn what_serde_writes_is_read() {
    type Form = Vec<(String, u64, Option<u32>)>;
    let value: Form = vec![
        ("".into(), 0, None),
        ("ä\"\\/\u{8}\u{c}\n\r\t\u{1}\u{10ffff}".into(), u64::MAX, Some(u32::MAX)),
    ];
    assert_eq!(read::<Form>(&serde_json::to_vec(&value).unwrap()), Ok(value.clone()));
    assert_eq!(read::<Form>(&serde_json::to_vec_pretty(&value).unwrap()), Ok(value));
    assert_eq!(read::<Form>(b" [ ] "), Ok(Vec::new()));
}

#[test]
fn what_is_wrong_is_said_and_where() {
    for (text, wrong) in [
        ("[1,2", "no `]` at byte 4"),
        ("[1,]", "no number from 0 to 4294967295 at byte 3"),
        ("[1]]", "more follows at byte 3"),
        ("[01]", "no number"),
        ("[1.0]", "no number"),
        ("[1e0]", "no number"),
        ("[-1]", "no number"),
        ("[4294967296]", "no number"),
        ("[18446744073709551616]", "no number"),
        ("", "no `[` at byte 0"),
    ] {
        let error = read::<Vec<u32>>(text.as_bytes()).unwrap_err();
        assert!(error.contains(wrong), "{text}: {error}");
    }
    for text in [r#"""#, r#""\"#, r#""\x""#, r#""\u12"#, r#""\ud800""#, r#""\udc00""#, "\"\n\""] {
        assert!(read::<String>(text.as_bytes()).is_err(), "{text}");
    }
    assert!(read::<String>(b"\"\xff\"").is_err());
}

#[derive(Debug, PartialEq)]
struct Pair {
    first_one: u32,
    second: Option<String>,
}

#[derive(Debug, PartialEq)]
struct Lenient {
    second: Option<String>,
}

impl Read for Pair {
    fn read(from: &mut Reader<'_>) -> Result<Self, String> {
        fields!(from, Pair { first_one: "first-one", second: "second" })
    }
}

impl Read for Lenient {
    fn read(from: &mut Reader<'_>) -> Result<Self, String> {
        fields!(from, Lenient { second: "second", .. })
    }
}

#[test]
fn fields_have_any_order_and_come_once() {
    let pair = |text: &str| read::<Pair>(text.as_bytes());
    let both = Pair { first_one: 1, second: Some("x".into()) };
    assert_eq!(pair(r#"{"second":"x","first-one":1}"#), Ok(both));
    let one = || Ok(Pair { first_one: 1, second: None });
    assert_eq!(pair(r#"{"first-one":1}"#), one());
    assert_eq!(pair(r#"{"first-one":1,"second":null}"#), one());
    for (text, wrong) in [
        (r#"{"second":"x"}"#, "missing field `first-one`"),
        (r#"{"first-one":1,"first-one":1}"#, "duplicate field `first-one`"),
        (r#"{"first-one":1,"third":1}"#, "unknown field `third`"),
        (r#"{"first-one":1,}"#, "no `\"`"),
        ("{}", "missing field"),
    ] {
        let error = pair(text).unwrap_err();
        assert!(error.contains(wrong), "{text}: {error}");
    }
}

#[test]
fn other_fields_can_be_passed_over() {
    let text = br#"{"a":[{"b":-1.5e3},true,false,null,"\n"],"second":"x","c":{}}"#;
    assert_eq!(read(text), Ok(Lenient { second: Some("x".into()) }));
    let deep = |depth| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(read(deep(DEPTH_MAX).as_bytes()), Ok(Lenient { second: None }));
    assert!(read::<Lenient>(deep(DEPTH_MAX + 1).as_bytes()).is_err());
    assert!(read::<Lenient>(br#"{"a":nul}"#).is_err());
}

proptest! {
    #[test]
    fn strings_are_read_as_serde_reads_them(text: String, escaped in "(\\\\(u[0-9a-f]{4}|[bfnrt/\"\\\\])|[a-z ]){0,9}") {
        prop_assert_eq!(read::<String>(&serde_json::to_vec(&text).unwrap()), Ok(text));
        let escaped = format!("\"{escaped}\"");
        let known = serde_json::from_str::<String>(&escaped).ok();
        prop_assert_eq!(read::<String>(escaped.as_bytes()).ok(), known);
    }

    #[test]
    fn no_text_is_read_that_is_not_json(text in "[\\[\\]{}:,\"a0 \\\\-]{0,16}") {
        let known = serde_json::from_str::<Value>(&text).is_ok();
        if read::<Vec<(String, u64)>>(text.as_bytes()).is_ok() {
            prop_assert!(known, "{}", text);
        }
    }

    #[test]
    fn garbage_is_refused_without_panicking(bytes: Vec<u8>) {
        let _ = read::<Vec<(String, u64)>>(&bytes);
        let _ = read::<Lenient>(&bytes);
    }
}
