//! Asking for memory before it is needed.

/// Has the processor fetch the cache line in which `value` begins, and does not wait for it. Where a table is larger than
/// the cache, asking for the lines of many rows before the first is used lets the fetches overlap; an ordinary read
/// would hold up the instructions behind it. Does nothing but take time on processors other than x86-64.
#[inline(always)]
pub fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE, which the instruction belongs to, is part of x86-64, and it changes nothing that a program can see.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(std::ptr::from_ref(value).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
