//! Laws of all sketches of the table.

use hitters_dataflows::sketch::{AnySketch, MergeError, Overflow, Plan, SKETCHES, Size, Sketch, SketchEntry};
use proptest::prelude::*;

use crate::pair::Pair;
use crate::steps::{Step, step};
use crate::streams::{Random, SHAPES, Shape, feed, forest, hash, key, scaled};

/// The part of bounds that may fail where they are not certain.
pub const DELTA: f64 = 0.02;

/// From the tightest to one that fits all keys.
const SIZES: [Size; 5] =
    [Size::Memory(0), Size::Memory(10_000), Size::Memory(60_000), Size::Epsilon(0.05), Size::Memory(1 << 20)];

pub fn make(entry: &SketchEntry, size: Size) -> AnySketch {
    entry.make(&Plan { size, delta: DELTA, k: 5, seed: 11 }).unwrap()
}

/// How many keys were checked, and how many of their bounds did not hold.
#[derive(Default)]
struct Tally {
    checked: usize,
    missed: usize,
}

impl Tally {
    fn add(&mut self, pair: &Pair<AnySketch>, keys: u32) {
        self.checked += pair.check(keys);
        self.missed += if pair.sketch.confidence() < 1.0 { pair.missed(keys) } else { 0 };
    }
}

#[test]
fn bounds_hold_for_every_key_in_any_merge_tree() {
    for entry in SKETCHES {
        let mut tally = Tally::default();
        let mut seeds = 0..;
        while tally.checked < scaled(1_600_000) {
            let seed = seeds.next().unwrap();
            let size = SIZES[seed as usize % SIZES.len()];
            let most = if entry.merges { 12 } else { 1 };
            forest(seed, most, || make(entry, size), |pair, keys| tally.add(pair, keys));
        }
        let part = tally.missed as f64 / tally.checked as f64;
        println!("{}: {} keys checked, {} bounds did not hold", entry.name, tally.checked, tally.missed);
        assert!(part < DELTA, "{}: {part}", entry.name);
        assert!(!entry.certain || tally.missed == 0);
    }
}

#[test]
fn bounds_fail_for_no_more_than_delta_of_the_hot_keys_too() {
    for entry in SKETCHES {
        let (mut hot, mut missed) = (0, 0);
        for seed in 0..scaled(800) as u64 {
            let mut pair = Pair::new(make(entry, Size::Memory(20_000)));
            feed(&mut pair, &mut Random(seed), SHAPES[seed as usize % SHAPES.len()], 5000, 2000, 0);
            let rows = pair.sketch.top(20);
            let holds = |id: u32| pair.estimate(id).low <= pair.count(id) && pair.count(id) <= pair.estimate(id).high;
            let ids = rows.iter().map(|row| u32::from_be_bytes(row.key[..4].try_into().unwrap()));
            hot += rows.len();
            missed += ids.filter(|&id| !holds(id)).count();
        }
        assert!((missed as f64) < DELTA * hot as f64, "{}: {missed} of {hot}", entry.name);
    }
}

#[test]
fn few_keys_are_counted_exactly() {
    for entry in SKETCHES.iter().filter(|entry| !["heavy-keeper", "count-sketch"].contains(&entry.name)) {
        let mut pair = Pair::new(make(entry, Size::Memory(1 << 20)));
        feed(&mut pair, &mut Random(1), Shape::Zipf, 3000, 50, 0);
        let exact = |row: &hitters_dataflows::ranking::Row| row.certified && row.estimate.low == row.estimate.high;
        let best = pair.sketch.top(20);
        assert!(best.iter().all(exact), "{}: {:?}", entry.name, best);
    }
}

#[test]
fn the_hottest_keys_come_out_on_top() {
    for entry in SKETCHES {
        let mut pair = Pair::new(make(entry, Size::Memory(1 << 18)));
        feed(&mut pair, &mut Random(4), Shape::Zipf, scaled(400_000).max(40_000), 20_000, 0);
        let mut best: Vec<_> = pair.truth.iter().map(|(&id, &count)| (std::cmp::Reverse(count), key(id))).collect();
        best.sort_unstable();
        let found: Vec<Vec<u8>> = pair.sketch.top(5).into_iter().map(|row| row.key).collect();
        let best: Vec<Vec<u8>> = best.into_iter().take(5).map(|(_, key)| key).collect();
        assert!(found.iter().all(|key| best.contains(key)), "{}", entry.name);
    }
}

#[test]
fn what_does_not_merge_says_so_and_nothing_else_does() {
    for entry in SKETCHES {
        let mut sketch = make(entry, Size::Memory(20_000));
        sketch.add(hash(b"a"), b"a", 7).unwrap();
        let (before, other) = (sketch.to_bytes(), sketch.clone());
        match sketch.merge(&other) {
            Ok(()) => assert!(entry.merges && sketch.estimate(hash(b"a"), b"a").high >= 14),
            Err(refused) => {
                assert_eq!((refused, entry.merges), (MergeError::Never(entry.name), false));
                assert_eq!(sketch.to_bytes(), before);
            }
        }
    }
}

