//! What keeping history costs: `cargo bench --bench write_cost`.
//!
//! A round runs one stream in windows of a minute without `--store`, twice with it, and without it again; its cost is the
//! share of the throughput that is missing with the store. Of the rounds the median is printed, and the least and the most.
//! `--events 100M`, a million keys, 111,111 events a minute; `--rounds 5`. A short stream costs more: most of its keys are
//! new to the store, and the last windows are written when nothing else is left to do.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use hitters::generate::{self, GenerateArgs};
use hitters::quantity;
use jiff::SignedDuration;

/// Events in a minute of event time: 20 million in three hours.
const A_MINUTE: u64 = 111_111;

/// The seconds that a run takes without and with a store.
struct Round {
    without: f64,
    with: f64,
}

impl Round {
    fn cost(&self) -> f64 {
        1.0 - self.without / self.with
    }
}

fn main() {
    let typed: Vec<String> = std::env::args().collect();
    let number = |name: &str, otherwise: u64| {
        let value = typed.iter().position(|a| a == name).map(|at| &typed[at + 1]);
        value.map_or(otherwise, |value| quantity::number(value).expect("a number such as 20M"))
    };
    let (events, rounds) = (number("--events", 100_000_000), number("--rounds", 5));
    let dir = tempfile::tempdir().expect("a directory for the input and the store");
    let input = dir.path().join("events.csv");
    write_events(events, &input);
    println!("{events} events in windows of a minute, {rounds} rounds of without, with, with, without --store");
    for mode in ["both", "exact"] {
        let rounds: Vec<Round> = (0..rounds).map(|_| round(mode, &input, dir.path())).collect();
        let [cost, without, with] =
            [Round::cost, |r: &Round| r.without, |r: &Round| r.with].map(|of| sorted(&rounds, of));
        println!(
            "--mode {mode:5} cost {:.1} % ({:.1} to {:.1}), {:.2} s without, {:.2} s with",
            median(&cost) * 100.0,
            cost[0] * 100.0,
            cost[cost.len() - 1] * 100.0,
            median(&without),
            median(&with),
        );
    }
}

fn write_events(events: u64, path: &Path) {
    let span = SignedDuration::from_mins((events / A_MINUTE).max(1) as i64);
    let args = GenerateArgs { events, keys: 1_000_000, span, format: "csv".into(), ..GenerateArgs::default() };
    let file = File::create(path).expect("a file for the events");
    generate::run(&args, &mut BufWriter::with_capacity(1 << 20, file)).expect("room for the events");
}

fn round(mode: &str, input: &Path, dir: &Path) -> Round {
    let store = dir.join("store");
    let [first, second, third, fourth] = [false, true, true, false].map(|keeps| {
        let seconds = run(mode, input, keeps.then_some(&store));
        if keeps {
            std::fs::remove_dir_all(&store).expect("the store can be removed");
        }
        seconds
    });
    Round { without: (first + fourth) / 2.0, with: (second + third) / 2.0 }
}

fn run(mode: &str, input: &Path, store: Option<&Path>) -> f64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hitters"));
    command.args(["run", "-w", "2", "-f", "csv", "--window", "1m", "-k", "100", "-o", "ndjson", "--mode", mode]);
    command.args(store.map(|dir| [Path::new("--store"), dir]).into_iter().flatten()).arg(input);
    let began = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("the program starts");
    assert!(status.success(), "a run failed");
    began.elapsed().as_secs_f64()
}

/// Of at least one round.
fn sorted(rounds: &[Round], of: impl Fn(&Round) -> f64) -> Vec<f64> {
    let mut all: Vec<f64> = rounds.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    all
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}
