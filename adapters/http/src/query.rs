//! The query of a request, bounded and strict. Pure.

use std::borrow::Cow;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use crate::limits::{PARAMETERS_MAX, TARGET_BYTES_MAX};
use crate::problem::Problem;

/// The parameters of a query that have not been taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    left: Vec<(String, String)>,
}

impl Query {
    /// Reads `name=value&name=value`, percent-encoded, with `+` for a space. A parameter
    /// without `=` has an empty value; one that is given twice is refused.
    pub fn parse(raw: Option<&str>) -> Result<Self, Problem> {
        let raw = raw.unwrap_or_default();
        if raw.len() > TARGET_BYTES_MAX {
            return Err(Problem::too_long("query"));
        }
        let mut left: Vec<(String, String)> = Vec::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode_form(name)?, decode_form(value)?);
            if left.iter().any(|(earlier, _)| *earlier == name) {
                return Err(Problem::invalid(format!("the parameter {name:?} is given twice")));
            }
            if left.len() == PARAMETERS_MAX {
                return Err(Problem::invalid(format!(
                    "the query has more than {PARAMETERS_MAX} parameters"
                )));
            }
            left.push((name, value));
        }
        Ok(Self { left })
    }

    /// Takes a parameter out.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let at = self.left.iter().position(|(there, _)| there == name)?;
        Some(self.left.swap_remove(at).1)
    }

    /// Takes a number out.
    pub fn take_number<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, Problem> {
        let Some(text) = self.take(name) else { return Ok(None) };
        match (text.bytes().all(|b| b.is_ascii_digit()), text.parse()) {
            (true, Ok(number)) => Ok(Some(number)),
            _ => Err(Problem::invalid(format!("{name}={text} is no number that is possible"))),
        }
    }

    /// Takes a switch out: on if it is there, unless its value is `false` or `0`.
    pub fn take_switch(&mut self, name: &str) -> Result<bool, Problem> {
        match self.take(name).as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("" | "true" | "1") => Ok(true),
            Some(other) => Err(Problem::invalid(format!("{name}={other} is not true or false"))),
        }
    }

    /// Refuses what nobody took: a misspelt option must not be passed over.
    pub fn finish(self) -> Result<(), Problem> {
        match self.left.first() {
            None => Ok(()),
            Some((name, _)) => {
                Err(Problem::invalid(format!("there is no parameter {name:?} here")))
            }
        }
    }
}

fn decode_form(text: &str) -> Result<String, Problem> {
    let spaced = if text.contains('+') { text.replace('+', " ").into() } else { Cow::from(text) };
    decode(&spaced)
}

/// Decodes percent-encoded UTF-8. Lossy decoding would give other bytes than were meant.
pub(crate) fn decode(text: &str) -> Result<String, Problem> {
    let mut digits = text.split('%').skip(1);
    let well_formed =
        digits.all(|after| matches!(after.as_bytes(), [a, b, ..] if is_hex(*a) && is_hex(*b)));
    if !well_formed {
        return Err(Problem::invalid("a `%` is not followed by two hex digits".to_string()));
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(Problem::invalid("the percent-encoded bytes are not UTF-8".to_string())),
    }
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_are_taken_by_name() {
        let mut query = Query::parse(Some("prefix=a%2Fb&delimiter=%2F&limit=10&details&&x=a+b%2B"));
        let query = query.as_mut().unwrap();
        assert_eq!(query.take("prefix").as_deref(), Some("a/b"));
        assert_eq!(query.take("prefix"), None);
        assert_eq!(query.take_number("limit"), Ok(Some(10_u32)));
        assert_eq!(query.take_number::<u32>("limit"), Ok(None));
        assert_eq!(query.take_switch("details"), Ok(true));
        assert_eq!(query.take_switch("dry-run"), Ok(false));
        assert_eq!(query.take("x").as_deref(), Some("a b+"));
        assert!(std::mem::take(query).finish().is_err(), "the delimiter is left");
        assert!(Query::parse(None).unwrap().finish().is_ok());
    }

    #[test]
    fn what_could_be_misread_is_refused() {
        for wrong in ["a=1&a=2", "a=%", "a=%4", "a=%zz", "a=%ff", "a=%4%31"] {
            assert!(Query::parse(Some(wrong)).is_err(), "{wrong}");
        }
        let many: Vec<String> = (0..=PARAMETERS_MAX).map(|i| format!("p{i}")).collect();
        assert!(Query::parse(Some(&many.join("&"))).is_err());
        assert!(Query::parse(Some(&"a".repeat(TARGET_BYTES_MAX + 1))).is_err());
        let mut query = Query::parse(Some("limit=-1&details=maybe&deep=99999999999")).unwrap();
        assert!(query.take_number::<u32>("limit").is_err());
        assert!(query.take_number::<u32>("deep").is_err());
        assert!(query.take_switch("details").is_err());
    }

    proptest! {
        #[test]
        fn any_text_survives_encoding(value in "\\PC{0,40}") {
            let raw = format!("a={}", utf8_percent_encode(&value, NON_ALPHANUMERIC));
            prop_assert_eq!(Query::parse(Some(&raw)).unwrap().take("a"), Some(value));
        }

        #[test]
        fn any_query_is_read_or_refused(raw in "[a-c=&%+0-9é]{0,60}") {
            let _ = Query::parse(Some(&raw));
        }
    }
}
