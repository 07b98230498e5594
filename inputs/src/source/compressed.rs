//! Decompression by content: gzip (RFC 1952) and Zstandard (RFC 8878) are known by their first bytes.

use std::io::{self, BufReader, Chain, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the bytes that pass.
struct Counted<R> {
    inner: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.taken.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// The bytes of `inner` before compression. Waits for the first bytes; `taken` counts the bytes read from `inner`.
///
/// # Errors
/// When the first bytes cannot be read. A damaged or truncated stream is an error of a later read.
pub(super) fn decompress(inner: impl Read + Send + 'static, taken: Arc<AtomicU64>) -> io::Result<Box<dyn Read + Send>> {
    let mut inner = Counted { inner, taken };
    let mut magic = Vec::new();
    (&mut inner).take(4).read_to_end(&mut magic)?;
    let whole: Chain<Cursor<Vec<u8>>, _> = Cursor::new(magic.clone()).chain(inner);
    Ok(match magic.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(128 << 10, whole))),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::Decoder::new(whole)?),
        _ => Box::new(whole),
    })
}
