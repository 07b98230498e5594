//! Finding bytes in a window of 64 at once, by the widest instructions that the machine has: short records are split
//! without a loop over their bytes.

#[cfg(target_arch = "x86_64")]
mod x86;

/// How many bytes are looked at together.
pub(crate) const WINDOW: usize = 64;

/// A way of looking at a window. Each function gives a bit for each byte; the first byte's is the lowest.
pub(crate) trait Finder: Copy {
    /// The bytes that equal `byte`.
    fn find(self, window: &[u8; WINDOW], byte: u8) -> u64;

    /// The bytes that are at most `byte`.
    fn up_to(self, window: &[u8; WINDOW], byte: u8) -> u64;

    /// Of the bits of `mask`, numbered from the lowest, those whose numbers are the places of the bits of `numbers`.
    #[inline(always)]
    fn pick(self, mut mask: u64, mut numbers: u64) -> u64 {
        let mut picked = 0;
        while mask != 0 && numbers != 0 {
            let lowest = mask & mask.wrapping_neg();
            picked |= lowest * (numbers & 1);
            (mask, numbers) = (mask ^ lowest, numbers >> 1);
        }
        picked
    }
}

/// What is to be done with the widest [`Finder`] of the machine.
pub(crate) trait Search {
    /// What comes of it.
    type Output;

    /// Does it. To be inlined always, with all that calls the finder: only there are its instructions at hand.
    fn with(self, finder: impl Finder) -> Self::Output;
}

/// Does `search` with the widest finder of this machine.
pub(crate) fn search<S: Search>(search: S) -> S::Output {
    #[cfg(target_arch = "x86_64")]
    return x86::search(search);
    #[cfg(not(target_arch = "x86_64"))]
    search.with(Plain)
}

/// A window of which these bytes, fewer than it has, are the first, and the others zeros.
#[cold]
pub(crate) fn padded(bytes: &[u8]) -> [u8; WINDOW] {
    let mut window = [0; WINDOW];
    window[..bytes.len()].copy_from_slice(bytes);
    window
}

/// Byte by byte.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[derive(Clone, Copy)]
struct Plain;

#[cfg(any(test, not(target_arch = "x86_64")))]
impl Finder for Plain {
    #[inline(always)]
    fn find(self, window: &[u8; WINDOW], byte: u8) -> u64 {
        window.iter().rev().fold(0, |mask, &b| mask << 1 | u64::from(b == byte))
    }

    #[inline(always)]
    fn up_to(self, window: &[u8; WINDOW], byte: u8) -> u64 {
        window.iter().rev().fold(0, |mask, &b| mask << 1 | u64::from(b <= byte))
    }
}
