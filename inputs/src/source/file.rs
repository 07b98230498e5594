//! Files. They are read, not mapped: a file that shrinks while it is read is an error and not a crash.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::compressed::decompress;
use super::{OpenedSource, Pull, Source};

struct Stored {
    bytes: Box<dyn Read + Send>,
    taken: Arc<AtomicU64>,
    size: u64,
}

impl Source for Stored {
    fn pull(&mut self, want: usize, into: &mut Vec<u8>) -> io::Result<Pull> {
        let n = self.bytes.by_ref().take(want as u64).read_to_end(into)?;
        if n > 0 {
            return Ok(Pull::Filled);
        }
        let taken = self.taken.load(Ordering::Relaxed);
        if taken < self.size {
            let shrunk = format!("it ended at byte {taken} and held {} bytes when it was opened", self.size);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, shrunk));
        }
        Ok(Pull::Done)
    }
}

/// Opens a file.
pub(super) fn open(name: &str, taken: Arc<AtomicU64>) -> io::Result<OpenedSource> {
    let file = File::open(name)?;
    let meta = file.metadata()?;
    if meta.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
    }
    let size = meta.len();
    let (bytes, taken) = decompress(file, taken)?;
    let source = Box::new(Stored { bytes, taken, size });
    Ok(OpenedSource { source, size: Some(size) })
}
