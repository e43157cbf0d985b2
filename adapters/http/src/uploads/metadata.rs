//! `Upload-Metadata`: pairs of a name and a value in Base64, with commas between. Pure.
//!
//! `key`, else `filename`, else `name` is the object's key; `filetype`, else `type`, its media
//! type. What says the same again under another of these names is dropped. All else is kept
//! with the object, as a PUT keeps `X-Meta-*`.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;

use super::protocol::UPLOAD_METADATA;
use crate::limits::UPLOAD_METADATA_BYTES_MAX;
use crate::problem::Problem;
use crate::representation::one;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What the metadata of an upload say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Described {
    pub key: String,
    pub content_type: Option<String>,
    /// All else, in the order given.
    pub metadata: Vec<(String, String)>,
}

/// Reads `Upload-Metadata`; it has to give a key.
pub(super) fn read(headers: &HeaderMap) -> Result<Described, Problem> {
    let text = one(headers, &UPLOAD_METADATA)?.unwrap_or_default();
    let mut metadata = parse(&text)?;
    let key = take(&mut metadata, &["key", "filename", "name"]).ok_or_else(|| {
        Problem::invalid("give the object's key in Upload-Metadata, as `key`, `filename` or `name`")
    })?;
    let content_type = take(&mut metadata, &["filetype", "type"]);
    Ok(Described { key, content_type, metadata })
}

/// The first of these that is there and not empty; others that are empty or the same go
/// with it.
fn take(metadata: &mut Vec<(String, String)>, names: &[&str]) -> Option<String> {
    let value = |wanted: &&str| {
        let pair = metadata.iter().find(|(name, value)| name == wanted && !value.is_empty());
        pair.map(|(_, value)| value.clone())
    };
    let taken = names.iter().find_map(value);
    metadata.retain(|(name, value)| {
        let again = value.is_empty() || Some(value) == taken.as_ref();
        !(names.contains(&&name[..]) && again)
    });
    taken
}

fn parse(text: &str) -> Result<Vec<(String, String)>, Problem> {
    if text.len() > UPLOAD_METADATA_BYTES_MAX {
        return Err(Problem::invalid(format!(
            "Upload-Metadata is longer than {UPLOAD_METADATA_BYTES_MAX} bytes"
        )));
    }
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, encoded) = pair.split_once(' ').unwrap_or((pair, ""));
        let bytes = BASE64.decode(encoded.trim()).ok();
        let Some(value) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) else {
            return Err(Problem::invalid(format!(
                "Upload-Metadata: the value of {name:?} is not Base64 of UTF-8"
            )));
        };
        pairs.push((name.to_string(), value));
    }
    Ok(pairs)
}

/// `Upload-Metadata` that gives a key.
pub(super) fn of_key(key: &str) -> String {
    format!("key {}", BASE64.encode(key))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn described(pairs: &[(&str, &str)]) -> Result<Described, Problem> {
        let write = |(name, value): &(&str, &str)| format!("{name} {}", BASE64.encode(value));
        let text = pairs.iter().map(write).collect::<Vec<_>>().join(",");
        let mut headers = HeaderMap::new();
        headers.insert(UPLOAD_METADATA, HeaderValue::from_str(&text).unwrap());
        read(&headers)
    }

    #[test]
    fn the_key_has_several_names() {
        for pairs in [
            &[("filename", "n"), ("key", "a/ü")][..],
            &[("name", "a/ü"), ("filename", "a/ü")],
            &[("name", "a/ü"), ("key", "")],
        ] {
            assert_eq!(described(pairs).unwrap().key, "a/ü", "{pairs:?}");
        }
        for pairs in [&[][..], &[("title", "a")], &[("key", "")]] {
            assert!(described(pairs).is_err(), "{pairs:?}");
        }
    }

    #[test]
    fn what_is_not_key_or_type_is_kept() {
        let described = described(&[
            ("name", "a.mp4"),
            ("type", "video/mp4"),
            ("filename", "a.mp4"),
            ("filetype", "video/mp4"),
            ("key", "videos/a.mp4"),
            ("relativePath", "null"),
        ]);
        let kept = [("name", "a.mp4"), ("filename", "a.mp4"), ("relativePath", "null")];
        let kept = kept.map(|(name, value)| (name.to_string(), value.to_string()));
        assert_eq!(
            described.unwrap(),
            Described {
                key: "videos/a.mp4".into(),
                content_type: Some("video/mp4".into()),
                metadata: kept.to_vec(),
            }
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert_eq!(
            parse("flag, key YQ"),
            Ok(vec![("flag".into(), "".into()), ("key".into(), "a".into())])
        );
        for wrong in ["key !", "key YQ==YQ==", "key /w==", "key Y"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse(&format!("a {}", "A".repeat(UPLOAD_METADATA_BYTES_MAX))).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn pairs_read_as_they_were_written(pairs in vec(("[!-+\\--~]{1,8}", "\\PC{0,12}"), 0..6)) {
            let write = |(name, value): &(String, String)| format!("{name} {}", BASE64.encode(value));
            let text = pairs.iter().map(write).collect::<Vec<_>>().join(", ");
            prop_assert_eq!(parse(&text), Ok(pairs));
        }
    }
}
