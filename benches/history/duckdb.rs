//! The same questions to DuckDB: over the export of all counts, and over the tables of the best of every minute.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use hitters::query::Answer;
use hitters::store::export::export;
use hitters::store::reader::Store;
use hitters::store::tables;
use hitters::store::writer::Writer;

/// How many questions it is asked.
const ASKED: usize = 50;

/// Asks DuckDB some of the questions that `answers` are of, with a Python that has it, and tells how much longer it takes.
/// What it sums up over the tables is equal only now and then: lists of the best of every minute do not add up to the best
/// of an hour.
pub fn ask(python: &str, dir: &Path, intervals: &[(i64, i64)], answers: &[Answer], k: usize) {
    let some = (0..intervals.len()).step_by((intervals.len() / ASKED).max(1));
    let questions: Vec<((i64, i64), &Answer)> = some.map(|at| (intervals[at], &answers[at])).collect();
    let mut ours: Vec<f64> = questions.iter().map(|(_, answer)| answer.effort.elapsed.as_secs_f64() * 1e3).collect();
    println!("{:29} {}", format!("here, {} of the questions:", ours.len()), percentiles(&mut ours));
    let scratch = tempfile::tempdir().expect("a directory for the export");
    let parquet = scratch.path().join("counts.parquet");
    write_export(dir, &parquet);
    against(python, &parquet, &questions, &ours, k);
    write_tables(dir, k);
    against(python, &dir.join(tables::NAME), &questions, &ours, k);
}

fn write_export(dir: &Path, path: &Path) {
    let began = Instant::now();
    let (store, file) = (Store::open(dir, 0).expect("a store"), File::create(path).expect("a file for the export"));
    let rows = export(&store, "1m", i64::MIN, i64::MAX, BufWriter::new(file)).expect("an export");
    println!("exported {rows} rows, {}, in {:.0} s", size(path), began.elapsed().as_secs_f64());
}

fn write_tables(dir: &Path, k: usize) {
    let began = Instant::now();
    let writer = Writer::open(dir, super::MINUTE).expect("no other writer");
    writer.with_tables(k, || ()).expect("room for the tables").finish().expect("nothing is left to write");
    println!(
        "wrote the {k} best of every window into tables, {}, in {:.0} s",
        size(&dir.join(tables::NAME)),
        began.elapsed().as_secs_f64()
    );
}

fn size(path: &Path) -> String {
    format!("{:.0} MB", std::fs::metadata(path).map_or(0, |file| file.len()) as f64 / 1e6)
}

/// Asks over one file; `ours` are the times taken here, sorted.
fn against(python: &str, path: &Path, questions: &[((i64, i64), &Answer)], ours: &[f64], k: usize) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/ask_duckdb.py");
    let mut asked = Command::new(python)
        .arg(script)
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a Python");
    let lines: String = questions.iter().map(|((from, to), _)| format!("{from} {to} {k}\n")).collect();
    let mut input = asked.stdin.take().expect("it is piped");
    std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = asked.wait_with_output().expect("what DuckDB says");
    assert!(output.status.success(), "that Python has no duckdb");
    let said = String::from_utf8(output.stdout).expect("text");
    let mut lines = said.lines();
    let name = lines.next().expect("who answers");
    let (mut theirs, mut equal) = (Vec::new(), 0);
    for (line, (_, answer)) in lines.zip(questions) {
        let columns: Vec<&str> = line.split('\t').collect();
        theirs.push(columns[0].parse::<f64>().expect("seconds") * 1e3);
        let rows = answer.rows.iter();
        let rows = rows.map(|row| (String::from_utf8_lossy(&row.key).into_owned(), row.estimate.count.to_string()));
        equal += usize::from(rows.eq(columns[1..].chunks(2).map(|row| (row[0].to_string(), row[1].to_string()))));
    }
    let total = |times: &[f64]| times.iter().sum::<f64>();
    let percentiles = percentiles(&mut theirs);
    println!(
        "{:29} {percentiles}: {:.0} times as long as here at the median, {:.0} times over all; {equal} of {} answers equal",
        format!("{name}:"),
        middle(&theirs) / middle(ours),
        total(&theirs) / total(ours),
        theirs.len()
    );
}

/// Sorts times, and says what half and nearly all of them stay below.
fn percentiles(times: &mut [f64]) -> String {
    times.sort_by(f64::total_cmp);
    let nearly_all = times[((times.len() - 1) as f64 * 0.99) as usize];
    format!("p50 {:.2} ms  p99 {nearly_all:.2}", middle(times))
}

fn middle(times: &[f64]) -> f64 {
    times[(times.len() - 1) / 2]
}
