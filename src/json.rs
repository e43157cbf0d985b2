//! Reads JSON (RFC 8259) of known forms: headers of records, summaries, cursors. Pure.
//!
//! The forms are those that serde's derived code writes, and takes: an optional field may be left
//! out, no field may come twice, a case of an enum is its name, or an object of its name and
//! what it holds. Derived readers would do, but each is code of its own from the first byte
//! to the last, 20 KB of a Worker all together, compressed.
//!
//! Errors say what is wrong and where, in bytes.

use std::borrow::Cow;

/// A form.
pub trait Read: Sized {
    /// Reads the value that comes next.
    fn read(from: &mut Reader<'_>) -> Result<Self, String>;

    /// What a field holds that is left out; none where it may not be.
    fn left_out() -> Option<Self> {
        None
    }
}

/// Reads a text that holds one value and nothing else.
pub fn read<T: Read>(text: &[u8]) -> Result<T, String> {
    let mut reader = Reader { text, at: 0 };
    let value = T::read(&mut reader)?;
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.wrong("more follows")),
    }
}

/// A text, and how far it has been read.
pub struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

/// How deep values may lie that are passed over.
const DEPTH_MAX: usize = 64;

impl<'a> Reader<'a> {
    /// An error at this place.
    pub fn wrong(&self, what: &str) -> String {
        format!("{what} at byte {}", self.at)
    }

    /// The byte that comes next, behind white space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    /// Takes the next byte if it is this one.
    fn takes(&mut self, byte: u8) -> bool {
        // Mostly nothing is between.
        let is_it = self.text.get(self.at) == Some(&byte) || self.peek() == Some(byte);
        self.at += usize::from(is_it);
        is_it
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        match self.takes(byte) {
            true => Ok(()),
            false => Err(self.wrong(&format!("no `{}`", char::from(byte)))),
        }
    }

    /// Takes the next word if it is this one.
    fn takes_word(&mut self, word: &str) -> bool {
        self.peek();
        let is_it = self.text[self.at..].starts_with(word.as_bytes());
        self.at += if is_it { word.len() } else { 0 };
        is_it
    }

