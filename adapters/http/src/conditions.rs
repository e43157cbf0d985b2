//! Conditional requests (RFC 9110, section 13). Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chunk_store::object::{ObjectInfo, Precondition};
use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderName};

use crate::limits::ETAGS_MAX;
use crate::problem::Problem;

/// An entity tag (section 8.8.3).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Etag {
    weak: bool,
    /// With its quotes, as a strong one is written.
    opaque: String,
}

/// What `If-Match` and `If-None-Match` hold.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Etags {
    /// `*`
    Any,
    Listed(Vec<Etag>),
}

/// What must hold of the object for a request to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Conditions {
    if_match: Option<Etags>,
    /// Seconds since the Unix epoch; only without `If-Match`.
    if_unmodified_since: Option<u64>,
    if_none_match: Option<Etags>,
    /// Seconds since the Unix epoch; only of reads, and without `If-None-Match`.
    if_modified_since: Option<u64>,
}

/// What the conditions of a read say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The object is to be sent.
    Send,
    /// The reader has it already: 304.
    NotModified,
    /// 412.
    Failed,
}

/// How a write keeps its conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Guard {
    /// The store can be told in one.
    Told(Option<Precondition>),
    /// Somebody has to look at the object, then pin what was seen.
    Look,
}

impl Conditions {
    /// The conditions of a read. A list of etags that cannot be read is refused where it
    /// guards (`If-Match`), and passed over where it only saves a transfer.
    pub fn of_read(headers: &HeaderMap) -> Result<Self, Problem> {
        let if_none_match = etags(headers, IF_NONE_MATCH).unwrap_or_default();
        let has_none_match = headers.contains_key(IF_NONE_MATCH);
        Ok(Self {
            if_modified_since: date(headers, IF_MODIFIED_SINCE).filter(|_| !has_none_match),
            if_none_match,
            ..Self::guards(headers)?
        })
    }

    /// The conditions of a write. A list of etags that cannot be read is refused.
    pub fn of_write(headers: &HeaderMap) -> Result<Self, Problem> {
        let if_none_match = etags(headers, IF_NONE_MATCH)?;
        Ok(Self { if_none_match, ..Self::guards(headers)? })
    }

    fn guards(headers: &HeaderMap) -> Result<Self, Problem> {
        let if_match = etags(headers, IF_MATCH)?;
        let if_unmodified_since = date(headers, IF_UNMODIFIED_SINCE).filter(|_| if_match.is_none());
        Ok(Self { if_match, if_unmodified_since, ..Self::default() })
    }

    /// Whether a read of this object is to be done, in the order of section 13.2.2.
    pub fn judge_read(&self, info: &ObjectInfo) -> Verdict {
        if !self.guards_hold(Some(info)) {
            return Verdict::Failed;
        }
        let has_it = match (&self.if_none_match, self.if_modified_since) {
            (Some(etags), _) => etags.match_weakly(info),
            (None, Some(since)) => modified_seconds(info) <= since,
            (None, None) => false,
        };
        if has_it { Verdict::NotModified } else { Verdict::Send }
    }

    /// Whether a write over what there is may be done.
    pub fn allow_write(&self, current: Option<&ObjectInfo>) -> bool {
        let matches_none = match (&self.if_none_match, current) {
            (Some(etags), Some(info)) => etags.match_weakly(info),
            _ => false,
        };
        self.guards_hold(current) && !matches_none
    }

    fn guards_hold(&self, current: Option<&ObjectInfo>) -> bool {
        match (&self.if_match, self.if_unmodified_since, current) {
            (Some(etags), _, Some(info)) => etags.match_strongly(info),
            (Some(_), _, None) => false,
            (None, Some(since), Some(info)) => modified_seconds(info) <= since,
            // What is not there has no date to compare (section 13.1.4).
            (None, Some(_), None) | (None, None, _) => true,
        }
    }

