//! How records become events: one format a file, one line a format in [`FORMATS`].
//!
//! A format finds the values of the wanted fields in each record; [`Extract`] says which they are and turns the
//! values into events or rejections, so that every format judges keys, times and weights alike.

mod combined;
mod counts;
mod csv;
mod detect;
mod extract;
mod lines;
mod logfmt;
mod ndjson;
mod regex;

use std::sync::Arc;

use crate::event::{Events, MAX_RECORD, Reason};
pub(crate) use csv::record_end;
pub use extract::{Extract, Wanted};

/// Reads whole records of one input.
pub trait Parser: Send + Sync {
    /// Reads every record of `block`, which holds whole records (the last may lack its newline), and gives `out` their
    /// events and rejections in order. Any bytes are allowed; none panics.
    fn parse(&self, block: &[u8], out: &mut Events);
}

/// Where a record ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// At every newline.
    Lines,
    /// At every newline that is not inside a field quoted with `"` (RFC 4180); fields are split by this byte.
    Quoted(u8),
}

/// An input whose format is settled.
#[derive(Clone)]
pub struct Opened {
    /// Reads its records.
    pub parser: Arc<dyn Parser>,
    /// Where its records end.
    pub framing: Framing,
    /// How many bytes at its start are a header and no record.
    pub header: usize,
    /// Whether records carry no time of their own and happen when they arrive.
    pub arrival: bool,
}

/// Why an input cannot be opened in a format.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FormatError {
    /// No format has that name.
    #[error("there is no format \"{name}\"; choose one of: {known}")]
    Unknown {
        /// The name that was given.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// The format has no key of its own and none was named.
    #[error("the format {format} needs a --key{present}")]
    NoKey {
        /// The format's name.
        format: &'static str,
        /// The fields there are, as a clause, or nothing.
        present: String,
    },
    /// A field that was asked for is not one of the format's or of the header's.
    #[error("there is no field \"{field}\"; the fields are: {present}")]
    NoField {
        /// The field that was asked for.
        field: String,
        /// The fields there are.
        present: String,
    },
    /// The `regex` format was chosen without a pattern, or the pattern does not compile.
    #[error("--pattern: {0}")]
    Pattern(String),
    /// A header line that cannot be read.
    #[error("the header line cannot be read: {0}")]
    Header(String),
}

/// One format: its name for the command line, a line of help, and how an input in it is opened.
pub struct Format {
    /// The name, as in `--format`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// Settles the format of an input that starts with the given bytes: up to 64 KiB, fewer only when there are no more.
    pub open: fn(&Wanted, &[u8]) -> Result<Opened, FormatError>,
}

/// Every format, in the order in which help lists them.
pub const FORMATS: &[Format] = &[
    Format { name: "auto", about: "settled from the first 64 KiB of each input", open: detect::open },
    Format { name: "lines", about: "the whole line is the key", open: lines::open },
    Format { name: "csv", about: "comma-separated, with a header line (RFC 4180)", open: csv::open_csv },
    Format { name: "tsv", about: "tab-separated, with a header line", open: csv::open_tsv },
    Format { name: "ndjson", about: "one JSON object a line; a.b and tags[] reach inside", open: ndjson::open },
    Format { name: "logfmt", about: "key=value pairs", open: logfmt::open },
    Format { name: "combined", about: "the combined log format of web servers", open: combined::open_combined },
    Format { name: "common", about: "the common log format of web servers", open: combined::open_common },
    Format { name: "regex", about: "the named groups of --pattern", open: regex::open },
    Format { name: "counts", about: "a weight, white space, a key: as uniq -c prints", open: counts::open },
];

/// Opens an input that starts with `sample` in the format called `name`.
///
/// # Errors
/// [`FormatError`] when no format has that name or the format cannot give the wanted fields.
pub fn open(name: &str, wanted: &Wanted, sample: &[u8]) -> Result<Opened, FormatError> {
    let format = FORMATS.iter().find(|f| f.name == name).ok_or_else(|| FormatError::Unknown {
        name: name.into(),
        known: FORMATS.iter().map(|f| f.name).collect::<Vec<_>>().join(" "),
    })?;
    (format.open)(wanted, sample)
}

/// The UTF-8 byte order mark, which some programs put at the start of a file.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// How many bytes of byte order mark `sample` starts with.
fn bom(sample: &[u8]) -> usize {
    if sample.starts_with(BOM) { BOM.len() } else { 0 }
}

/// Calls `each` with the offset and the bytes of every line of `block`, without its `\n` or `\r\n`.
pub(crate) fn for_each_line(block: &[u8], mut each: impl FnMut(usize, &[u8])) {
    let mut from = 0;
    for end in memchr::memchr_iter(b'\n', block).chain((!block.ends_with(b"\n")).then_some(block.len())) {
        if from == block.len() {
            break;
        }
        let line = &block[from..end];
        each(from, line.strip_suffix(b"\r").unwrap_or(line));
        from = end + 1;
    }
}

/// Calls `each` with the offset and the bytes of every line of `block` that is not blank and not too long to be a
/// record; lines over [`MAX_RECORD`] are rejected.
fn for_each_record<'b>(block: &'b [u8], out: &mut Events, mut each: impl FnMut(usize, &'b [u8], &mut Events)) {
    let mut from = 0;
    while from < block.len() {
        let line = line_at(block, from);
        if let Some(record) = record(from, line, out) {
            each(from, record, out);
        }
        from += line.len() + 1;
    }
}

/// The line that starts at `from`, without its `\n`.
fn line_at(block: &[u8], from: usize) -> &[u8] {
    let rest = &block[from..];
    &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())]
}

/// The record in the line at `at`: without a `\r` at its end; `None` when the line is blank, or too long and rejected.
fn record<'b>(at: usize, line: &'b [u8], out: &mut Events) -> Option<&'b [u8]> {
    let record = line.strip_suffix(b"\r").unwrap_or(line);
    if record.len() > MAX_RECORD {
        out.reject(at, Reason::TooLong);
        return None;
    }
    (!is_blank(record)).then_some(record)
}

/// Whether a line holds nothing but spaces and tabs, and so is no record.
fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}
