//! Where rankings go: one sink a file, one line a sink in [`SINKS`].
//!
//! Every sink shows the columns of [`record::COLUMNS`] (the table: those a reader needs) with keys as [`key`] and times
//! as [`time`] write them. A ranking leaves in one write, followed by a flush, so that readers of a live stream see
//! whole rankings at once.

pub(crate) mod csv;
pub mod key;
mod live;
pub(crate) mod ndjson;
pub mod number;
mod page;
pub mod record;
pub(crate) mod table;
pub mod terminal;
pub mod time;

#[cfg(test)]
mod testing;

use std::io::{self, Write};

use hitters_dataflows::ranking::Ranking;
use terminal::Terminal;

/// Takes rankings in the order in which they come out.
pub trait Sink: Send {
    /// Writes one ranking and flushes it.
    ///
    /// # Errors
    /// What the output reports; a reader that has gone is [`io::ErrorKind::BrokenPipe`].
    fn write(&mut self, ranking: &Ranking) -> io::Result<()>;

    /// Writes what is left after the last ranking (a header when there was none) and flushes it.
    ///
    /// # Errors
    /// As for [`write`](Sink::write).
    fn finish(&mut self) -> io::Result<()>;
}

/// Where a sink's bytes go.
pub type Output = Box<dyn Write + Send>;

/// One sink: its name for the command line, a line of help, and how it is opened.
pub struct SinkEntry {
    /// The name, as in `--output`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// Opens it over an output; the terminal is given when the output is one.
    pub open: fn(Output, Option<Terminal>) -> Box<dyn Sink>,
}

/// Every sink, in the order in which help lists them.
pub const SINKS: &[SinkEntry] = &[
    SinkEntry {
        name: "table",
        about: "aligned text; on a terminal, early results repaint in place",
        open: table::open,
    },
    SinkEntry { name: "ndjson", about: "one JSON object a row and line", open: ndjson::open },
    SinkEntry { name: "csv", about: "comma-separated, with a header line (RFC 4180)", open: csv::open },
];

/// No sink has the name that was given.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("there is no output \"{name}\"; choose one of: {known}")]
pub struct UnknownSink {
    /// The name that was given.
    pub name: String,
    /// The names that there are.
    pub known: String,
}

/// Opens the sink called `name` over `output`; pass the terminal when `output` is one.
///
/// # Errors
/// [`UnknownSink`] when no sink has that name.
pub fn open(name: &str, output: Output, terminal: Option<Terminal>) -> Result<Box<dyn Sink>, UnknownSink> {
    let sink = SINKS.iter().find(|sink| sink.name == name).ok_or_else(|| UnknownSink {
        name: name.into(),
        known: SINKS.iter().map(|sink| sink.name).collect::<Vec<_>>().join(" "),
    })?;
    Ok((sink.open)(output, terminal))
}

/// The name of the sink to use when none was asked for: a table for people, NDJSON for programs.
pub fn default_name(on_terminal: bool) -> &'static str {
    if on_terminal { "table" } else { "ndjson" }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::testing::{Written, ranking};
    use super::*;

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let refused = open("xml", Box::new(io::sink()), None).err().unwrap();
        assert_eq!(refused.to_string(), "there is no output \"xml\"; choose one of: table ndjson csv");
    }

    #[test]
    fn every_sink_writes_and_flushes_a_ranking_at_once() {
        for entry in SINKS {
            let written = Written::default();
            let mut sink = open(entry.name, written.output(), None).unwrap();
            sink.write(&ranking()).unwrap();
            assert_eq!((written.writes(), written.flushes()), (1, 1), "{}", entry.name);
        }
    }

    #[test]
    fn every_sink_reports_a_reader_that_has_gone() {
        for entry in SINKS {
            let mut sink = open(entry.name, Box::new(testing::Closed), None).unwrap();
            assert_eq!(sink.write(&ranking()).unwrap_err().kind(), io::ErrorKind::BrokenPipe, "{}", entry.name);
        }
    }

    #[test]
    fn defaults_are_sinks() {
        for on_terminal in [true, false] {
            assert!(SINKS.iter().any(|sink| sink.name == default_name(on_terminal)));
        }
    }
}