    /// How a write keeps these conditions.
    pub fn guard(&self) -> Guard {
        match (&self.if_match, self.if_unmodified_since, &self.if_none_match) {
            (None, None, None) => Guard::Told(None),
            (Some(Etags::Any), None, None) => Guard::Told(Some(Precondition::Exists)),
            (Some(Etags::Listed(etags)), None, None) => {
                // A weak tag never matches strongly (section 8.8.3.2).
                let strong = etags.iter().filter(|etag| !etag.weak);
                let strong = strong.map(|etag| etag.opaque.clone()).collect();
                Guard::Told(Some(Precondition::EtagIn(strong)))
            }
            (None, None, Some(Etags::Any)) => Guard::Told(Some(Precondition::Absent)),
            (None, None, Some(Etags::Listed(etags))) => {
                let opaque = etags.iter().map(|etag| etag.opaque.clone()).collect();
                Guard::Told(Some(Precondition::EtagNotIn(opaque)))
            }
            _ => Guard::Look,
        }
    }
}

impl Etags {
    fn match_strongly(&self, info: &ObjectInfo) -> bool {
        match self {
            Etags::Any => true,
            Etags::Listed(etags) => etags.iter().any(|etag| !etag.weak && etag.opaque == info.etag),
        }
    }

    fn match_weakly(&self, info: &ObjectInfo) -> bool {
        match self {
            Etags::Any => true,
            Etags::Listed(etags) => etags.iter().any(|etag| etag.opaque == info.etag),
        }
    }
}

/// Whether `If-Range` lets a `Range` count (section 13.1.5): it is not there, or is the etag
/// of this very object. A date never will do: nobody can tell that no other object was there
/// in the same second (section 8.8.2.2), and parts of two would be put together. Then, and
/// where it cannot be read, the whole is sent.
pub(crate) fn if_range_holds(headers: &HeaderMap, info: &ObjectInfo) -> bool {
    let mut lines = headers.get_all(IF_RANGE).iter();
    match (lines.next(), lines.next()) {
        (None, _) => true,
        (Some(line), None) => line.as_bytes() == info.etag.as_bytes(),
        _ => false,
    }
}

/// When an object was committed, as `Last-Modified` can say it.
pub(crate) fn modified_seconds(info: &ObjectInfo) -> u64 {
    info.modified / 1000
}

/// A time as HTTP writes it (section 5.6.7). The year is at most 9999.
pub(crate) fn http_date(seconds: u64) -> String {
    const LAST: u64 = 253_402_300_799;
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds.min(LAST)))
}

fn seconds_of(date: &str) -> Option<u64> {
    let time: SystemTime = httpdate::parse_http_date(date).ok()?;
    Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// A header that holds a date; none if it holds anything else (sections 13.1.3, 13.1.4).
fn date(headers: &HeaderMap, name: HeaderName) -> Option<u64> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next().filter(|_| lines.next().is_none())?;
    seconds_of(line.to_str().ok()?)
}

fn etags(headers: &HeaderMap, name: HeaderName) -> Result<Option<Etags>, Problem> {
    let mut all = Vec::new();
    let mut any = false;
    let mut there = false;
    for line in headers.get_all(&name) {
        there = true;
        let text = std::str::from_utf8(line.as_bytes()).ok();
        match text.and_then(parse_etags) {
            Some(Etags::Any) => any = true,
            Some(Etags::Listed(etags)) => all.extend(etags),
            None => return Err(Problem::invalid(format!("{name} is no list of entity tags"))),
        }
    }
    if all.len() > ETAGS_MAX || any && !all.is_empty() {
        return Err(Problem::invalid(format!(
            "{name} holds more than {ETAGS_MAX} entity tags, or `*` beside some"
        )));
    }
    Ok(there.then_some(if any { Etags::Any } else { Etags::Listed(all) }))
}

