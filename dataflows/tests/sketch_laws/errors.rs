//! Bounds that always hold could be useless: errors must also be as small as each paper promises.

use hitters_dataflows::sketch::{AnySketch, SKETCHES, Size, Sketch, SketchEntry};

use crate::family::{DELTA, make};
use crate::pair::Pair;
use crate::streams::{Random, SHAPES, feed, scaled};

const EPSILON: f64 = 0.01;
const KEYS: u32 = 3000;

/// By how much a count may be off: for most sketches, epsilon of the total.
fn allowed(entry: &SketchEntry, pair: &Pair<AnySketch>) -> f64 {
    let squares: f64 = pair.truth.values().map(|&count| (count as f64).powi(2)).sum();
    if entry.name == "count-sketch" { EPSILON * squares.sqrt() } else { EPSILON * pair.sketch.total() as f64 }
}

#[test]
fn counts_are_off_by_epsilon_at_most_but_for_a_part_of_delta() {
    for entry in SKETCHES {
        let (mut checked, mut off) = (0, 0);
        for seed in 0..scaled(240).max(6) as u64 {
            let mut pair = Pair::new(make(entry, Size::Epsilon(EPSILON)));
            feed(&mut pair, &mut Random(seed), SHAPES[seed as usize % SHAPES.len()], 20_000, KEYS, seed % 2);
            let allowed = allowed(entry, &pair);
            let error = |id: u32| (pair.estimate(id).count as f64 - pair.count(id) as f64).abs();
            off += (0..KEYS).filter(|&id| error(id) > allowed).count();
            checked += KEYS as usize;
        }
        let most = if ["misra-gries", "lossy-counting", "space-saving"].contains(&entry.name) { 0.0 } else { DELTA };
        assert!(off as f64 <= most * checked as f64, "{}: {off} of {checked}", entry.name);
    }
}

/// The theory of Mergeable Summaries: the error of any merge tree is within epsilon of the total of all.
#[test]
fn sixty_four_sketches_merge_without_losing_tightness() {
    for entry in SKETCHES.iter().filter(|entry| entry.merges) {
        for shape in SHAPES {
            let mut random = Random(9);
            let mut parts: Vec<_> = (0..64).map(|_| Pair::new(make(entry, Size::Epsilon(EPSILON)))).collect();
            for part in &mut parts {
                feed(part, &mut random, shape, scaled(20_000).max(800), KEYS, 0);
            }
            let mut line = parts[0].clone();
            parts[1..].iter().for_each(|part| line.merge(part));
            while parts.len() > 1 {
                let other = parts.split_off(parts.len() / 2);
                parts.iter_mut().zip(&other).for_each(|(part, other)| part.merge(other));
            }
            for merged in [&line, &parts[0]] {
                merged.check(KEYS);
                let allowed = allowed(entry, merged);
                let error = |id: u32| (merged.estimate(id).count as f64 - merged.count(id) as f64).abs();
                let off = (0..KEYS).filter(|&id| error(id) > allowed).count();
                let most = if ["count-min", "conservative-count-min", "count-sketch"].contains(&entry.name) {
                    DELTA * f64::from(KEYS)
                } else {
                    0.0
                };
                assert!(off as f64 <= most, "{} {shape:?}: {off} keys are off by more than {allowed}", entry.name);
            }
        }
    }
}

/// Summaries of one minute each give the last five minutes, at every minute: as sure, and as close, as of one stream.
#[test]
fn summaries_of_minutes_give_the_last_five_at_every_minute() {
    for entry in SKETCHES.iter().filter(|entry| entry.merges) {
        let mut random = Random(3);
        let minutes: Vec<_> = (0..12)
            .map(|minute| {
                let mut pair = Pair::new(make(entry, Size::Epsilon(EPSILON)));
                let shape = SHAPES[minute % SHAPES.len()];
                feed(&mut pair, &mut random, shape, scaled(20_000).max(800), KEYS, 0);
                pair
            })
            .collect();
        for last_five in minutes.windows(5) {
            let mut sum = last_five[0].clone();
            last_five[1..].iter().for_each(|minute| sum.merge(minute));
            sum.check(KEYS);
            let allowed = allowed(entry, &sum);
            let error = |id: u32| (sum.estimate(id).count as f64 - sum.count(id) as f64).abs();
            let off = (0..KEYS).filter(|&id| error(id) > allowed).count();
            assert!(off as f64 <= DELTA * f64::from(KEYS), "{}: {off} keys are off by more than {allowed}", entry.name);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_sketch() {
    for entry in SKETCHES {
        let run = || {
            let mut pair = Pair::new(make(entry, Size::Memory(0)));
            feed(&mut pair, &mut Random(1), SHAPES[0], 3000, KEYS, 1);
            pair.sketch.to_bytes()
        };
        assert_eq!(run(), run(), "{}", entry.name);
    }
}
