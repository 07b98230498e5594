//! Counts rounded up to 16 bits: what bounds a block without opening it.

/// The smallest ceiling that is not below `count`: less than 0.2 % above it.
pub fn ceiling(count: u64) -> u16 {
    let exponent = (64 - count.leading_zeros()).saturating_sub(10);
    let rounded = (u128::from(count) + (1u128 << exponent) - 1) >> exponent;
    match rounded {
        1024 => 512 | (exponent as u16 + 1) << 10,
        mantissa => mantissa as u16 | (exponent as u16) << 10,
    }
}

/// What a ceiling stands for. Every 16 bits are one; those beyond 64 bits stand for the highest count.
#[inline]
pub fn height(ceiling: u16) -> u64 {
    let (mantissa, exponent) = (u64::from(ceiling & 0x3ff), u32::from(ceiling >> 10));
    let shifted = mantissa << exponent;
    if shifted >> exponent == mantissa { shifted } else { u64::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ceilings_are_close_and_never_below(count in any::<u64>(), shift in 0u32..64) {
            let count = count >> shift;
            let height = height(ceiling(count));
            prop_assert!(height >= count);
            prop_assert!(u128::from(height - count) * 512 <= u128::from(count), "{count} {height}");
        }

        #[test]
        fn order_is_kept(a in any::<u16>(), b in any::<u16>()) {
            let (a, b) = (height(a), height(b));
            prop_assert!(a.cmp(&b) as i8 * height(ceiling(a)).cmp(&height(ceiling(b))) as i8 >= 0);
        }
    }

    #[test]
    fn small_counts_are_their_ceilings() {
        for count in 0..1024 {
            assert_eq!(height(ceiling(count)), count);
        }
        assert_eq!(height(ceiling(u64::MAX)), u64::MAX);
    }
}
