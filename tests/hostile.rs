//! What an attacker would feed it, and what disks and networks do to files: nothing panics, hangs, or vanishes, and
//! memory stays bounded.
#![allow(clippy::unwrap_used)]

mod run;

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use run::hitters;
use tempfile::tempdir;

const MIB: usize = 1 << 20;
const MOST_MEMORY: u64 = 200 * MIB as u64;

/// Every format with what it cannot do without.
const FORMATS: &[&[&str]] = &[
    &["lines"],
    &["csv", "--columns", "key"],
    &["tsv", "--columns", "key"],
    &["ndjson"],
    &["logfmt", "--key", "key"],
    &["combined"],
    &["common"],
    &["regex", "--pattern", "(?<key>.)"],
    &["counts"],
];

/// Formats in which every line that is not blank is a record, and only those.
const BY_LINE: &[&str] = &["ndjson", "logfmt", "combined", "common", "regex", "counts"];

/// Writes `piece` until `bytes` were written.
fn repeat(to: &mut dyn Write, piece: &[u8], bytes: usize) -> io::Result<()> {
    (0..bytes / piece.len()).try_for_each(|_| to.write_all(piece))
}

#[test]
fn random_bytes_in_every_format_are_counted_or_rejected() {
    let mut runner = TestRunner::deterministic();
    let marks = b"\n\n\n\r\"\\\\,\t =[]{}:-%\0a01";
    let byte = prop_oneof![any::<u8>(), proptest::sample::select(marks.to_vec())];
    let mut bytes = || prop::collection::vec(byte.clone(), 10_000).new_tree(&mut runner).unwrap().current();
    for format in FORMATS {
        let bytes = bytes();
        let is_blank = |line: &[u8]| line.iter().all(|byte| b" \t\r".contains(byte));
        let records = bytes.split(|&byte| byte == b'\n').filter(|line| !is_blank(line)).count() as u64;
        let done = hitters(["run", "-k", "3", "-f"]).and(format).input(bytes).go().ends(0);
        let (events, rejected) = done.summary();
        assert!(events + rejected > 0, "{format:?}: {}", done.err);
        if BY_LINE.contains(&format[0]) {
            assert_eq!(events + rejected, records, "{format:?}: {}", done.err);
        }
    }
}

fn a_line_without_an_end(bytes: usize) {
    let feed = move |to: &mut dyn Write| repeat(to, &[b'x'; MIB], bytes);
    let done = hitters(["run", "-f", "lines"]).feed(feed).limit(Duration::from_secs(300)).go().ends(0);
    assert_eq!(done.summary(), (0, 1), "{}", done.err);
    done.says("too long 1").uses_less_than(MOST_MEMORY);
}

#[test]
fn a_line_without_an_end_is_one_rejected_record_in_bounded_memory() {
    a_line_without_an_end(64 * MIB);
}

#[test]
#[ignore = "takes a minute; cargo test --release -- --ignored"]
fn a_line_of_a_gibibyte_is_one_rejected_record_in_bounded_memory() {
    a_line_without_an_end(1024 * MIB);
}

#[test]
fn a_quote_that_never_closes_is_one_rejected_record() {
    let feed = |to: &mut dyn Write| to.write_all(b"key\n\"").and_then(|()| repeat(to, b"\"\"\n,", 2 * MIB));
    let done = hitters(["run", "-f", "csv"]).feed(feed).go().ends(0);
    done.uses_less_than(MOST_MEMORY);
}

/// `mebibytes` of zeros as gzip: one compressed piece over and over, which is a gzip file like any other.
fn gzip_bomb(mebibytes: usize) -> Vec<u8> {
    let mut piece = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    piece.write_all(&vec![0; MIB]).unwrap();
    piece.finish().unwrap().repeat(mebibytes)
}

fn zstd_bomb(mebibytes: usize) -> Vec<u8> {
    let mut bomb = zstd::Encoder::new(Vec::new(), 1).unwrap();
    repeat(&mut bomb, &[0; MIB], mebibytes * MIB).unwrap();
    bomb.finish().unwrap()
}

