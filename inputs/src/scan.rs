//! Finding bytes in a window of 64 at once: short records are split without a loop over their bytes.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m128i, _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8};

/// How many bytes are looked at together.
pub(crate) const WINDOW: usize = 64;

/// A bit for each byte of the window that equals `byte`; the first byte's is the lowest.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn find(window: &[u8; WINDOW], byte: u8) -> u64 {
    // SAFETY: SSE2, all that `find_sse2` needs, is part of x86-64.
    unsafe { find_sse2(window, byte) }
}

/// A bit for each byte of the window that is at most `byte`; the first byte's is the lowest.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn up_to(window: &[u8; WINDOW], byte: u8) -> u64 {
    // SAFETY: SSE2, all that `up_to_sse2` needs, is part of x86-64.
    unsafe { up_to_sse2(window, byte) }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse2")]
fn find_sse2(window: &[u8; WINDOW], byte: u8) -> u64 {
    let wanted = _mm_set1_epi8(byte as i8);
    quarters(window).fold(0, |mask, quarter| mask << 16 | _mm_movemask_epi8(_mm_cmpeq_epi8(quarter, wanted)) as u64)
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse2")]
fn up_to_sse2(window: &[u8; WINDOW], byte: u8) -> u64 {
    let highest = _mm_set1_epi8(byte as i8);
    quarters(window).fold(0, |mask, quarter| {
        let below = _mm_cmpeq_epi8(_mm_min_epu8(quarter, highest), quarter);
        mask << 16 | _mm_movemask_epi8(below) as u64
    })
}

/// The quarters of a window, the last one first.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse2")]
fn quarters(window: &[u8; WINDOW]) -> impl Iterator<Item = __m128i> {
    let (quarters, _) = window.as_chunks::<16>();
    quarters.iter().rev().map(|quarter| {
        let quarter = u128::from_le_bytes(*quarter);
        _mm_set_epi64x((quarter >> 64) as i64, quarter as i64)
    })
}

/// A bit for each byte of the window that equals `byte`; the first byte's is the lowest.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(crate) fn find(window: &[u8; WINDOW], byte: u8) -> u64 {
    window.iter().rev().fold(0, |mask, &b| mask << 1 | u64::from(b == byte))
}

/// A bit for each byte of the window that is at most `byte`; the first byte's is the lowest.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(crate) fn up_to(window: &[u8; WINDOW], byte: u8) -> u64 {
    window.iter().rev().fold(0, |mask, &b| mask << 1 | u64::from(b <= byte))
}

/// The bits below the lowest bit of `mask`; all of them when it has none.
#[inline(always)]
pub(crate) fn below_lowest(mask: u64) -> u64 {
    mask.wrapping_sub(1) & !mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_byte_is_found_where_it_is(bytes in prop::collection::vec(prop_oneof![0u8..4, 126u8..130], WINDOW), byte in prop_oneof![0u8..4, 126u8..130]) {
            let window: &[u8; WINDOW] = bytes.first_chunk().expect("a window");
            for at in 0..WINDOW {
                prop_assert_eq!(find(window, byte) >> at & 1 == 1, window[at] == byte);
                prop_assert_eq!(up_to(window, byte) >> at & 1 == 1, window[at] <= byte);
            }
        }
    }

    #[test]
    fn bits_below_the_lowest() {
        assert_eq!(below_lowest(0b1010_0000), 0b1_1111);
        assert_eq!((below_lowest(1), below_lowest(0)), (0, u64::MAX));
    }
}
