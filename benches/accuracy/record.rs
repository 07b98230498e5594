//! Contests kept in a file, a line of JSON each, so that a plot can be drawn of several runs.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::contest::Contest;

pub struct Record {
    file: File,
    path: PathBuf,
}

impl Record {
    /// Goes on with the record at `path`, or begins it.
    pub fn at(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path).expect("the record can be written");
        Record { file, path: path.into() }
    }

    pub fn add(&mut self, contest: &Contest) {
        let line = serde_json::to_string(contest).expect("a contest is plain data");
        writeln!(self.file, "{line}").expect("the record can be written");
    }

    /// All of it, of this run and of those before.
    pub fn contests(&self) -> Vec<Contest> {
        let text = fs::read_to_string(&self.path).expect("the record can be read");
        text.lines().map(|line| serde_json::from_str(line).expect("a record holds contests alone")).collect()
    }
}
