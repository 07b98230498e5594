//! Tables on a terminal: settled rankings scroll by and stay, the open windows are repainted in place below them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use console::truncate_str;
use hitters_dataflows::ranking::{Ranking, State, Window};

use super::page::Pages;
use super::table::{first_lines, lines, write_lines};
use super::terminal::{Size, Terminal};
use super::{Output, Sink};

/// Keeps the last early ranking of every open window.
struct Live {
    pages: Pages,
    terminal: Terminal,
    open: BTreeMap<Window, Ranking>,
    drawn: usize,
}

pub(super) fn open(output: Output, terminal: Terminal) -> Box<dyn Sink> {
    Box::new(Live { pages: Pages::new(output), terminal, open: BTreeMap::new(), drawn: 0 })
}

impl Sink for Live {
    fn write(&mut self, ranking: &Ranking) -> io::Result<()> {
        let size = self.terminal.size();
        self.erase()?;
        if ranking.state == State::Early {
            self.open.insert(ranking.window, ranking.clone());
        } else {
            self.open.remove(&ranking.window);
            write_lines(self.pages.page(), &lines(ranking, Some(size.columns)))?;
        }
        self.draw(size)?;
        self.pages.send()
    }

    /// Leaves the last early rankings of the windows that never closed, in full.
    fn finish(&mut self) -> io::Result<()> {
        if self.open.is_empty() {
            return self.pages.send();
        }
        let size = self.terminal.size();
        self.erase()?;
        for ranking in std::mem::take(&mut self.open).values() {
            write_lines(self.pages.page(), &lines(ranking, Some(size.columns)))?;
        }
        self.pages.send()
    }
}

impl Live {
    /// Takes the drawing away, and a line of progress that standard error may have put below it: to the first column of
    /// its first line, then clear all below (ECMA-48 CPL and ED).
    fn erase(&mut self) -> io::Result<()> {
        match std::mem::take(&mut self.drawn) {
            0 => write!(self.pages.page(), "\r\x1b[J"),
            drawn => write!(self.pages.page(), "\x1b[{drawn}F\x1b[J"),
        }
    }

    /// Draws the open windows, without line wrap (DECAWM), so that a character of unforeseen width cannot move the
    /// drawing. The line of the cursor, below the drawing, needs a row too.
    fn draw(&mut self, size: Size) -> io::Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        let heights: Vec<usize> = self.open.values().map(height).collect();
        let page = self.pages.page();
        page.extend_from_slice(b"\x1b[?7l");
        for (ranking, rows) in self.open.values().zip(allotted(&heights, size.rows.saturating_sub(1))) {
            let lines = cut(ranking, rows, size.columns);
            lines.iter().try_for_each(|line| writeln!(page, "{line}"))?;
            self.drawn += lines.len();
        }
        page.extend_from_slice(b"\x1b[?7h");
        Ok(())
    }
}

/// The lines of a whole table: its heading, and the titles and rows when there are rows.
fn height(ranking: &Ranking) -> usize {
    1 + if ranking.rows.is_empty() { 0 } else { 1 + ranking.rows.len() }
}

/// How many of `rows` lines each table gets: its height, or an even part of what the tables before it left. When there
/// are more tables than lines, the first get one each.
fn allotted(heights: &[usize], rows: usize) -> Vec<usize> {
    let mut left = rows;
    let mut parts = Vec::with_capacity(heights.len());
    for (at, &height) in heights.iter().enumerate() {
        let even = (left / (heights.len() - at)).max(1);
        let part = height.min(even).min(left);
        left -= part;
        parts.push(part);
    }
    parts
}

