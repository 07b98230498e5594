//! Keys as text, so that different keys stay different.

use std::borrow::Cow;
use std::fmt::Write;

/// A key as text: UTF-8 as it is, every other byte as `\xNN` in lowercase hex. A backslash directly followed by `x`
/// becomes `\x5c`, so a reader who decodes `\xNN` has the key back and no two keys share a text. O(key length).
///
/// ```
/// use hitters::sink::key::key_text;
///
/// assert_eq!(key_text("café".as_bytes()), "café");
/// assert_eq!(key_text(b"caf\xe9"), r"caf\xe9");
/// assert_eq!(key_text(br"caf\xe9"), r"caf\x5cxe9");
/// ```
pub fn key_text(key: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(key) {
        Ok(text) if !text.contains(r"\x") => Cow::Borrowed(text),
        _ => Cow::Owned(escaped(key)),
    }
}

/// The key that [`key_text`] wrote: `\xNN` stands for a byte, anything else for itself. O(text length).
///
/// ```
/// use hitters::sink::key::{key_bytes, key_text};
///
/// for key in [b"caf\xe9".as_slice(), br"caf\xe9", b"plain", br"\x"] {
///     assert_eq!(key_bytes(&*key_text(key)), key);
/// }
/// ```
pub fn key_bytes(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut rest = text.as_ref();
    let mut key = Vec::with_capacity(rest.len());
    while let [first, after @ ..] = rest {
        let digit = |byte: u8| (byte as char).to_digit(16);
        let byte = match (first, after) {
            (b'\\', [b'x', high, low, ..]) => digit(*high).zip(digit(*low)).map(|(high, low)| (high << 4 | low) as u8),
            _ => None,
        };
        key.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[3..] } else { after };
    }
    key
}

fn escaped(key: &[u8]) -> String {
    let mut text = String::with_capacity(key.len() + 16);
    for chunk in key.utf8_chunks() {
        text.push_str(&chunk.valid().replace(r"\x", r"\x5cx"));
        for byte in chunk.invalid() {
            write!(text, r"\x{byte:02x}").expect("strings take every write");
        }
    }
    text
}

/// A key as text that is safe to print on a terminal, on one line: as [`key_text`], with control characters and those
/// that reorder or break lines as `\u{NN}` (`\n`, `\r` and `\t` by these names). Not reversible.
pub fn printable(key: &[u8]) -> Cow<'_, str> {
    let text = key_text(key);
    if !text.contains(steers) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if steers(c) { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    Cow::Owned(safe)
}

/// Whether a terminal may act on the character instead of showing it: C0, DEL, C1, line and paragraph separators, and
/// the directional marks of UAX 9.
fn steers(c: char) -> bool {
    let directional =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || directional
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads `\xNN` back as bytes: the inverse of [`key_text`].
    fn key_bytes(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = text;
        while let Some((before, code)) = rest.split_once(r"\x") {
            bytes.extend_from_slice(before.as_bytes());
            bytes.push(u8::from_str_radix(&code[..2], 16).unwrap());
            rest = &code[2..];
        }
        bytes.extend_from_slice(rest.as_bytes());
        bytes
    }

    /// Keys made of the pieces that could confuse the decoder.
    fn tricky() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"\\".to_vec()),
            Just(b"x".to_vec()),
            Just(b"5c".to_vec()),
            Just("é".as_bytes().to_vec()),
            any::<u8>().prop_map(|byte| vec![byte]),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn every_key_comes_back(key in tricky()) {
            prop_assert_eq!(key_bytes(&key_text(&key)), key);
        }

        #[test]
        fn plain_keys_are_as_they_are(key in "[^\\\\]*") {
            prop_assert_eq!(&key_text(key.as_bytes()), &key);
        }

        #[test]
        fn nothing_printable_steers_a_terminal(key in prop::collection::vec(any::<u8>(), 0..40)) {
            let steering = printable(&key).chars().any(|c| c.is_control() || c == '\u{202e}');
            prop_assert!(!steering);
        }
    }

    #[test]
    fn odd_keys() {
        let cases: [(&[u8], &str); 7] = [
            (b"", ""),
            (br"C:\dir", r"C:\dir"),
            (br"C:\x", r"C:\x5cx"),
            (br"\\x", r"\\x5cx"),
            (b"\\\xff", r"\\xff"),
            (b"\xffx", r"\xffx"),
            (b"a\xf0\x9f", r"a\xf0\x9f"),
        ];
        for (key, text) in cases {
            assert_eq!(key_text(key), text);
        }
    }

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(printable(b"\x1b[2J\nx\ty\x7f"), r"\u{1b}[2J\nx\ty\u{7f}");
        assert_eq!(printable("abc\u{202e}def\u{9b}".as_bytes()), r"abc\u{202e}def\u{9b}");
        assert_eq!(printable("naïve ✓".as_bytes()), "naïve ✓");
    }
}
