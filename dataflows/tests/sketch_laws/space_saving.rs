//! What Space-Saving promises beyond what every sketch does.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use hitters_dataflows::ranking::Estimate;
use hitters_dataflows::sketch::{MergeError, Overflow, Sketch, SpaceSaving};
use proptest::prelude::*;

use crate::pair::{Pair, UNSEEN};
use crate::steps::{Step, step};
use crate::streams::{Random, SHAPES, Shape, feed, forest, hash, key, scaled};

impl Pair<SpaceSaving> {
    fn check_space_saving(&self, keys: u32) -> usize {
        assert!(self.sketch.top(usize::MAX).len() <= self.sketch.capacity());
        self.check(keys)
    }
}

#[test]
fn bounds_hold_for_every_key_in_any_merge_tree() {
    let news: [fn() -> SpaceSaving; 6] = [
        || SpaceSaving::new(1),
        || SpaceSaving::new(32),
        || SpaceSaving::new(250),
        || SpaceSaving::new(100_000),
        || SpaceSaving::with_memory(0),
        || SpaceSaving::with_memory(40_000),
    ];
    let mut checked = 0;
    let goal = scaled(12_000_000);
    let mut seed = 0;
    while checked < goal {
        let new = news[seed as usize % news.len()];
        forest(seed, 16, new, |pair, keys| checked += pair.check_space_saving(keys));
        seed += 1;
    }
    assert!(seed as usize >= goal / 60_000, "{seed} forests are too few to mean much");
}

#[test]
fn few_keys_are_counted_exactly_and_in_little_memory() {
    let mut parts = [(); 3].map(|()| Pair::new(SpaceSaving::new(16_384)));
    for (part, seed) in parts.iter_mut().zip(0..) {
        feed(part, &mut Random(seed), Shape::Flat, 200 << (2 * seed), 2000, 3);
    }
    let [mut sum, second, third] = parts;
    assert!(sum.sketch.memory() < second.sketch.memory() && sum.sketch.memory() < sum.sketch.most_memory() / 4);
    sum.merge(&second);
    sum.merge(&third);
    sum.check_space_saving(2000);
    assert!(sum.sketch.is_exact());
    assert_eq!(sum.widest(2000), 0);
    assert_eq!(sum.sketch.top(usize::MAX).len(), sum.truth.len());
    assert!(SpaceSaving::new(1 << 20).memory() < 4200);
}

#[test]
fn a_key_of_weight_0_is_tracked_while_the_sketch_is_exact() {
    let mut sketch = Pair::new(SpaceSaving::new(8));
    (0..5).for_each(|id| sketch.add(id, 0));
    assert_eq!(sketch.sketch.top(9).len(), 5);
    (5..40).for_each(|id| sketch.add(id, 0));
    assert_eq!((sketch.sketch.top(9).len(), sketch.sketch.is_exact()), (8, true));
    (5..40).for_each(|id| sketch.add(id, 1));
    let before = sketch.sketch.to_bytes();
    (40..80).for_each(|id| sketch.add(id, 0));
    assert_eq!(sketch.sketch.to_bytes(), before);
    sketch.check_space_saving(80);
}

/// Keys of 400 bytes in a sketch that has room for 29 of them in its 352 counters.
fn short_of_key_room(seed: u64, first: u32) -> (SpaceSaving, HashMap<Vec<u8>, u64>) {
    let (mut sketch, mut random) = (SpaceSaving::with_memory(40_000), Random(seed));
    let mut truth = HashMap::new();
    for _ in 0..20_000 {
        let key = [&(first + random.zipf(20_000)).to_be_bytes()[..], &[b'x'; 396]].concat();
        sketch.add(hash(&key), &key, 1).unwrap();
        *truth.entry(key).or_default() += 1;
    }
    (sketch, truth)
}

fn check_short_of_key_room(sketch: &SpaceSaving, truth: &HashMap<Vec<u8>, u64>) {
    let tracked = sketch.top(usize::MAX);
    assert!((24..=29).contains(&tracked.len()), "{} keys of 400 bytes", tracked.len());
    assert!(sketch.memory() <= sketch.most_memory());
    for (key, &count) in truth {
        let estimate = sketch.estimate(hash(key), key);
        assert!(estimate.low <= count && count <= estimate.high, "{count} is not in {estimate:?}");
        assert!(count < 500 || tracked[..16].iter().any(|row| row.key == *key), "a key of {count} is lost");
    }
    let bytes = sketch.to_bytes();
    assert_eq!(SpaceSaving::from_bytes(&bytes).unwrap().to_bytes(), bytes);
}

