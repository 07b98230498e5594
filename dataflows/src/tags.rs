//! Comparing the tags of a cache line.

/// As many tags are compared at once.
pub const WIDTH: usize = 8;

/// One bit for each of `tags` that is `tag`. In six instructions: compilers take fifty for the portable form.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn equal(tags: &[u32; WIDTH], tag: u32) -> u32 {
    use std::arch::x86_64::{_mm_cmpeq_epi32, _mm_movemask_epi8, _mm_packs_epi16, _mm_packs_epi32};
    use std::arch::x86_64::{_mm_set_epi32, _mm_set1_epi32, _mm_setzero_si128};
    let [a, b, c, d, e, f, g, h] = *tags;
    // SAFETY: SSE2, which the instructions belong to, is part of x86-64, and none of them reads memory.
    unsafe {
        let tag = _mm_set1_epi32(tag as i32);
        let lower = _mm_cmpeq_epi32(_mm_set_epi32(d as i32, c as i32, b as i32, a as i32), tag);
        let upper = _mm_cmpeq_epi32(_mm_set_epi32(h as i32, g as i32, f as i32, e as i32), tag);
        _mm_movemask_epi8(_mm_packs_epi16(_mm_packs_epi32(lower, upper), _mm_setzero_si128())) as u32
    }
}

/// One bit for each of `tags` that is `tag`.
#[cfg(not(target_arch = "x86_64"))]
pub fn equal(tags: &[u32; WIDTH], tag: u32) -> u32 {
    (0..WIDTH).fold(0, |bits, at| bits | u32::from(tags[at] == tag) << at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_equal_tag_has_its_bit() {
        for bits in 0..1 << WIDTH {
            let tags = std::array::from_fn(|at| if bits >> at & 1 == 1 { 0xdead_beef } else { at as u32 });
            assert_eq!(equal(&tags, 0xdead_beef), bits);
        }
    }
}