/// A table in at most `rows` lines: whole, or its first rows and how many more there are, or its heading alone.
fn cut(ranking: &Ranking, rows: usize, columns: usize) -> Vec<String> {
    const AROUND_ROWS: usize = 3;
    match rows {
        0 => Vec::new(),
        _ if height(ranking) <= rows => lines(ranking, Some(columns)),
        _ if rows <= AROUND_ROWS => first_lines(ranking, 0, Some(columns)),
        _ => {
            let shown = rows - AROUND_ROWS;
            let mut lines = first_lines(ranking, shown, Some(columns));
            lines.push(truncate_str(&format!("      … {} more", ranking.rows.len() - shown), columns, "").into_owned());
            lines
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::{HOUR, TEN, Written, exact, ranking};
    use super::*;

    fn early(hours: i64, rows: usize) -> Ranking {
        let window = Window { start: TEN + hours * HOUR, end: TEN + (hours + 1) * HOUR };
        let rows = (0..rows).map(|at| exact(format!("/{at}").as_bytes(), 9)).collect();
        Ranking { window, state: State::Early, total: 900, confidence: 1.0, rows }
    }

    fn live(rows: usize, columns: usize) -> (Written, Box<dyn Sink>) {
        let written = Written::default();
        let sink = open(written.output(), Terminal::fixed(Size { rows, columns }));
        (written, sink)
    }

    #[test]
    fn early_rankings_repaint_and_final_ones_stay_above() {
        let (written, mut sink) = live(24, 80);
        sink.write(&early(0, 1)).unwrap();
        let drawing = "\
2026-01-01T10:00:00Z .. 11:00:00Z  early  total 900
rank  key  count  share
   1  /0       9  1.00%
";
        assert_eq!(written.take(), format!("\r\x1b[J\x1b[?7l{drawing}\x1b[?7h"));
        sink.write(&early(0, 1)).unwrap();
        assert_eq!(written.take(), format!("\x1b[3F\x1b[J\x1b[?7l{drawing}\x1b[?7h"));

        sink.write(&early(1, 0)).unwrap();
        let next = "2026-01-01T11:00:00Z .. 12:00:00Z  early  total 900\n";
        assert_eq!(written.take(), format!("\x1b[3F\x1b[J\x1b[?7l{drawing}{next}\x1b[?7h"));

        sink.write(&ranking()).unwrap();
        let settled = "\
2026-01-01T10:00:00Z .. 11:00:00Z  final  total 4,000
rank  key  count   share
   1  /a   3,000  75.00%
   2  /b   1,000  25.00%

";
        assert_eq!(written.take(), format!("\x1b[4F\x1b[J{settled}\x1b[?7l{next}\x1b[?7h"));

        sink.finish().unwrap();
        assert_eq!(written.take(), format!("\x1b[1F\x1b[J{next}\n"));
        sink.finish().unwrap();
        assert_eq!(written.take(), "");
    }

    #[test]
    fn a_drawing_leaves_a_row_for_the_cursor_and_says_what_it_left_out() {
        let (written, mut sink) = live(6, 80);
        sink.write(&early(0, 10)).unwrap();
        let text = written.take();
        assert_eq!(text.matches('\n').count(), 5);
        assert!(text.ends_with("   2  /1       9  1.00%\n      … 8 more\n\x1b[?7h"), "{text}");
        sink.finish().unwrap();
        assert_eq!(written.take().matches('\n').count(), 1 + 1 + 10 + 1);
    }

    #[test]
    fn any_terminal_and_any_number_of_windows_fit() {
        for rows in 0..30 {
            for columns in [0, 1, 20, 80] {
                let (written, mut sink) = live(rows, columns);
                for at in 0..9 {
                    written.take();
                    sink.write(&early(at, at as usize)).unwrap();
                    assert!(written.text().matches('\n').count() <= rows.saturating_sub(1), "{rows} x {columns}");
                }
            }
        }
    }

    #[test]
    fn lines_are_shared_out() {
        assert_eq!(allotted(&[12, 12], 40), [12, 12]);
        assert_eq!(allotted(&[3, 12, 12], 20), [3, 8, 9]);
        assert_eq!(allotted(&[12, 12, 12], 2), [1, 1, 0]);
        assert_eq!(allotted(&[], 9), [0; 0]);
    }
}
