//! What users feel: events and bytes per second of the whole program, and of each of its stages on one core.
//!
//! `cargo bench` prints one table: medians of five runs on seeded events (2 million, 100 thousand keys, skewed and flat).
//! `cargo bench -- --events 20M` takes more.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hitters::generate::{self, GenerateArgs};
use hitters::quantity;
use hitters_dataflows::count::open::{CountSettings, OpenWindows};
use hitters_dataflows::count::table::Table;
use hitters_dataflows::ingest::{Batch, Event, Ingest, IngestSettings};
use hitters_dataflows::job::{self, Intake, JobSettings, Step};
use hitters_dataflows::mark::Mark;
use hitters_dataflows::operators::JobError;
use hitters_dataflows::operators::count::Watch;
use hitters_dataflows::sketch::{Sketch, SpaceSaving};
use hitters_dataflows::start::{Start, start};
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
    println!("{:46} {:>12} {:>8} {:>9} {:>9}", "what", "events/s", "MB/s", "seconds", "peak MiB");
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
        let csv = generated(events, skew, "csv");
        stages(name, &Input::of(&csv, csv.len())[0]);
        let blocks = Arc::new(Input::of(&csv, 256 << 10));
        for (way, two) in [("as they are", Start::Alone(2)), ("as bytes", Start::Bytes(2))] {
            exchange(&format!("exchange {way}, -w 2, {name}"), &blocks, two);
        }
    }
    for length in [8, 64] {
        keys_of(length, events as usize);
    }
}

/// How long one run took, and the most memory it held where that was seen.
type Run = (Duration, Option<u64>);

fn timed<T>(run: impl FnOnce() -> T) -> Run {
    let began = Instant::now();
    std::hint::black_box(run());
    (began.elapsed(), None)
}

/// One line of the table: the median of five runs.
fn report(what: &str, events: u64, bytes: usize, mut run: impl FnMut() -> Run) {
    let mut runs: Vec<Run> = (0..RUNS).map(|_| run()).collect();
    runs.sort();
    let seconds = runs[RUNS / 2].0.as_secs_f64();
    let peak = runs.iter().filter_map(|(_, peak)| *peak).max();
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
    let total = records.split_inclusive(|&b| b == b'\n').count() as u64;
    let mut parse = || {
        count = 0;
        for block in blocks(records, 256 << 10) {
            events.begin(block, 0, i64::MAX);
            opened.parser.parse(block, &mut events);
            count += events.len() as u64;
        }
    };
    report(what, total, records.len(), || timed(&mut parse));
    assert_eq!(count, total, "every record gives an event");
}

/// Whole lines in blocks of up to so many bytes.
fn blocks(lines: &[u8], length: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = lines;
    std::iter::from_fn(move || {
        let end = rest[..rest.len().min(length)].iter().rposition(|&b| b == b'\n')? + 1;
        let (block, others) = rest.split_at(end);
        rest = others;
        Some(block)
    })
}

/// Events that were parsed.
struct Input {
    block: Vec<u8>,
    events: Events,
}

impl Input {
    /// The events of a file in blocks of up to so many bytes.
    fn of(csv: &[u8], length: usize) -> Vec<Self> {
        let opened = format::open("csv", &Wanted::default(), &csv[..64 << 10]).expect("generated inputs open");
        let blocks = blocks(&csv[opened.header..], length).map(|block| {
            let (block, mut events) = (block.to_vec(), Events::new(7));
            events.begin(&block, 0, i64::MAX);
            opened.parser.parse(&block, &mut events);
            Input { block, events }
        });
        blocks.collect()
    }

    fn iter(&self) -> impl Iterator<Item = Event<'_>> {
        (0..self.len()).map(|number| self.event(number))
    }
}

impl Batch for Input {
    fn len(&self) -> usize {
        self.events.len()
    }

    fn times(&self) -> RangeInclusive<i64> {
        self.events.times()
    }

    fn hash(&self, number: usize) -> u64 {
        self.events.hash(number)
    }

    fn event(&self, number: usize) -> Event<'_> {
        let event = self.events.event(number, &self.block);
        Event { time: event.time, weight: event.weight, hash: event.hash, key: event.key }
    }
}

fn windows() -> Windows {
    Windows { lengths: vec![HOUR], out_of_orderness: 5000, allowed_lateness: 0 }
}

