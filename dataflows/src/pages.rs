//! Large pages for large tables.

/// From this many bytes on, large pages are asked for: half of one, since what is next to it in memory may be another table.
const LEAST: usize = 1 << 20;

/// An empty vector with room for `capacity` elements, in large pages where they are many and the system has such pages
/// (Linux: `madvise(2)`, `MADV_HUGEPAGE`). What is read in no order from small pages costs a walk through the page tables
/// for nearly every read, and each small page a fault before.
pub fn with_large_pages<T>(capacity: usize) -> Vec<T> {
    let mut room = Vec::with_capacity(capacity);
    ask_for_large_pages(room.spare_capacity_mut());
    room
}

/// So many times `value`, in large pages as [`with_large_pages`] takes them. O(length).
pub fn filled<T: Clone>(value: T, length: usize) -> Vec<T> {
    let mut all = with_large_pages(length);
    all.resize(length, value);
    all
}

#[cfg(target_os = "linux")]
fn ask_for_large_pages<T>(room: &mut [T]) {
    if size_of_val(room) < LEAST {
        return;
    }
    // Whole pages, with what else stands in the first and last: only mappings of one kind are joined to a large page.
    let page = rustix::param::page_size();
    let from = room.as_mut_ptr().cast::<u8>();
    let before = from.addr() % page;
    let length = (before + size_of_val(room)).next_multiple_of(page);
    // SAFETY: every page of the range holds a byte of an allocation, so it is mapped, and the advice changes nothing that a
    // program can see.
    let _ = unsafe { rustix::mm::madvise(from.wrapping_sub(before).cast(), length, rustix::mm::Advice::LinuxHugepage) };
}

#[cfg(not(target_os = "linux"))]
fn ask_for_large_pages<T>(_: &mut [T]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_and_small_rooms_hold_what_is_put_there() {
        for capacity in [0, 1, 1000, 1 << 17, (1 << 18) + 1] {
            let mut room = with_large_pages(capacity);
            assert!(room.is_empty() && room.capacity() >= capacity);
            room.extend(0..capacity as u64);
            assert!(room.iter().copied().eq(0..capacity as u64));
        }
    }
}
