//! Which key an event has: Zipf over ranks, with drift and bursts, and ranks spread over ids.

use std::ops::Range;

use rand_pcg::Pcg64Mcg;

use super::plan::{MAX_KEYS, Plan};
use super::random::{below, happens, mixed, stream};
use super::zipf::Zipf;

/// Ids of successive ranks are this far apart, modulo [`MAX_KEYS`]: near the golden section of it, so that hot keys are
/// no neighbours, and without a common factor with it, so that no two ranks share an id.
const STRIDE: u64 = 618_033_989;
/// The part of the ranks that has another key at the end of a drift.
const DRIFT: f64 = 0.2;
/// How many bursts there are, each in a part of the events of its own.
const BURSTS: u64 = 5;
/// The part of all events that one burst lasts, as a divisor.
const BURST_LENGTH: u64 = 100;
/// The part of the events of a burst that have its key.
const BURST_SHARE: f64 = 0.3;

/// Keys of the events of a plan, as ids below [`MAX_KEYS`].
pub(super) struct Keys {
    zipf: Zipf,
    keys: u64,
    offset: u64,
    seed: u64,
    drift_step: f64,
    bursts: Vec<Burst>,
}

/// Some successive events that share a key above the others.
struct Burst {
    events: Range<u64>,
    key: u64,
}

impl Keys {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut rng = stream(plan.seed, 2);
        let zipf = Zipf::new(plan.keys, plan.skew);
        let offset = below(&mut rng, MAX_KEYS);
        let drift_step = if plan.drift { DRIFT * 2_f64.powi(64) / plan.events.max(1) as f64 } else { 0.0 };
        let bursts = if plan.burst { bursts(plan, &mut rng) } else { Vec::new() };
        Keys { zipf, keys: plan.keys, offset, seed: mixed(plan.seed), drift_step, bursts }
    }

    /// The key of event number `at`.
    #[inline]
    pub(super) fn draw(&self, at: u64, rng: &mut Pcg64Mcg) -> u64 {
        let burst = self.bursts.iter().find(|burst| burst.events.contains(&at));
        let rank = match burst {
            Some(burst) if happens(rng, BURST_SHARE) => burst.key,
            _ => self.drifted(at, self.zipf.draw(rng)),
        };
        self.id(rank)
    }

    /// The place whose key a rank has at an event: ranks change places with one in the colder half, each pair at a moment
    /// of its own, so that the keys of all ranks stay different.
    #[inline]
    fn drifted(&self, at: u64, rank: u64) -> u64 {
        let half = self.keys / 2;
        if self.drift_step == 0.0 || rank >= 2 * half {
            return rank;
        }
        let pair = rank % half;
        let moved = mixed(self.seed ^ pair) < (at as f64 * self.drift_step) as u64;
        if moved { (rank + half) % (2 * half) } else { rank }
    }

    #[inline]
    fn id(&self, rank: u64) -> u64 {
        (rank * STRIDE + self.offset) % MAX_KEYS
    }
}

/// The bursts: each as long as the others, somewhere in its part of the events, with any key.
fn bursts(plan: &Plan, rng: &mut Pcg64Mcg) -> Vec<Burst> {
    let (part, length) = (plan.events / BURSTS, plan.events / BURST_LENGTH);
    let burst = |number| {
        let from = number * part + below(rng, part - length);
        Burst { events: from..from + length, key: below(rng, plan.keys) }
    };
    (0..BURSTS).map(burst).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::GenerateArgs;
    use super::*;

    fn keys(change: impl Fn(&mut GenerateArgs)) -> Keys {
        let mut args = GenerateArgs { events: 10_000, keys: 1001, ..Default::default() };
        change(&mut args);
        Keys::new(&Plan::check(&args).expect("valid"))
    }

    #[test]
    fn ranks_have_ids_of_their_own_far_apart() {
        let keys = keys(|_| ());
        let ids: BTreeSet<u64> = (0..100_000).map(|rank| keys.id(rank)).collect();
        assert_eq!(ids.len(), 100_000);
        let hot: BTreeSet<u64> = (0..100).map(|rank| keys.id(rank)).collect();
        let gaps = hot.iter().zip(hot.iter().skip(1)).map(|(a, b)| b - a);
        assert!(gaps.min() > Some(1_000_000));
        assert!(keys.id(MAX_KEYS - 1) < MAX_KEYS);
    }

    #[test]
    fn drift_replaces_a_fifth_and_keeps_keys_different() {
        let keys = keys(|args| args.drift = true);
        for at in [0, 5_000, 9_999] {
            let places: BTreeSet<u64> = (0..1001).map(|rank| keys.drifted(at, rank)).collect();
            assert_eq!((places.len(), places.last()), (1001, Some(&1000)));
        }
        let replaced = |at| (0..500).filter(|&rank| keys.drifted(at, rank) >= 500).count();
        assert_eq!(replaced(0), 0);
        assert!((30..70).contains(&replaced(5_000)), "{}", replaced(5_000));
        assert!((70..130).contains(&replaced(9_999)), "{}", replaced(9_999));
    }

    #[test]
    fn a_burst_takes_its_share() {
        let keys = keys(|args| (args.burst, args.events, args.skew) = (true, 1_000_000, 0.0));
        assert_eq!(keys.bursts.len(), 5);
        let mut rng = stream(7, 7);
        for burst in &keys.bursts {
            let id = keys.id(burst.key);
            let times = burst.events.clone().filter(|&at| keys.draw(at, &mut rng) == id).count();
            assert!((2800..3200).contains(&times), "{times} of {:?}", burst.events);
        }
        assert!(keys.bursts.is_sorted_by(|a, b| a.events.end <= b.events.start));
    }

    #[test]
    fn any_plan_gives_keys() {
        for skew in [0.0, 1e-300, 0.5, 1.0, 1.0 + f64::EPSILON, 1.000_000_1, 3.0, 1e9, f64::MAX] {
            for count in [1, 2, 3, MAX_KEYS] {
                for events in [0, 1, 4, 99, 1000] {
                    let plan = |args: &mut GenerateArgs| {
                        (args.skew, args.keys, args.events) = (skew, count, events);
                        (args.drift, args.burst) = (true, true);
                    };
                    let (keys, mut rng) = (keys(plan), stream(1, 1));
                    assert!((0..events).all(|at| keys.draw(at, &mut rng) < MAX_KEYS));
                }
            }
        }
    }
}
