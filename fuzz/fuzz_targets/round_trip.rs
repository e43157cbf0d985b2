//! Whatever can be written is read as it was: random bytes seldom make a record that
//! passes its checks, so these are made up.
#![no_main]

use chunk_store::digest::Digest;
use chunk_store::key::Id;
use chunk_store::manifest::Draft;
use chunk_store::manifest::codec::{
    decode_manifest, decode_page, encode_manifest, encode_page, inline_content,
};
use chunk_store::upload::{Seal, State, StoredOptions, Upload};
use chunk_store_fuzz::{Choice, digest_of, nodes, page_of};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, arbitrary::Arbitrary)]
struct Input<'a> {
    key: &'a str,
    content_type: Option<&'a str>,
    metadata: Vec<(String, String)>,
    numbers: [u64; 3],
    expires: Option<u64>,
    choices: Vec<Choice>,
    /// Where a page begins, in units of the largest run.
    multiple: u8,
    content: &'a [u8],
}

fuzz_target!(|input: Input| {
    manifest(&input);
    page(&input);
    upload(&input);
});

fn manifest(input: &Input) {
    let (nodes, segments, length) = nodes(&input.choices, 0);
    let is_inline = nodes.is_empty();
    let digest = if is_inline { Some(Digest::of(input.content)) } else { digest_of(&nodes) };
    let Some(digest) = digest else { return };
    let manifest = Draft {
        key: input.key,
        size: if is_inline { input.content.len() as u64 } else { length },
        digest,
        generation: Id(input.numbers[0].into()),
        content_type: input.content_type,
        metadata: &input.metadata,
        modified: input.numbers[1],
        expires: input.expires,
        nodes,
        segments,
    }
    .finish();
    let mut bytes = encode_manifest(&manifest);
    let end = bytes.len();
    if is_inline {
        bytes.extend_from_slice(input.content);
    }
    let (again, content) = decode_manifest(&bytes).expect("it was just written");
    assert_eq!((&again, content), (&manifest, end));
    if is_inline {
        assert_eq!(inline_content(&again, &bytes[content..]), Ok(()));
    }
    // A cut anywhere in the header is noticed.
    assert!(decode_manifest(&bytes[..end - 1]).is_err());
}

fn page(input: &Input) {
    let offset = u64::from(input.multiple) << 41;
    let (nodes, segments, length) = nodes(&input.choices, offset);
    let Some(node) = page_of(&nodes, length) else { return };
    let bytes = encode_page(offset, &nodes);
    assert_eq!(decode_page(&bytes, &node, offset, &segments), Ok(nodes));
    assert!(decode_page(&bytes, &node, offset + length, &segments).is_err());
    let mut other = node;
    other.cv[0] ^= 1;
    assert!(decode_page(&bytes, &other, offset, &segments).is_err());
}

fn upload(input: &Input) {
    let (nodes, segments, offset) = nodes(&input.choices, 0);
    let digest = digest_of(&nodes);
    let upload = Upload {
        key: input.key.to_string(),
        upload: Id(input.numbers[0].into()),
        options: StoredOptions {
            size: input.expires,
            content_type: input.content_type.map(str::to_string),
            metadata: input.metadata.clone(),
            ..StoredOptions::default()
        },
        started: input.numbers[1],
        deadline: input.numbers[2],
        offset,
        segments,
        nodes,
        state: match (input.multiple % 3, digest) {
            (0, Some(digest)) => State::Sealed(Seal {
                digest: digest.to_string(),
                generation: Id(input.numbers[2].into()),
                modified: input.numbers[1],
                expires: input.expires,
                replaces: input.content_type.map(str::to_string),
            }),
            (1, _) => State::Aborted,
            _ => State::Open,
        },
    };
    assert_eq!(Upload::decode(&upload.encode()), Ok(upload));
}
