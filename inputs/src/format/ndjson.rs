//! `ndjson`: every line that is not blank is one JSON object (RFC 8259, UTF-8, nested at most 127 deep).
//!
//! A wanted field is a path: `user.id` reaches into objects, `tags[]` into each element of an array, which gives an
//! event for each; `items[].sku` and `items[].price` are of the same element. A top-level name that is the whole path,
//! dots and all, comes first. Strings count without their escapes, numbers, `true` and `false` as they are written,
//! objects and arrays without white space; `null` is the same as nothing. Of a name given twice, the last value counts.
//!
//! [`scan`] finds the members of most lines in one pass, faster for a line of the same [`shape`] as the one before;
//! whatever it does not take, [`object`] reads with `serde_json`.

mod names;
mod object;
mod path;
mod scan;
mod shape;
mod stops;

use std::borrow::Cow;
use std::sync::Arc;

use self::names::Names;
use self::object::Value;
use self::path::Path;
use self::scan::Lines;
use self::shape::Shape;
use self::stops::Stops;
use super::{Extract, FormatError, Framing, Opened, Parser, Wanted, bom, for_each_line, line_at, record};
use crate::event::{Events, MAX_RECORD, Reason};

/// The deepest nesting of objects and arrays that is read, the limit of `serde_json`.
const MAX_DEPTH: usize = 127;

/// Opens an input of JSON lines. The fields are the top-level names of the first line that can be read.
pub(super) fn open(wanted: &Wanted, sample: &[u8]) -> Result<Opened, FormatError> {
    let header = bom(sample);
    let extract = Extract::by_presence(wanted, "ndjson", &first_names(&sample[header..]))?;
    let arrival = extract.arrival();
    Ok(Opened { parser: Arc::new(Ndjson::new(extract)), framing: Framing::Lines, header, arrival })
}

fn first_names(sample: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for_each_line(sample, |_, line| {
        if names.is_empty()
            && let Some(members) = object::members(line)
        {
            names = members.into_iter().map(|(name, _)| name.into_owned()).collect();
        }
    });
    names
}

/// Whether a line is a JSON object.
pub(super) fn is_object(line: &[u8]) -> bool {
    object::members(line).is_some()
}

/// Reads the records of one input.
struct Ndjson {
    extract: Extract,
    paths: Vec<Path>,
    /// The top-level names that the paths start with.
    names: Names,
}

impl Ndjson {
    fn new(extract: Extract) -> Self {
        let mut names = Names::default();
        let paths = extract.fields().iter().map(|field| Path::new(field, &mut names)).collect();
        Ndjson { extract, paths, names }
    }

    /// Sets the values of a record whose wanted values are all at the top and written as they are; `None` for others.
    #[inline]
    fn plain<'b>(&self, found: &[Option<Value<'b>>], values: &mut [Option<&'b [u8]>]) -> Option<()> {
        for (value, path) in values.iter_mut().zip(&self.paths) {
            *value = match found[path.literal] {
                Some(value) => value.plain()?,
                None if path.is_flat() => None,
                None => return None,
            };
        }
        Some(())
    }

    /// Gives the events of a record that [`Ndjson::plain`] cannot read, and rejects it once if any of them fails.
    fn nested(&self, at: usize, line: &[u8], found: &[Option<Value<'_>>], out: &mut Events) {
        let found: Vec<_> = found.iter().map(|value| value.map(|value| value.raw)).collect();
        let rows = match path::rows(&self.paths, &found, line.len()) {
            Ok(rows) => rows,
            Err(why) => return out.reject(at, why),
        };
        let mut failed = None;
        for row in rows {
            if let Err(why) = self.row(at, &row, out) {
                failed.get_or_insert(why);
            }
        }
        if let Some(why) = failed {
            out.reject(at, why);
        }
    }

    fn row(&self, at: usize, row: &[Option<&[u8]>], out: &mut Events) -> Result<(), Reason> {
        let texts = row.iter().map(|raw| raw.map_or(Ok(None), object::text)).collect::<Result<Vec<_>, _>>()?;
        let values: Vec<_> = texts.iter().map(Option::<Cow<[u8]>>::as_deref).collect();
        self.extract.try_give(at, &values, out)
    }
}

impl Parser for Ndjson {
    fn parse(&self, block: &[u8], out: &mut Events) {
        let stops = Stops::of(block);
        let mut scan = Scan {
            lines: Lines::new(block, &stops),
            is_utf8: stops.is_ascii || std::str::from_utf8(block).is_ok(),
            names: &self.names,
            shape: Shape::default(),
            found: vec![None; self.names.len()],
        };
        let mut values = vec![None; self.paths.len()];
        let mut at = 0;
        while at < block.len() {
            let end = match scan.fast(at) {
                Some(end) if end - at <= MAX_RECORD => end,
                _ => {
                    let line = line_at(block, at);
                    if !scan.slow(at, line, out) {
                        at += line.len() + 1;
                        continue;
                    }
                    at + line.len()
                }
            };
            if self.plain(&scan.found, &mut values).is_some() {
                self.extract.give(at, &values, out);
            } else {
                self.nested(at, &block[at..end], &scan.found, out);
            }
            at = end + 1;
        }
    }
}

/// Finds the members of the wanted names in the lines of a block.
struct Scan<'p, 'b> {
    lines: Lines<'b>,
    is_utf8: bool,
    names: &'p Names,
    shape: Shape,
    /// The values of the last line.
    found: Vec<Option<Value<'b>>>,
}

impl<'b> Scan<'_, 'b> {
    /// Reads the line at `at`, as far as that can be done fast: where it ends.
    #[inline]
    fn fast(&mut self, at: usize) -> Option<usize> {
        if !self.is_utf8 {
            std::str::from_utf8(line_at(self.lines.block, at)).ok()?;
        }
        self.found.fill(None);
        self.shape.follow(self.lines, at, &mut self.found).or_else(|| {
            self.found.fill(None);
            self.lines.members(at, self.names, &mut self.found, &mut self.shape)
        })
    }

    /// Reads a line in any case; whether it is a record. One that should be is rejected.
    #[cold]
    fn slow(&mut self, at: usize, line: &'b [u8], out: &mut Events) -> bool {
        let Some(record) = record(at, line, out) else { return false };
        let Some(members) = object::members(record) else {
            out.reject(at, Reason::Malformed);
            return false;
        };
        self.found.fill(None);
        for (name, value) in members {
            if let Some(i) = self.names.find(name.as_bytes(), 0, name.len()) {
                self.found[i] = Some(Value { raw: value, text: None });
            }
        }
        true
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
