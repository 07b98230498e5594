//! Streams that have to be waited for: standard input, named pipes, devices. A thread of their own reads them ahead,
//! by a few blocks at most, so that a slow reader slows the writer down.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use super::compressed::decompress;
use super::{OpenedSource, Pull, Source};

/// How much a thread reads at once, and how many such pieces it may be ahead.
const PIECE: usize = 256 << 10;
const AHEAD: usize = 16;

struct Live {
    pieces: Receiver<io::Result<Vec<u8>>>,
}

impl Source for Live {
    fn pull(&mut self, want: usize, into: &mut Vec<u8>) -> io::Result<Pull> {
        let before = into.len();
        while into.len() - before < want {
            match self.pieces.try_recv() {
                Ok(piece) => into.extend_from_slice(&piece?),
                Err(_) if into.len() > before => break,
                Err(TryRecvError::Empty) => return Ok(Pull::Idle),
                Err(TryRecvError::Disconnected) => return Ok(Pull::Done),
            }
        }
        Ok(Pull::Filled)
    }
}

/// Reads `bytes` on a thread called after `name`, which ends with the stream or when nobody listens any more.
fn read_ahead(name: &str, bytes: impl Read + Send + 'static, taken: Arc<AtomicU64>) -> io::Result<OpenedSource> {
    let (give, pieces) = sync_channel(AHEAD);
    let read = move || {
        let mut bytes = match decompress(bytes, taken) {
            Ok((bytes, _)) => bytes,
            Err(e) => return drop(give.send(Err(e))),
        };
        loop {
            let mut piece = vec![0; PIECE];
            let got = match bytes.read(&mut piece) {
                Ok(0) => return,
                Ok(n) => {
                    piece.truncate(n);
                    Ok(piece)
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => Err(e),
            };
            let failed = got.is_err();
            if give.send(got).is_err() || failed {
                return;
            }
        }
    };
    std::thread::Builder::new().name(format!("read {name}")).spawn(read)?;
    Ok(OpenedSource { source: Box::new(Live { pieces }), size: None })
}

/// Opens standard input.
pub(super) fn open_stdin(name: &str, taken: Arc<AtomicU64>) -> io::Result<OpenedSource> {
    read_ahead(name, io::stdin(), taken)
}

/// Whether `name` is there and neither a file nor a directory.
pub(super) fn is_pipe(name: &str) -> bool {
    std::fs::metadata(name).is_ok_and(|meta| !meta.is_file() && !meta.is_dir())
}

/// Opens a named pipe or device; the pipe's other end may come later.
pub(super) fn open_pipe(name: &str, taken: Arc<AtomicU64>) -> io::Result<OpenedSource> {
    struct OpenLater(String, Option<File>);
    impl Read for OpenLater {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let file = match self.1.take() {
                Some(file) => file,
                None => File::open(&self.0)?,
            };
            self.1.insert(file).read(buffer)
        }
    }
    read_ahead(name, OpenLater(name.into(), None), taken)
}
