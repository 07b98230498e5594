//! `csv` and `tsv`: RFC 4180 with a header line, or with the columns that the user names.
//!
//! Records without a quote are split by hand; those with one go through `csv-core`. Both end at a newline that is not
//! inside a quoted field; a carriage return before it belongs to neither.

mod quoted;
mod record;
mod short;

use std::ops::Range;
use std::sync::Arc;

use memchr::{memchr, memchr_iter};

use self::quoted::Quoted;
use self::record::{Record, measure};
use self::short::{Columns, Group, Newlines};
use super::extract::GROUP;
use super::{Extract, FormatError, Framing, Opened, Parser, Wanted, bom};
use crate::event::{Events, MAX_RECORD, Reason};
use crate::scan::{self, Finder, Search};

pub(crate) use self::record::record_end;

/// The longest header line, in bytes: what a format is shown of its input.
const MAX_HEADER: usize = 64 << 10;

/// Opens an input whose fields are split by commas.
pub(super) fn open_csv(wanted: &Wanted, sample: &[u8]) -> Result<Opened, FormatError> {
    open(wanted, sample, "csv", b',')
}

/// Opens an input whose fields are split by tabs.
pub(super) fn open_tsv(wanted: &Wanted, sample: &[u8]) -> Result<Opened, FormatError> {
    open(wanted, sample, "tsv", b'\t')
}

fn open(wanted: &Wanted, sample: &[u8], format: &'static str, delimiter: u8) -> Result<Opened, FormatError> {
    let (names, header) = match &wanted.columns {
        Some(columns) => (columns.clone(), bom(sample)),
        None => header(sample, delimiter)?,
    };
    let extract = Extract::by_presence(wanted, format, &names)?;
    // An empty input has no header, but no records either that could lack a field.
    let positions = if names.is_empty() { vec![0; extract.fields().len()] } else { extract.positions(&names)? };
    let arrival = extract.arrival();
    let parser = Arc::new(Table::new(delimiter, extract, &positions));
    Ok(Opened { parser, framing: Framing::Quoted(delimiter), header, arrival })
}

/// The names in the header line, and where the records start. An input of blank lines has no names.
fn header(sample: &[u8], delimiter: u8) -> Result<(Vec<String>, usize), FormatError> {
    let mut from = bom(sample);
    while let Some(blank) = [&b"\n"[..], b"\r\n"].into_iter().find(|blank| sample[from..].starts_with(blank)) {
        from += blank.len();
    }
    let rest = &sample[from..];
    let end = match measure(rest, delimiter) {
        Record::Ended(end) => end,
        Record::Unended if sample.len() < MAX_HEADER => rest.len(),
        Record::Unended => return Err(FormatError::Header(format!("it is longer than {MAX_HEADER} bytes"))),
        Record::Open => return Err(FormatError::Header("a quote is not closed; close it or give --columns".into())),
    };
    let line = without_newline(&rest[..end]);
    if line.is_empty() {
        return Ok((Vec::new(), from + end));
    }
    let mut quoted = Quoted::new(delimiter);
    let names = quoted.fields(line).map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    Ok((names, from + end))
}

/// Whether the first records of `sample` split into the same number of columns, and more than one.
pub(super) fn is_table(sample: &[u8], delimiter: u8) -> bool {
    let mut quoted = Quoted::new(delimiter);
    let mut columns = Vec::new();
    let mut from = 0;
    while columns.len() < 20 && from < sample.len() {
        let end = match measure(&sample[from..], delimiter) {
            Record::Ended(end) => from + end,
            Record::Unended if columns.is_empty() => sample.len(),
            Record::Unended | Record::Open => break,
        };
        let record = without_newline(&sample[from..end]);
        if !record.is_empty() {
            columns.push(quoted.fields(record).count());
        }
        from = end;
    }
    columns.first().is_some_and(|&first| first > 1 && columns.iter().all(|&count| count == first))
}

/// Reads the records of one input.
struct Table {
    delimiter: u8,
    extract: Extract,
    /// The wanted columns in ascending order, each with its place among the values.
    columns: Vec<(usize, usize)>,
    /// Of each value the column, as short records are [split](short::Columns).
    short: Columns,
}

impl Table {
    fn new(delimiter: u8, extract: Extract, positions: &[usize]) -> Self {
        let mut columns: Vec<_> = positions.iter().copied().zip(0..).collect();
        columns.sort_unstable();
        Table { delimiter, extract, columns, short: Columns::new(delimiter, positions) }
    }

    /// Finds the values of a line without quotes. Looks no further than the last wanted column.
    #[inline]
    fn split<'b>(&self, line: &'b [u8], values: &mut [Option<&'b [u8]>]) {
        values.fill(None);
        let mut start = 0;
        let mut wanted = self.columns.iter();
        let mut next = wanted.next();
        for (column, end) in memchr_iter(self.delimiter, line).chain([line.len()]).enumerate() {
            while let Some(&(at, value)) = next {
                if at != column {
                    break;
                }
                values[value] = Some(&line[start..end]);
                next = wanted.next();
            }
            if next.is_none() {
                return;
            }
            start = end + 1;
        }
    }

