//! What the machine has.

use std::fs::read_to_string;
use std::num::NonZeroUsize;

/// The number of cores that this process may use; 1 when that cannot be told.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// The bytes of memory that this process may use: what the machine has, or its control group allows, whichever is less;
/// 4 GiB when neither can be told.
pub fn memory() -> usize {
    let machine = read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
        line.split_whitespace().nth(1)?.parse::<usize>().ok()?.checked_mul(1024)
    });
    let group = read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    machine.into_iter().chain(group).min().unwrap_or(4 << 30)
}
