//! How long answers may be kept by caches (RFC 9111). Pure.
//!
//! An object may be replaced at any time, so an answer may be kept and has to be asked
//! about before it is used again (`no-cache`), unless the writer said otherwise. What the
//! writer said is cut to the time after which the object, or the link it was read by, is
//! no more.

/// `Cache-Control` of an object whose writer said nothing (section 5.2.2.4).
const DEFAULT: &str = "no-cache";

/// Directives that let an answer be used for longer than it is fresh, or unasked.
const PROLONGING: [&str; 3] = ["immutable", "stale-while-revalidate", "stale-if-error"];

/// `Cache-Control` of an object: what its writer gave, if anything, but for `life_seconds`
/// at most.
pub(crate) fn cache_control(given: Option<&str>, life_seconds: Option<u64>) -> String {
    let (Some(given), Some(life)) = (given, life_seconds) else {
        return given.unwrap_or(DEFAULT).to_string();
    };
    let directives = split(given);
    let mut kept: Vec<String> = Vec::with_capacity(directives.len());
    let mut has_age = false;
    for directive in directives {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let name = name.trim().to_ascii_lowercase();
        match &name[..] {
            "max-age" | "s-maxage" => {
                has_age = true;
                // What cannot be read counts as stale (section 4.2.1).
                let age = value.trim().trim_matches('"').parse().unwrap_or(0);
                kept.push(format!("{name}={}", life.min(age)));
            }
            _ if PROLONGING.contains(&&name[..]) => {}
            _ => kept.push(directive.to_string()),
        }
    }
    // Without an age of its own a cache may guess one, from `Last-Modified`.
    if !has_age {
        kept.push("max-age=0".to_string());
    }
    kept.join(", ")
}

/// The elements of a list, none of them empty; a comma in quotes is part of one.
fn split(list: &str) -> Vec<&str> {
    let mut quoted = false;
    let mut escaped = false;
    let parts = list.split(|c: char| {
        let (was_escaped, was_quoted) = (escaped, quoted);
        escaped = was_quoted && c == '\\' && !was_escaped;
        if c == '"' && !was_escaped {
            quoted = !quoted;
        }
        c == ',' && !was_quoted
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_is_used_unasked_unless_the_writer_said_so() {
        assert_eq!(cache_control(None, None), "no-cache");
        assert_eq!(cache_control(None, Some(60)), "no-cache");
        let given = "public, max-age=31536000, immutable";
        assert_eq!(cache_control(Some(given), None), given);
    }

    #[test]
    fn nothing_stays_fresh_longer_than_it_lives() {
        for (given, cut) in [
            ("public, max-age=31536000, immutable", "public, max-age=60"),
            ("max-age=10, s-maxage=600", "max-age=10, s-maxage=60"),
            ("Max-Age=\"600\"", "max-age=60"),
            ("max-age=soon", "max-age=0"),
            ("public", "public, max-age=0"),
            ("no-cache=\"a, max-age=9\", max-age=600", "no-cache=\"a, max-age=9\", max-age=60"),
            ("max-age=600, stale-while-revalidate=99", "max-age=60"),
        ] {
            assert_eq!(cache_control(Some(given), Some(60)), cut, "{given}");
        }
    }

    proptest! {
        #[test]
        fn any_value_is_cut(given in "[ -~]{0,60}", tail in "[a-z, ]{0,9}", life in 0..1000_u64) {
            let given = format!("{given},max-age=5000,{tail}");
            let cut = cache_control(Some(&given), Some(life));
            for directive in split(&cut) {
                if let Some(age) = directive.strip_prefix("max-age=") {
                    prop_assert!(age.parse::<u64>().is_ok_and(|age| age <= life), "{}", cut);
                }
            }
        }
    }
}
