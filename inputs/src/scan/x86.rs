//! The finders of x86-64: SSE2, which all have, AVX2, and AVX-512.

use std::arch::x86_64::{
    __m128i, __m256i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_set1_epi8,
    _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_set1_epi8,
    _mm512_cmpeq_epi8_mask, _mm512_cmple_epu8_mask, _mm512_loadu_si512, _mm512_set1_epi8, _pdep_u64,
};

use super::{Finder, Search, WINDOW};

/// Does `search` with the widest finder of this machine.
pub(super) fn search<S: Search>(search: S) -> S::Output {
    if is_x86_feature_detected!("avx512bw") && has_bits() {
        // SAFETY: the machine has all of it.
        unsafe { with_avx512(search) }
    } else if is_x86_feature_detected!("avx2") && has_bits() {
        // SAFETY: the machine has all of it.
        unsafe { with_avx2(search) }
    } else {
        search.with(Sse2)
    }
}

/// Whether there are the instructions for single bits that come with AVX2 so far.
fn has_bits() -> bool {
    is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
}

#[target_feature(enable = "avx512bw,bmi1,bmi2,lzcnt,popcnt")]
fn with_avx512<S: Search>(search: S) -> S::Output {
    search.with(Avx512(()))
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn with_avx2<S: Search>(search: S) -> S::Output {
    search.with(Avx2(()))
}

#[derive(Clone, Copy)]
struct Sse2;

/// Made only where there are AVX2 and BMI2.
#[derive(Clone, Copy)]
struct Avx2(());

/// Made only where there are AVX-512 BW and BMI2.
#[derive(Clone, Copy)]
struct Avx512(());

impl Finder for Sse2 {
    #[inline(always)]
    fn find(self, window: &[u8; WINDOW], byte: u8) -> u64 {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { find_sse2(window, byte) }
    }

    #[inline(always)]
    fn up_to(self, window: &[u8; WINDOW], byte: u8) -> u64 {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { up_to_sse2(window, byte) }
    }
}

impl Finder for Avx2 {
    #[inline(always)]
    fn find(self, window: &[u8; WINDOW], byte: u8) -> u64 {
        // SAFETY: where there is an `Avx2` there is AVX2.
        unsafe { find_avx2(window, byte) }
    }

    #[inline(always)]
    fn up_to(self, window: &[u8; WINDOW], byte: u8) -> u64 {
        // SAFETY: where there is an `Avx2` there is AVX2.
        unsafe { up_to_avx2(window, byte) }
    }

    #[inline(always)]
    fn pick(self, mask: u64, numbers: u64) -> u64 {
        // SAFETY: where there is an `Avx2` there is BMI2.
        unsafe { pick_bmi2(mask, numbers) }
    }
}

impl Finder for Avx512 {
    #[inline(always)]
    fn find(self, window: &[u8; WINDOW], byte: u8) -> u64 {
        // SAFETY: where there is an `Avx512` there is AVX-512 BW.
        unsafe { find_avx512(window, byte) }
    }

    #[inline(always)]
    fn up_to(self, window: &[u8; WINDOW], byte: u8) -> u64 {
        // SAFETY: where there is an `Avx512` there is AVX-512 BW.
        unsafe { up_to_avx512(window, byte) }
    }

    #[inline(always)]
    fn pick(self, mask: u64, numbers: u64) -> u64 {
        // SAFETY: where there is an `Avx512` there is BMI2.
        unsafe { pick_bmi2(mask, numbers) }
    }
}

#[inline]
#[target_feature(enable = "bmi2")]
fn pick_bmi2(mask: u64, numbers: u64) -> u64 {
    _pdep_u64(numbers, mask)
}

#[inline]
#[target_feature(enable = "sse2")]
fn find_sse2(window: &[u8; WINDOW], byte: u8) -> u64 {
    let wanted = _mm_set1_epi8(byte as i8);
    let [a, b, c, d] = quarters(window);
    joined([
        _mm_movemask_epi8(_mm_cmpeq_epi8(a, wanted)),
        _mm_movemask_epi8(_mm_cmpeq_epi8(b, wanted)),
        _mm_movemask_epi8(_mm_cmpeq_epi8(c, wanted)),
        _mm_movemask_epi8(_mm_cmpeq_epi8(d, wanted)),
    ])
}

#[inline]
#[target_feature(enable = "sse2")]
fn up_to_sse2(window: &[u8; WINDOW], byte: u8) -> u64 {
    let highest = _mm_set1_epi8(byte as i8);
    let [a, b, c, d] = quarters(window);
    joined([
        _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(a, highest), a)),
        _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(b, highest), b)),
        _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(c, highest), c)),
        _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(d, highest), d)),
    ])
}

