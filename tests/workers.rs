//! The same stream gives the same rows on any number of workers, however it comes in.
#![allow(clippy::unwrap_used)]

mod reference;
mod support;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::sync::LazyLock;

use reference::{Answer, answer};
use support::output::check;
use support::stream::{Part, RULE, Stream, partitions, rule};
use support::{PATIENCE, Running, hitters};

/// Events of the quick tests, and of the one for release builds.
const FEW: usize = 200_000;
const MANY: usize = 2_000_000;
const ALL: [usize; 4] = [1, 2, 3, 4];

/// Runs the inputs on each number of workers; standard input gets `stdin`.
fn check_on(workers: &[usize], inputs: &[OsString], stdin: &[u8], expected: &Answer, about: &str) {
    for workers in workers {
        let options = RULE.iter().map(OsString::from).chain(["-w".into(), workers.to_string().into()]);
        let mut run = Running::start(&mut hitters(options.chain(inputs.iter().cloned())));
        run.feed(stdin.chunks(100_000).map(<[u8]>::to_vec).collect::<Vec<_>>().into_iter());
        check(&run.finish(PATIENCE), &rule(), expected, &format!("{about} on {workers} workers"));
    }
}

/// What to name on the command line, and what comes on standard input.
type Input = (Vec<OsString>, Vec<u8>);

/// A stream as one input.
struct Whole {
    part: Part,
    expected: Answer,
}

impl Whole {
    fn of(events: usize) -> Whole {
        let part = Stream::generate(events, tempfile::tempdir().unwrap().path()).whole();
        let expected = answer(&rule(), std::slice::from_ref(&part.events));
        assert!(expected.late.iter().all(|late| *late > 0), "a stream that tests lateness: {:?}", expected.late);
        assert!(expected.results.last_revisions.len() > 10, "a stream that tests revisions");
        Whole { part, expected }
    }

    fn check(&self, workers: &[usize], form: fn(&Path, &Part) -> Input, about: &str) {
        let directory = tempfile::tempdir().unwrap();
        let (inputs, stdin) = form(directory.path(), &self.part);
        check_on(workers, &inputs, &stdin, &self.expected, about);
    }
}

static WHOLE: LazyLock<Whole> = LazyLock::new(|| Whole::of(FEW));

fn check_parts(events: usize, workers: &[usize], cut: fn(&Stream, usize) -> Vec<Part>, about: &str) {
    let directory = tempfile::tempdir().unwrap();
    let parts = cut(&Stream::generate(events, directory.path()), 7);
    let expected = answer(&rule(), &partitions(&parts));
    let inputs: Vec<_> = (0..)
        .zip(&parts)
        .map(|(number, part)| part.write(directory.path(), &format!("part-{number}")).into())
        .collect();
    check_on(workers, &inputs, b"", &expected, about);
}

fn file(directory: &Path, part: &Part) -> Input {
    (vec![part.write(directory, "plain").into()], Vec::new())
}

fn gzip(directory: &Path, part: &Part) -> Input {
    let path = directory.join("packed");
    let mut file = flate2::write::GzEncoder::new(std::fs::File::create(&path).unwrap(), flate2::Compression::fast());
    file.write_all(part.csv.as_bytes()).unwrap();
    file.finish().unwrap();
    (vec![path.into()], Vec::new())
}

fn zstandard(directory: &Path, part: &Part) -> Input {
    let path = directory.join("packed");
    std::fs::write(&path, zstd::encode_all(part.csv.as_bytes(), 1).unwrap()).unwrap();
    (vec![path.into()], Vec::new())
}

fn stdin(_: &Path, part: &Part) -> Input {
    (vec!["-".into()], part.csv.clone().into_bytes())
}

#[test]
fn one_file() {
    WHOLE.check(&ALL, file, "one file");
}

#[test]
fn one_gzip_file() {
    WHOLE.check(&[2], gzip, "a gzip file");
}

#[test]
fn one_zstandard_file() {
    WHOLE.check(&[3], zstandard, "a Zstandard file");
}

#[test]
fn standard_input() {
    WHOLE.check(&[1, 4], stdin, "standard input");
}

/// As rotated logs are: each goes on where the one before ends.
#[test]
fn files_one_after_the_other() {
    check_parts(FEW, &[1, 4], Stream::pieces, "files one after the other");
}

/// As the logs of several hosts are: all of the same time.
#[test]
fn files_beside_each_other() {
    check_parts(FEW, &[2, 3], Stream::dealt, "files beside each other");
}

#[test]
#[ignore = "for release builds"]
fn two_million_events() {
    let whole = Whole::of(MANY);
    whole.check(&ALL, file, "one large file");
    whole.check(&ALL, gzip, "a large gzip file");
    whole.check(&ALL, zstandard, "a large Zstandard file");
    whole.check(&ALL, stdin, "long standard input");
    check_parts(MANY, &ALL, Stream::pieces, "large files one after the other");
    check_parts(MANY, &ALL, Stream::dealt, "large files beside each other");
}
