//! Exact counts of the keys that one worker owns: a [`table`] for each open window, the [`top`] of it when the window
//! closes, and sorted runs on disk where memory does not do ([`spill`]).

pub mod counted;
pub mod open;
pub mod spill;
pub mod table;
pub mod top;

/// A key's count, or the weight of the events it is made of, passed 2^64 - 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the count of key \"{}\" passes 2^64 - 1; use smaller weights or shorter windows", key.escape_ascii())]
pub struct CountOverflow {
    /// The key.
    pub key: Vec<u8>,
}

/// Why exact counts cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// A count does not fit.
    #[error(transparent)]
    Overflow(#[from] CountOverflow),
    /// Counts cannot be spilled to disk or read back.
    #[error("counts cannot be spilled to {dir}: {error}; free space there, name another --spill-dir or raise --memory")]
    Spill {
        /// The directory.
        dir: String,
        /// What the system said.
        error: std::io::Error,
    },
}
