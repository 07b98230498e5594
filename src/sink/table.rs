//! Aligned text for people: a heading and a table a ranking, and an empty line after it.

use std::borrow::Cow;
use std::io::{self, Write};

use console::{measure_text_width, truncate_str};
use hitters_dataflows::ranking::{Estimate, Ranking, Row, Window};

use super::key::printable;
use super::number::thousands;
use super::page::Pages;
use super::record::share;
use super::terminal::Terminal;
use super::time::{Rfc3339, TimeOfDay, same_day};
use super::{Output, Sink, live};

/// What stands for the rest of a text that was cut to fit.
const CUT: &str = "…";
/// Keys are never cut below this width, in characters; where even that does not fit, whole lines are cut.
const NARROWEST_KEY: usize = 12;
/// Off terminals, keys up to this width are aligned, in characters.
const WIDEST_KEY: usize = 100;

struct Table(Pages);

pub(super) fn open(output: Output, terminal: Option<Terminal>) -> Box<dyn Sink> {
    match terminal {
        Some(terminal) => live::open(output, terminal),
        None => Box::new(Table(Pages::new(output))),
    }
}

impl Sink for Table {
    fn write(&mut self, ranking: &Ranking) -> io::Result<()> {
        write_lines(self.0.page(), &lines(ranking, None))?;
        self.0.send()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.send()
    }
}

/// Writes the lines of a table and an empty one.
pub(super) fn write_lines(page: &mut Vec<u8>, lines: &[String]) -> io::Result<()> {
    lines.iter().try_for_each(|line| writeln!(page, "{line}"))?;
    writeln!(page)
}

/// The table of a ranking, heading first, cut to `width` characters a line when one is given.
pub(super) fn lines(ranking: &Ranking, width: Option<usize>) -> Vec<String> {
    first_lines(ranking, usize::MAX, width)
}

/// As [`lines`], with the first `rows` rows alone. O(rows shown).
pub(super) fn first_lines(ranking: &Ranking, rows: usize, width: Option<usize>) -> Vec<String> {
    let rows = &ranking.rows[..rows.min(ranking.rows.len())];
    let mut lines = vec![heading(ranking)];
    if !rows.is_empty() {
        lines.extend(aligned(columns(rows, ranking.total), width));
    }
    match width {
        Some(width) => lines.iter().map(|line| truncate_str(line, width, CUT).into_owned()).collect(),
        None => lines,
    }
}

/// Which window, how settled, how much in all: `2026-01-01T10:00:00Z .. 11:00:00Z  final  total 1,234,567`. After it, how
/// many rows are certified unless all are, and how sure bounds are unless they are certain.
fn heading(ranking: &Ranking) -> String {
    let (rows, certified) = (ranking.rows.len(), ranking.rows.iter().filter(|row| row.certified).count());
    let mut heading = format!("{}  {}  total {}", span(ranking.window), ranking.state.name(), thousands(ranking.total));
    if certified < rows {
        heading += &format!("  certified {certified} of {rows}");
    }
    if ranking.confidence < 1.0 {
        heading += &format!("  confidence {:.4}", ranking.confidence);
    }
    heading
}

/// A window's start and end, without the end's date when it is the same.
fn span(Window { start, end }: Window) -> String {
    match same_day(start, end) {
        true => format!("{} .. {}", Rfc3339(start), TimeOfDay(end)),
        false => format!("{} .. {}", Rfc3339(start), Rfc3339(end)),
    }
}

/// One column of a table, title first.
pub(crate) struct Column<'a> {
    pub(crate) cells: Vec<Cow<'a, str>>,
    pub(crate) is_key: bool,
}

impl Column<'_> {
    fn width(&self) -> usize {
        self.cells.iter().map(|cell| measure_text_width(cell)).max().unwrap_or(0)
    }
}

/// The columns: rank, key, count and share, and the bounds when a count is not exact.
fn columns(rows: &[Row], total: u128) -> Vec<Column<'_>> {
    let keys = rows.iter().map(|row| printable(&row.key));
    let shares = rows.iter().map(|row| format!("{:.2}%", 100.0 * share(row.estimate.count, total)));
    let mut columns = vec![
        numbers("rank", (1..=rows.len()).map(|rank| rank.to_string())),
        Column { cells: std::iter::once("key".into()).chain(keys).collect(), is_key: true },
        numbers("count", rows.iter().map(|row| thousands(row.estimate.count))),
        numbers("share", shares),
    ];
    if rows.iter().any(|row| row.estimate.low < row.estimate.high) {
        columns.push(numbers("bounds", rows.iter().map(|row| bounds(row.estimate))));
    }
    columns
}

/// A column of numbers under a title.
pub(crate) fn numbers<'a>(title: &'static str, cells: impl Iterator<Item = String>) -> Column<'a> {
    Column { cells: std::iter::once(title.into()).chain(cells.map(Cow::Owned)).collect(), is_key: false }
}

