//! What users feel: events and bytes per second of the whole program, and of each of its stages on one core.
//!
//! `cargo bench` prints one table: medians of five runs on seeded events (2 million, 100 thousand keys, skewed and flat).
//! `cargo bench -- --events 20M` takes more.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hitters::generate::{self, GenerateArgs};
use hitters::quantity;
use hitters_dataflows::count::table::Table;
use hitters_dataflows::ingest::{Event, Ingest, IngestSettings};
use hitters_dataflows::mark::Mark;
use hitters_dataflows::sketch::{Sketch, SpaceSaving};
use hitters_dataflows::window::Windows;
use hitters_inputs::event::Events;
use hitters_inputs::format::{self, Wanted};

const RUNS: usize = 5;
const HOUR: i64 = 3_600_000;

fn main() {
    let typed: Vec<String> = std::env::args().collect();
    let events = typed.iter().position(|a| a == "--events").map_or("2M", |at| &typed[at + 1]);
    let events = quantity::number(events).expect("--events takes a number such as 20M");
    let dir = tempfile::tempdir().expect("a directory for the inputs");
    println!("{:32} {:>12} {:>10} {:>9} {:>9}", "what", "events/s", "MB/s", "seconds", "peak MiB");
    for (name, skew) in [("skewed (1.05)", 1.05), ("flat (0)", 0.0)] {
        for format in ["csv", "ndjson", "combined"] {
            let input = generated(events, skew, format);
            parse(&format!("parse {format}, {name}"), &input, format);
            let path = dir.path().join("input");
            fs::write(&path, &input).expect("room for the input");
            for args in [&["-w", "1"][..], &["-w", "2"], &["-w", "2", "--mode", "exact"]] {
                let what = format!("run {format} {}, {name}", args.join(" "));
                end_to_end(&what, &path, format, args, events, input.len());
            }
        }
        stages(name, &generated(events, skew, "csv"));
    }
}

/// One line of the table: the median of five runs.
fn report(what: &str, events: u64, bytes: usize, mut run: impl FnMut() -> Option<u64>) {
    let mut times = Vec::new();
    let mut peak = None;
    for _ in 0..RUNS {
        let began = Instant::now();
        peak = run().max(peak);
        times.push(began.elapsed());
    }
    times.sort();
    let seconds = times[RUNS / 2].as_secs_f64();
    let peak = peak.map_or(String::new(), |kib| (kib / 1024).to_string());
    let (rate, speed) = (events as f64 / seconds, bytes as f64 / seconds / 1e6);
    println!("{what:46} {rate:12.0} {speed:8.0} {seconds:9.3} {peak:>9}");
}

fn generated(events: u64, skew: f64, format: &str) -> Vec<u8> {
    let args = GenerateArgs { events, skew, format: format.into(), ..GenerateArgs::default() };
    let mut input = Vec::new();
    generate::run(&args, &mut input).expect("memory can be written to");
    input
}

fn parse(what: &str, input: &[u8], name: &str) {
    let opened = format::open(name, &Wanted::default(), &input[..64 << 10]).expect("generated inputs open");
    let records = &input[opened.header..];
    let mut events = Events::new(7);
    let mut count = 0;
    let blocks = || records.split_inclusive(|&b| b == b'\n').count() as u64;
    let total = blocks();
    report(what, total, records.len(), || {
        count = 0;
        let mut rest = records;
        while !rest.is_empty() {
            let end = rest[..rest.len().min(512 << 10)].iter().rposition(|&b| b == b'\n').map_or(rest.len(), |n| n + 1);
            events.begin(&rest[..end], 0, i64::MAX);
            opened.parser.parse(&rest[..end], &mut events);
            count += events.len() as u64;
            rest = &rest[end..];
        }
        None
    });
    assert_eq!(count, total, "every record gives an event");
}

/// Combining, counting, sketching and closing, each alone, on the parsed events.
fn stages(name: &str, input: &[u8]) {
    let opened = format::open("csv", &Wanted::default(), &input[..64 << 10]).expect("generated inputs open");
    let mut events = Events::new(7);
    let block = &input[opened.header..];
    events.begin(block, 0, i64::MAX);
    opened.parser.parse(block, &mut events);
    let count = events.len() as u64;
    let windows = Windows { lengths: vec![HOUR], out_of_orderness: 5000, allowed_lateness: 0 };
    let settings = IngestSettings { windows, exact: true, sketch: None };
    report(&format!("combine and pack, {name}"), count, 0, || {
        let mut ingest = Ingest::new(&settings, 0, 2);
        let given = events.iter(block).map(|e| Event { time: e.time, weight: e.weight, hash: e.hash, key: e.key });
        ingest.add_all(None, given, |_, _| {});
        std::hint::black_box(ingest.marked(Mark::Done).expect("no count overflows").len());
        None
    });
    report(&format!("count, {name}"), count, 0, || {
        let mut table = Table::default();
        events.iter(block).try_for_each(|e| table.add(e.hash, e.weight, e.key)).expect("no count overflows");
        std::hint::black_box(table.len());
        None
    });
    report(&format!("sketch of 1 MiB, {name}"), count, 0, || {
        let mut sketch = SpaceSaving::with_memory(1 << 20);
        events.iter(block).try_for_each(|e| sketch.add(e.hash, e.key, e.weight)).expect("no count overflows");
        std::hint::black_box(sketch.total());
        None
    });
}

fn end_to_end(what: &str, path: &Path, format: &str, args: &[&str], events: u64, bytes: usize) {
    report(what, events, bytes, || {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hitters"))
            .args(["run", "-k", "100", "-o", "ndjson", "-f", format])
            .args(args)
            .arg(path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut peak = 0;
        let status = loop {
            peak = peak_kib(child.id()).unwrap_or(0).max(peak);
            match child.try_wait().expect("the program can be waited for") {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        assert!(status.success(), "{what} failed");
        Some(peak)
    });
}

/// The most memory that a running process has held.
fn peak_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
