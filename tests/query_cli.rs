//! `hitters run --store`, `hitters query` and `hitters store` as users run them.
#![allow(clippy::unwrap_used)]

mod history;
mod reference;
mod support;

use std::path::Path;

use history::contents;
use support::{PATIENCE, Running, hitters, run};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/inputs/samples/events.csv");

fn stored(dir: &Path, more: &[&str]) -> support::Ended {
    let store = dir.to_str().unwrap();
    run([&["run", "--window", "1m", "--store", store, "-o", "csv", SAMPLE], more].concat())
}

fn query(dir: &Path, more: &[&str]) -> support::Ended {
    run([&["query", "--store", dir.to_str().unwrap(), "-o", "csv"], more].concat())
}

/// Key and count of every row.
fn keys_and_counts(csv: &str) -> Vec<String> {
    csv.lines().skip(1).map(|row| row.split(',').skip(4).take(2).collect::<Vec<_>>().join(",")).collect()
}

#[test]
fn history_answers_what_a_run_over_the_same_time_would() {
    let dir = tempfile::tempdir().unwrap();
    let ended = stored(dir.path(), &[]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    for (hours, window) in [(1, "1h"), (3, "3h")] {
        let to = format!("2026-01-01T0{hours}:00:00Z");
        let asked = query(dir.path(), &["--from", "2026-01-01", "--to", &to, "-k", "20"]);
        assert_eq!((asked.status, asked.stderr.as_str()), (Some(0), "exact\n"));
        // Late by a minute's window are other events than late by an hour's; without order there is none.
        let direct = run(["run", "--window", window, "-k", "20", "-o", "csv", "--out-of-orderness", "3h", SAMPLE]);
        let first = keys_and_counts(&direct.stdout).into_iter().take(20).collect::<Vec<_>>();
        let dir = tempfile::tempdir().unwrap();
        stored(dir.path(), &["--out-of-orderness", "3h"]);
        let asked = query(dir.path(), &["--from", "2026-01-01", "--to", &to, "-k", "20"]);
        assert_eq!(keys_and_counts(&asked.stdout), first);
    }
}

#[test]
fn any_number_of_workers_writes_the_same_bytes_and_a_rerun_none() {
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    for (dir, workers) in dirs.iter().zip(["1", "2", "4"]) {
        stored(dir.path(), &["-w", workers, "--memory", "1"]);
    }
    let first = contents(dirs[0].path());
    assert!(first.len() > 4);
    assert_eq!(contents(dirs[1].path()), first);
    assert_eq!(contents(dirs[2].path()), first);
    stored(dirs[0].path(), &["-w", "3"]);
    assert_eq!(contents(dirs[0].path()), first);
}

#[test]
fn late_events_that_are_allowed_are_in() {
    let dir = tempfile::tempdir().unwrap();
    let late = dir.path().join("late.csv");
    std::fs::write(&late, "ts,key\n0,a\n70,b\n200,c\n30,a\n300,c\n").unwrap();
    let store = dir.path().join("store");
    let arguments = ["run", "--window", "1m", "--out-of-orderness", "0s", "--allowed-lateness", "1h"];
    run(arguments.iter().copied().chain(["--store", store.to_str().unwrap(), late.to_str().unwrap()]));
    let asked = query(&store, &["--from", "0", "--to", "60"]);
    let row = asked.stdout.lines().nth(1).unwrap();
    assert!(row.starts_with("1970-01-01T00:00:00Z,1970-01-01T00:01:00Z,revised,1,a,2,2,2,1,1,true"), "{row}");
}

#[test]
fn questions_about_keys_and_changes() {
    let dir = tempfile::tempdir().unwrap();
    stored(dir.path(), &[]);
    let first = query(dir.path(), &["-k", "1"]).stdout.lines().nth(1).unwrap().to_string();
    let key = first.split(',').nth(4).unwrap();
    let series = query(dir.path(), &["--key", key, "--every", "1h"]);
    assert_eq!(series.stdout.lines().count(), 4, "{}", series.stdout);
    assert!(series.stdout.lines().skip(1).all(|row| row.contains(&format!(",1,{key},"))), "{}", series.stdout);
    assert!(query(dir.path(), &["--key", "nobody"]).stdout.lines().nth(1).unwrap().contains(",final,,nobody,0,0,0,0"));
    let every = query(dir.path(), &["--every", "1h", "-k", "2"]);
    assert_eq!(every.stdout.lines().count(), 7, "{}", every.stdout);
    let moved =
        query(dir.path(), &["--compare", "--from", "2026-01-01T01:00:00Z", "--to", "2026-01-01T02:00:00Z", "-k", "3"]);
    assert!(moved.stdout.starts_with("window_start,window_end,state,rank,key,count,low,high,share,before,change\n"));
    assert_eq!(moved.stdout.lines().count(), 4);
    let filtered = query(dir.path(), &["--prefix", "video-8", "--match", "6$", "-k", "5"]);
    assert!(keys_and_counts(&filtered.stdout).iter().all(|row| row.starts_with("video-8") && row.contains("6,")));
    let stats = query(dir.path(), &["--stats", "-k", "1"]);
    assert!(stats.stderr.contains("segments 1 added"), "{}", stats.stderr);
    let cut = query(dir.path(), &["--to", "2026-01-01T00:00:30Z", "-k", "1"]);
    assert!(cut.stderr.contains("not exact") && cut.status == Some(0), "{}", cut.stderr);
}

#[test]
fn odd_questions_have_clear_answers() {
    let dir = tempfile::tempdir().unwrap();
    stored(dir.path(), &[]);
    let cases: [(&[&str], &str); 6] = [
        (&["--from", "2026-01-02", "--to", "2026-01-01"], "starts at 2026-01-02T00:00:00Z and ends before"),
        (&["--from", "yesterday"], "--from: \"yesterday\" is not a time"),
        (&["-k", "100001"], "-k: give 0 to 100000 rows"),
        (&["--every", "1ms", "--to", "2027-01-01"], "--every: that makes more than 1,000,000 answers"),
        (&["--every", "0s"], "--every: that makes more"),
        (&["--match", "("], "--match: "),
    ];
    for (arguments, expected) in cases {
        let ended = query(dir.path(), arguments);
        assert_eq!(ended.status, Some(2));
        assert!(ended.stderr.contains(expected), "{arguments:?}: {}", ended.stderr);
    }
    for arguments in [["--from", "-5m"], ["--to", "2025-12-31"]] {
        let ended = query(dir.path(), &arguments);
        assert_eq!((ended.status, ended.stdout.lines().count(), ended.stderr.as_str()), (Some(0), 1, "exact\n"));
    }
    let store = dir.path().to_str().unwrap();
    let refused: [(&[&str], &str); 5] = [
        (&["run", "--store", store, "--window", "1h", SAMPLE], "keeps windows of 1m; give --window 1m"),
        (&["run", "--store", store, "--mode", "approx", SAMPLE], "history is made of exact counts"),
        (&["run", "--retain", "minute=1d", SAMPLE], "without --store"),
        (&["run", "--store", store, "--retain", "week=1d", SAMPLE], "minute=2d,hour=90d,day=5y"),
        (&["query", "--store", "/nowhere"], "is not a store"),
    ];
    for (arguments, expected) in refused {
        let ended = run(arguments);
        assert_eq!(ended.status, Some(2));
        assert!(ended.stderr.contains(expected), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn stores_are_looked_after() {
    let dir = tempfile::tempdir().unwrap();
    stored(dir.path(), &[]);
    let store = dir.path().to_str().unwrap();
    let info = run(["store", "info", store]);
    assert!(
        info.stdout.contains("format version 1") && info.stdout.contains("2026-01-01T00:00:00Z to"),
        "{}",
        info.stdout
    );
    assert_eq!(run(["store", "verify", store]).status, Some(0));
    assert!(run(["store", "compact", store]).stdout.contains("0 packs"));
    let file = dir.path().join("counts.parquet");
    let exported = run(["store", "export", store, "-o", file.to_str().unwrap(), "--level", "1h"]);
    assert!(exported.stdout.ends_with(" rows\n") && file.metadata().unwrap().len() > 100, "{}", exported.stderr);
    let pack = dir.path().join("1m/2026-01-01.seg");
    let mut bytes = std::fs::read(&pack).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&pack, bytes).unwrap();
    let verified = run(["store", "verify", store]);
    assert_eq!(verified.status, Some(2));
    assert!(verified.stdout.contains("damaged: the segment of 1m from 2026-01-01T00:00:00Z"), "{}", verified.stdout);
}

#[test]
fn a_run_that_is_killed_leaves_a_store_and_a_rerun_completes_it() {
    let (whole, sample) = (tempfile::tempdir().unwrap(), std::fs::read(SAMPLE).unwrap());
    stored(whole.path(), &[]);
    for round in 1..=6 {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().to_str().unwrap();
        let mut command = hitters(["run", "--window", "1m", "--store", store, "-f", "csv", "-o", "csv", "-"]);
        let mut running = Running::start(&mut command);
        running.give(&sample[..sample.len().min(60_000) * round / 7]);
        running.wait_for_output(PATIENCE);
        running.kill();
        drop(running);
        assert_eq!(run(["store", "verify", store]).status, Some(0), "round {round}");
        stored(dir.path(), &[]);
        assert_eq!(contents(dir.path()), contents(whole.path()), "round {round}");
    }
}
