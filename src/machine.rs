//! What the machine has, and how its memory is used.

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

/// Has the allocator keep blocks up to 16 MiB, and up to 64 MiB at the end of what it has of the system, when they are freed:
/// what a window leaves the next one takes, and pages that went back and forth would be emptied and faulted in each time.
/// To be called before there are other threads. With another C library than GNU's nothing changes.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (parameter, bytes) in [(libc::M_MMAP_THRESHOLD, 16 << 20), (libc::M_TRIM_THRESHOLD, 64 << 20)] {
        // SAFETY: mallopt(3) is given a parameter of its own and changes how memory is taken from the system, not what it
        // holds; no other thread allocates meanwhile. A value that it does not take leaves things as they are.
        unsafe { libc::mallopt(parameter, bytes) };
    }
}
