//! A disk that takes no more: the run ends with a sentence that names the file and the remedy, and leaves behind nothing
//! but what was whole before.
#![allow(clippy::unwrap_used)]

mod run;

use std::fs;
use std::path::Path;

use run::{hitters, hitters_with_small_files};
use tempfile::{TempDir, tempdir};

/// A directory with `flat.csv`: hardly a key twice, and some records that are none.
fn place() -> TempDir {
    let dir = tempdir().unwrap();
    let args = "generate --events 100k --keys 1M --skew 0 --output flat.csv".split(' ');
    hitters(args).within(dir.path()).go().ends(0);
    let mut text = fs::read_to_string(dir.path().join("flat.csv")).unwrap();
    text.extend((0..5000).map(|i| format!("no time at all,{i},1\n")));
    fs::write(dir.path().join("flat.csv"), text).unwrap();
    dir
}

fn entries(dir: &Path) -> usize {
    fs::read_dir(dir).unwrap().count()
}

#[test]
fn counts_that_cannot_be_spilled_are_an_error_and_leave_no_file() {
    let dir = place();
    fs::create_dir(dir.path().join("spill")).unwrap();
    let args = ["run", "flat.csv", "--memory", "1MiB", "--spill-dir", "spill", "--early", "off"];
    let done = hitters_with_small_files(256, args).within(dir.path()).go();
    assert_eq!(done.refuses(&["cannot be spilled to spill: ", "--spill-dir", "--memory"]).out, b"");
    assert_eq!(entries(&dir.path().join("spill")), 0, "nothing is left behind");
    hitters(args).within(dir.path()).go().ends(0);
}

#[test]
fn a_store_that_cannot_be_written_is_an_error_and_stays_whole() {
    let dir = place();
    let run = ["run", "flat.csv", "--window", "1m", "--store", "store"];
    // While the SQLite tables are made, while the first rows are put there, and later.
    for blocks in [16, 128, 256, 512, 1024] {
        hitters_with_small_files(blocks, run).within(dir.path()).go().refuses(&["store"]);
        hitters(["store", "verify", "store"]).within(dir.path()).go().ends(0);
    }
    // Another run makes it whole, as if nothing had happened.
    hitters(run).within(dir.path()).go().ends(0);
    let query = ["query", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-02T00:00:00Z", "-k", "1000", "-o", "csv"];
    let after = hitters(query).and(&["--store", "store"]).within(dir.path()).go().ends(0);
    hitters(["run", "flat.csv", "--window", "1m", "--store", "other"]).within(dir.path()).go().ends(0);
    let undisturbed = hitters(query).and(&["--store", "other"]).within(dir.path()).go().ends(0);
    assert!(after.out == undisturbed.out && after.text().lines().count() > 1000, "{}", after.text());
}

#[test]
fn rejects_that_cannot_be_written_are_an_error() {
    let dir = place();
    let args = ["run", "flat.csv", "--rejects", "rejects"];
    hitters_with_small_files(64, args).within(dir.path()).go().refuses(&["rejects"]);
}
