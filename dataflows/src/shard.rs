//! Which worker counts a key.

/// The number of shards. It never changes: what is stored by shard stays readable whatever the number of workers.
pub const SHARDS: u64 = 4096;

/// The shard of a key with this hash. It takes bits 40 to 51, which neither the tables nor the sketches use to find a
/// place, so that the keys of one worker spread over its whole table.
pub fn shard(hash: u64) -> u64 {
    (hash >> 40) % SHARDS
}

/// The worker, of `workers`, that counts the key with this hash.
pub fn worker(hash: u64, workers: usize) -> usize {
    (shard(hash) % workers as u64) as usize
}
