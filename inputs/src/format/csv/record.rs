//! Where a CSV record ends.

use memchr::{memchr, memchr2};

/// How far a record reaches in the bytes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// It ends here, just past its newline.
    Ended(usize),
    /// It has no newline, and none of its fields is left open.
    Unended,
    /// It has no end, since a quoted field is not closed.
    Open,
}

/// The offset just past the newline that ends the record at the start of `bytes`, or `None` when it does not end in
/// them. A newline inside a quoted field ends nothing; a quote opens a field only as its first byte, and what follows
/// a closing quote is read as it is (the rules of `csv-core`). A blank line counts as a record here. O(record).
pub(crate) fn record_end(bytes: &[u8], delimiter: u8) -> Option<usize> {
    match measure(bytes, delimiter) {
        Record::Ended(end) => Some(end),
        Record::Unended | Record::Open => None,
    }
}

/// As [`record_end`], telling the two ways of not ending apart.
pub(super) fn measure(bytes: &[u8], delimiter: u8) -> Record {
    let mut from = 0;
    loop {
        // Here `from` is where a field or, after a closing quote, its unquoted tail begins.
        if bytes.get(from) == Some(&b'"') {
            match closing_quote(bytes, from + 1) {
                Some(close) => from = close + 1,
                None => return Record::Open,
            }
        }
        match memchr2(delimiter, b'\n', &bytes[from..]) {
            None => return Record::Unended,
            Some(n) if bytes[from + n] == b'\n' => return Record::Ended(from + n + 1),
            Some(n) => from += n + 1,
        }
    }
}

/// The quote that closes a field whose text begins at `from`: the first that is not doubled.
fn closing_quote(bytes: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let quote = from + memchr(b'"', &bytes[from..])?;
        if bytes.get(quote + 1) != Some(&b'"') {
            return Some(quote);
        }
        from = quote + 2;
    }
}
