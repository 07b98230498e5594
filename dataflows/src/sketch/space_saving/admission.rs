//! Which keys without a counter get to compete for one.
//!
//! Most newcomers are rare keys. Were each to push out the key that was seen least, which as a rule is the newcomer before
//! it, none would stay long enough to be seen twice, and each would cost an eviction. A key that is frequent raises its own
//! cells, so its bound tells: the highest bounds compete at once, the others by lot.

use crate::sketch::mix::mix;

/// About one newcomer in so many has a high bound.
const HIGH_ONE_IN: u64 = 8;
/// The chance of one whose bound is not high is what it would be against a key seen so often, at best.
const LEAST_RIVAL: u64 = 32;

/// The bound that about one newcomer in eight is above, in 256ths: it moves by a thousandth of itself, up with each that is
/// above and down with each that is not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HighBound(u64);

impl HighBound {
    #[inline(always)]
    fn is_below(&mut self, bound: u64) -> bool {
        let is_below = self.0 < bound.min(u64::MAX >> 8) << 8;
        let step = (self.0 >> 10) + 1;
        self.0 = if is_below { self.0.saturating_add(step * (HIGH_ONE_IN - 1)) } else { self.0.saturating_sub(step) };
        is_below
    }

    /// Of two sketches that become one, whose bounds add up.
    pub(super) fn plus(self, other: Self) -> Self {
        HighBound(self.0.saturating_add(other.0))
    }
}

/// A newcomer's lot.
#[derive(Clone, Copy)]
pub(super) struct Lot {
    draw: u64,
    weight: u64,
    least_rival: u64,
}

impl Lot {
    /// The lot of the key with this tag, after so much weight of all keys: the same stream gives the same lots.
    #[inline(always)]
    pub(super) fn draw(tag: u64, total: u128, weight: u64, bound: u64, high: &mut HighBound) -> Self {
        let least_rival = if high.is_below(bound) { 1 } else { LEAST_RIVAL };
        Lot { draw: mix(tag ^ total as u64), weight, least_rival }
    }

    /// Whether it may win against any key.
    #[inline(always)]
    pub(super) fn may_win(self) -> bool {
        self.wins_against(0)
    }

    /// Whether it wins against a key whose certain weight is `low`: with probability `weight / low`, so that what is
    /// certain is kept as long as it deserves.
    #[inline(always)]
    pub(super) fn wins_against(self, low: u64) -> bool {
        (u128::from(self.draw) * u128::from(low.max(self.least_rival))) >> 64 < self.weight.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_newcomer_in_eight_has_a_high_bound_however_bounds_grow() {
        let mut high = HighBound::default();
        for (scale, events) in [(100, 50_000), (10_000, 100_000), (1 << 40, 200_000)] {
            let bounds = (0..events).map(|event| mix(event) % scale);
            let above: Vec<bool> = bounds.map(|bound| high.is_below(bound)).collect();
            let late = above[above.len() - 20_000..].iter().filter(|above| **above).count();
            assert!((2_300..2_700).contains(&late), "{late} of 20,000 at {scale}");
        }
    }

    #[test]
    fn chances_are_as_the_weights_and_a_low_bound_makes_them_less() {
        let wins = |high: HighBound, low: u64| {
            let lots = (0..64_000).map(|tag| Lot::draw(tag, 0, 2, 10, &mut { high }));
            lots.filter(|lot| lot.wins_against(low)).inspect(|lot| assert!(lot.may_win())).count()
        };
        let (below, above) = (HighBound(0), HighBound(1 << 20));
        assert_eq!([wins(below, 0), wins(below, 2)], [64_000; 2]);
        assert!((15_500..16_500).contains(&wins(below, 8)) && (1_800..2_200).contains(&wins(below, 64)));
        assert!((3_800..4_200).contains(&wins(above, 8)) && (1_800..2_200).contains(&wins(above, 64)));
    }
}
