//! `--mode approx` runs in fixed memory, whatever the number of keys.
#![allow(clippy::unwrap_used)]

mod run;

use std::io::Write;

use run::hitters;

const EVENTS: u64 = 300_000;
const MEBIBYTE: u64 = 1 << 20;

/// The most memory of a run over two hours of events of so many keys, evenly frequent.
fn peak(mode: &str, keys: u64) -> u64 {
    let arguments = ["run", "-f", "csv", "--window", "1m,2h", "--early", "1s", "-w", "1", "-k", "5"];
    let rest = ["-o", "ndjson", "--sketch-memory", "64KiB", "--mode", mode];
    let feed = move |to: &mut dyn Write| {
        let mut to = std::io::BufWriter::new(to);
        writeln!(to, "ts,key")?;
        (0..EVENTS).try_for_each(|event| {
            let key = event.wrapping_mul(0x9E37_79B9_7F4A_7C15) % keys;
            writeln!(to, "{},key-of-some-length-{key}", 1_767_225_600_000 + event * 7_200_000 / EVENTS)
        })
    };
    let done = hitters(arguments).and(&rest).feed(feed).go().ends(0);
    assert_eq!(done.summary(), (EVENTS, 0));
    assert!(done.text().lines().filter(|line| line.contains("\"final\"")).count() >= 121 * 5);
    done.peak
}

#[test]
#[cfg(target_os = "linux")]
fn ten_times_the_keys_take_no_more_memory() {
    let (few, many, exact) = (peak("approx", 25_000), peak("approx", 250_000), peak("exact", 250_000));
    assert!(few > 0 && many < few + 4 * MEBIBYTE, "from {few} to {many} bytes");
    assert!(exact > many + 8 * MEBIBYTE, "{exact} bytes with exact counts, {many} without: too few keys to tell");
}
