//! Rows with other columns than rankings have, in the outputs that rankings have.

use std::borrow::Cow;
use std::io::{self, Write};

use hitters_dataflows::ranking::{Estimate, State, Window};

use super::follow::Followed;
use super::movers::Movers;
use crate::sink::csv::quoted;
use crate::sink::key::{key_text, printable};
use crate::sink::number::thousands;
use crate::sink::record::share;
use crate::sink::table::{Column, aligned, numbers};
use crate::sink::time::Rfc3339;

/// One value.
enum Cell {
    Time(i64),
    Word(&'static str),
    Key(Vec<u8>),
    Count(u64),
    Total(u128),
    Change(i128),
    Share(f64),
    /// A number that there is not.
    None,
}

/// A column: its name, and whether people need it.
type Heading = (&'static str, bool);

/// The columns of rankings, as a key's row shows them.
const FOLLOWED: [Heading; 9] = [
    ("window_start", true),
    ("window_end", true),
    ("state", false),
    ("rank", true),
    ("key", true),
    ("count", true),
    ("low", false),
    ("high", false),
    ("share", true),
];

const MOVED: [Heading; 11] = [
    ("window_start", false),
    ("window_end", false),
    ("state", false),
    ("rank", true),
    ("key", true),
    ("count", true),
    ("low", false),
    ("high", false),
    ("share", true),
    ("before", true),
    ("change", true),
];

const KEPT: [Heading; 5] =
    [("window_start", true), ("window_end", true), ("state", true), ("keys", true), ("total", true)];

/// A window that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Which.
    pub window: Window,
    /// How settled it is.
    pub state: State,
    /// The number of its keys, once it is stored.
    pub keys: Option<u64>,
    /// The total weight of its keys.
    pub total: u128,
}

/// Writes what windows there are to `output`, one of `table`, `ndjson` and `csv`.
///
/// # Errors
/// What the writer reports.
pub fn windows(output: &str, rows: &[Kept], to: &mut dyn Write) -> io::Result<()> {
    let row = |row: &Kept| {
        let keys = row.keys.map_or(Cell::None, Cell::Count);
        let [start, end] = [row.window.start, row.window.end].map(Cell::Time);
        vec![start, end, Cell::Word(row.state.name()), keys, Cell::Total(row.total)]
    };
    write(output, &KEPT, rows.iter().map(row).collect(), to)
}

/// Writes a key's counts over time to `output`, one of `table`, `ndjson` and `csv`.
///
/// # Errors
/// What the writer reports.
pub fn followed(output: &str, key: &[u8], rows: &[Followed], to: &mut dyn Write) -> io::Result<()> {
    let row = |row: &Followed| {
        let rank = row.rank.map_or(Cell::None, Cell::Count);
        cells(row.window, row.state, rank, key, row.count, row.total)
    };
    write(output, &FOLLOWED, rows.iter().map(row).collect(), to)
}

/// Writes what changed most to `output`, one of `table`, `ndjson` and `csv`.
///
/// # Errors
/// What the writer reports.
pub fn moved(output: &str, movers: &Movers, to: &mut dyn Write) -> io::Result<()> {
    let row = |(rank, row): (u64, &super::movers::Mover)| {
        let mut cells = cells(movers.window, movers.state, Cell::Count(rank), &row.key, row.now, movers.total);
        cells.extend([Cell::Count(row.before.count), Cell::Change(row.change())]);
        cells
    };
    write(output, &MOVED, (1..).zip(&movers.rows).map(row).collect(), to)
}

/// The values of the columns that both have.
fn cells(window: Window, state: State, rank: Cell, key: &[u8], count: Estimate, total: u128) -> Vec<Cell> {
    vec![
        Cell::Time(window.start),
        Cell::Time(window.end),
        Cell::Word(state.name()),
        rank,
        Cell::Key(key.to_vec()),
        Cell::Count(count.count),
        Cell::Count(count.low),
        Cell::Count(count.high),
        Cell::Share(share(count.count, total)),
    ]
}

fn write(output: &str, headings: &[Heading], rows: Vec<Vec<Cell>>, to: &mut dyn Write) -> io::Result<()> {
    match output {
        "table" => write_table(headings, &rows, to),
        "csv" => {
            writeln!(to, "{}", headings.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(","))?;
            rows.iter().try_for_each(|row| {
                let row: Vec<String> = row.iter().map(|cell| quoted(&cell.text()).into_owned()).collect();
                writeln!(to, "{}", row.join(","))
            })
        }
        _ => rows.iter().try_for_each(|row| {
            let field = |((name, _), cell): (&Heading, &Cell)| format!("\"{name}\":{}", cell.json());
            writeln!(to, "{{{}}}", headings.iter().zip(row).map(field).collect::<Vec<_>>().join(","))
        }),
    }
}

fn write_table(headings: &[Heading], rows: &[Vec<Cell>], to: &mut dyn Write) -> io::Result<()> {
    let shown = headings.iter().enumerate().filter(|(_, (_, is_shown))| *is_shown);
    let columns = shown.map(|(at, (name, _))| {
        let cells = rows.iter().map(|row| row[at].shown());
        match *name {
            "key" => Column {
                cells: std::iter::once(Cow::Borrowed(*name)).chain(cells.map(Cow::Owned)).collect(),
                is_key: true,
            },
            _ => numbers(name, cells),
        }
    });
    aligned(columns.collect(), None).iter().try_for_each(|line| writeln!(to, "{line}"))
}

impl Cell {
    fn text(&self) -> String {
        match self {
            Cell::Time(time) => Rfc3339(*time).to_string(),
            Cell::Word(word) => (*word).into(),
            Cell::Key(key) => key_text(key).into_owned(),
            Cell::Count(count) => count.to_string(),
            Cell::Total(total) => total.to_string(),
            Cell::Change(change) => change.to_string(),
            Cell::Share(share) => share.to_string(),
            Cell::None => String::new(),
        }
    }

    fn json(&self) -> String {
        match self {
            Cell::Time(_) | Cell::Word(_) | Cell::Key(_) => serde_json::Value::from(self.text()).to_string(),
            Cell::Share(share) => serde_json::Value::from(*share).to_string(),
            Cell::None => "null".into(),
            Cell::Count(_) | Cell::Total(_) | Cell::Change(_) => self.text(),
        }
    }

    fn shown(&self) -> String {
        match self {
            Cell::Key(key) => printable(key).into_owned(),
            Cell::Count(count) => thousands(*count),
            Cell::Total(total) => thousands(*total),
            Cell::Change(change) if *change > 0 => format!("+{}", thousands(change.unsigned_abs())),
            Cell::Change(change) if *change < 0 => format!("-{}", thousands(change.unsigned_abs())),
            Cell::Share(share) => format!("{:.2}%", 100.0 * share),
            Cell::None => "-".into(),
            _ => self.text(),
        }
    }
}
