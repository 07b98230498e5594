//! A generated stream, as a file, as events, and in parts.

use std::path::{Path, PathBuf};

use super::run;
use crate::reference::{Event, Partition, Rule};

const HEADER: &str = "ts,key,bytes\n";

/// The lines of a generated stream that has disorder and late events.
pub struct Stream {
    lines: Vec<String>,
}

impl Stream {
    /// Generates `events` events in `directory`.
    pub fn generate(events: usize, directory: &Path) -> Stream {
        let path = directory.join("generated.csv");
        let count = events.to_string();
        let made = ["generate", "--events", &count, "--keys", "20k", "--jitter", "3s", "--late", "0.1%", "-o"];
        let ended = run(made.iter().map(|a| a.as_ref()).chain([path.as_os_str()]));
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<String> = text.strip_prefix(HEADER).unwrap().lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), events);
        Stream { lines }
    }

    /// The whole stream.
    pub fn whole(&self) -> Part {
        Part::of(self.lines.iter())
    }

    /// Cut into `parts` pieces, one after the other.
    pub fn pieces(&self, parts: usize) -> Vec<Part> {
        self.lines.chunks(self.lines.len().div_ceil(parts)).map(|lines| Part::of(lines.iter())).collect()
    }

    /// Dealt out to `parts` parts, line by line.
    pub fn dealt(&self, parts: usize) -> Vec<Part> {
        (0..parts).map(|part| Part::of(self.lines.iter().skip(part).step_by(parts))).collect()
    }
}

/// One input: its bytes, and what they say.
pub struct Part {
    pub csv: String,
    pub events: Partition,
}

impl Part {
    fn of<'a>(lines: impl Iterator<Item = &'a String> + Clone) -> Part {
        let csv = lines.clone().fold(HEADER.to_owned(), |text, line| text + line + "\n");
        Part { csv, events: lines.map(|line| event(line)).collect() }
    }

    /// Writes it to a file in `directory`.
    pub fn write(&self, directory: &Path, name: &str) -> PathBuf {
        let path = directory.join(name);
        std::fs::write(&path, &self.csv).unwrap();
        path
    }
}

fn event(line: &str) -> Event {
    let mut fields = line.split(',');
    let time = fields.next().unwrap().parse().unwrap();
    Event { time, key: fields.next().unwrap().into(), weight: 1 }
}

/// The events of all parts.
pub fn partitions(parts: &[Part]) -> Vec<Partition> {
    parts.iter().map(|part| part.events.clone()).collect()
}

/// The rule that generated streams are run by.
pub fn rule() -> Rule {
    Rule { lengths: vec![60_000, 3_600_000], out_of_orderness: 5_000, allowed_lateness: 60_000, k: 20 }
}

/// The options of [`rule`].
pub const RULE: [&str; 13] = [
    "run",
    "--early",
    "off",
    "-o",
    "ndjson",
    "--window",
    "1m,1h",
    "--allowed-lateness",
    "1m",
    "-k",
    "20",
    "--format",
    "csv",
];
