//! The cases of `tests/cases`: what is typed, what is read, and every byte that comes of it. Each case runs several
//! times, with different workers and block sizes, and always with the same result.
//!
//! `args` is what follows `hitters`; `input` goes to standard input; `files` are made first, by name. `stdout` and
//! `stderr` are whole, the summary of `stderr` without its time and rate; `says` is a part of `stderr`; `status` is 0
//! unless it is given.
#![allow(clippy::unwrap_used)]

mod run;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use run::hitters;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    args: Vec<String>,
    #[serde(default)]
    input: String,
    #[serde(default)]
    files: BTreeMap<String, String>,
    stdout: String,
    stderr: Option<String>,
    says: Option<String>,
    #[serde(default)]
    status: i32,
}

/// How else a run can be divided up, at no difference to its result.
const DIVIDED: [&[&str]; 3] = [&[], &["-w", "1", "--block-size", "1"], &["-w", "3", "--block-size", "20"]];

impl Case {
    /// What is wrong when it runs with these arguments in addition.
    fn wrong(&self, divided: &[&str]) -> Result<(), String> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in &self.files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let done = hitters(&self.args).and(divided).within(dir.path()).input(self.input.as_bytes()).go();
        let err = without_time(&done.err);
        let expected = |is_expected: bool, what: &str, expected: &str, got: &str| {
            if is_expected {
                Ok(())
            } else {
                Err(format!("{what} of {divided:?}\nexpected: {expected}\ngot:      {got}"))
            }
        };
        expected(
            done.status == Some(self.status),
            "status",
            &self.status.to_string(),
            &format!("{:?}\n{err}", done.status),
        )?;
        expected(done.text() == self.stdout, "stdout", &self.stdout, done.text())?;
        let stderr = self.stderr.as_deref().unwrap_or(&err);
        expected(err == stderr, "stderr", stderr, &err)?;
        let says = self.says.as_deref().unwrap_or_default();
        expected(err.contains(says), "stderr", says, &err)
    }
}

/// Standard error without the latency, and with only the counts in the first line of the summary.
fn without_time(err: &str) -> String {
    let counts = |line: &str| line.splitn(3, ", ").take(2).collect::<Vec<_>>().join(", ");
    let line = |line: &str| if line.ends_with(" events/s") { counts(line) } else { line.into() } + "\n";
    err.lines().filter(|line| !line.starts_with("latency: ")).map(line).collect()
}

#[test]
fn every_case_comes_out_as_written_however_it_is_divided_up() {
    let mut failed = Vec::new();
    let mut paths: Vec<_> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")).unwrap().collect();
    paths.sort_by_key(|path| path.as_ref().unwrap().path());
    assert!(paths.len() > 10, "there are cases");
    for path in paths {
        let path = path.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let case: Case = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let ways = if case.args[0] == "run" { &DIVIDED[..] } else { &DIVIDED[..1] };
        failed.extend(ways.iter().find_map(|divided| case.wrong(divided).err()).map(|why| format!("{name}: {why}")));
    }
    assert!(failed.is_empty(), "\n{}", failed.join("\n\n"));
}

#[test]
fn only_time_and_rate_are_taken_out_of_a_summary() {
    let err =
        "hitters: x\n1,234 events, 2 windows, 0.01 s, 9,999 events/s\nlatency: windows 1 ms\nrejected 1: late 1\n";
    assert_eq!(without_time(err), "hitters: x\n1,234 events, 2 windows\nrejected 1: late 1\n");
}