/// `*`, or entity tags with commas between; empty elements are passed over.
fn parse_etags(text: &str) -> Option<Etags> {
    if text.trim() == "*" {
        return Some(Etags::Any);
    }
    let mut etags = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            break;
        }
        let (weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        // A comma may be part of a tag.
        let end = quoted.strip_prefix('"')?.find('"')? + 2;
        let (opaque, after) = quoted.split_at(end);
        let is_etagc = |c: char| !c.is_ascii_control() && c != ' ';
        if !opaque.chars().all(is_etagc) || etags.len() > ETAGS_MAX {
            return None;
        }
        etags.push(Etag { weak, opaque: opaque.to_string() });
        rest = after.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
    (!etags.is_empty()).then_some(Etags::Listed(etags))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    /// An object with the etag `"a"`, committed half a second after 1,790,000,000.
    fn info() -> ObjectInfo {
        ObjectInfo {
            key: "k".into(),
            size: 1,
            digest: String::new(),
            etag: "\"a\"".into(),
            generation: "1".into(),
            content_type: None,
            metadata: Vec::new(),
            modified: 1_790_000_000_500,
            expires: None,
            chunks: 0,
        }
    }

    const THEN: &str = "Mon, 21 Sep 2026 14:13:20 GMT";
    const EARLIER: &str = "Mon, 21 Sep 2026 14:13:19 GMT";

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn read(pairs: &[(&str, &str)]) -> Verdict {
        Conditions::of_read(&headers(pairs)).unwrap().judge_read(&info())
    }

    #[test]
    fn dates_are_as_http_writes_them() {
        assert_eq!(http_date(1_790_000_000), THEN);
        assert_eq!(seconds_of(THEN), Some(1_790_000_000));
        assert_eq!(http_date(u64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
        for other_form in ["Monday, 21-Sep-26 14:13:20 GMT", "Mon Sep 21 14:13:20 2026"] {
            assert_eq!(seconds_of(other_form), Some(1_790_000_000), "{other_form}");
        }
    }

    #[test]
    fn if_match_compares_strongly() {
        assert_eq!(read(&[("if-match", "\"b\", \"a\"")]), Verdict::Send);
        assert_eq!(read(&[("if-match", "*")]), Verdict::Send);
        assert_eq!(read(&[("if-match", "W/\"a\"")]), Verdict::Failed);
        assert_eq!(read(&[("if-match", "\"b\"")]), Verdict::Failed);
    }

    #[test]
    fn if_none_match_compares_weakly() {
        assert_eq!(read(&[("if-none-match", "W/\"a\"")]), Verdict::NotModified);
        assert_eq!(read(&[("if-none-match", "\"x\"")]), Verdict::Send);
        assert_eq!(read(&[("if-none-match", "*")]), Verdict::NotModified);
        let over_lines = [("if-none-match", "\"x\""), ("if-none-match", "\"a\"")];
        assert_eq!(read(&over_lines), Verdict::NotModified);
    }

    #[test]
    fn dates_count_in_whole_seconds() {
        assert_eq!(read(&[("if-modified-since", THEN)]), Verdict::NotModified);
        assert_eq!(read(&[("if-modified-since", EARLIER)]), Verdict::Send);
        assert_eq!(read(&[("if-unmodified-since", THEN)]), Verdict::Send);
        assert_eq!(read(&[("if-unmodified-since", EARLIER)]), Verdict::Failed);
        assert_eq!(read(&[("if-modified-since", "yesterday")]), Verdict::Send);
        assert_eq!(read(&[("if-unmodified-since", "yesterday")]), Verdict::Send);
    }

    #[test]
    fn etags_go_before_dates_and_guards_before_savings() {
        assert_eq!(read(&[("if-match", "\"a\""), ("if-unmodified-since", EARLIER)]), Verdict::Send);
        assert_eq!(read(&[("if-none-match", "\"x\""), ("if-modified-since", THEN)]), Verdict::Send);
        assert_eq!(read(&[("if-match", "\"b\""), ("if-none-match", "\"a\"")]), Verdict::Failed);
        assert_eq!(
            read(&[("if-match", "\"a\""), ("if-none-match", "\"a\"")]),
            Verdict::NotModified
        );
    }

    #[test]
    fn a_write_over_nothing() {
        let allows = |pairs| Conditions::of_write(&headers(pairs)).unwrap().allow_write(None);
        assert!(allows(&[("if-none-match", "*")]) && allows(&[("if-none-match", "\"a\"")]));
        assert!(allows(&[("if-unmodified-since", EARLIER)]));
        assert!(!allows(&[("if-match", "*")]) && !allows(&[("if-match", "\"a\"")]));
    }

    #[test]
    fn one_condition_is_told_to_the_store_and_several_are_looked_at() {
        let guard = |pairs| Conditions::of_write(&headers(pairs)).unwrap().guard();
        let told = |precondition| Guard::Told(Some(precondition));
        assert_eq!(guard(&[]), Guard::Told(None));
        assert_eq!(guard(&[("if-none-match", "*")]), told(Precondition::Absent));
        assert_eq!(guard(&[("if-match", "*")]), told(Precondition::Exists));
        assert_eq!(
            guard(&[("if-match", "\"a\", W/\"b\"")]),
            told(Precondition::EtagIn(vec!["\"a\"".into()]))
        );
        assert_eq!(
            guard(&[("if-none-match", "W/\"b\"")]),
            told(Precondition::EtagNotIn(vec!["\"b\"".into()]))
        );
        assert_eq!(guard(&[("if-unmodified-since", THEN)]), Guard::Look);
        assert_eq!(guard(&[("if-match", "*"), ("if-none-match", "\"b\"")]), Guard::Look);
        assert_eq!(guard(&[("if-modified-since", THEN)]), Guard::Told(None), "only of reads");
    }

    #[test]
    fn lists_that_cannot_be_read_never_unguard_a_write() {
        for wrong in ["", "a", "\"a", "\"a\" \"b\"", "\"a\" x", "*, \"a\"", "w/\"a\"", "\"a b\""] {
            for name in ["if-match", "if-none-match"] {
                assert!(Conditions::of_write(&headers(&[(name, wrong)])).is_err(), "{wrong}");
            }
            assert!(Conditions::of_read(&headers(&[("if-match", wrong)])).is_err());
            assert_eq!(read(&[("if-none-match", wrong)]), Verdict::Send);
        }
        let many = vec!["\"a\""; ETAGS_MAX + 1].join(",");
        assert!(Conditions::of_write(&headers(&[("if-match", &many)])).is_err());
    }

    #[test]
    fn if_range_needs_the_very_object() {
        let holds = |pairs: &[(&str, &str)]| if_range_holds(&headers(pairs), &info());
        assert!(holds(&[]) && holds(&[("if-range", "\"a\"")]));
        for other in
            ["W/\"a\"", "\"b\"", THEN, EARLIER, "Mon, 21 Sep 2026 14:13:21 GMT", "", "*", "a"]
        {
            assert!(!holds(&[("if-range", other)]), "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_list_is_read_or_refused(text in "[Ww/\", *a-c\\\\é]{0,40}") {
            let _ = parse_etags(&text);
        }

        #[test]
        fn a_list_reads_as_it_was_written(tags in proptest::collection::vec((any::<bool>(), "[!#-~é]{0,12}"), 1..8)) {
            let write = |(weak, tag): &(bool, String)| format!("{}\"{tag}\"", if *weak { "W/" } else { "" });
            let text = tags.iter().map(write).collect::<Vec<_>>().join(", ");
            let etags = tags.iter().map(|(weak, tag)| Etag { weak: *weak, opaque: format!("\"{tag}\"") });
            prop_assert_eq!(parse_etags(&text), Some(Etags::Listed(etags.collect())));
        }
    }
}