#[inline]
#[target_feature(enable = "sse2")]
fn quarters(window: &[u8; WINDOW]) -> [__m128i; 4] {
    let at: *const __m128i = window.as_ptr().cast();
    // SAFETY: four times 16 bytes are those of the window, and need not be aligned.
    unsafe { [_mm_loadu_si128(at), _mm_loadu_si128(at.add(1)), _mm_loadu_si128(at.add(2)), _mm_loadu_si128(at.add(3))] }
}

/// Four times 16 bits, the first the lowest.
#[inline(always)]
fn joined([a, b, c, d]: [i32; 4]) -> u64 {
    a as u64 | (b as u64) << 16 | (c as u64) << 32 | (d as u64) << 48
}

#[inline]
#[target_feature(enable = "avx2")]
fn find_avx2(window: &[u8; WINDOW], byte: u8) -> u64 {
    let wanted = _mm256_set1_epi8(byte as i8);
    let [low, high] = halves(window);
    let (low, high) = (_mm256_cmpeq_epi8(low, wanted), _mm256_cmpeq_epi8(high, wanted));
    u64::from(_mm256_movemask_epi8(low) as u32) | u64::from(_mm256_movemask_epi8(high) as u32) << 32
}

#[inline]
#[target_feature(enable = "avx2")]
fn up_to_avx2(window: &[u8; WINDOW], byte: u8) -> u64 {
    let highest = _mm256_set1_epi8(byte as i8);
    let [low, high] = halves(window);
    let low = _mm256_cmpeq_epi8(_mm256_min_epu8(low, highest), low);
    let high = _mm256_cmpeq_epi8(_mm256_min_epu8(high, highest), high);
    u64::from(_mm256_movemask_epi8(low) as u32) | u64::from(_mm256_movemask_epi8(high) as u32) << 32
}

#[inline]
#[target_feature(enable = "avx2")]
fn halves(window: &[u8; WINDOW]) -> [__m256i; 2] {
    let at: *const __m256i = window.as_ptr().cast();
    // SAFETY: twice 32 bytes are those of the window, and need not be aligned.
    unsafe { [_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1))] }
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn find_avx512(window: &[u8; WINDOW], byte: u8) -> u64 {
    // SAFETY: a window is 64 bytes, and need not be aligned.
    let window = unsafe { _mm512_loadu_si512(window.as_ptr().cast()) };
    _mm512_cmpeq_epi8_mask(window, _mm512_set1_epi8(byte as i8))
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn up_to_avx512(window: &[u8; WINDOW], byte: u8) -> u64 {
    // SAFETY: a window is 64 bytes, and need not be aligned.
    let window = unsafe { _mm512_loadu_si512(window.as_ptr().cast()) };
    _mm512_cmple_epu8_mask(window, _mm512_set1_epi8(byte as i8))
}

#[cfg(test)]
mod tests {
    use super::super::Plain;
    use super::*;
    use proptest::prelude::*;

    fn agrees_with_plain(finder: impl Finder, window: &[u8; WINDOW], byte: u8, numbers: u64) -> bool {
        let (found, up_to) = (finder.find(window, byte), finder.up_to(window, byte));
        let places: Vec<_> = (0..64).filter(|at| found >> at & 1 == 1).collect();
        let picked = |numbers: u64| (0..).zip(&places).map(|(number, at)| (numbers >> number & 1) << at).sum::<u64>();
        found == Plain.find(window, byte)
            && up_to == Plain.up_to(window, byte)
            && [finder.pick(found, numbers), Plain.pick(found, numbers)] == [picked(numbers); 2]
    }

    proptest! {
        #[test]
        fn every_finder_that_the_machine_has_finds_the_same(
            bytes in prop::collection::vec(prop_oneof![0u8..4, 126u8..130], WINDOW),
            byte in prop_oneof![0u8..4, 126u8..130],
            numbers in any::<u64>(),
        ) {
            let window: &[u8; WINDOW] = bytes.first_chunk().expect("a window");
            prop_assert!(agrees_with_plain(Sse2, window, byte, numbers));
            if is_x86_feature_detected!("avx2") && has_bits() {
                prop_assert!(agrees_with_plain(Avx2(()), window, byte, numbers));
            }
            if is_x86_feature_detected!("avx512bw") && has_bits() {
                prop_assert!(agrees_with_plain(Avx512(()), window, byte, numbers));
            }
        }
    }
}
