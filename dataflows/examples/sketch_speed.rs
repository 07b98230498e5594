//! Speed and accuracy of the default sketch: 16-byte keys, Zipf 1.0 over a million keys, hashed beforehand.
//!
//! `cargo run --release --example sketch_speed [MEMORY IN KIB] [UPDATES] [SKEW IN PERCENT]`

use std::time::Instant;

use hitters_dataflows::sketch::{Sketch, SpaceSaving};

const KEYS: usize = 1_000_000;
/// Rows of a batch, as in a parcel.
const BATCH: usize = 8192;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|word| word.parse().expect("a whole number"));
    let memory = arguments.next().unwrap_or(1024) << 10;
    let updates = arguments.next().unwrap_or(20_000_000);
    let stream = zipf(updates, arguments.next().unwrap_or(100) as f64 / 100.0);
    let keys: Vec<[u8; 16]> = (0..KEYS).map(key).collect();
    let hashes: Vec<u64> = keys.iter().map(|key| rapidhash::v3::rapidhash_v3(key)).collect();
    let events: Vec<(u64, [u8; 16])> = stream.iter().map(|&rank| (hashes[rank], keys[rank])).collect();

    let sketch = timed("one by one", updates, || one_by_one(SpaceSaving::with_memory(memory), &events));
    let batched = timed("in batches", updates, || in_batches(SpaceSaving::with_memory(memory), &events));
    assert_eq!(sketch.to_bytes(), batched.to_bytes());
    println!("{} counters, {} bytes held of at most {}", sketch.capacity(), sketch.memory(), sketch.most_memory());
    report_accuracy(&sketch, &stream, &keys);
    report_merge(&sketch);
}

fn timed(what: &str, updates: usize, run: impl Fn() -> SpaceSaving) -> SpaceSaving {
    let start = Instant::now();
    let sketch = run();
    let seconds = start.elapsed().as_secs_f64();
    println!("{updates} updates {what}: {seconds:.3} s, {:.1} M/s", updates as f64 / seconds / 1e6);
    sketch
}

fn one_by_one(mut sketch: SpaceSaving, events: &[(u64, [u8; 16])]) -> SpaceSaving {
    events.iter().try_for_each(|(hash, key)| sketch.add(*hash, key, 1)).expect("the weights are small");
    sketch
}

fn in_batches(mut sketch: SpaceSaving, events: &[(u64, [u8; 16])]) -> SpaceSaving {
    let (ones, mut hashes) = ([1; BATCH], Vec::with_capacity(BATCH));
    for batch in events.chunks(BATCH) {
        hashes.clear();
        hashes.extend(batch.iter().map(|event| event.0));
        sketch.add_all(&hashes, &ones[..batch.len()], |at| &batch[at].1).expect("the weights are small");
    }
    sketch
}

fn key(rank: usize) -> [u8; 16] {
    (rank as u128).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_le_bytes()
}

/// Ranks from 0 by inversion of the cumulative weights, from a fixed seed.
fn zipf(updates: usize, skew: f64) -> Vec<usize> {
    let mut sum = 0.0;
    let cumulative: Vec<f64> = (1..=KEYS)
        .map(|rank| {
            sum += (rank as f64).powf(-skew);
            sum
        })
        .collect();
    let mut state = 7u64;
    (0..updates)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let at = (state >> 11) as f64 / (1u64 << 53) as f64 * sum;
            cumulative.partition_point(|&until| until < at).min(KEYS - 1)
        })
        .collect()
}

fn report_accuracy(sketch: &SpaceSaving, stream: &[usize], keys: &[[u8; 16]]) {
    let mut counts = vec![0u64; KEYS];
    stream.iter().for_each(|&rank| counts[rank] += 1);
    let by_key: std::collections::HashMap<_, u64> = keys.iter().copied().zip(counts.iter().copied()).collect();
    let mut best = counts;
    best.sort_unstable_by_key(|&count| std::cmp::Reverse(count));
    for k in [10, 100, 1000] {
        let (mut over, mut under, mut right) = (0.0, 0.0, 0);
        for row in sketch.top(k) {
            let truth = by_key[&row.key[..]];
            over += (row.estimate.high - truth) as f64 / truth as f64 / k as f64;
            under += (truth - row.estimate.low) as f64 / truth as f64 / k as f64;
            right += usize::from(truth >= best[k - 1]);
        }
        println!("top {k}: {right} right, mean error of high {:.4} %, of low {:.4} %", over * 100.0, under * 100.0);
    }
    println!("any untracked key: at most {} of {}", sketch.most_untracked(), sketch.total());
}

fn report_merge(sketch: &SpaceSaving) {
    let start = Instant::now();
    let mut sum = sketch.clone();
    (0..64).for_each(|_| sum.merge(sketch).expect("the shapes are the same"));
    println!("64 merges: {:.1} ms each", start.elapsed().as_secs_f64() * 1000.0 / 64.0);
    let start = Instant::now();
    let bytes = sketch.to_bytes();
    let written = start.elapsed().as_secs_f64() * 1000.0;
    SpaceSaving::from_bytes(&bytes).expect("just written");
    let read = start.elapsed().as_secs_f64() * 1000.0 - written;
    println!("{} bytes as written: {written:.1} ms to write, {read:.1} ms to read", bytes.len());
}
