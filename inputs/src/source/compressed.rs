//! Decompression by content: gzip (RFC 1952) and Zstandard (RFC 8878) are known by their first bytes.

use std::io::{self, BufReader, Chain, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How streams of the two kinds begin.
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const MAGICS: [&[u8]; 2] = [GZIP, ZSTD];

/// Whether a stream that begins so is compressed.
pub(super) fn is_compressed(start: &[u8]) -> bool {
    MAGICS.iter().any(|magic| start.starts_with(magic))
}

/// Counts the bytes that pass: its own, and those of all sources together.
struct Counted<R> {
    inner: R,
    own: Arc<AtomicU64>,
    all: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.own.fetch_add(n as u64, Ordering::Relaxed);
        self.all.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// A stream of bytes before compression, and how many were read of it as it is stored.
pub(super) type Decompressed = (Box<dyn Read + Send>, Arc<AtomicU64>);

/// The bytes of `inner` before compression. Waits for the first bytes. What is read from `inner` is also added to `all`.
///
/// # Errors
/// When the first bytes cannot be read. A damaged or truncated stream is an error of a later read.
pub(super) fn decompress(inner: impl Read + Send + 'static, all: Arc<AtomicU64>) -> io::Result<Decompressed> {
    let own = Arc::<AtomicU64>::default();
    let mut inner = Counted { inner, own: own.clone(), all };
    let mut magic = Vec::new();
    // No more than it takes to tell: what is live may pause after any byte.
    while MAGICS.iter().any(|known| known.len() > magic.len() && known.starts_with(&magic))
        && (&mut inner).take(1).read_to_end(&mut magic)? > 0
    {}
    let whole: Chain<Cursor<Vec<u8>>, _> = Cursor::new(magic.clone()).chain(inner);
    let bytes: Box<dyn Read + Send> = match magic.as_slice() {
        magic if magic == GZIP => {
            Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(128 << 10, whole)))
        }
        magic if magic == ZSTD => Box::new(zstd::Decoder::new(whole)?),
        _ => Box::new(whole),
    };
    Ok((bytes, own))
}