#[test]
fn keys_too_long_for_the_key_room_cost_counters_and_no_bounds() {
    let (mut sum, mut truth) = short_of_key_room(6, 0);
    check_short_of_key_room(&sum, &truth);
    let (other, counts) = short_of_key_room(7, 1_000_000);
    sum.merge(&other).unwrap();
    truth.extend(counts);
    check_short_of_key_room(&sum, &truth);
}

/// Bounds that always hold could be useless: they must also be close.
#[test]
fn bounds_are_as_tight_as_planned() {
    for shape in SHAPES {
        let mut random = Random(1);
        let mut parts: Vec<_> = (0..4).map(|_| Pair::new(SpaceSaving::with_epsilon(0.002))).collect();
        for part in &mut parts {
            feed(part, &mut random, shape, 30_000, 20_000, 0);
            assert!(part.widest(20_000) <= 60, "{shape:?}: {}", part.widest(20_000));
        }
        let mut sum = parts.pop().unwrap();
        parts.iter().for_each(|part| sum.merge(part));
        assert!(sum.widest(20_000) <= 240, "{shape:?}: {}", sum.widest(20_000));
    }
}

#[test]
fn the_hottest_keys_come_out_on_top() {
    let mut random = Random(4);
    let mut sketch = Pair::new(SpaceSaving::new(1024));
    feed(&mut sketch, &mut random, Shape::Zipf, 100_000, 20_000, 0);
    let mut best: Vec<(std::cmp::Reverse<u64>, Vec<u8>)> =
        sketch.truth.iter().map(|(&id, &count)| (std::cmp::Reverse(count), key(id))).collect();
    best.sort_unstable();
    let found: Vec<Vec<u8>> = sketch.sketch.top(10).into_iter().map(|row| row.key).collect();
    assert_eq!(found, best[..10].iter().map(|(_, key)| key.clone()).collect::<Vec<_>>());
    assert!(sketch.sketch.top(10).iter().all(|row| row.estimate.low * 100 >= row.estimate.high * 98));
}

#[test]
fn sixty_four_sketches_merge_in_any_order_and_in_good_time() {
    let mut random = Random(9);
    let parts: Vec<_> = (0..64)
        .map(|_| {
            let mut part = Pair::new(SpaceSaving::new(4096));
            feed(&mut part, &mut random, Shape::Zipf, scaled(20_000), 30_000, 0);
            part
        })
        .collect();
    let start = Instant::now();
    let mut line = parts[0].clone();
    parts[1..].iter().for_each(|part| line.merge(part));
    let mut tree = parts;
    while tree.len() > 1 {
        let other = tree.split_off(tree.len() / 2);
        tree.iter_mut().zip(&other).for_each(|(part, other)| part.merge(other));
    }
    assert!(start.elapsed() < Duration::from_secs(20), "126 merges took {:?}", start.elapsed());
    line.check(30_000);
    tree[0].check(30_000);
    assert_eq!(line.sketch.capacity(), 4096);
    assert!(line.sketch.top(usize::MAX).len() <= 4096);
}

#[test]
fn memory_does_not_creep_over_millions_of_evictions() {
    let mut sketch = SpaceSaving::with_memory(200_000);
    let bytes = [b'x'; 400];
    let mut random = Random(3);
    let rounds = scaled(5_000_000) as u64;
    let (mut early, mut late) = (0, 0);
    for round in 1..=rounds {
        // Each weight is above all before it, so each key takes another's counter.
        let mut key = bytes;
        key[..8].copy_from_slice(&round.to_be_bytes());
        let len = 8 + random.below(if round % 64 == 0 { 390 } else { 40 }) as usize;
        sketch.add(hash(&key[..len]), &key[..len], round).unwrap();
        if round % 64 == 0 {
            let half = if round <= rounds / 2 { &mut early } else { &mut late };
            *half = sketch.memory().max(*half);
        }
    }
    assert!(!sketch.is_exact());
    assert!(late <= early, "from {early} to {late} bytes");
    assert!(late <= 200_000 && sketch.most_memory() <= 200_000, "{late} bytes");
    let recent = rounds - 500..=rounds;
    let tracked = sketch.top(usize::MAX);
    let is_recent = |key: &[u8]| recent.contains(&u64::from_be_bytes(key[..8].try_into().unwrap()));
    let kept = tracked.iter().filter(|row| is_recent(&row.key)).count();
    assert!(kept > 100, "{kept} of the heaviest 500 have counters");
}

