//! JSON values as they are written, read with `serde_json`.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::MAX_DEPTH;
use crate::event::Reason;

/// The members of the JSON object that `text` holds, with their values as they are written; `None` when `text` is
/// something else.
pub(super) fn members(text: &[u8]) -> Option<Vec<(Cow<'_, str>, &[u8])>> {
    if !is_shallow(text) {
        return None;
    }
    let Members(members) = serde_json::from_slice(text).ok()?;
    Some(members)
}

/// The value of the member called `name`, when `raw` is an object that has one.
pub(super) fn member<'a>(raw: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let Members(members) = serde_json::from_slice(raw).ok()?;
    members.into_iter().rev().find(|(n, _)| n == name).map(|(_, value)| value)
}

/// The elements of an array; of anything else, itself; of `null`, nothing.
pub(super) fn elements(raw: &[u8]) -> Vec<&[u8]> {
    match serde_json::from_slice::<Vec<&RawValue>>(raw) {
        Ok(elements) => elements.into_iter().map(|element| element.get().as_bytes()).collect(),
        Err(_) if raw == b"null" => Vec::new(),
        Err(_) => vec![raw],
    }
}

/// A value as it is written, and the text for which it counts if that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value<'a> {
    pub(super) raw: &'a [u8],
    pub(super) text: Option<&'a [u8]>,
}

impl<'a> Value<'a> {
    /// As [`plain`].
    #[inline]
    pub(super) fn plain(self) -> Option<Option<&'a [u8]>> {
        match self.text {
            Some(text) => Some(Some(text)),
            None => plain(self.raw),
        }
    }
}

/// The text for which a value counts, when it is there as it is: `Some(None)` for `null`, `None` when it takes work.
#[inline]
pub(super) fn plain(raw: &[u8]) -> Option<Option<&[u8]>> {
    match raw {
        [b'"', text @ .., b'"'] => memchr::memchr(b'\\', text).is_none().then_some(Some(text)),
        [b'{' | b'[', ..] => None,
        b"null" => Some(None),
        _ => Some(Some(raw)),
    }
}

/// The text for which a value counts; `None` for `null`.
///
/// # Errors
/// [`Reason::Malformed`] when a string holds half a surrogate pair, which stands for no character.
pub(super) fn text(raw: &[u8]) -> Result<Option<Cow<'_, [u8]>>, Reason> {
    match plain(raw) {
        Some(text) => Ok(text.map(Cow::Borrowed)),
        None if raw[0] == b'"' => {
            let text: String = serde_json::from_slice(raw).map_err(|_| Reason::Malformed)?;
            Ok(Some(Cow::Owned(text.into_bytes())))
        }
        None => Ok(Some(Cow::Owned(compact(raw)))),
    }
}

/// A value without the white space between its parts.
fn compact(raw: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(raw.len());
    for_each_byte(raw, |byte, in_string| {
        if in_string || !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            text.push(byte);
        }
    });
    text
}

/// Whether nothing is nested deeper than [`MAX_DEPTH`], as far as brackets tell. `serde_json` sets no limit to values
/// that it passes over.
fn is_shallow(text: &[u8]) -> bool {
    let (mut depth, mut deepest) = (0usize, 0);
    for_each_byte(text, |byte, in_string| match byte {
        b'{' | b'[' if !in_string => {
            depth += 1;
            deepest = deepest.max(depth);
        }
        b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
        _ => {}
    });
    deepest <= MAX_DEPTH
}

/// Calls `each` with every byte of JSON text and whether it is inside a string.
fn for_each_byte(text: &[u8], mut each: impl FnMut(u8, bool)) {
    let (mut in_string, mut escaped) = (false, false);
    for &byte in text {
        each(byte, in_string);
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            _ => {}
        }
    }
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a [u8])>);

/// A name, borrowed unless it has escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some((Name(name), value)) = map.next_entry::<Name, &RawValue>()? {
            members.push((name, value.get().as_bytes()));
        }
        Ok(Members(members))
    }
}
