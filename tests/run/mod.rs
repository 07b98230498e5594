//! Runs the program as a user would, and as an attacker would: with a time limit, and with an eye on its memory.

#![allow(dead_code)] // each test program uses its own part

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a run may take unless it says otherwise: far more than it needs, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);

type Feed = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + Send>;

/// A run that has not started.
pub struct Run {
    command: Command,
    feed: Feed,
    limit: Duration,
}

/// `hitters` with these arguments, nothing on standard input, and both outputs captured.
pub fn hitters<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Run {
    run(Command::new(env!("CARGO_BIN_EXE_hitters")), args)
}

/// As [`hitters`], on a system that writes only so many half KiB to each file, as one does whose disk is full.
pub fn hitters_with_small_files<A: AsRef<OsStr>>(blocks: u32, args: impl IntoIterator<Item = A>) -> Run {
    let mut shell = Command::new("sh");
    // With the signal ignored, a write beyond the limit is an error like any other.
    shell.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")]);
    shell.arg(env!("CARGO_BIN_EXE_hitters"));
    run(shell, args)
}

fn run<A: AsRef<OsStr>>(mut command: Command, args: impl IntoIterator<Item = A>) -> Run {
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Run { command, feed: Box::new(|_| Ok(())), limit: LIMIT }
}

impl Run {
    /// Adds arguments.
    pub fn and<A: AsRef<OsStr>>(mut self, args: &[A]) -> Self {
        self.command.args(args);
        self
    }

    /// Runs in this directory.
    pub fn within(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Writes this to its standard input.
    pub fn input(self, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        self.feed(move |to| to.write_all(&bytes))
    }

    /// Writes to its standard input as it is read; the input ends where the function does.
    pub fn feed(mut self, feed: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static) -> Self {
        self.feed = Box::new(feed);
        self
    }

    /// Fails the test when it takes longer.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Sends its standard output elsewhere.
    pub fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stdout(to);
        self
    }

    /// Sends its standard error elsewhere.
    pub fn stderr(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stderr(to);
        self
    }

    /// Starts it, to be looked at while it runs.
    pub fn start(mut self) -> Running {
        let mut child = self.command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        let feed = self.feed;
        // A program that reads no further is no failure of the test.
        let feeder = thread::spawn(move || drop(feed(&mut stdin)));
        Running { child, feeder, until: Instant::now() + self.limit, peak: 0 }
    }

    /// Runs it to its end.
    pub fn go(self) -> Done {
        self.start().finish()
    }
}

/// A run that goes on. Nobody reads its outputs until [`Running::finish`].
pub struct Running {
    /// The process.
    pub child: Child,
    feeder: JoinHandle<()>,
    until: Instant,
    peak: u64,
}

impl Running {
    /// Reads its outputs and waits for its end.
    pub fn finish(mut self) -> Done {
        let (out, err) = (collect(self.child.stdout.take()), collect(self.child.stderr.take()));
        let status = loop {
            self.peak = self.peak.max(peak_memory(self.child.id()));
            match self.child.try_wait().expect("it is a child of this process") {
                Some(status) => break status,
                None if Instant::now() < self.until => thread::sleep(POLL),
                None => self.give_up(),
            }
        };
        self.feeder.join().expect("the feeder does not panic");
        let [out, err] = [out, err].map(|reader| reader.join().expect("the reader does not panic"));
        let err = String::from_utf8_lossy(&err).into_owned();
        Done { status: status.code(), out, err, peak: self.peak }
    }

    fn give_up(&mut self) -> ! {
        self.child.kill().expect("it is a child of this process");
        self.child.wait().expect("it was just killed");
        panic!("the run did not end within its time limit");
    }
}

fn collect(from: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.map(|mut from| from.read_to_end(&mut bytes));
        bytes
    })
}

/// The most memory that a process has held, in bytes; 0 when it is gone or the system does not tell.
fn peak_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// How a run ended.
pub struct Done {
    /// Its exit status; `None` when a signal ended it.
    pub status: Option<i32>,
    /// Its standard output.
    pub out: Vec<u8>,
    /// Its standard error.
    pub err: String,
    /// The most memory it held, in bytes, as far as that could be seen.
    pub peak: u64,
}

impl Done {
    /// Checks the exit status.
    #[track_caller]
    pub fn ends(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "standard error: {}", self.err);
        self
    }

    /// Checks that standard error holds this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text), "\"{text}\" is not in: {}", self.err);
        self
    }

    /// Checks that it failed with one sentence of its own, `hitters: ...`, that holds all of these.
    #[track_caller]
    pub fn refuses(self, words: &[&str]) -> Self {
        let done = self.ends(2);
        assert!(done.err.starts_with("hitters: ") && done.err.lines().count() == 1, "no sentence: {}", done.err);
        words.iter().fold(done, |done, word| done.says(word))
    }

    /// Checks that it never held this many bytes of memory.
    #[track_caller]
    pub fn uses_less_than(self, bytes: u64) -> Self {
        assert!(self.peak < bytes, "it held {} MiB", self.peak >> 20);
        assert!(self.peak > 0 || !cfg!(target_os = "linux"), "its memory could not be seen");
        self
    }

    /// Its standard output as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.out).expect("results are UTF-8")
    }

    /// The rows in its standard output (NDJSON) as `key count`.
    #[track_caller]
    pub fn counts(&self) -> Vec<String> {
        let row = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let rows = self.text().lines().map(row);
        rows.map(|row: serde_json::Value| format!("{} {}", row["key"].as_str().expect("a key"), row["count"])).collect()
    }

    /// How many events and rejected records the summary tells of.
    #[track_caller]
    pub fn summary(&self) -> (u64, u64) {
        let number = |text: &str| text.replace(',', "").parse::<u64>().expect("a number");
        let events = self.err.lines().find(|line| line.contains("events/s")).expect("a summary");
        let rejected = self.err.lines().find_map(|line| line.strip_prefix("rejected ")?.split_once(':'));
        let events = events.split_once(" event").expect("so many events").0;
        (number(events), rejected.map_or(0, |(number_of, _)| number(number_of)))
    }
}