#[test]
fn a_count_beyond_u64_is_an_error_and_changes_nothing() {
    let mut sketch = SpaceSaving::new(8);
    sketch.add(hash(b"a"), b"a", u64::MAX - 1).unwrap();
    let other = sketch.clone();
    let before = sketch.to_bytes();
    assert_eq!(sketch.add(hash(b"a"), b"a", 2), Err(Overflow));
    assert_eq!(sketch.merge(&other), Err(MergeError::Overflow(Overflow)));
    assert_eq!(sketch.to_bytes(), before);
    sketch.add(hash(b"a"), b"a", 1).unwrap();
    assert_eq!(sketch.estimate(hash(b"a"), b"a"), Estimate::exact(u64::MAX));
    (0..100u32).for_each(|id| sketch.add(hash(&key(id)), &key(id), u64::MAX / 4).unwrap());
    assert!((0..100).all(|id| sketch.estimate(hash(&key(id)), &key(id)).high >= u64::MAX / 4));
}

#[test]
fn bounds_that_leave_u64_stay_upper_bounds_when_merged() {
    let mut sketch = SpaceSaving::new(8);
    (0..100).for_each(|id| sketch.add(hash(&key(id)), &key(id), u64::MAX / 3).unwrap());
    sketch.merge(&sketch.clone()).unwrap();
    assert!((0..100).all(|id| sketch.estimate(hash(&key(id)), &key(id)).high >= u64::MAX / 3 * 2));
}

#[test]
fn sketches_of_different_shape_do_not_merge() {
    let mut sketch = SpaceSaving::new(64);
    let refused = sketch.merge(&SpaceSaving::new(128)).unwrap_err();
    assert!(refused.to_string().contains("64 and 128 counters"), "{refused}");
    assert!(matches!(sketch.merge(&SpaceSaving::with_memory(8000)), Err(MergeError::Shape { .. })));
}

fn round_trip(pair: &Pair<SpaceSaving>, keys: u32) -> Pair<SpaceSaving> {
    let bytes = pair.sketch.to_bytes();
    let back = Pair { sketch: SpaceSaving::from_bytes(&bytes).unwrap(), ..pair.clone() };
    assert_eq!(back.sketch.to_bytes(), bytes);
    assert_eq!((back.sketch.total(), back.sketch.capacity()), (pair.sketch.total(), pair.sketch.capacity()));
    assert_eq!(back.sketch.top(usize::MAX), pair.sketch.top(usize::MAX));
    assert!((0..keys + UNSEEN).all(|id| back.estimate(id) == pair.estimate(id)));
    back
}

#[test]
fn bytes_come_back_as_they_were_or_not_at_all() {
    for events in [0, 1, 40, 3000] {
        let mut pair = Pair::new(SpaceSaving::new(60));
        feed(&mut pair, &mut Random(2), Shape::Zipf, events, 400, 3);
        let mut back = round_trip(&pair, 400);
        feed(&mut back, &mut Random(5), Shape::Flat, 500, 400, 0);
        back.merge(&pair);
        back.check_space_saving(400);
        let bytes = pair.sketch.to_bytes();
        for at in 0..bytes.len() {
            for change in [1, 0x80, 0xFF] {
                let mut damaged = bytes.clone();
                damaged[at] ^= change;
                assert!(SpaceSaving::from_bytes(&damaged).is_err(), "byte {at} of {} changed unseen", bytes.len());
            }
            assert!(SpaceSaving::from_bytes(&bytes[..at]).is_err());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(scaled(4000) as u32))]

    /// Also under hashes so poor that keys share buckets, cells and whole tags.
    #[test]
    fn bounds_hold_after_any_steps(
        steps in prop::collection::vec(step(), 0..400),
        hash_bits in prop::sample::select(vec![u64::MAX, 0, 0xF000_0000_0000_0000, 0x100, 0x8000_0000_0000_0300]),
        memory in prop::sample::select(vec![0usize, 5_000, 30_000]),
    ) {
        let mut pairs: Vec<_> =
            (0..4).map(|_| Pair { hash_bits, ..Pair::new(SpaceSaving::with_memory(memory)) }).collect();
        for step in steps {
            match step {
                Step::Add { to, id, weight } => pairs[to].add(id, weight),
                Step::Store { of } => pairs[of] = round_trip(&pairs[of], 200),
                Step::Merge { into, from } => {
                    let from = pairs[from].clone();
                    // Repeated doubling would leave u64.
                    if pairs[into].sketch.total() + from.sketch.total() < 1 << 60 {
                        pairs[into].merge(&from);
                    }
                }
            }
        }
        pairs.iter().for_each(|pair| _ = pair.check_space_saving(200));
    }
}
