//! Many hashes from one, and random numbers from a seed.

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Mixes all bits with each other: a bijection (the finaliser of Steele et al., "Fast Splittable Pseudorandom Number
/// Generators", OOPSLA 2014). What differs in one bit differs in half of them after it.
#[inline(always)]
pub(super) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// The hash of the same key for row `row`. As the caller's hash is seeded, nobody can choose keys that collide here.
#[inline(always)]
pub(super) fn of_row(hash: u64, row: usize) -> u64 {
    mix(hash ^ (row as u64 + 1).wrapping_mul(GOLDEN))
}

/// A place below `places` (fewer than 2^32) for a mixed hash, from its upper half.
#[inline(always)]
pub(super) fn place(mixed: u64, places: usize) -> usize {
    (((mixed >> 32) * places as u64) >> 32) as usize
}

/// Random numbers that repeat with their seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// Above 0 and below 1.
    fn part(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// Whether what has this `chance` happens.
    pub(super) fn happens(&mut self, chance: f64) -> bool {
        self.part() < chance
    }

    /// How many trials it takes until one succeeds that does so with this `chance`: 1 at least, by inversion of the
    /// geometric distribution.
    pub(super) fn trials(&mut self, chance: f64) -> u64 {
        if chance >= 1.0 { 1 } else { ((self.part().ln() / (-chance).ln_1p()) as u64).saturating_add(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_rows_are_even_and_independent() {
        let mut seen = [[0u32; 10]; 10];
        for hash in 0..100_000u64 {
            seen[place(of_row(hash, 0), 10)][place(of_row(hash, 1), 10)] += 1;
        }
        // Mean 1000, standard deviation 31.
        assert!(seen.iter().flatten().all(|count| (850..1150).contains(count)), "{seen:?}");
    }

    #[test]
    fn trials_are_as_many_as_their_chance_says() {
        let mut random = Random(5);
        for chance in [1.0, 0.5, 0.01] {
            let sum: u64 = (0..20_000).map(|_| random.trials(chance)).sum();
            let mean = sum as f64 / 20_000.0;
            assert!((mean * chance - 1.0).abs() < 0.03, "{mean} at {chance}");
        }
        assert!(random.trials(f64::MIN_POSITIVE) > 1 << 50);
    }
}