fn count_settings() -> CountSettings {
    CountSettings { windows: windows(), k: 100, keep: None, memory: usize::MAX, spill_dir: std::env::temp_dir() }
}

/// Combining, counting, sketching and closing, each alone, on parsed events.
fn stages(name: &str, input: &Input) {
    let count = input.events.len() as u64;
    let settings = IngestSettings { windows: windows(), exact: true, sketch: None };
    let combined = || {
        let mut ingest = Ingest::new(&settings, 0, 2);
        ingest.add_all(None, input, |_, _| {});
        ingest.marked(Mark::Done, true).expect("no count overflows")
    };
    report(&format!("combine and pack, {name}"), count, 0, || timed(combined));
    report(&format!("count, {name}"), count, 0, || {
        timed(|| {
            let mut table = Table::default();
            input.iter().try_for_each(|e| table.add(e.hash, e.weight, e.key)).expect("no count overflows");
            table
        })
    });
    report(&format!("sketch of 1 MiB, {name}"), count, 0, || {
        timed(|| {
            let mut sketch = SpaceSaving::with_memory(1 << 20);
            input.iter().try_for_each(|e| sketch.add(e.hash, e.key, e.weight)).expect("no count overflows");
            sketch
        })
    });
    // One worker's windows, of as many keys as there are.
    let parcels = combined();
    report(&format!("close three windows, {name}"), 3, 0, || {
        let mut open = OpenWindows::new(count_settings());
        parcels.iter().try_for_each(|parcel| open.add(&parcel.rows)).expect("no count overflows");
        timed(|| open.advance(i64::MAX, true, |_| {}).expect("nothing was spilled"))
    });
}

/// Counting keys of one length, each of them ten times, in random order.
fn keys_of(length: usize, events: usize) {
    let distinct = (events / 10).max(1) as u64;
    let mut csv = b"key\n".to_vec();
    for i in 0..events as u64 {
        let n = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        csv.extend_from_slice(format!("{:0length$}\n", n % distinct).as_bytes());
    }
    let input = &Input::of(&csv, csv.len())[0];
    report(&format!("count keys of {length} bytes"), events as u64, 0, || {
        timed(|| {
            let mut table = Table::default();
            input.iter().try_for_each(|e| table.add(e.hash, e.weight, e.key)).expect("no count overflows");
            table
        })
    });
}

/// Parsed blocks, of which each worker takes every other one.
struct Parsed {
    blocks: Arc<Vec<Input>>,
    next: usize,
    step: usize,
}

impl Intake for Parsed {
    fn read(&mut self) -> Step {
        if self.next < self.blocks.len() { Step::Read } else { Step::Done }
    }

    fn settle(&mut self, ingest: &mut Ingest) -> Mark {
        if let Some(block) = self.blocks.get(self.next) {
            ingest.add_all(None, block, |_, _| {});
            self.next += self.step;
        }
        Mark::At(i64::MIN)
    }
}

#[derive(Clone)]
struct Deaf;

impl Watch for Deaf {
    fn failed(&mut self, error: JobError) {
        panic!("{error}");
    }
}

/// The exact path of two workers from parsed events to rankings.
fn exchange(what: &str, blocks: &Arc<Vec<Input>>, two: Start) {
    let settings = JobSettings {
        count: count_settings(),
        exact: true,
        sketch: None,
        early: Duration::from_secs(5),
        spans: vec![1],
    };
    report(what, blocks.iter().map(|block| block.events.len() as u64).sum(), 0, || {
        let (settings, blocks) = (settings.clone(), blocks.clone());
        let two = match two {
            Start::Bytes(workers) => Start::Bytes(workers),
            _ => Start::Alone(2),
        };
        timed(|| {
            start(two, move |worker| {
                let mut intake = Parsed { blocks: blocks.clone(), next: worker.index(), step: worker.peers() };
                job::run(worker, &settings, &mut intake, |_| {}, Deaf);
            })
            .expect("workers start")
        })
    });
}

fn end_to_end(what: &str, path: &Path, format: &str, args: &[&str], events: u64, bytes: usize) {
    report(what, events, bytes, || {
        let began = Instant::now();
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
        (began.elapsed(), Some(peak))
    });
}

/// The most memory that a running process has held.
fn peak_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
