//! Other tools read what a store gives them: DuckDB the Parquet export, DuckDB or SQLite the tables.
//!
//! With a Python that has `duckdb`: that of `HITTERS_PYTHON`, else `python3`. Without one there is nothing to test.
#![allow(clippy::unwrap_used)]

mod history;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use history::{DAY, HOUR, MINUTE, NEW_YEAR, open, some_days};
use hitters::store::export::export;
use hitters::store::writer::Writer;

/// A Python that has `duckdb`.
fn python() -> Option<String> {
    let python = std::env::var("HITTERS_PYTHON").unwrap_or_else(|_| "python3".into());
    let has_it = Command::new(&python).args(["-c", "import duckdb"]).stderr(Stdio::null()).status();
    has_it.is_ok_and(|status| status.success()).then_some(python)
}

/// Who answers, and the answers to intervals, as keys and counts.
fn ask(python: &str, source: &Path, intervals: &[(i64, i64)], k: usize) -> (String, Vec<Vec<(String, u64)>>) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/ask_duckdb.py");
    let mut asked =
        Command::new(python).arg(script).arg(source).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines: String = intervals.iter().map(|(from, to)| format!("{from} {to} {k}\n")).collect();
    asked.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = asked.wait_with_output().unwrap();
    assert!(output.status.success());
    let rows = |line: &str| {
        let columns: Vec<&str> = line.split('\t').skip(1).collect();
        columns.chunks(2).map(|row| (row[0].to_string(), row[1].parse().unwrap())).collect()
    };
    let said = String::from_utf8(output.stdout).unwrap();
    (said.lines().next().unwrap().into(), said.lines().skip(1).map(rows).collect())
}

#[test]
fn duckdb_finds_in_export_and_tables_what_is_true() {
    let Some(python) = python() else {
        println!("no Python with duckdb; set HITTERS_PYTHON to one to compare with DuckDB");
        return;
    };
    let (dir, truth) = (tempfile::tempdir().unwrap(), some_days(21, MINUTE, 2, 90, 6000));
    let mut writer = Writer::open(dir.path(), MINUTE).unwrap().with_tables(1000, || ()).unwrap();
    truth.put(&mut writer, 50);
    writer.finish().unwrap();
    let parquet = dir.path().join("counts.parquet");
    export(&open(dir.path()), "1m", i64::MIN, i64::MAX, File::create(&parquet).unwrap()).unwrap();
    let intervals: Vec<(i64, i64)> =
        [(0, 2 * DAY), (7 * MINUTE, 5 * HOUR), (DAY - HOUR, DAY + 3 * MINUTE), (0, MINUTE), (3 * DAY, 4 * DAY)]
            .map(|(from, to)| (NEW_YEAR + from, NEW_YEAR + to))
            .into();
    let expected: Vec<Vec<(String, u64)>> = intervals
        .iter()
        .map(|&(from, to)| {
            let rows = truth.top(from, to, 40).into_iter();
            rows.map(|row| (String::from_utf8(row.key).unwrap(), row.estimate.count)).collect()
        })
        .collect();
    assert!(expected[0].len() == 40 && expected[4].is_empty());
    let (name, found) = ask(&python, &parquet, &intervals, 40);
    assert!(name.ends_with(" over Parquet") && found == expected, "{name}");
    let (name, found) = ask(&python, &dir.path().join("hitters.sqlite"), &intervals, 40);
    let imports = |module| Command::new(&python).args(["-c", module]).stderr(Stdio::null()).status().unwrap().success();
    let wanted = if imports("import duckdb_extension_sqlite_scanner") { " over SQLite" } else { "SQLite " };
    assert!(name.contains(wanted) && found == expected, "{name}");
}
