//! The events of a plan: when, which key, how many bytes.

use rand::Rng;
use rand_pcg::Pcg64Mcg;

use super::keys::Keys;
use super::plan::Plan;
use super::random::{below, happens, stream};

/// Late events are moved back by at least this on top of their jitter, in milliseconds.
const LATE_FROM: u64 = 10_000;
/// And by less than this.
const LATE_TO: u64 = 600_000;

/// One generated event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Milliseconds since the Unix epoch.
    pub time: i64,
    /// The id of its key, of at most nine digits.
    pub key: u64,
    /// A size from 100 to 1,000,000; larger ones are rarer, in inverse proportion.
    pub bytes: u64,
}

/// The events of a plan, in the order in which they arrive.
pub struct Events {
    plan: Plan,
    keys: Keys,
    rng: Pcg64Mcg,
    at: u64,
    clock: Clock,
}

impl Events {
    /// The events of a plan from the first on.
    pub fn new(plan: &Plan) -> Self {
        Events { plan: *plan, keys: Keys::new(plan), rng: stream(plan.seed, 0), at: 0, clock: Clock::new(plan) }
    }

    /// Milliseconds from the start, moved back by jitter and lateness.
    #[inline]
    fn time(&mut self) -> u64 {
        let mut back = below(&mut self.rng, self.plan.jitter);
        if self.plan.late > 0.0 && happens(&mut self.rng, self.plan.late) {
            back += LATE_FROM + below(&mut self.rng, LATE_TO - LATE_FROM);
        }
        self.clock.tick().saturating_sub(back)
    }
}

impl Iterator for Events {
    type Item = Event;

    #[inline]
    fn next(&mut self) -> Option<Event> {
        if self.at == self.plan.events {
            return None;
        }
        let time = self.plan.start.saturating_add_unsigned(self.time());
        let key = self.keys.draw(self.at, &mut self.rng);
        self.at += 1;
        Some(Event { time, key, bytes: size(self.rng.next_u64()) })
    }
}

/// A size from a random number: Pareto with exponent 1, from 100 to 1,000,000.
#[inline]
fn size(random: u64) -> u64 {
    ((100 << 32) / ((random >> 32) + 1)).min(1_000_000)
}

/// Spreads events evenly: the n-th tick, from 0, is `n * span / events` rounded down.
struct Clock {
    now: u64,
    rest: u64,
    step: u64,
    step_rest: u64,
    events: u64,
}

impl Clock {
    fn new(plan: &Plan) -> Self {
        let events = plan.events.max(1);
        Clock { now: 0, rest: 0, step: plan.span / events, step_rest: plan.span % events, events }
    }

    #[inline]
    fn tick(&mut self) -> u64 {
        let now = self.now;
        self.now += self.step;
        // `rest + step_rest` could be over u64::MAX; both are below `events`.
        if self.rest >= self.events - self.step_rest {
            self.now += 1;
            self.rest -= self.events - self.step_rest;
        } else {
            self.rest += self.step_rest;
        }
        now
    }
}

#[cfg(test)]
mod tests {
    use super::super::GenerateArgs;
    use super::*;

    fn plan(change: impl Fn(&mut GenerateArgs)) -> Plan {
        let mut args = GenerateArgs { events: 100_000, ..Default::default() };
        change(&mut args);
        Plan::check(&args).expect("valid")
    }

    #[test]
    fn ticks_are_even() {
        for (events, span) in [(1, 1), (7, 3), (3, 7), (1000, 10_800_000), (7, 7), (1 << 63, 5)] {
            let mut plan = plan(|_| ());
            (plan.events, plan.span) = (events, span);
            let mut clock = Clock::new(&plan);
            for at in 0..events.min(1000) {
                assert_eq!(u128::from(clock.tick()), u128::from(at) * u128::from(span) / u128::from(events));
            }
        }
    }

    #[test]
    fn times_stay_in_the_span_and_within_the_jitter() {
        let plan = plan(|_| ());
        let mut latest = i64::MIN;
        for (at, event) in (0..).zip(Events::new(&plan)) {
            assert!((plan.start..plan.start + plan.span as i64).contains(&event.time));
            let due = plan.start + at * plan.span as i64 / plan.events as i64;
            assert!((0..3000).contains(&(due - event.time)));
            latest = latest.max(event.time);
        }
        assert_eq!(Events::new(&plan).count(), 100_000);
        assert!(latest > plan.start + plan.span as i64 - 3000);
    }

    #[test]
    fn the_asked_part_is_late() {
        let plan = plan(|args| (args.late, args.jitter) = (0.01, jiff::SignedDuration::ZERO));
        let start = plan.start;
        let lags = (0..).zip(Events::new(&plan)).map(|(at, event)| start + at * 108 - event.time);
        let late: Vec<i64> = lags.filter(|&lag| lag > 0).collect();
        assert!((900..1100).contains(&late.len()), "{}", late.len());
        assert!(late.iter().all(|&lag| lag < 600_000));
        // Only those near the start are cut short.
        assert!(late.iter().filter(|&&lag| lag < 10_000).count() < 10);
    }

    #[test]
    fn hot_keys_are_as_hot_as_zipf_says() {
        for skew in [0.8, 1.0, 1.05, 1.5] {
            let plan = plan(|args| (args.keys, args.skew) = (1000, skew));
            let mut counts = std::collections::BTreeMap::new();
            Events::new(&plan).for_each(|event| *counts.entry(event.key).or_insert(0_u32) += 1);
            let mut counts: Vec<f64> = counts.into_values().map(f64::from).collect();
            counts.sort_by(|a, b| b.total_cmp(a));
            let norm: f64 = (1..=1000).map(|rank| f64::from(rank).powf(-skew)).sum();
            for rank in [1, 2, 10] {
                let expected = 100_000.0 * f64::from(rank).powf(-skew) / norm;
                let off = (counts[rank as usize - 1] - expected).abs() / expected.sqrt();
                assert!(off < 5.0, "skew {skew} rank {rank}: {} for {expected}", counts[rank as usize - 1]);
            }
        }
    }

    #[test]
    fn no_skew_is_uniform() {
        let plan = plan(|args| (args.keys, args.skew) = (10, 0.0));
        let mut counts = std::collections::BTreeMap::new();
        Events::new(&plan).for_each(|event| *counts.entry(event.key).or_insert(0) += 1);
        assert!(counts.len() == 10 && counts.values().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }

    #[test]
    fn sizes_are_skewed_and_bounded() {
        assert_eq!((size(0), size(u64::MAX)), (1_000_000, 100));
        let plan = plan(|_| ());
        let mut sizes: Vec<u64> = Events::new(&plan).map(|event| event.bytes).collect();
        sizes.sort_unstable();
        assert!((195..205).contains(&sizes[50_000]) && sizes[0] >= 100 && sizes[99_999] > 500_000);
    }
}