    /// Reads an array; `item` reads each of its values.
    pub fn array(
        &mut self,
        item: &mut dyn FnMut(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        self.expect(b'[')?;
        if self.takes(b']') {
            return Ok(());
        }
        loop {
            item(self)?;
            if !self.takes(b',') {
                return self.expect(b']');
            }
        }
    }

    /// Reads an object; `field` reads the value of each name.
    pub fn object(
        &mut self,
        field: &mut dyn FnMut(&mut Self, &str) -> Result<(), String>,
    ) -> Result<(), String> {
        self.expect(b'{')?;
        if self.takes(b'}') {
            return Ok(());
        }
        loop {
            let name = self.text()?;
            self.expect(b':')?;
            field(self, &name)?;
            if !self.takes(b',') {
                return self.expect(b'}');
            }
        }
    }

    /// Reads a case of an enum: `case` gets its name, and reads what it holds, if it holds
    /// something.
    pub fn case<T>(
        &mut self,
        case: impl Fn(&str, Option<&mut Self>) -> Option<Result<T, String>>,
    ) -> Result<T, String> {
        let holds = self.takes(b'{');
        let name = self.text()?;
        if holds {
            self.expect(b':')?;
        }
        let value = case(&name, holds.then_some(&mut *self));
        let value = value.unwrap_or_else(|| Err(format!("unknown variant `{name}`")))?;
        if holds {
            self.expect(b'}')?;
        }
        Ok(value)
    }

    /// Reads a string.
    pub fn text(&mut self) -> Result<Cow<'a, str>, String> {
        self.expect(b'"')?;
        let rest = &self.text[self.at..];
        let (plain, behind) = rest.split_at(plain_bytes(rest));
        if behind.first() != Some(&b'"') {
            return self.escaped_text(plain).map(Cow::Owned);
        }
        self.at += plain.len() + 1;
        match std::str::from_utf8(plain) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(_) => Err(self.wrong("a string that is not UTF-8")),
        }
    }

    /// A string that begins so and goes on with something that is not plain.
    #[cold]
    fn escaped_text(&mut self, plain: &[u8]) -> Result<String, String> {
        let mut read = Vec::with_capacity(plain.len() + 32);
        read.extend_from_slice(plain);
        self.at += plain.len();
        loop {
            let byte = self.text.get(self.at).copied();
            self.at += 1;
            match byte {
                Some(b'"') => break,
                Some(b'\\') => {
                    let Some(char) = self.escaped() else {
                        return Err(self.wrong("no such escape before"));
                    };
                    read.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                }
                None | Some(0..32) => return Err(self.wrong("a string that does not end")),
                Some(byte) => read.push(byte),
            }
        }
        String::from_utf8(read).map_err(|_| self.wrong("a string that is not UTF-8"))
    }

    /// The character behind a backslash.
    fn escaped(&mut self) -> Option<char> {
        let letter = self.text.get(self.at).copied()?;
        self.at += 1;
        Some(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.unit()?;
                // Half of a pair, unless it is alone, which no text is.
                let second = match (0xd800..0xdc00).contains(&first) {
                    true if self.text[self.at..].starts_with(b"\\u") => {
                        self.at += 2;
                        Some(self.unit()?)
                    }
                    _ => None,
                };
                char::decode_utf16([first].into_iter().chain(second)).next()?.ok()?
            }
            _ => return None,
        })
    }

    /// Four hex digits.
    fn unit(&mut self) -> Option<u16> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        digits
            .iter()
            .try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)? as u16))
    }

    /// Reads a number that is whole and not negative, and not larger than this.
    pub fn number(&mut self, max: u64) -> Result<u64, String> {
        self.peek();
        let rest = &self.text[self.at..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, behind) = rest.split_at(digits);
        let value = digits.iter().try_fold(0u64, |value, digit| {
            value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        });
        let is_plain = !digits.is_empty()
            && (digits.len() == 1 || digits[0] != b'0')
            && !matches!(behind.first(), Some(b'.' | b'e' | b'E'));
        match value.filter(|value| is_plain && *value <= max) {
            Some(value) => {
                self.at += digits.len();
                Ok(value)
            }
            None => Err(self.wrong(&format!("no number from 0 to {max}"))),
        }
    }

    /// Passes over a value of any form.
    pub fn pass(&mut self) -> Result<(), String> {
        self.pass_within(DEPTH_MAX)
    }

    fn pass_within(&mut self, depth: usize) -> Result<(), String> {
        let Some(below) = depth.checked_sub(1) else {
            return Err(self.wrong("values that lie too deep"));
        };
        match self.peek() {
            Some(b'{') => self.object(&mut |from, _| from.pass_within(below)),
            Some(b'[') => self.array(&mut |from| from.pass_within(below)),
            Some(b'"') => self.text().map(drop),
            _ if ["null", "true", "false"].iter().any(|word| self.takes_word(word)) => Ok(()),
            _ => {
                let rest = &self.text[self.at..];
                let number = rest.iter().take_while(|byte| b"+-.eE0123456789".contains(byte));
                match number.count() {
                    0 => Err(self.wrong("no value")),
                    bytes => {
                        self.at += bytes;
                        Ok(())
                    }
                }
            }
        }
    }
}

