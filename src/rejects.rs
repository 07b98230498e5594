//! The file of rejected records: one JSON object a line with reason, input, line, byte offset and the record itself; for
//! a late event also the window length that it was too late for.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use hitters_inputs::event::Reason;
use hitters_inputs::feed::Place;
use serde::Serialize;

use crate::sink::key::key_text;

/// The file, shared by all workers. Lines come in no particular order.
#[derive(Debug)]
pub struct Rejects {
    path: PathBuf,
    out: Mutex<BufWriter<File>>,
}

#[derive(Serialize)]
struct Line<'a> {
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<&'a str>,
    input: &'a str,
    line: u64,
    offset: u64,
    record: &'a str,
}

impl Rejects {
    /// Creates the file, or empties it.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Rejects { path: path.into(), out: Mutex::new(BufWriter::new(File::create(path)?)) })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a record; `window` is the length of the windows that it was too late for.
    ///
    /// # Errors
    /// When it cannot be written, as on a full disk.
    ///
    /// # Panics
    /// When another worker panicked while writing.
    pub fn add(&self, why: Reason, window: Option<&str>, place: &Place<'_>) -> io::Result<()> {
        let Place { input, line, offset, record } = *place;
        let line = Line { reason: why.name(), window, input, line, offset, record: &key_text(record) };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        self.out.lock().expect("no one panics while writing").write_all(&text)
    }

    /// Writes what is still buffered.
    ///
    /// # Errors
    /// When it cannot be written.
    ///
    /// # Panics
    /// When a worker panicked while writing.
    pub fn finish(&self) -> io::Result<()> {
        self.out.lock().expect("no one panics while writing").flush()
    }
}
