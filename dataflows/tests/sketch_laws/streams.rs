//! Streams that are hard for sketches, from fixed seeds.

use hitters_dataflows::sketch::Sketch;

use crate::pair::Pair;

/// Debug builds do a part of the work.
pub fn scaled(work: usize) -> usize {
    if cfg!(debug_assertions) { work / 40 } else { work }
}

/// A small generator with a fixed seed, so that every run is the same.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// About Zipf 1: the logarithm of the rank is uniform.
    pub fn zipf(&mut self, keys: u32) -> u32 {
        let uniform = self.next() as f64 / u64::MAX as f64;
        (f64::from(keys).powf(uniform) as u32).clamp(1, keys) - 1
    }
}

/// Keys of 4 bytes and more, some of them long.
pub fn key(id: u32) -> Vec<u8> {
    let len = if id % 97 == 7 { 3000 } else { 4 + id as usize % 40 };
    let mut key = vec![id as u8; len];
    key[..4].copy_from_slice(&id.to_be_bytes());
    key
}

pub fn hash(key: &[u8]) -> u64 {
    rapidhash::v3::rapidhash_v3(key)
}

/// The orders in which streams are hard.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    Zipf,
    Flat,
    Distinct,
    Equal,
    HotLast,
    OneGiant,
}

/// All of them.
pub const SHAPES: [Shape; 6] =
    [Shape::Zipf, Shape::Flat, Shape::Distinct, Shape::Equal, Shape::HotLast, Shape::OneGiant];

impl Shape {
    pub fn key(self, random: &mut Random, at: usize, events: usize, keys: u32) -> u32 {
        let at = at as u32;
        match self {
            Shape::Zipf => random.zipf(keys),
            Shape::Flat => random.below(keys.into()) as u32,
            Shape::Distinct => at % keys,
            Shape::Equal => at % (keys / 8).max(1),
            Shape::HotLast if (at as usize) < events * 3 / 4 => 5 + at % (keys - 5),
            Shape::HotLast => random.below(5) as u32,
            Shape::OneGiant => {
                if random.below(2) == 0 {
                    3
                } else {
                    random.below(keys.into()) as u32
                }
            }
        }
    }
}

pub fn weight(random: &mut Random, kind: u64) -> u64 {
    match kind {
        0 => 1,
        1 => random.below(4),
        2 => 1 << random.below(40),
        _ => random.below(1000),
    }
}

pub fn feed<S: Sketch>(pair: &mut Pair<S>, random: &mut Random, shape: Shape, events: usize, keys: u32, weights: u64) {
    for at in 0..events {
        pair.add(shape.key(random, at, events, keys), weight(random, weights));
    }
}

/// Up to `most` sketches of very different fill, merged pair by pair in random order, with more events between the merges;
/// `check` gets what came of each, with the number of its keys.
pub fn forest<S: Sketch>(seed: u64, most: u64, new: impl Fn() -> S, mut check: impl FnMut(&Pair<S>, u32)) {
    let mut random = Random(seed);
    let keys = [20, 300, 3000][random.below(3) as usize];
    let (shape, weights) = (SHAPES[random.below(6) as usize], random.below(4));
    let mut trees: Vec<_> = (0..1 + random.below(most)).map(|_| Pair::new(new())).collect();
    for tree in &mut trees {
        let events = [0, 3, 60, 1500, 4000][random.below(5) as usize];
        feed(tree, &mut random, shape, events, keys, weights);
    }
    check(&trees[0], keys);
    while trees.len() > 1 {
        let taken = trees.swap_remove(random.below(trees.len() as u64) as usize);
        let at = random.below(trees.len() as u64) as usize;
        trees[at].merge(&taken);
        let events = random.below(200) as usize;
        feed(&mut trees[at], &mut random, shape, events, keys, weights);
        check(&trees[at], keys);
    }
    feed(&mut trees[0], &mut random, shape, 2000, keys, weights);
    check(&trees[0], keys);
}
