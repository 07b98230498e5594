//! Random numbers that are the same everywhere: PCG (M. E. O'Neill, HMC-CS-2014-0905) and whole-number arithmetic.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// One stream of random numbers; different purposes of one seed have unrelated streams.
pub(super) fn stream(seed: u64, purpose: u64) -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(mixed(seed) ^ purpose)
}

/// A number below `bound`, or 0 when that is 0. Uniform but for a bias below `bound / 2^64` (Lemire 2019, without
/// its rejection).
#[inline]
pub(super) fn below(rng: &mut Pcg64Mcg, bound: u64) -> u64 {
    ((u128::from(rng.next_u64()) * u128::from(bound)) >> 64) as u64
}

/// A number from 0 up to and without 1, in steps of 2^-53.
#[inline]
pub(super) fn unit(rng: &mut Pcg64Mcg) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Whether something of the given chance (0 to 1) happens.
#[inline]
pub(super) fn happens(rng: &mut Pcg64Mcg, chance: f64) -> bool {
    unit(rng) < chance
}

/// A number whose bits all depend on all bits of another, one to one (the finalizer of SplitMix64, Steele et al. 2014).
#[inline]
pub(super) fn mixed(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fill_their_bounds() {
        let mut rng = stream(1, 0);
        let mut seen = [0; 10];
        (0..10_000).for_each(|_| seen[below(&mut rng, 10) as usize] += 1);
        assert!(seen.iter().all(|&times| (800..1200).contains(&times)), "{seen:?}");
        assert_eq!(below(&mut rng, 0), 0);
    }

    #[test]
    fn chances() {
        let mut rng = stream(1, 0);
        let times = (0..10_000).filter(|_| happens(&mut rng, 0.25)).count();
        assert!((2300..2700).contains(&times), "{times}");
        assert!(happens(&mut rng, 1.0) && !happens(&mut rng, 0.0));
    }

    #[test]
    fn streams_differ() {
        let first = |seed, purpose| stream(seed, purpose).next_u64();
        assert!(first(1, 0) != first(2, 0) && first(1, 0) != first(1, 1));
    }
}