fn bombs_take_bounded_memory(mebibytes: usize, from_file: bool) {
    let dir = tempdir().unwrap();
    for bomb in [gzip_bomb(mebibytes), zstd_bomb(mebibytes)] {
        assert!(bomb.len() < mebibytes * MIB / 500, "{} bytes are no bomb", bomb.len());
        fs::write(dir.path().join("bomb"), &bomb).unwrap();
        let input = if from_file { "bomb" } else { "-" };
        let done =
            hitters(["run", "-f", "lines", input]).within(dir.path()).input(bomb).limit(Duration::from_secs(120));
        let done = done.go().ends(0);
        assert_eq!(done.summary(), (0, 1), "{}", done.err);
        done.uses_less_than(MOST_MEMORY);
    }
}

#[test]
fn zip_bombs_take_bounded_memory() {
    bombs_take_bounded_memory(128, false);
}

#[test]
fn zip_bombs_in_files_take_bounded_memory() {
    bombs_take_bounded_memory(128, true);
}

#[test]
#[ignore = "takes a minute; cargo test --release -- --ignored"]
fn zip_bombs_of_a_gibibyte_take_bounded_memory() {
    bombs_take_bounded_memory(1024, false);
}

#[test]
fn long_records_are_read_from_a_file_as_fast_as_short_ones() {
    let dir = tempdir().unwrap();
    let record = format!("{{\"key\":\"a\",\"note\":\"{}\"}}\n", "x".repeat(1_000_000));
    fs::write(dir.path().join("long.json"), record.repeat(8)).unwrap();
    let run = hitters(["run", "-f", "ndjson", "long.json"]).within(dir.path()).limit(Duration::from_secs(10));
    assert_eq!(run.go().ends(0).counts(), ["a 8"]);
}

#[test]
fn a_count_that_overflows_is_an_error_that_names_its_key_in_every_mode() {
    let events = "ts,key,w\n1,a,18446744073709551615\n1,b,1\n1,a,1\n";
    for mode in ["exact", "both", "approx"] {
        let done = hitters(["run", "--weight", "w", "--mode", mode]).input(events).go();
        assert_eq!(done.refuses(&["the count of key \"a\" passes 2^64 - 1", "smaller weights"]).out, b"");
    }
}

#[test]
fn json_nested_a_hundred_thousand_deep_is_malformed() {
    let deep = format!("{{\"key\":{}1{}}}\n{{\"key\":2}}\n", "[".repeat(100_000), "]".repeat(100_000));
    let done = hitters(["run", "-f", "ndjson"]).input(deep).go().ends(0).says("malformed 1");
    assert_eq!(done.counts(), ["2 1"]);
}

#[test]
fn a_record_that_stands_for_endless_events_is_rejected_in_bounded_memory() {
    let list = vec!["1"; 30_000].join(",");
    let record = format!("{{\"a\":[{list}],\"b\":[{list}],\"c\":[{list}]}}\n{{\"a\":[1,2],\"b\":[3],\"c\":[4]}}\n");
    let done = hitters(["run", "-f", "ndjson", "--key", "a[],b[],c[]"]).input(record).go().ends(0);
    assert_eq!(done.counts(), ["1,3,4 1", "2,3,4 1"]);
    done.says("rejected 1: too long 1").uses_less_than(2 * MOST_MEMORY);
}

#[test]
fn a_first_record_longer_than_the_sample_is_still_json() {
    let record = format!("{{\"key\":\"a\",\"list\":[{}]}}\n", vec!["1"; 50_000].join(","));
    assert_eq!(hitters(["run"]).input(record.repeat(2)).go().ends(0).counts(), ["a 2"]);
}

/// A CSV file of so many events, some 30 bytes each, `apart` milliseconds from one to the next.
fn write_events(path: &Path, events: u64, apart: u64) -> Vec<u8> {
    let line = |i| format!("{},some-key-{:08}\n", 1_767_225_600_000 + i * apart, i % 1000);
    let text: String = std::iter::once("ts,key\n".to_string()).chain((0..events).map(line)).collect();
    fs::write(path, &text).unwrap();
    text.into_bytes()
}

