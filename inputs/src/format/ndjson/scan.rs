//! One pass over a JSON object that checks all of it and keeps the wanted members. No line has a newline in it, so none
//! is passed over as white space, and what is read ends with its line.
//!
//! It may give up on any line, which is then read with `serde_json`; what it does take, it takes as `serde_json` would.
//! Every function goes from a place in the line to the place behind what it names, or returns `None`.

use super::MAX_DEPTH;
use super::names::Names;
use super::object::Value;
use super::shape::Shape;
use super::stops::Stops;

/// The lines of a block.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    pub(super) block: &'a [u8],
    stops: &'a Stops,
}

impl<'a> Lines<'a> {
    /// The lines of a block with these stops.
    pub(super) fn new(block: &'a [u8], stops: &'a Stops) -> Self {
        Lines { block, stops }
    }

    /// Finds the members called by `names` in the JSON object that the line at `at` holds, each as it is written, and
    /// puts them at the same places in `found`: where the line ends. Learns its shape. The line must be UTF-8. `None` when
    /// it is no object or better read by other means.
    #[inline]
    pub(super) fn members(
        self,
        at: usize,
        names: &Names,
        found: &mut [Option<Value<'a>>],
        shape: &mut Shape,
    ) -> Option<usize> {
        let (block, mut lead) = (self.block, at);
        shape.forget();
        let mut at = blanks(block, byte(block, blanks(block, at), b'{')?);
        if block.get(at) == Some(&b'}') {
            at += 1;
        } else {
            loop {
                let (name_end, start) = self.name(at)?;
                let name = names.find(block, at + 1, name_end);
                shape.learn(block, lead, start, name);
                lead = self.value(start, MAX_DEPTH - 1)?;
                if let Some(name) = name {
                    found[name] = Some(self.written(start, lead));
                }
                let (next, more) = more(block, lead, b'}')?;
                at = next;
                if !more {
                    break;
                }
            }
        }
        let end = self.end(blanks(block, at))?;
        shape.learn_tail(block, lead, end);
        Some(end)
    }

    /// The value that was found to end at `end`.
    #[inline(always)]
    pub(super) fn written(self, at: usize, end: usize) -> Value<'a> {
        let raw = &self.block[at..end];
        let text = match raw {
            [b'"', text @ .., b'"'] => Some(text).filter(|_| self.stops.strings.next(at + 1) == end - 1),
            [b'-' | b'0'..=b'9', ..] => Some(raw),
            _ => None,
        };
        Value { raw, text }
    }

    /// Where the line ends, if it is `at`.
    #[inline]
    pub(super) fn end(self, at: usize) -> Option<usize> {
        self.block.get(at).is_none_or(|&byte| byte == b'\n').then_some(at)
    }

    /// The name of a member: where its closing quote is, and where its value starts. Takes no name with escapes.
    #[inline]
    fn name(self, at: usize) -> Option<(usize, usize)> {
        let block = self.block;
        let end = self.stops.strings.next(byte(block, at, b'"')?);
        let colon = blanks(block, byte(block, end, b'"')?);
        Some((end, blanks(block, byte(block, colon, b':')?)))
    }

    /// A value in which objects and arrays are nested at most `depth` deep.
    #[inline(always)]
    pub(super) fn value(self, at: usize, depth: usize) -> Option<usize> {
        match *self.block.get(at)? {
            b'"' => self.string(at + 1),
            b'-' | b'0'..=b'9' => self.number(at),
            _ => self.other(at, depth),
        }
    }

    #[inline(never)]
    fn other(self, at: usize, depth: usize) -> Option<usize> {
        let block = self.block;
        match block[at] {
            b'{' => self.object(at + 1, depth.checked_sub(1)?),
            b'[' => self.array(at + 1, depth.checked_sub(1)?),
            b't' => word(block, at, b"true"),
            b'f' => word(block, at, b"false"),
            b'n' => word(block, at, b"null"),
            _ => None,
        }
    }

    fn object(self, at: usize, depth: usize) -> Option<usize> {
        let mut at = blanks(self.block, at);
        if self.block.get(at) == Some(&b'}') {
            return Some(at + 1);
        }
        loop {
            let (_, start) = self.name(at)?;
            let (next, more) = more(self.block, self.value(start, depth)?, b'}')?;
            if !more {
                return Some(next);
            }
            at = next;
        }
    }

    fn array(self, at: usize, depth: usize) -> Option<usize> {
        let mut at = blanks(self.block, at);
        if self.block.get(at) == Some(&b']') {
            return Some(at + 1);
        }
        loop {
            let (next, more) = more(self.block, self.value(at, depth)?, b']')?;
            if !more {
                return Some(next);
            }
            at = next;
        }
    }

    #[inline(always)]
    fn number(self, at: usize) -> Option<usize> {
        let start = at + usize::from(self.block[at] == b'-');
        let whole = self.digits(start)?;
        if self.block[start] == b'0' && whole > start + 1 {
            return None;
        }
        match self.block.get(whole) {
            Some(b'.' | b'e' | b'E') => self.fraction(whole),
            _ => Some(whole),
        }
    }

    /// What follows the whole part of a number: a fraction, an exponent, or both.
    #[cold]
    fn fraction(self, whole: usize) -> Option<usize> {
        let at = match self.block.get(whole) {
            Some(b'.') => self.digits(whole + 1)?,
            _ => whole,
        };
        match self.block.get(at) {
            Some(b'e' | b'E') => match self.block.get(at + 1) {
                Some(b'+' | b'-') => self.digits(at + 2),
                _ => self.digits(at + 1),
            },
            _ => Some(at),
        }
    }

    /// One digit or more.
    #[inline(always)]
    fn digits(self, at: usize) -> Option<usize> {
        Some(self.stops.digits.next(at)).filter(|end| *end > at)
    }

    /// A string from behind its opening quote.
    #[inline(always)]
    fn string(self, at: usize) -> Option<usize> {
        let end = self.stops.strings.next(at);
        if self.block.get(end) == Some(&b'"') { Some(end + 1) } else { self.string_with_escapes(end) }
    }

    /// The rest of a string, from a stop that is no quote.
    #[inline(never)]
    fn string_with_escapes(self, mut at: usize) -> Option<usize> {
        loop {
            match *self.block.get(at)? {
                b'"' => return Some(at + 1),
                b'\\' => at = self.stops.strings.next(escape(self.block, at + 1)?),
                _ => return None,
            }
        }
    }
}

#[inline]
fn byte(block: &[u8], at: usize, byte: u8) -> Option<usize> {
    (*block.get(at)? == byte).then_some(at + 1)
}

#[inline]
fn blanks(block: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\r') = block.get(at) {
        at += 1;
    }
    at
}

/// A comma, after which there is more, or the `end` of an object or array.
#[inline]
fn more(block: &[u8], at: usize, end: u8) -> Option<(usize, bool)> {
    let at = blanks(block, at);
    match *block.get(at)? {
        b',' => Some((blanks(block, at + 1), true)),
        byte if byte == end => Some((at + 1, false)),
        _ => None,
    }
}

fn word(block: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    block[at..].starts_with(word).then_some(at + word.len())
}

/// What follows a backslash.
fn escape(block: &[u8], at: usize) -> Option<usize> {
    match block[at..] {
        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Some(at + 1),
        [b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(u8::is_ascii_hexdigit) => Some(at + 5),
        _ => None,
    }
}