/// `low..high`, or nothing for an exact count.
fn bounds(estimate: Estimate) -> String {
    match estimate.low == estimate.high {
        true => String::new(),
        false => format!("{}..{}", thousands(estimate.low), thousands(estimate.high)),
    }
}

/// The lines of a table: keys to the left, numbers to the right. Keys are cut so that lines fit in `width`; without one
/// they are whole, and those over [`WIDEST_KEY`] stick out instead of widening every line.
pub(crate) fn aligned(columns: Vec<Column<'_>>, width: Option<usize>) -> Vec<String> {
    let others: usize = columns.iter().map(|column| if column.is_key { 0 } else { 2 + column.width() }).sum();
    let widest_key = width.map_or(WIDEST_KEY, |width| width.saturating_sub(others).max(NARROWEST_KEY));
    let widths: Vec<usize> =
        columns.iter().map(|c| if c.is_key { c.width().min(widest_key) } else { c.width() }).collect();
    let cell = |(column, &to): (&Column<'_>, &usize), at: usize| match column.is_key {
        true if width.is_some() => filled_right(&truncate_str(&column.cells[at], to, CUT), to),
        true => filled_right(&column.cells[at], to),
        false => format!("{:>to$}", column.cells[at]),
    };
    let line = |at| columns.iter().zip(&widths).map(|pair| cell(pair, at)).collect::<Vec<_>>().join("  ");
    (0..columns[0].cells.len()).map(|at| line(at).trim_end().to_owned()).collect()
}

/// A text followed by spaces, `width` characters as terminals show it.
fn filled_right(text: &str, width: usize) -> String {
    format!("{text}{:fill$}", "", fill = width.saturating_sub(measure_text_width(text)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use hitters_dataflows::ranking::State;

    use super::super::testing::{HOUR, TEN, Written, exact, ranking, row};
    use super::*;

    #[test]
    fn exact_rows() {
        let written = Written::default();
        let mut sink = open(written.output(), None);
        sink.write(&ranking()).unwrap();
        sink.finish().unwrap();
        let expected = "\
2026-01-01T10:00:00Z .. 11:00:00Z  final  total 4,000
rank  key  count   share
   1  /a   3,000  75.00%
   2  /b   1,000  25.00%

";
        assert_eq!(written.text(), expected);
    }

    #[test]
    fn estimates_show_their_bounds() {
        let rows = vec![exact(b"/long/path", 12_000), row(b"/b", 1_000, 900, 1_100)];
        let window = Window { start: TEN, end: TEN + 24 * HOUR };
        let early = Ranking { window, rows, state: State::Early, total: 100_000, confidence: 0.99 };
        let expected = [
            "2026-01-01T10:00:00Z .. 2026-01-02T10:00:00Z  early  total 100,000  certified 1 of 2  confidence 0.9900",
            "rank  key          count   share      bounds",
            "   1  /long/path  12,000  12.00%",
            "   2  /b           1,000   1.00%  900..1,100",
        ];
        assert_eq!(lines(&early, None), expected);
    }

    #[test]
    fn a_ranking_without_rows_is_a_heading() {
        let empty = Ranking { rows: Vec::new(), total: 0, ..ranking() };
        assert_eq!(lines(&empty, None), ["2026-01-01T10:00:00Z .. 11:00:00Z  final  total 0"]);
    }

    #[test]
    fn wide_keys_are_cut_on_terminals_alone() {
        let long = Ranking { rows: vec![exact(&[b'k'; 100], 7)], ..ranking() };
        assert!(lines(&long, None)[2].contains(&"k".repeat(100)));
        let cut = lines(&long, Some(60));
        assert_eq!(cut[2], format!("   1  {}…      7  0.18%", "k".repeat(39)));
        assert_eq!(measure_text_width(&cut[2]), 60);
    }

    #[test]
    fn one_huge_key_does_not_widen_the_others() {
        let huge = Ranking { rows: vec![exact(&[b'k'; 60_000], 7), exact(b"/b", 3)], ..ranking() };
        assert!(lines(&huge, None)[3].len() < 130);
    }

    #[test]
    fn no_line_is_wider_than_its_terminal() {
        let rows = vec![row(&[b'k'; 100], u64::MAX, 0, u64::MAX), exact(b"\x1b[2J", 1)];
        let wide = Ranking { rows, ..ranking() };
        for width in 1..120 {
            assert!(lines(&wide, Some(width)).iter().all(|line| measure_text_width(line) <= width), "{width}");
        }
    }

    #[test]
    fn keys_stay_in_their_line() {
        let hostile = Ranking { rows: vec![exact(b"a\r\n\x1b[A", 7)], ..ranking() };
        let lines = lines(&hostile, None);
        assert!(lines[2].contains(r"a\r\n\u{1b}[A") && !lines.concat().contains(char::is_control));
    }
}
