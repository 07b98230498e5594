//! `logfmt`: `key=value` pairs split by blanks. A value may be quoted, with `\"`, `\\`, `\n` and `\t` inside; a key alone
//! has the value `true`; of a key given twice, the last value counts.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Extract, FormatError, Framing, Opened, Parser, Wanted, bom, for_each_line, for_each_record};
use crate::event::{Events, Reason};

/// Opens an input of `key=value` pairs. The fields are those of the first line that can be read.
pub(super) fn open(wanted: &Wanted, sample: &[u8]) -> Result<Opened, FormatError> {
    let header = bom(sample);
    let extract = Extract::by_presence(wanted, "logfmt", &first_names(&sample[header..]))?;
    let arrival = extract.arrival();
    Ok(Opened { parser: Arc::new(Logfmt { extract }), framing: Framing::Lines, header, arrival })
}

fn first_names(sample: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for_each_line(sample, |_, line| {
        if names.is_empty()
            && let Some(found) = pairs(line)
        {
            names = found.into_iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
        }
    });
    names
}

/// The pairs of a line with their values as they are written, when it is one of the format.
pub(super) fn pairs(line: &[u8]) -> Option<Vec<(&[u8], Value<'_>)>> {
    let mut found = Vec::new();
    for_each_pair(line, |name, value| found.push((name, value)))?;
    Some(found)
}

/// A value as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// There is a key and no `=`.
    Absent,
    /// As it is.
    Plain(&'a [u8]),
    /// Between quotes, with a backslash somewhere.
    Escaped(&'a [u8]),
}

impl<'a> Value<'a> {
    fn text(self) -> Cow<'a, [u8]> {
        match self {
            Value::Absent => Cow::Borrowed(b"true"),
            Value::Plain(text) => Cow::Borrowed(text),
            Value::Escaped(text) => Cow::Owned(unescape(text)),
        }
    }
}

/// Calls `each` with every pair of a line; `None` when there is no `=` at all, a quote is not closed, or something other
/// than a blank follows a closing quote.
#[inline]
fn for_each_pair<'a>(line: &'a [u8], mut each: impl FnMut(&'a [u8], Value<'a>)) -> Option<()> {
    let mut pairs = 0;
    let mut rest = behind_blanks(line);
    while !rest.is_empty() {
        let end = rest.iter().position(|&byte| byte == b'=' || is_space(byte)).unwrap_or(rest.len());
        let (name, tail) = rest.split_at(end);
        let (value, tail) = match tail {
            [b'=', b'"', text @ ..] => quoted(text)?,
            [b'=', text @ ..] => {
                let (value, tail) = text.split_at(memchr::memchr2(b' ', b'\t', text).unwrap_or(text.len()));
                (Value::Plain(value), tail)
            }
            _ => (Value::Absent, tail),
        };
        pairs += usize::from(value != Value::Absent);
        each(name, value);
        rest = behind_blanks(tail);
    }
    (pairs > 0).then_some(())
}

/// A quoted value, from behind its opening quote, and what follows its closing one.
fn quoted(text: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let mut escaped = false;
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', &text[from..])?;
        if text[at] == b'\\' {
            escaped = true;
            from = (at + 2 <= text.len()).then_some(at + 2)?;
            continue;
        }
        let (value, tail) = (&text[..at], &text[at + 1..]);
        let ends = tail.first().is_none_or(|&byte| is_space(byte));
        return ends.then_some((if escaped { Value::Escaped(value) } else { Value::Plain(value) }, tail));
    }
}

/// Puts the bytes that escapes stand for in their places. Escapes that the format does not know stay as they are.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            plain.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'n') => plain.push(b'\n'),
            Some(b't') => plain.push(b'\t'),
            Some(other @ (b'"' | b'\\')) => plain.push(other),
            other => plain.extend([b'\\'].into_iter().chain(other)),
        }
    }
    plain
}

fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn behind_blanks(text: &[u8]) -> &[u8] {
    &text[text.iter().position(|&byte| !is_space(byte)).unwrap_or(text.len())..]
}

struct Logfmt {
    extract: Extract,
}

impl Logfmt {
    /// Reads one line. `values` is scratch space; the escaped values that are wanted cost an allocation each.
    #[inline]
    fn line<'a>(&self, at: usize, line: &'a [u8], values: &mut [Option<&'a [u8]>], out: &mut Events) {
        values.fill(None);
        let mut escaped = false;
        let fields = self.extract.fields();
        let read = for_each_pair(line, |name, value| {
            for (i, _) in fields.iter().enumerate().filter(|(_, field)| field.as_bytes() == name) {
                values[i] = Some(match value {
                    Value::Absent => b"true",
                    Value::Plain(text) => text,
                    Value::Escaped(text) => {
                        escaped = true;
                        text
                    }
                });
            }
        });
        match read {
            None => out.reject(at, Reason::Malformed),
            Some(()) if escaped => self.escaped(at, line, out),
            Some(()) => self.extract.give(at, values, out),
        }
    }

    /// Reads a line in which wanted values have escapes.
    fn escaped(&self, at: usize, line: &[u8], out: &mut Events) {
        let pairs = pairs(line).unwrap_or_default();
        let value =
            |field: &String| pairs.iter().rev().find(|(name, _)| *name == field.as_bytes()).map(|(_, v)| v.text());
        let texts: Vec<_> = self.extract.fields().iter().map(value).collect();
        let values: Vec<_> = texts.iter().map(Option::as_deref).collect();
        self.extract.give(at, &values, out);
    }
}

impl Parser for Logfmt {
    fn parse(&self, block: &[u8], out: &mut Events) {
        let mut values = vec![None; self.extract.fields().len()];
        for_each_record(block, out, |at, line, out| self.line(at, line, &mut values, out));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(wanted: &Wanted, text: &str) -> Vec<String> {
        let opened = open(wanted, text.as_bytes()).unwrap();
        let mut out = Events::new(0);
        out.begin(text.as_bytes(), 5, i64::MAX);
        opened.parser.parse(text.as_bytes(), &mut out);
        let events =
            out.iter(text.as_bytes()).map(|e| format!("{} {} {}", e.time, e.weight, String::from_utf8_lossy(e.key)));
        events.chain(out.rejected().iter().map(|r| format!("{} at {}", r.why.name(), r.at))).collect()
    }

    #[test]
    fn pairs_quotes_and_bare_keys() {
        let wanted = Wanted { key: Some(vec!["msg".into()]), ..Wanted::default() };
        assert_eq!(read(&wanted, "ts=1 level=info msg=\"a \\\"b\\\" \\\\ \\n\\u\"\n\n"), ["1000 1 a \"b\" \\ \n\\u"]);
        assert_eq!(read(&wanted, "a=1 msg\tb=\"\"\r\nmsg= a=1\nmsg=1 msg=2"), ["5 1 true", "5 1 ", "5 1 2"]);
    }

    #[test]
    fn what_is_not_pairs_is_malformed() {
        let lines = "key=1\nkey\nkey=\"1\nkey=\"1\"2\nkey=\"1\\\nother=1\n";
        let rejected =
            ["5 1 1", "malformed at 6", "malformed at 10", "malformed at 17", "malformed at 26", "missing field at 34"];
        assert_eq!(read(&Wanted::default(), lines), rejected);
    }

    #[test]
    fn fields_come_from_the_first_line_that_can_be_read() {
        assert_eq!(read(&Wanted::default(), "hello\ntime=3 key=a\n"), ["3000 1 a", "malformed at 0"]);
        assert!(open(&Wanted::default(), b"a=1 b=2").err().unwrap().to_string().ends_with("the fields are: a, b"));
    }

    #[test]
    fn blank_lines_are_no_records() {
        assert_eq!(read(&Wanted::default(), " \nkey=a\n\t\n"), ["5 1 a"]);
    }
}
