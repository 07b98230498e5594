//! Writing a segment.

use super::block::{BLOCK, INFO, Packer};
use super::{HEAD, MAGIC, PAGE};

/// The bytes of a segment for the window of `length` that starts at `start`: ids ascending, counts above 0.
pub fn encode(start: i64, length: i64, entries: &[(u32, u64)]) -> Vec<u8> {
    let packer = Packer::default();
    let blocks = entries.len().div_ceil(BLOCK);
    let mut directory = Vec::with_capacity(blocks * (INFO + 1));
    let (mut checksums, mut pages) = (Vec::new(), Vec::with_capacity(entries.len() * 2));
    for page in entries.chunks(BLOCK * PAGE) {
        let at = pages.len();
        for block in page.chunks(BLOCK) {
            directory.extend(packer.pack(block, &mut pages).to_bytes());
        }
        checksums.extend(crc32fast::hash(&pages[at..]).to_le_bytes());
    }
    directory.extend(checksums);
    let mut segment = Vec::with_capacity(HEAD + directory.len() + pages.len());
    segment.extend(MAGIC);
    segment.extend((entries.len() as u32).to_le_bytes());
    segment.extend(start.to_le_bytes());
    segment.extend(length.to_le_bytes());
    segment.extend(total(entries).to_le_bytes());
    segment.extend(entries.last().map_or(0, |(id, _)| *id).to_le_bytes());
    segment.extend(crc32fast::hash(&directory).to_le_bytes());
    segment.extend([0; 12]);
    segment.extend(crc32fast::hash(&segment).to_le_bytes());
    segment.extend(directory);
    segment.extend(pages);
    segment
}

/// The same entries as a segment for another window, whose start and length are given.
///
/// # Panics
/// When `segment` is shorter than a head.
pub fn for_window(mut segment: Vec<u8>, start: i64, length: i64) -> Vec<u8> {
    segment[8..16].copy_from_slice(&start.to_le_bytes());
    segment[16..24].copy_from_slice(&length.to_le_bytes());
    let checksum = crc32fast::hash(&segment[..HEAD - 4]);
    segment[HEAD - 4..HEAD].copy_from_slice(&checksum.to_le_bytes());
    segment
}

/// The sum of all counts.
pub fn total(entries: &[(u32, u64)]) -> u128 {
    entries.iter().map(|(_, count)| u128::from(*count)).sum()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::super::Segment;
    use super::super::block::Entries;
    use super::*;

    fn entries(gaps: &[(u32, u64)]) -> Vec<(u32, u64)> {
        let mut next = 0;
        gaps.iter()
            .map(|&(gap, count)| {
                next += gap;
                (next - 1, count)
            })
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn ranges_counts_and_ceilings_are_those_of_the_entries(
            gaps in prop::collection::vec((1u32..200, 1u64..5000), 0..900),
            ranges in prop::collection::vec((0u32..100_000, 0u32..3000), 8),
            shift in 3u32..12,
        ) {
            let entries = entries(&gaps);
            let segment = Segment::of(&entries);
            let mut open = Entries::default();
            for (from, length) in ranges {
                let mut found = Vec::new();
                segment.for_each_in(from..from + length, &mut open, |id, count| found.push((id, count))).unwrap();
                let expected = entries.iter().filter(|(id, _)| (from..from + length).contains(id));
                prop_assert_eq!(found, expected.copied().collect::<Vec<_>>());
                let expected = entries.iter().find(|(id, _)| *id == from).map_or(0, |(_, count)| *count);
                prop_assert_eq!(segment.count(from, &mut open).unwrap(), expected);
            }
            let stripes = (entries.last().map_or(0, |(id, _)| *id) >> shift) as usize + 3;
            let mut ceilings = vec![0; stripes];
            segment.add_ceilings(shift, &mut ceilings);
            for (id, count) in &entries {
                prop_assert!(ceilings[(id >> shift) as usize] >= *count);
            }
            let highest = entries.iter().map(|(_, count)| *count).max().unwrap_or(0);
            prop_assert!(ceilings.iter().all(|&c| c <= highest + highest / 500 + 1));
            prop_assert_eq!(&ceilings[stripes - 2..], &[0, 0]);
        }
    }

    #[test]
    fn the_same_entries_for_another_window() {
        let entries: Vec<(u32, u64)> = (0..500).map(|i| (i * 3, u64::from(i % 70) + 1)).collect();
        assert_eq!(for_window(encode(60_000, 60_000, &entries), 0, 3_600_000), encode(0, 3_600_000, &entries));
    }

    #[test]
    fn many_pages() {
        let entries: Vec<(u32, u64)> = (0..100_000).map(|i| (i * 3, u64::from(i % 70) + 1)).collect();
        let (segment, mut open, mut found) = (Segment::of(&entries), Entries::default(), Vec::new());
        segment.for_each_in(0..u32::MAX, &mut open, |id, count| found.push((id, count))).unwrap();
        assert_eq!(found, entries);
        assert!(segment.length() > super::super::SMALL && segment.read_all().is_ok());
    }
}
