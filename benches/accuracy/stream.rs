//! Seeded streams and their exact counts.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;

pub const KEYS: usize = 1_000_000;

/// A draw: the rank of the key that comes at `at` of `events`, from a number between 0 and 1.
type Draw = dyn Fn(f64, usize, usize) -> usize;

pub type Make = fn() -> Box<Draw>;

/// The streams by name.
pub const STREAMS: [(&str, Make); 6] = [
    ("zipf-0.6", || zipf(0.6)),
    ("zipf-0.8", || zipf(0.8)),
    ("zipf-1.0", || zipf(1.0)),
    ("zipf-1.3", || zipf(1.3)),
    ("drifting", || {
        let zipf = zipf(1.0);
        // Ten times in the stream, other keys become the hot ones; the coldest start.
        Box::new(move |part, at, events| KEYS - 1 - (zipf(part, at, events) + at * 10 / events * 1000) % KEYS)
    }),
    ("flat", || Box::new(|part, _, _| (part * KEYS as f64) as usize)),
];

pub struct Stream {
    pub name: &'static str,
    /// What a sketch takes of each event, in order: the key's hash and the key.
    pub updates: Vec<(u64, [u8; 16])>,
    counts: Vec<u64>,
    /// The count of the k-th key, by k from 0.
    pub best: Vec<u64>,
}

impl Stream {
    pub fn new(name: &'static str, make: Make, events: usize) -> Self {
        let (draw, mut random) = (make(), Pcg64Mcg::new(7));
        let mut unit = || (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let secrets = rapidhash::v3::RapidSecrets::seed(0x5EED);
        let keys = (0..KEYS as u64).map(key);
        let keys: Vec<_> = keys.map(|key| (rapidhash::v3::rapidhash_v3_seeded(&key, &secrets), key)).collect();
        let mut counts = vec![0; KEYS];
        let mut next = |at| {
            let rank = draw(unit(), at, events);
            counts[rank] += 1;
            keys[rank]
        };
        let updates = (0..events).map(&mut next).collect();
        let mut best = counts.clone();
        best.sort_unstable_by(|a, b| b.cmp(a));
        Stream { name, updates, counts, best }
    }

    pub fn count(&self, key: &[u8]) -> u64 {
        let rank = std::str::from_utf8(key).ok().and_then(|text| u64::from_str_radix(text, 16).ok());
        let rank = rank.map_or(usize::MAX, |mixed| mixed.wrapping_mul(INVERSE) as usize);
        self.counts.get(rank).copied().unwrap_or(0)
    }
}

const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
/// FACTOR times this is 1.
const INVERSE: u64 = 0xF1DE_83E1_9937_733D;

fn key(rank: u64) -> [u8; 16] {
    let text = format!("{:016x}", rank.wrapping_mul(FACTOR));
    text.as_bytes().try_into().expect("16 digits")
}

/// By inversion of the cumulative weights, with a guide to where in them to look.
fn zipf(skew: f64) -> Box<Draw> {
    const GUIDES: usize = 1 << 16;
    let mut sum = 0.0;
    let weights = (1..=KEYS).map(|rank| (rank as f64).powf(-skew));
    let cumulative: Vec<f64> = weights
        .map(|weight| {
            sum += weight;
            sum
        })
        .collect();
    let until = move |part: f64| part * sum;
    let guides: Vec<usize> =
        (0..=GUIDES).map(|at| cumulative.partition_point(|&c| c < until(at as f64 / GUIDES as f64))).collect();
    Box::new(move |part, _, _| {
        let guide = (part * GUIDES as f64) as usize;
        let (from, to) = (guides[guide], guides[guide + 1].min(KEYS - 1));
        from + cumulative[from..to].partition_point(|&c| c < until(part))
    })
}
