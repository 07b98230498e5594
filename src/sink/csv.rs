//! Comma-separated rows under a header line (RFC 4180, lines ending in `\n`).

use std::borrow::Cow;
use std::io::{self, Write};

use hitters_dataflows::ranking::Ranking;

use super::page::Pages;
use super::record::{COLUMNS, for_each_record};
use super::terminal::Terminal;
use super::{Output, Sink};

struct Csv {
    pages: Pages,
    headed: bool,
}

pub(super) fn open(output: Output, _: Option<Terminal>) -> Box<dyn Sink> {
    Box::new(Csv { pages: Pages::new(output), headed: false })
}

impl Csv {
    fn head(&mut self) -> io::Result<()> {
        if self.headed {
            return Ok(());
        }
        self.headed = true;
        write_head(self.pages.page())
    }
}

impl Sink for Csv {
    fn write(&mut self, ranking: &Ranking) -> io::Result<()> {
        self.head()?;
        write_rows(ranking, self.pages.page())?;
        self.pages.send()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.head()?;
        self.pages.send()
    }
}

/// Writes the header line.
pub(crate) fn write_head(page: &mut Vec<u8>) -> io::Result<()> {
    writeln!(page, "{}", COLUMNS.join(","))
}

/// Writes the rows of a ranking.
pub(crate) fn write_rows(ranking: &Ranking, page: &mut Vec<u8>) -> io::Result<()> {
    for_each_record(ranking, |r| {
        write!(page, "{},{},{},{},{},", r.window_start, r.window_end, r.state, r.rank, quoted(&r.key))?;
        writeln!(page, "{},{},{},{},{},{}", r.count, r.low, r.high, r.share, r.confidence, r.certified)
    })
}

/// A field as RFC 4180 has it: in quotes, with its own doubled, when it holds a comma, a quote or a line break.
pub(crate) fn quoted(field: &str) -> Cow<'_, str> {
    if field.contains([',', '"', '\r', '\n']) {
        return Cow::Owned(format!("\"{}\"", field.replace('"', "\"\"")));
    }
    Cow::Borrowed(field)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::{Written, exact, ranking, row};
    use super::*;

    const HEADER: &str = "window_start,window_end,state,rank,key,count,low,high,share,confidence,certified\n";

    #[test]
    fn one_header_then_rows() {
        let written = Written::default();
        let mut sink = open(written.output(), None);
        sink.write(&ranking()).unwrap();
        sink.write(&Ranking { rows: vec![row(b"/c", 20, 15, 25)], confidence: 0.99, ..ranking() }).unwrap();
        sink.finish().unwrap();
        let rows = concat!(
            "2026-01-01T10:00:00Z,2026-01-01T11:00:00Z,final,1,/a,3000,3000,3000,0.75,1,true\n",
            "2026-01-01T10:00:00Z,2026-01-01T11:00:00Z,final,2,/b,1000,1000,1000,0.25,1,true\n",
            "2026-01-01T10:00:00Z,2026-01-01T11:00:00Z,final,1,/c,20,15,25,0.005,0.99,false\n",
        );
        assert_eq!(written.text(), format!("{HEADER}{rows}"));
    }

    #[test]
    fn no_ranking_is_a_header() {
        let written = Written::default();
        open(written.output(), None).finish().unwrap();
        assert_eq!(written.text(), HEADER);
    }

    #[test]
    fn fields_are_quoted_where_needed() {
        for (field, text) in [("", ""), ("a b", "a b"), ("a,b", "\"a,b\""), ("a\"b", "\"a\"\"b\""), ("a\n", "\"a\n\"")]
        {
            assert_eq!(quoted(field), text);
        }
    }

    #[test]
    fn keys_are_quoted_and_shares_never_in_exponents() {
        let written = Written::default();
        let odd = Ranking { total: 1_000_000, rows: vec![exact(b"a,\xff", 1)], ..ranking() };
        open(written.output(), None).write(&odd).unwrap();
        assert!(written.text().ends_with(",final,1,\"a,\\xff\",1,1,1,0.000001,1,true\n"), "{}", written.text());
    }
}
