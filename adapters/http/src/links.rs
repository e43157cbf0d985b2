//! Links that let their holder read one object until a time, without the token: what a
//! `<video>` needs.
//!
//! The signature is keyed BLAKE3 over key and time, its key derived from the token, so
//! that a link tells nothing of the token and stops working when the token changes. It
//! covers `GET` and `HEAD` and nothing else.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::route::path_of;

/// What the derived key is for; another use has another context.
const CONTEXT: &str = "chunk-store-http 2026-11 signed links to read an object";

/// Signs links. Cannot be printed.
#[derive(Clone)]
pub(crate) struct LinkKey([u8; 32]);

impl LinkKey {
    pub fn of(token: &str) -> Self {
        Self(blake3::derive_key(CONTEXT, token.as_bytes()))
    }

    fn signature(&self, key: &str, expires: u64) -> blake3::Hash {
        // The time has no newline in it, so no two pairs give the same bytes.
        blake3::keyed_hash(&self.0, format!("read\n{expires}\n{key}").as_bytes())
    }

    /// Whether a link was signed with this key, in constant time. Its time is not looked at.
    pub fn signed(&self, key: &str, expires: u64, signature: &str) -> bool {
        let given = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        // Equality of `blake3::Hash` takes constant time.
        <[u8; 32]>::try_from(given).is_ok_and(|given| self.signature(key, expires) == given)
    }

    /// See [`sign`].
    pub fn link(&self, key: &str, expires: u64) -> String {
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.signature(key, expires).as_bytes());
        format!("{}?expires={expires}&signature={signature}", path_of(key))
    }
}

/// The path and query of a link that lets its holder read the object `key` until
/// `expires`, in seconds since the Unix epoch: `/KEY?expires=...&signature=...`. `token`
/// is the one that the server is set up with; a link signed with another is refused.
pub fn sign(token: &str, key: &str, expires: u64) -> String {
    LinkKey::of(token).link(key, expires)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(link: &str) -> &str {
        link.split_once("signature=").unwrap().1
    }

    #[test]
    fn a_link_is_for_one_key_one_time_and_one_token() {
        let link = sign("token-token-token", "a b/ü.mp4", 1_790_000_000);
        assert!(link.starts_with("/a%20b/%C3%BC.mp4?expires=1790000000&signature="), "{link}");
        let key = LinkKey::of("token-token-token");
        assert!(key.signed("a b/ü.mp4", 1_790_000_000, signature(&link)));
        assert!(!key.signed("a b/ü.mp4", 1_790_000_001, signature(&link)));
        assert!(!key.signed("a b/ü.mp", 1_790_000_000, signature(&link)));
        assert!(!LinkKey::of("another-token-..").signed(
            "a b/ü.mp4",
            1_790_000_000,
            signature(&link)
        ));
    }

    #[test]
    fn no_other_signature_will_do() {
        let link = sign("token-token-token", "a", 1);
        let key = LinkKey::of("token-token-token");
        for i in 0..signature(&link).len() {
            let mut altered = signature(&link).as_bytes().to_vec();
            altered[i] = if altered[i] == b'A' { b'B' } else { b'A' };
            assert!(!key.signed("a", 1, std::str::from_utf8(&altered).unwrap()), "{i}");
        }
        for wrong in ["", "AAAA", "=", &signature(&link)[1..], &format!("{}A", signature(&link))] {
            assert!(!key.signed("a", 1, wrong), "{wrong}");
        }
    }
}
