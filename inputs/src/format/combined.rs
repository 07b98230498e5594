//! `combined` and `common`: the access logs of Apache httpd and nginx.
//!
//! ```text
//! %h %l %u [%t] "%r" %>s %b "%{Referer}i" "%{User-agent}i"
//! ```
//!
//! `common` lacks the last two fields and ignores whatever follows the first seven; `combined` ignores what follows the
//! ninth. Escapes inside quoted fields stay as they are written.

mod line;

use std::sync::Arc;

use self::line::{Line, Request};
use super::{Extract, FormatError, Framing, Opened, Parser, Wanted, bom, for_each_record};
use crate::event::{Events, Reason};
use crate::time::TimeFormat;

/// The fields of a line. `target` is the second word of the request, and `path` its part before `?`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    RemoteHost,
    Identity,
    User,
    Time,
    Method,
    Target,
    Path,
    Protocol,
    Status,
    Bytes,
    Referer,
    UserAgent,
}

/// Every field by name; the last two are those of `combined` alone.
const FIELDS: [(&str, Field); 12] = [
    ("remote_host", Field::RemoteHost),
    ("identity", Field::Identity),
    ("user", Field::User),
    ("time", Field::Time),
    ("method", Field::Method),
    ("target", Field::Target),
    ("path", Field::Path),
    ("protocol", Field::Protocol),
    ("status", Field::Status),
    ("bytes", Field::Bytes),
    ("referer", Field::Referer),
    ("user_agent", Field::UserAgent),
];

/// Opens an input of combined log lines.
pub(super) fn open_combined(wanted: &Wanted, sample: &[u8]) -> Result<Opened, FormatError> {
    open(wanted, sample, "combined", true)
}

/// Opens an input of common log lines.
pub(super) fn open_common(wanted: &Wanted, sample: &[u8]) -> Result<Opened, FormatError> {
    open(wanted, sample, "common", false)
}

fn open(wanted: &Wanted, sample: &[u8], format: &'static str, combined: bool) -> Result<Opened, FormatError> {
    let known = if combined { &FIELDS[..] } else { &FIELDS[..10] };
    let names: Vec<_> = known.iter().map(|(name, _)| name.to_string()).collect();
    let extract = Extract::new(wanted, format, Some("path"), Some(("time", TimeFormat::Clf)))?;
    let fields = extract.positions(&names)?.into_iter().map(|position| known[position].1).collect();
    let arrival = extract.arrival();
    let parser = Arc::new(Log { combined, extract, fields });
    Ok(Opened { parser, framing: Framing::Lines, header: bom(sample), arrival })
}

/// Whether `line` is one of the format.
pub(super) fn fits(line: &[u8], combined: bool) -> bool {
    Line::split(line, combined).is_some_and(|line| TimeFormat::Clf.parse(line.time).is_some())
}

struct Log {
    combined: bool,
    extract: Extract,
    fields: Vec<Field>,
}

impl Parser for Log {
    fn parse(&self, block: &[u8], out: &mut Events) {
        let mut values = vec![None; self.fields.len()];
        for_each_record(block, out, |at, line, out| {
            let Some(line) = Line::split(line, self.combined) else { return out.reject(at, Reason::Malformed) };
            let request = Request::split(line.request);
            for (value, &field) in values.iter_mut().zip(&self.fields) {
                *value = text(&line, request.as_ref(), field);
            }
            self.extract.give(at, &values, out);
        });
    }
}

#[inline]
fn text<'a>(line: &Line<'a>, request: Option<&Request<'a>>, field: Field) -> Option<&'a [u8]> {
    match field {
        Field::RemoteHost => Some(line.remote_host),
        Field::Identity => Some(line.identity),
        Field::User => Some(line.user),
        Field::Time => Some(line.time),
        Field::Method => request.map(|r| r.method),
        Field::Target => request.map(|r| r.target),
        Field::Path => request.map(|r| r.path()),
        Field::Protocol => request.and_then(|r| r.protocol),
        Field::Status => Some(line.status),
        Field::Bytes => Some(if line.bytes == b"-" { b"0" } else { line.bytes }),
        Field::Referer => line.referer,
        Field::UserAgent => line.user_agent,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
