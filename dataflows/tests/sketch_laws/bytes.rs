//! Sketches as bytes: they come back as they were, or not at all.

use hitters_dataflows::sketch::{AnySketch, DamagedSketch, SKETCHES, Size, Sketch};
use proptest::prelude::*;

use crate::family::make;
use crate::pair::{Pair, UNSEEN};
use crate::streams::{Random, Shape, feed};

#[test]
fn bytes_come_back_as_they_were_or_not_at_all() {
    for entry in SKETCHES {
        for events in [0, 1, 40, 3000] {
            let mut pair = Pair::new(make(entry, Size::Memory(5000)));
            feed(&mut pair, &mut Random(2), Shape::Zipf, events, 400, 3);
            let bytes = pair.sketch.to_bytes();
            let mut back = Pair { sketch: AnySketch::from_bytes(&bytes).unwrap(), ..pair.clone() };
            assert_eq!(back.sketch.to_bytes(), bytes);
            assert_eq!(back.sketch.top(usize::MAX), pair.sketch.top(usize::MAX));
            assert_eq!(back.sketch.most_memory(), pair.sketch.most_memory());
            assert!((0..400 + UNSEEN).all(|id| back.estimate(id) == pair.estimate(id)));
            feed(&mut pair, &mut Random(5), Shape::Flat, 500, 400, 0);
            feed(&mut back, &mut Random(5), Shape::Flat, 500, 400, 0);
            assert_eq!(back.sketch.to_bytes(), pair.sketch.to_bytes(), "{} goes on differently", entry.name);
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= [1, 0x80, 0xFF][at % 3];
                assert!(AnySketch::from_bytes(&damaged).is_err(), "{}: byte {at} changed unseen", entry.name);
                assert!(AnySketch::from_bytes(&bytes[..at]).is_err());
            }
        }
    }
}

#[test]
fn every_kind_reads_its_own_bytes_alone() {
    let all: Vec<Vec<u8>> = SKETCHES.iter().map(|entry| make(entry, Size::Memory(0)).to_bytes()).collect();
    let mut kinds: Vec<u8> = all.iter().map(|bytes| bytes[4]).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), SKETCHES.len());
    assert_eq!(AnySketch::from_bytes(b"HSKT\x63\x01").unwrap_err(), DamagedSketch::Foreign);
    assert_eq!(AnySketch::from_bytes(b"").unwrap_err(), DamagedSketch::Foreign);
}

proptest! {
    /// With a right start and checksum, so that what they guard is reached too.
    #[test]
    fn any_bytes_are_read_without_panic(
        kind in 1u8..10,
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        changed in prop::collection::vec((0usize..120, any::<u8>()), 0..4),
    ) {
        let sealed = |content: &[u8]| [content, &crc32fast::hash(content).to_le_bytes()].concat();
        let _ = AnySketch::from_bytes(&sealed(&[b"HSKT", &[kind, 1][..], &bytes].concat()));
        let mut pair = Pair::new(make(&SKETCHES[usize::from(kind - 1) % SKETCHES.len()], Size::Memory(0)));
        feed(&mut pair, &mut Random(bytes.len() as u64), Shape::Zipf, 60, 50, 3);
        let mut content = pair.sketch.to_bytes();
        content.truncate(content.len() - 4);
        changed.iter().for_each(|&(at, value)| if let Some(byte) = content.get_mut(at + 6) { *byte = value });
        if let Ok(mut odd) = AnySketch::from_bytes(&sealed(&content)) {
            let again = AnySketch::from_bytes(&odd.to_bytes()).unwrap();
            prop_assert_eq!(again.top(9), odd.top(9));
            let _ = odd.merge(&again);
            (0..50).for_each(|id| _ = odd.add(id * id, b"key", u64::MAX / 3));
            odd.top(9).iter().for_each(|row| assert!(row.estimate.low <= row.estimate.high));
        }
    }
}
