//! Ranges as HTTP writes them: both ends included (RFC 9110, section 14.1.2).

use chunk_store::range::ByteRange;

/// Reads `A-B`, `A-` or `-N`.
pub fn parse_range(text: &str) -> Result<ByteRange, String> {
    let wrong = || "give A-B, A- or -N, in bytes counted from 0".to_string();
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if plain { digits.parse::<u64>().map_err(|_| wrong()) } else { Err(wrong()) }
    };
    match text.split_once('-').ok_or_else(wrong)? {
        ("", last) => Ok(ByteRange::Last(number(last)?)),
        (first, "") => Ok(ByteRange::From(number(first)?)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return Err(format!("the range runs backwards: {first} is behind {last}"));
            }
            Ok(ByteRange::Between(first, last.saturating_add(1)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_included() {
        assert_eq!(parse_range("0-0"), Ok(ByteRange::Between(0, 1)));
        assert_eq!(parse_range("10-19"), Ok(ByteRange::Between(10, 20)));
        assert_eq!(parse_range("7-"), Ok(ByteRange::From(7)));
        assert_eq!(parse_range("-5"), Ok(ByteRange::Last(5)));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "-", "5", "a-b", "5-2", "+1-2", "1-2-3", "--3", "1 -2", "99999999999999999999-"]
        {
            assert!(parse_range(text).is_err(), "{text:?}");
        }
    }
}
