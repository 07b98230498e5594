//! Any bytes as a sketch from another process: they are refused, or are a sketch that can be written, read and merged.
#![no_main]

use hitters_dataflows::sketch::{AnySketch, Sketch};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = AnySketch::from_bytes(bytes);
    // Between the right start and checksum, so that what they guard is reached too.
    let Some((&kind, content)) = bytes.split_first() else { return };
    let mut sealed = [b"HSKT", &[kind % 9, 1][..], content].concat();
    sealed.extend(crc32fast::hash(&sealed).to_le_bytes());
    let Ok(mut sketch) = AnySketch::from_bytes(&sealed) else { return };
    let again = AnySketch::from_bytes(&sketch.to_bytes()).expect("what was read can be written and read");
    assert_eq!((again.total(), again.top(20)), (sketch.total(), sketch.top(20)));
    // One that may grow to gigabytes does, when hashes collide.
    if sketch.most_memory() > 16 << 20 {
        return;
    }
    // A sum that does not fit is an error, and no more than that.
    let _ = sketch.merge(&again);
    let _ = sketch.add(0x9e37_79b9_7f4a_7c15, b"key", u64::MAX);
    for row in sketch.top(20) {
        assert!(row.estimate.low <= row.estimate.count && row.estimate.count <= row.estimate.high);
    }
});
