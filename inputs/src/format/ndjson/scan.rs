//! One pass over a JSON object that checks all of it and keeps the wanted members.
//!
//! It may give up on any line, which is then read with `serde_json`; what it does take, it takes as `serde_json` would.
//! Every function goes from a place in the line to the place behind what it names, or returns `None`.

use super::MAX_DEPTH;

/// Finds the members called by `names` in the JSON object that `line` holds, each as it is written, and puts them at
/// the same places in `found`. `line` must be UTF-8. `None` when the line is no object or better read by other means.
#[inline]
pub(super) fn members<'a>(line: &'a [u8], names: &[Vec<u8>], found: &mut [Option<&'a [u8]>]) -> Option<()> {
    let mut at = blanks(line, byte(line, blanks(line, 0), b'{')?);
    if line.get(at) == Some(&b'}') {
        at += 1;
    } else {
        loop {
            let (name_end, start) = name(line, at)?;
            let name = &line[at + 1..name_end];
            at = value(line, start, MAX_DEPTH - 1)?;
            if let Some(i) = names.iter().position(|n| n == name) {
                found[i] = Some(&line[start..at]);
            }
            let (next, more) = more(line, at, b'}')?;
            at = next;
            if !more {
                break;
            }
        }
    }
    (blanks(line, at) == line.len()).then_some(())
}

#[inline]
fn byte(line: &[u8], at: usize, byte: u8) -> Option<usize> {
    (*line.get(at)? == byte).then_some(at + 1)
}

#[inline]
fn blanks(line: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\r' | b'\n') = line.get(at) {
        at += 1;
    }
    at
}

/// A comma, after which there is more, or the `end` of an object or array.
#[inline]
fn more(line: &[u8], at: usize, end: u8) -> Option<(usize, bool)> {
    let at = blanks(line, at);
    match *line.get(at)? {
        b',' => Some((blanks(line, at + 1), true)),
        byte if byte == end => Some((at + 1, false)),
        _ => None,
    }
}

/// The name of a member: where its closing quote is, and where its value starts. Takes no name with escapes.
#[inline]
fn name(line: &[u8], at: usize) -> Option<(usize, usize)> {
    let end = text(line, byte(line, at, b'"')?);
    let colon = blanks(line, byte(line, end, b'"')?);
    Some((end, blanks(line, byte(line, colon, b':')?)))
}

/// A value in which objects and arrays are nested at most `depth` deep.
#[inline]
fn value(line: &[u8], at: usize, depth: usize) -> Option<usize> {
    match *line.get(at)? {
        b'"' => string(line, at + 1),
        b'-' | b'0'..=b'9' => number(line, at),
        b'{' => object(line, at + 1, depth.checked_sub(1)?),
        b'[' => array(line, at + 1, depth.checked_sub(1)?),
        b't' => word(line, at, b"true"),
        b'f' => word(line, at, b"false"),
        b'n' => word(line, at, b"null"),
        _ => None,
    }
}

fn object(line: &[u8], at: usize, depth: usize) -> Option<usize> {
    let mut at = blanks(line, at);
    if line.get(at) == Some(&b'}') {
        return Some(at + 1);
    }
    loop {
        let (_, start) = name(line, at)?;
        let (next, more) = more(line, value(line, start, depth)?, b'}')?;
        if !more {
            return Some(next);
        }
        at = next;
    }
}

fn array(line: &[u8], at: usize, depth: usize) -> Option<usize> {
    let mut at = blanks(line, at);
    if line.get(at) == Some(&b']') {
        return Some(at + 1);
    }
    loop {
        let (next, more) = more(line, value(line, at, depth)?, b']')?;
        if !more {
            return Some(next);
        }
        at = next;
    }
}

fn word(line: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    line[at..].starts_with(word).then_some(at + word.len())
}

/// One digit or more.
#[inline]
fn digits(line: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(b'0'..=b'9') = line.get(at) {
        at += 1;
    }
    (at > from).then_some(at)
}

#[inline]
fn number(line: &[u8], at: usize) -> Option<usize> {
    let at = byte(line, at, b'-').unwrap_or(at);
    let whole = digits(line, at)?;
    if line[at] == b'0' && whole > at + 1 {
        return None;
    }
    let at = match line.get(whole) {
        Some(b'.') => digits(line, whole + 1)?,
        _ => whole,
    };
    match line.get(at) {
        Some(b'e' | b'E') => match line.get(at + 1) {
            Some(b'+' | b'-') => digits(line, at + 2),
            _ => digits(line, at + 1),
        },
        _ => Some(at),
    }
}

/// A string from behind its opening quote.
#[inline]
fn string(line: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at = text(line, at);
        match *line.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at = escape(line, at + 1)?,
            _ => return None,
        }
    }
}

/// Text of a string up to the next quote, backslash or control character, eight bytes at a time.
#[inline]
fn text(line: &[u8], mut at: usize) -> usize {
    while let Some(eight) = line.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let marks = marks(u64::from_le_bytes(*eight));
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while line.get(at).is_some_and(|&byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        at += 1;
    }
    at
}

/// What follows a backslash.
fn escape(line: &[u8], at: usize) -> Option<usize> {
    match line[at..] {
        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Some(at + 1),
        [b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(u8::is_ascii_hexdigit) => Some(at + 5),
        _ => None,
    }
}

/// Finds quotes, backslashes and control characters in eight bytes: the lowest bit that is set is in the first of them.
/// Source: Anderson, "Bit Twiddling Hacks", on a zero byte and on a byte less than n in a word; higher bits may be wrong.
#[inline]
fn marks(bytes: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let quote = bytes ^ (ONES * b'"' as u64);
    let backslash = bytes ^ (ONES * b'\\' as u64);
    let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word;
    (below(quote, 1) | below(backslash, 1) | below(bytes, 0x20)) & HIGHS
}
