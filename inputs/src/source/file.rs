//! Files. They are read, not mapped: a file that shrinks while it is read is an error and not a crash.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::buffer::spare_capacity;

use super::compressed::{decompress, is_compressed};
use super::{OpenedSource, Pull, Source};

struct Stored {
    bytes: Bytes,
    size: u64,
}

/// Where the bytes come from, and how many were taken of the file.
enum Bytes {
    /// The file as it is.
    Plain { file: File, own: u64, all: Arc<AtomicU64> },
    /// What its compressed bytes stand for.
    Compressed(Box<dyn Read + Send>, Arc<AtomicU64>),
}

impl Bytes {
    fn pull(&mut self, want: usize, into: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Bytes::Compressed(bytes, _) => bytes.take(want as u64).read_to_end(into),
            Bytes::Plain { file, own, all } => {
                // A block in one call, into room that need not be zeroed before: the standard library takes five for it.
                into.reserve_exact(want);
                let n = rustix::io::retry_on_intr(|| rustix::io::read(&*file, spare_capacity(into)))?;
                *own += n as u64;
                all.fetch_add(n as u64, Ordering::Relaxed);
                Ok(n)
            }
        }
    }

    fn taken(&self) -> u64 {
        match self {
            Bytes::Compressed(_, taken) => taken.load(Ordering::Relaxed),
            Bytes::Plain { own, .. } => *own,
        }
    }
}

impl Source for Stored {
    fn pull(&mut self, want: usize, into: &mut Vec<u8>) -> io::Result<Pull> {
        if self.bytes.pull(want, into)? > 0 {
            return Ok(Pull::Filled);
        }
        let taken = self.bytes.taken();
        if taken < self.size {
            let shrunk = format!("it ended at byte {taken} and held {} bytes when it was opened", self.size);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, shrunk));
        }
        Ok(Pull::Done)
    }
}

/// Opens a file.
pub(super) fn open(name: &str, taken: Arc<AtomicU64>) -> io::Result<OpenedSource> {
    let mut file = File::open(name)?;
    let meta = file.metadata()?;
    if meta.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
    }
    let size = meta.len();
    let mut start = Vec::new();
    (&mut file).take(4).read_to_end(&mut start)?;
    file.rewind()?;
    let bytes = if is_compressed(&start) {
        let (bytes, own) = decompress(file, taken)?;
        Bytes::Compressed(bytes, own)
    } else {
        Bytes::Plain { file, own: 0, all: taken }
    };
    let source = Box::new(Stored { bytes, size });
    Ok(OpenedSource { source, size: Some(size) })
}
