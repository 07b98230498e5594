//! Where bytes come from: one source a file, one line a source in [`SOURCES`].
//!
//! A source never blocks its caller: one that has to wait does so on a thread of its own.

mod compressed;
mod file;
mod find;
mod live;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

pub use find::{FindError, find};

/// What a call of [`Source::pull`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// Bytes were added.
    Filled,
    /// There is nothing now; there may be later.
    Idle,
    /// There is nothing more, ever.
    Done,
}

/// A stream of bytes.
pub trait Source: Send {
    /// Appends what can be had without waiting, at most about `want` bytes.
    ///
    /// # Errors
    /// When reading or decompressing fails. The source has ended then.
    fn pull(&mut self, want: usize, into: &mut Vec<u8>) -> io::Result<Pull>;
}

/// An opened source and what is known of it.
pub struct OpenedSource {
    /// The bytes, decompressed.
    pub source: Box<dyn Source>,
    /// How many bytes there are before decompression, where that is known.
    pub size: Option<u64>,
}

/// One kind of source.
pub struct SourceKind {
    /// Its name in help and errors.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// Whether its bytes arrive while it is read, so that it cannot be looked at ahead of time.
    pub live: bool,
    /// Whether an input named so on the command line is of this kind.
    pub claims: fn(&str) -> bool,
    /// Opens it; bytes taken from it, before decompression, are added to the counter.
    pub open: fn(&str, Arc<AtomicU64>) -> io::Result<OpenedSource>,
}

/// Every kind of source; the first that claims an input opens it.
pub const SOURCES: &[SourceKind] = &[
    SourceKind {
        name: "stdin",
        about: "standard input, as -",
        live: true,
        claims: |name| name == "-",
        open: live::open_stdin,
    },
    SourceKind {
        name: "pipe",
        about: "a named pipe or device",
        live: true,
        claims: live::is_pipe,
        open: live::open_pipe,
    },
    SourceKind {
        name: "file",
        about: "a file; gzip and Zstandard are known by content",
        live: false,
        claims: |_| true,
        open: file::open,
    },
];

/// The kind of the input called `name`.
///
/// # Panics
/// Never: the last kind claims every name.
pub fn kind(name: &str) -> &'static SourceKind {
    SOURCES.iter().find(|kind| (kind.claims)(name)).expect("the last kind claims every name")
}
