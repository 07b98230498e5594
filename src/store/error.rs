//! Why a store cannot be used.

use std::io;
use std::path::Path;

use hitters_dataflows::count::CountOverflow;

use super::part::Part;

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// There is no manifest.
    #[error("{dir} is not a store: it has no manifest; `hitters run --store {dir}` makes one")]
    Missing {
        /// The directory.
        dir: String,
    },
    /// A directory of other things.
    #[error("{dir} is not a store, and not empty; name a new directory")]
    Occupied {
        /// The directory.
        dir: String,
    },
    /// A store of another version of this program.
    #[error(
        "{dir} is a store of format version {found}; this program knows version {known}: use the one that wrote it"
    )]
    Version {
        /// The directory.
        dir: String,
        /// Its version.
        found: u32,
        /// The version known.
        known: u32,
    },
    /// A store whose keys are divided differently.
    #[error("{dir} divides its keys into {found} shards; this program uses {known}: use the one that wrote it")]
    Shards {
        /// The directory.
        dir: String,
        /// Its number of shards.
        found: u32,
        /// The number known.
        known: u32,
    },
    /// A store with windows of another length.
    #[error("{dir} keeps windows of {found}; give --window {found}, or another directory")]
    Length {
        /// The directory.
        dir: String,
        /// The length of its windows.
        found: String,
    },
    /// A window length that does not nest in days.
    #[error(
        "windows of {length} do not fill a day; a store takes lengths that divide a day, such as 1m, or whole days"
    )]
    Nesting {
        /// The length.
        length: String,
    },
    /// A store of other keys.
    #[error(
        "{dir} holds the keys of {found}, and this would add those of {wanted}; give the same -n, -p and -w as before, or \
         another directory in every process"
    )]
    Part {
        /// The directory.
        dir: String,
        /// Whose keys it holds.
        found: Part,
        /// Whose would be added.
        wanted: Part,
    },
    /// A second writer.
    #[error("{dir} is being written by another process; wait for its end, or name another directory")]
    Locked {
        /// The directory.
        dir: String,
    },
    /// Bytes that are not what was written.
    #[error("{what} is damaged")]
    Damaged {
        /// What, and where.
        what: String,
    },
    /// A manifest that cannot be added to.
    #[error("{path}: {what} is damaged, so nothing can be added; count into a new directory")]
    DamagedManifest {
        /// The manifest.
        path: String,
        /// Which part of it.
        what: String,
    },
    /// A count that does not fit.
    #[error(transparent)]
    Overflow(#[from] CountOverflow),
    /// The tables for SQL tools.
    #[error("{path}: {error}; the tables can be removed while nothing writes, and are made again")]
    Tables {
        /// The file.
        path: String,
        /// What SQLite said.
        error: rusqlite::Error,
    },
    /// A query whose sums may not fit.
    #[error("counts of this interval may pass 2^64 - 1; ask for a shorter one")]
    Sums,
    /// Ids are used up.
    #[error("{dir} holds {most} different keys and cannot take more; name another directory")]
    Full {
        /// The directory.
        dir: String,
        /// The highest number of keys.
        most: u32,
    },
    /// An earlier failure left it unknown what is written.
    #[error("{dir} could not be written before; open it again")]
    Failed {
        /// The directory.
        dir: String,
    },
}

impl StoreError {
    /// What makes an [`io::Error`] one of `path`.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> StoreError + '_ {
        |error| StoreError::Io { path: path.display().to_string(), error }
    }

    /// Something that does not match its checksum, or cannot be what was written.
    pub(super) fn damaged(what: impl Into<String>) -> StoreError {
        StoreError::Damaged { what: what.into() }
    }

    /// Whether the file is not there, as when it was compacted or expired meanwhile.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, StoreError::Io { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }
}