#[test]
fn a_truncated_stream_is_counted_to_its_last_whole_record_and_is_partial() {
    let dir = tempdir().unwrap();
    let events = write_events(&dir.path().join("events.csv"), 20_000, 1);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&events).unwrap();
    let gzip = gzip.finish().unwrap();
    for part in [gzip.len() / 40, gzip.len() / 2, gzip.len() - 1] {
        fs::write(dir.path().join("cut.gz"), &gzip[..part]).unwrap();
        let mut readable = Vec::new();
        let cut = flate2::read::GzDecoder::new(&gzip[..part]);
        // Byte by byte, so that the error takes nothing with it.
        readable.extend(io::Read::bytes(cut).map_while(Result::ok));
        let whole = readable.iter().filter(|&&byte| byte == b'\n').count() as u64 - 1;
        for (input, block) in [("cut.gz", "512KiB"), ("cut.gz", "1KiB"), ("-", "512KiB")] {
            let run = hitters(["run", "--block-size", block, "-k", "1", input]).within(dir.path());
            let done = run.input(&gzip[..part]).go().ends(2).says(&format!("hitters: {input}: "));
            assert_eq!(done.summary(), (whole, 0), "{part} bytes of {input}: {}", done.err);
            assert_eq!(done.counts().len(), 1);
        }
    }
}

#[test]
fn what_follows_a_stream_is_an_error_and_no_loss() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"a\nb\na\n").unwrap();
    let bytes = [gzip.finish().unwrap(), b"garbage".to_vec()].concat();
    assert_eq!(hitters(["run", "-f", "lines"]).input(bytes).go().ends(2).counts(), ["a 2", "b 1"]);
}

/// Where the process stands in the file called `name`, once it has stopped reading because nobody takes its results.
#[cfg(target_os = "linux")]
fn stands_still_at(process: u32, name: &str) -> u64 {
    let position = || {
        let handles = fs::read_dir(format!("/proc/{process}/fd")).unwrap().flatten();
        let handle = handles.into_iter().find(|h| fs::read_link(h.path()).is_ok_and(|path| path.ends_with(name)))?;
        let info = fs::read_to_string(format!("/proc/{process}/fdinfo/{}", handle.file_name().to_str()?)).ok()?;
        info.lines().next()?.strip_prefix("pos:")?.trim().parse::<u64>().ok().filter(|&at| at > 0)
    };
    let mut seen = (None, 0);
    for _ in 0..3000 {
        let now = position();
        seen = if now == seen.0 { (now, seen.1 + 1) } else { (now, 0) };
        if let (Some(at), 25..) = seen {
            return at;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("it did not stop");
}

/// Truncates the first of these files (events, milliseconds from one to the next) while the program reads them all.
#[cfg(target_os = "linux")]
fn truncated_while_it_is_read(files: &[(u64, u64)]) -> run::Done {
    let dir = tempdir().unwrap();
    let names: Vec<String> = (0..files.len()).map(|i| format!("{i}.csv")).collect();
    for (name, (events, apart)) in names.iter().zip(files) {
        write_events(&dir.path().join(name), *events, *apart);
    }
    let args = ["run", "-w", "1", "--block-size", "8KiB", "--window", "1s", "-k", "20", "--out-of-orderness", "0s"];
    let running = hitters(args).and(&["--early", "off"]).and(&names).within(dir.path()).start();
    let at = stands_still_at(running.child.id(), &names[0]);
    let file = fs::OpenOptions::new().write(true).open(dir.path().join(&names[0])).unwrap();
    assert!(at < file.metadata().unwrap().len(), "it read the whole file without waiting for its results to be taken");
    file.set_len(at / 2).unwrap();
    running.finish()
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_that_is_truncated_while_it_is_read_makes_the_result_partial() {
    let done = truncated_while_it_is_read(&[(100_000, 20)]);
    assert!(!done.out.is_empty());
    done.ends(2).says("hitters: 0.csv: it ended at byte ");
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_that_is_truncated_while_others_are_read_makes_the_result_partial() {
    truncated_while_it_is_read(&[(20_000, 100), (200_000, 10)]).ends(2).says("hitters: 0.csv: it ended at byte ");
}
