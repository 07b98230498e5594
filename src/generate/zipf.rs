//! Ranks by Zipf's law.

use rand_pcg::Pcg64Mcg;

use super::random::unit;

/// Ranks from 0, rank r in proportion to `1 / (r + 1)^skew`. A draw is O(1) and needs no memory: the rank is read off an
/// envelope, 1 up to 1 and `x^-skew` above, and accepted as often as the staircase of ranks lies below it (J. Crease,
/// Rejection Sampling the Zipf Distribution).
///
/// Powers come from `libm`, which computes the same on every machine; those of the standard library may not.
pub(super) struct Zipf {
    ranks: f64,
    skew: f64,
    area: f64,
    inverse: f64,
}

impl Zipf {
    /// The law over `ranks` ranks, at least 1; `skew` is finite and at least 0.
    pub(super) fn new(ranks: u64, skew: f64) -> Self {
        let (ranks, skew) = (ranks as f64, settled(skew));
        let inverse = 1.0 / (1.0 - skew);
        let area = match skew {
            1.0 => 1.0 + libm::log(ranks),
            _ => (libm::pow(ranks, 1.0 - skew) - skew) * inverse,
        };
        Zipf { ranks, skew, area, inverse }
    }

    /// Draws a rank.
    #[inline]
    pub(super) fn draw(&self, rng: &mut Pcg64Mcg) -> u64 {
        loop {
            let place = self.place(unit(rng) * self.area);
            let step = self.step(place);
            if step == 1.0 || self.accepts(place / step, unit(rng)) {
                return step as u64 - 1;
            }
        }
    }

    /// Where the envelope has the given area to its left.
    #[inline]
    fn place(&self, area: f64) -> f64 {
        match self.skew {
            _ if area <= 1.0 => area,
            1.0 => libm::exp(area - 1.0),
            skew => libm::pow(area * (1.0 - skew) + skew, self.inverse),
        }
    }

    /// The step of the staircase at a place, from 1. Rounding may put a place a little behind the last one.
    #[inline]
    fn step(&self, place: f64) -> f64 {
        (place.floor() + 1.0).min(self.ranks)
    }

    /// Whether `drawn` is below `ratio^skew`. The ratio is near 1 for all but the first ranks, where a bound of the power
    /// decides: Bernoulli's, or for exponents below 1 the ratio itself.
    #[inline]
    fn accepts(&self, ratio: f64, drawn: f64) -> bool {
        let certain = if self.skew < 1.0 { ratio } else { 1.0 - self.skew * (1.0 - ratio) };
        drawn < certain || drawn < libm::pow(ratio, self.skew)
    }
}

/// An exponent so near 1 that its distance from 1 has lost its digits is 1.
fn settled(skew: f64) -> f64 {
    if (skew - 1.0).abs() < 1e-6 { 1.0 } else { skew }
}

#[cfg(test)]
mod tests {
    use super::super::random::stream;
    use super::*;

    const DRAWS: f64 = 200_000.0;

    /// How often each rank came up.
    fn counts(ranks: u64, skew: f64) -> Vec<f64> {
        let (zipf, mut rng) = (Zipf::new(ranks, skew), stream(9, 9));
        let mut counts = vec![0.0; ranks as usize];
        (0..DRAWS as u64).for_each(|_| counts[zipf.draw(&mut rng) as usize] += 1.0);
        counts
    }

    #[test]
    fn ranks_come_up_as_the_law_says() {
        for skew in [0.0, 0.3, 0.8, 1.0, 1.0 + 1e-15, 1.05, 2.0, 4.0] {
            let weights: Vec<f64> = (1..=500).map(|rank| f64::from(rank).powf(-skew)).collect();
            let total: f64 = weights.iter().sum();
            let counts = counts(500, skew);
            for part in [0..1, 1..2, 2..3, 3..10, 10..100, 100..500] {
                let expected = DRAWS * weights[part.clone()].iter().sum::<f64>() / total;
                let counted: f64 = counts[part.clone()].iter().sum();
                assert!(
                    (counted - expected).powi(2) <= 16.0 * expected.max(1.0),
                    "{skew} {part:?}: {counted}, {expected}"
                );
            }
        }
    }

    #[test]
    fn the_bound_decides_as_the_power_would() {
        for skew in [0.0, 0.3, 0.8, 1.0, 1.05, 4.0] {
            let zipf = Zipf::new(10, skew);
            for (at, drawn) in (0..10_000).map(|at| (at, f64::from(at % 100) / 100.0)) {
                let ratio = 0.5 + f64::from(at / 100) / 200.0;
                let power = ratio.powf(skew);
                assert!(zipf.accepts(ratio, drawn) == (drawn < power) || (drawn - power).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn any_law_has_ranks() {
        for skew in [0.0, 1e-300, 1.0 - 1e-16, 1.0 + f64::EPSILON, 1.000_000_1, 1.000_001, 3.0, 1e9, f64::MAX] {
            for ranks in [1, 2, 3, 1_000_000_000] {
                let (zipf, mut rng) = (Zipf::new(ranks, skew), stream(9, 9));
                assert!((0..1000).all(|_| zipf.draw(&mut rng) < ranks), "{skew} {ranks}");
                assert!(zipf.step(zipf.place(zipf.area)) <= ranks as f64, "{skew} {ranks}");
            }
        }
    }
}