/// How many bytes of a string come before a quote, a backslash or a control character. Eight are
/// looked at together.
fn plain_bytes(rest: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    let mut plain = 0;
    for eight in rest.chunks_exact(8) {
        let bytes = u64::from_le_bytes(eight.try_into().expect("they are eight"));
        // The highest bit of a byte is set if it is below 32 or 0; of others only behind one that is.
        let quotes = (bytes ^ (ONES * u64::from(b'"'))).wrapping_sub(ONES);
        let slashes = (bytes ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
        let controls = bytes.wrapping_sub(ONES * 32);
        let found = (quotes | slashes | controls) & !bytes & (ONES << 7);
        if found != 0 {
            return plain + found.trailing_zeros() as usize / 8;
        }
        plain += 8;
    }
    let is_plain = |byte: &&u8| !matches!(byte, b'"' | b'\\' | 0..32);
    plain + rest[plain..].iter().take_while(is_plain).count()
}

impl Read for String {
    fn read(from: &mut Reader<'_>) -> Result<Self, String> {
        from.text().map(Cow::into_owned)
    }
}

impl Read for u64 {
    fn read(from: &mut Reader<'_>) -> Result<Self, String> {
        from.number(u64::MAX)
    }
}

impl Read for u32 {
    fn read(from: &mut Reader<'_>) -> Result<Self, String> {
        from.number(u64::from(u32::MAX)).map(|number| number as u32)
    }
}

impl<T: Read> Read for Option<T> {
    fn read(from: &mut Reader<'_>) -> Result<Self, String> {
        if from.takes_word("null") {
            return Ok(None);
        }
        T::read(from).map(Some)
    }

    fn left_out() -> Option<Self> {
        Some(None)
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(from: &mut Reader<'_>) -> Result<Self, String> {
        let mut items = Vec::new();
        from.array(&mut |from| {
            items.push(T::read(from)?);
            Ok(())
        })?;
        Ok(items)
    }
}

impl<A: Read, B: Read> Read for (A, B) {
    fn read(from: &mut Reader<'_>) -> Result<Self, String> {
        from.expect(b'[')?;
        let first = A::read(from)?;
        from.expect(b',')?;
        let second = B::read(from)?;
        from.expect(b']')?;
        Ok((first, second))
    }
}

impl<A: Read, B: Read, C: Read> Read for (A, B, C) {
    fn read(from: &mut Reader<'_>) -> Result<Self, String> {
        from.expect(b'[')?;
        let first = A::read(from)?;
        from.expect(b',')?;
        let second = B::read(from)?;
        from.expect(b',')?;
        let third = C::read(from)?;
        from.expect(b']')?;
        Ok((first, second, third))
    }
}

/// Reads the value of a field that comes once.
pub fn once<T: Read>(
    field: &mut Option<T>,
    from: &mut Reader<'_>,
    name: &str,
) -> Result<(), String> {
    if field.is_some() {
        return Err(from.wrong(&format!("duplicate field `{name}`")));
    }
    *field = Some(T::read(from)?);
    Ok(())
}

/// What was read of a field.
pub fn whole<T: Read>(field: Option<T>, name: &str) -> Result<T, String> {
    field.or_else(T::left_out).ok_or_else(|| format!("missing field `{name}`"))
}

/// What becomes of a field that the form does not have.
pub fn refuse(from: &mut Reader<'_>, name: &str) -> Result<(), String> {
    Err(from.wrong(&format!("unknown field `{name}`")))
}

/// Reads the fields of a struct, or of a case of an enum, by their names; others are refused, or
/// passed over where `..` says that there may be some.
macro_rules! fields {
    ($from:expr, $($made:ident)::+ { $($field:ident: $name:literal),+ }) => {
        $crate::json::fields!($from, $($made)::+ { $($field: $name),+ } $crate::json::refuse)
    };
    ($from:expr, $($made:ident)::+ { $($field:ident: $name:literal,)+ .. }) => {
        $crate::json::fields!($from, $($made)::+ { $($field: $name),+ } |from, _| from.pass())
    };
    ($from:expr, $($made:ident)::+ { $($field:ident: $name:literal),+ } $other:expr) => {{
        $(let mut $field = None;)+
        let other: fn(&mut $crate::json::Reader<'_>, &str) -> _ = $other;
        $from.object(&mut |from, name| match name {
            $($name => $crate::json::once(&mut $field, from, name),)+
            _ => other(from, name),
        })?;
        Ok($($made)::+ { $($field: $crate::json::whole($field, $name)?),+ })
    }};
}
pub(crate) use fields;

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