    /// As [`Table::split`] for a line with quotes; `None` when a quote is doubled or not at the end of its field, so that
    /// a field's value is not simply what its quotes hold.
    #[inline]
    fn split_quoted<'b>(&self, record: &'b [u8], values: &mut [Option<&'b [u8]>]) -> Option<()> {
        values.fill(None);
        let (mut column, mut start) = (0, 0);
        for &(at, value) in &self.columns {
            let mut field = field(record, start, self.delimiter)?;
            while column < at {
                match field.1 {
                    end if end < record.len() => start = end + 1,
                    _ => return Some(()),
                }
                column += 1;
                field = self::field(record, start, self.delimiter)?;
            }
            values[value] = Some(field.0);
        }
        Some(())
    }

    /// Reads the record with quotes that starts at `at`, and returns where the next one starts.
    fn quoted<'b>(
        &self,
        block: &'b [u8],
        at: usize,
        values: &mut [Option<&'b [u8]>],
        quoted: &mut Quoted,
        out: &mut Events,
    ) -> usize {
        let rest = &block[at..];
        let measured = measure(rest, self.delimiter);
        let length = if let Record::Ended(end) = measured { end } else { rest.len() };
        let record = without_newline(&rest[..length]);
        if record.len() > MAX_RECORD {
            out.reject(at, Reason::TooLong);
        } else if measured == Record::Open {
            out.reject(at, Reason::Malformed);
        } else if self.split_quoted(record, values).is_some() {
            self.extract.give(at, values, out);
        } else {
            let fields: Vec<_> = quoted.fields(record).collect();
            let mut values = vec![None; self.columns.len()];
            for &(column, value) in &self.columns {
                values[value] = fields.get(column).copied();
            }
            self.extract.give(at, &values, out);
        }
        at + length
    }
}

/// The value of the field that starts at `start`, and where its delimiter or the record's end is; `None` when its quotes
/// are unusual.
#[inline]
fn field(record: &[u8], start: usize, delimiter: u8) -> Option<(&[u8], usize)> {
    let rest = &record[start..];
    let Some(text) = rest.strip_prefix(b"\"") else {
        let length = memchr(delimiter, rest).unwrap_or(rest.len());
        return Some((&rest[..length], start + length));
    };
    let length = memchr(b'"', text)?;
    let end = start + length + 2;
    record.get(end).is_none_or(|&byte| byte == delimiter).then_some((&text[..length], end))
}

impl Parser for Table {
    fn parse(&self, block: &[u8], out: &mut Events) {
        scan::search(Parse { table: self, block, out });
    }
}

/// The records of a block, to be read.
struct Parse<'a> {
    table: &'a Table,
    block: &'a [u8],
    out: &'a mut Events,
}

impl Search for Parse<'_> {
    type Output = ();

    #[inline(always)]
    fn with(self, finder: impl Finder) {
        match self.table.columns.len() {
            1 => self.records::<1>(finder),
            2 => self.records::<2>(finder),
            3 => self.records::<3>(finder),
            _ => self.records::<0>(finder),
        }
    }
}

impl<'b> Parse<'b> {
    /// Reads records of `N` values, or of any number if `N` is 0.
    #[inline(always)]
    fn records<const N: usize>(mut self, finder: impl Finder) {
        let (mut newlines, mut group) = (Newlines::new(), short::group::<N>());
        let mut values = vec![None; self.table.columns.len()];
        let mut quoted = Quoted::new(self.table.delimiter);
        let (mut at, mut looked) = (0, 0);
        while looked < self.block.len() {
            looked = newlines.find(finder, self.block, looked);
            at = self.lines(finder, at, newlines.places(), &mut group, &mut values);
            if self.block.get(looked) == Some(&b'"') {
                at = self.table.quoted(self.block, at, &mut values, &mut quoted, self.out);
                looked = at;
            }
        }
        self.line(at..self.block.len(), &mut values);
    }

    /// Reads the lines without quotes that begin at `at` and end with these newlines; where the next one starts.
    #[inline(always)]
    fn lines<const N: usize>(
        &mut self,
        finder: impl Finder,
        mut at: usize,
        mut newlines: &[u32],
        group: &mut Group<'b, N>,
        values: &mut [Option<&'b [u8]>],
    ) -> usize {
        let Table { short, extract, .. } = self.table;
        while !newlines.is_empty() {
            let found = if N > 0 { short.split(finder, self.block, at, newlines, group) } else { &[] };
            extract.give_all(found, self.out);
            at = newlines[..found.len()].last().map_or(at, |&newline| newline as usize + 1);
            newlines = &newlines[found.len()..];
            if found.len() < GROUP
                && let [newline, rest @ ..] = newlines
            {
                self.line(at..*newline as usize, values);
                at = *newline as usize + 1;
                newlines = rest;
            }
        }
        at
    }

    /// Reads one line without quotes, of any length.
    fn line(&mut self, line: Range<usize>, values: &mut [Option<&'b [u8]>]) {
        let (at, line) = (line.start, without_newline(&self.block[line]));
        if line.len() > MAX_RECORD {
            self.out.reject(at, Reason::TooLong);
        } else if !line.is_empty() {
            self.table.split(line, values);
            self.table.extract.give(at, values, self.out);
        }
    }
}

/// A record without the newline that ends it, `\n` or `\r\n`.
fn without_newline(record: &[u8]) -> &[u8] {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    record.strip_suffix(b"\r").unwrap_or(record)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