#[test]
fn sketches_of_different_settings_do_not_merge() {
    for entry in SKETCHES.iter().filter(|entry| entry.merges) {
        for other in SKETCHES {
            let mut sketch = make(entry, Size::Memory(20_000));
            let before = sketch.to_bytes();
            let refused = sketch.merge(&make(other, Size::Memory(30_000))).unwrap_err();
            assert!(matches!(refused, MergeError::Shape { .. } | MergeError::Settings), "{refused}");
            assert!(refused.to_string().contains("the same sketch settings"));
            assert_eq!(sketch.to_bytes(), before);
        }
    }
}

#[test]
fn a_count_that_would_leave_its_range_is_an_error_and_changes_nothing() {
    for entry in SKETCHES {
        let most = if entry.name == "count-sketch" { i64::MAX as u64 } else { u64::MAX };
        let mut sketch = make(entry, Size::Memory(20_000));
        sketch.add(hash(b"a"), b"a", most - 1).unwrap();
        let (before, other) = (sketch.to_bytes(), sketch.clone());
        // Where a key is sampled, what was seen of it is less than all.
        if entry.name != "sticky-sampling" {
            assert_eq!(sketch.add(hash(b"a"), b"a", 2), Err(Overflow), "{}", entry.name);
        }
        if entry.merges {
            assert_eq!(sketch.merge(&other), Err(MergeError::Overflow(Overflow)), "{}", entry.name);
        }
        if entry.name != "sticky-sampling" {
            assert_eq!(sketch.to_bytes(), before);
        }
    }
}

#[test]
fn a_batch_is_its_events_in_turn() {
    let mut random = Random(3);
    let keys: Vec<Vec<u8>> = (0..300).map(|_| key(random.zipf(100))).collect();
    let hashes: Vec<u64> = keys.iter().map(|key| hash(key)).collect();
    let weights: Vec<u64> = (0..300).collect();
    for entry in SKETCHES {
        let (mut batched, mut single) = (make(entry, Size::Memory(0)), make(entry, Size::Memory(0)));
        batched.add_all(&hashes, &weights, |at| &keys[at]).unwrap();
        (0..300).for_each(|at| single.add(hashes[at], &keys[at], weights[at]).unwrap());
        assert_eq!(batched.to_bytes(), single.to_bytes(), "{}", entry.name);
        let most = [1, u64::MAX - 20, u64::MAX];
        if !["count-sketch", "sticky-sampling"].contains(&entry.name) {
            assert_eq!(make(entry, Size::Memory(0)).add_all(&[9; 3], &most, |_| b"k"), Err(2), "{}", entry.name);
        }
    }
}

/// Keys whose unseeded hash leads where the victim's does, on the way that sketches look for their place.
fn crafted(victim: &[u8], number: usize) -> Vec<Vec<u8>> {
    let near = |a: u64, b: u64| (a ^ b) >> 29 & 0x7FF == 0 && (a ^ b) >> 60 == 0;
    let keys = (0u64..).map(|id| format!("key-{id}").into_bytes());
    keys.filter(|key| near(hash(key), hash(victim))).take(number).collect()
}

#[test]
fn keys_crafted_against_an_unseeded_hash_do_no_harm_to_a_seeded_one() {
    let keys = crafted(b"victim", 40);
    let seeds = rapidhash::v3::RapidSecrets::seed(0x5EED);
    let seeded = |key: &[u8]| rapidhash::v3::rapidhash_v3_seeded(key, &seeds);
    let width = |of: &dyn Fn(&[u8]) -> u64| {
        let mut sketch = make(&SKETCHES[0], Size::Memory(200_000));
        for round in 0..2000 {
            sketch.add(of(b"victim"), b"victim", 1).unwrap();
            keys.iter().for_each(|key| sketch.add(of(key), key, 1 + round % 3).unwrap());
        }
        let bounds = sketch.estimate(of(b"victim"), b"victim");
        bounds.high - bounds.low
    };
    assert!(width(&hash) > 1000, "the attack works where the hash is known");
    assert_eq!(width(&seeded), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(scaled(4000).max(120) as u32))]

    #[test]
    fn nothing_goes_wrong_after_any_steps(
        which in 0..SKETCHES.len(),
        steps in prop::collection::vec(step(), 0..300),
        memory in prop::sample::select(vec![0usize, 9_000, 40_000]),
    ) {
        let entry = &SKETCHES[which];
        let mut pairs: Vec<_> = (0..4).map(|_| Pair::new(make(entry, Size::Memory(memory)))).collect();
        for step in steps {
            match step {
                Step::Add { to, id, weight } => pairs[to].add(id, weight),
                Step::Store { of } => {
                    let bytes = pairs[of].sketch.to_bytes();
                    pairs[of].sketch = AnySketch::from_bytes(&bytes).unwrap();
                    prop_assert_eq!(pairs[of].sketch.to_bytes(), bytes);
                }
                Step::Merge { into, from } if entry.merges => {
                    let from = pairs[from].clone();
                    // Repeated doubling would leave u64.
                    if pairs[into].sketch.total() + from.sketch.total() < 1 << 60 {
                        pairs[into].merge(&from);
                    }
                }
                Step::Merge { .. } => {}
            }
        }
        pairs.iter().for_each(|pair| _ = pair.check(200));
    }
}
