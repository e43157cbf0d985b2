//! Keys as names of files, readable and one to one. Pure.
//!
//! A key is cut at each `/`; all but the last component are directories:
//!
//! | of the key | below `data/` |
//! |---|---|
//! | `m/videos/a.mp4` | `m+/videos+/a.mp4` |
//! | `a` and `a/b` | `a` and `a+/b`: a directory's name ends in `+` |
//! | `a/` and `/a` | `a+/%-` and `+/a`: what is empty has a name too |
//! | `%`, `+`, bytes below 0x20 and 0x7f | `%25`, `%2B`, `%XX` |
//! | the component `..` | `%2E.` |
//! | more than 240 bytes | pieces, all but the last being directories whose names end in a lone `%` |
//!
//! A piece is never cut within a `%XX` or within a character. Everything else,
//! letters beyond ASCII and their case included, stands as it is in the key. A
//! file whose name no key has is none of ours: readers ignore it.

/// Where values are, below the store's directory.
pub const DATA: &str = "data";

/// Longest name without its suffix, in bytes; file systems take 255.
const NAME_BYTES_MAX: usize = 240;

/// The path of a key's value below `data/`.
pub fn value_path(key: &str) -> String {
    let mut path = String::with_capacity(key.len() + 16);
    let (directories, leaf) = match key.rfind('/') {
        Some(slash) => key.split_at(slash + 1),
        None => ("", key),
    };
    push_directories(&mut path, directories);
    if leaf.is_empty() {
        path.push_str("%-");
    } else {
        push_component(&mut path, leaf);
    }
    path
}

/// The deepest directory that holds every key with the prefix, as its path below
/// `data/` (empty for that one itself) and as what all keys in it begin with.
pub fn directory_path(prefix: &str) -> (String, &str) {
    let known = &prefix[..prefix.rfind('/').map_or(0, |slash| slash + 1)];
    let mut path = String::new();
    push_directories(&mut path, known);
    path.pop();
    (path, known)
}

/// Pushes the directories of `components`, which ends in `/` or is empty.
fn push_directories(path: &mut String, components: &str) {
    for component in components.split_terminator('/') {
        push_component(path, component);
        path.push_str("+/");
    }
}

fn push_component(path: &mut String, component: &str) {
    let mut piece = path.len();
    for character in component.chars() {
        let escaped = character.is_ascii_control() || matches!(character, '%' | '+');
        let bytes = if escaped { 3 } else { character.len_utf8() };
        if path.len() - piece + bytes > NAME_BYTES_MAX {
            path.push_str("%/");
            piece = path.len();
        }
        if escaped {
            path.push_str(&format!("%{:02X}", u32::from(character)));
        } else {
            path.push(character);
        }
    }
    // The last piece of a long component may be a dot too.
    if matches!(&path[piece..], "." | "..") {
        path.replace_range(piece..=piece, "%2E");
    }
}

/// What a name in a directory stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// A value: what its key has after the directory's part.
    Value(String),
    /// A directory: what the keys in it have next.
    Directory(String),
}

/// What a name stands for; `None` if it cannot be read. That it can does not
/// make it the name of a key: [`value_path`] of the whole key does.
pub fn decode(name: &str) -> Option<Name> {
    if name == "%-" {
        return Some(Name::Value(String::new()));
    }
    if let Some(component) = name.strip_suffix('+') {
        let mut text = unescape(component)?;
        text.push('/');
        return Some(Name::Directory(text));
    }
    match name.strip_suffix('%') {
        Some(piece) => unescape(piece).map(Name::Directory),
        None => unescape(name).map(Name::Value),
    }
}

fn unescape(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = after;
            continue;
        }
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
        bytes.push((digit(0)? * 16 + digit(1)?) as u8);
        rest = &after[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The key that a path stands for.
    fn key_of(path: &str) -> Option<String> {
        let mut key = String::new();
        let (directories, leaf) = path.rsplit_once('/').unwrap_or(("", path));
        for name in directories.split_terminator('/') {
            match decode(name)? {
                Name::Directory(text) => key.push_str(&text),
                Name::Value(_) => return None,
            }
        }
        match decode(leaf)? {
            Name::Value(text) => Some(key + &text),
            Name::Directory(_) => None,
        }
    }

    #[test]
    fn names_are_as_documented() {
        let x = "x".repeat(240);
        let e = "é".repeat(120);
        for (key, path) in [
            ("m/videos/a.mp4", "m+/videos+/a.mp4"),
            ("c/0f/00000000", "c+/0f+/00000000"),
            ("a", "a"),
            ("a/b", "a+/b"),
            ("a/", "a+/%-"),
            ("/a", "+/a"),
            ("/", "+/%-"),
            ("a//b", "a+/+/b"),
            (".", "%2E"),
            ("..", "%2E."),
            ("...", "..."),
            (".hidden", ".hidden"),
            ("a/../b", "a+/%2E.+/b"),
            ("../x", "%2E.+/x"),
            ("./x", "%2E+/x"),
            ("50%+\t\u{7f}", "50%25%2B%09%7F"),
            ("Größe 😀\\\"", "Größe 😀\\\""),
            (&x, &x),
            (&format!("{x}y"), &format!("{x}%/y")),
            (&format!("{x}."), &format!("{x}%/%2E")),
            (&format!("{x}../z"), &format!("{x}%/%2E.+/z")),
            (&format!("{e}é"), &format!("{e}%/é")),
            (&format!("a{e}"), &format!("a{}%/é", &e[2..])),
            (&format!("{}%y", &x[2..]), &format!("{}%/%25y", &x[2..])),
        ] {
            assert_eq!(value_path(key), path);
            assert_eq!(key_of(path).as_deref(), Some(key));
        }
    }

    #[test]
    fn a_prefix_gives_the_directory_that_it_determines() {
        for (prefix, directory, known) in [
            ("", "", ""),
            ("a", "", ""),
            ("a/", "a+", "a/"),
            ("a/b/c", "a+/b+", "a/b/"),
            ("/", "+", "/"),
        ] {
            assert_eq!(directory_path(prefix), (directory.to_string(), known));
        }
    }

    #[test]
    fn what_is_no_name_of_ours_is_not_read() {
        for name in ["%", "%4", "%zz", "a%4", "%ff", "%+"] {
            let read = decode(name).map(|_| ());
            assert!(
                read.is_none() || key_of(name).is_none_or(|key| value_path(&key) != name),
                "{name}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_key_has_one_safe_path(
            key in "([a./%+\u{1}é😀]{1,20}|[/.]{1,8}|[a%😀]{200,400}|.{1,60})"
        ) {
            let path = value_path(&key);
            prop_assert_eq!(key_of(&path), Some(key.clone()));
            for name in path.split('/') {
                prop_assert!(!matches!(name, "" | "." | ".."), "{path}");
                prop_assert!(name.len() <= NAME_BYTES_MAX + 1, "{path}");
                prop_assert!(!name.contains('\0'));
            }
            let (directory, known) = directory_path(&key);
            prop_assert!(path.starts_with(&directory));
            prop_assert!(key.starts_with(known));
        }
    }
}
