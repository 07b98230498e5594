//! The content of a sketch's bytes, within the frame that all sketches share:
//!
//! ```text
//!  0  1 when evicting, 2 with wide cells,      30  bar u64
//!     else 0
//!  1  doublings left to full size u8          38  for each bucket in order:
//!  2  buckets at full size u32                      keys tracked u8, and for each of them
//!  6  key room u64                                    tag u64, high varint, err varint, length varint, key
//! 14  total u128                                    64 cells as varints, 32 when wide, when evicting
//! ```
//!
//! A bucket takes at least one byte, 33 when evicting, so reading allocates at most 260 bytes for each byte of input.

use super::bucket::{WAYS, bucket_of};
use super::filters::Filters;
use super::{DamagedSketch, LONGEST_KEY, Shape, SpaceSaving};
use crate::sketch::frame::{self, Reader, write_varint};

const LEAST_CONTENT: usize = 38;

/// What tells these bytes from those of other sketches.
const KIND: u8 = 1;

pub(super) fn write(sketch: &SpaceSaving) -> Vec<u8> {
    let mut out = frame::begin(KIND);
    out.reserve(LEAST_CONTENT + sketch.keys.live() + sketch.buckets.len() * WAYS * 16);
    out.push(if sketch.is_exact() { 0 } else { 1 + u8::from(sketch.filters.is_wide()) });
    out.push((sketch.shape.buckets / sketch.buckets.len()).ilog2() as u8);
    out.extend_from_slice(&(sketch.shape.buckets as u32).to_le_bytes());
    out.extend_from_slice(&(sketch.shape.key_room as u64).to_le_bytes());
    out.extend_from_slice(&sketch.total.to_le_bytes());
    out.extend_from_slice(&sketch.bar.to_le_bytes());
    for at in 0..sketch.buckets.len() {
        write_bucket(sketch, at, &mut out);
    }
    frame::seal(out)
}

fn write_bucket(sketch: &SpaceSaving, at: usize, out: &mut Vec<u8>) {
    let bucket = &sketch.buckets[at];
    out.push(bucket.used().count() as u8);
    for slot in bucket.slots() {
        out.extend_from_slice(&slot.tag.to_le_bytes());
        [slot.high, slot.err, slot.key.len() as u64].into_iter().for_each(|value| write_varint(value, out));
        out.extend_from_slice(sketch.keys.get(slot.key));
    }
    sketch.filters.cells(at).for_each(|cell| write_varint(cell, out));
}

pub(super) fn read(bytes: &[u8]) -> Result<SpaceSaving, DamagedSketch> {
    let mut rest = frame::open(KIND, bytes)?;
    let mut sketch = read_header(&mut rest)?;
    for at in 0..sketch.buckets.len() {
        read_bucket(&mut rest, &mut sketch, at)?;
    }
    rest.end()?;
    check_total(&sketch)?;
    Ok(sketch)
}

/// An empty sketch of the size that the header tells, if the bytes that follow can fill it.
fn read_header(rest: &mut Reader) -> Result<SpaceSaving, DamagedSketch> {
    let state = rest.byte()?;
    let (is_evicting, wide) = (state > 0, state == 2);
    if state > 2 {
        return Err(DamagedSketch::Content("state"));
    }
    let doublings = u32::from(rest.byte()?);
    let buckets = rest.fixed_u32()? as usize;
    let key_room = usize::try_from(rest.fixed_u64()?).unwrap_or(usize::MAX);
    let shape = Shape { buckets, key_room };
    if !shape.is_possible() || doublings > Shape::doublings(buckets) || is_evicting && doublings > 0 {
        return Err(DamagedSketch::Content("size"));
    }
    let now = buckets >> doublings;
    let total = rest.fixed_u128()?;
    let bar = rest.fixed_u64()?;
    let least_bytes = if is_evicting { (1 + Filters::number(wide)) * now } else { now };
    if rest.len() < least_bytes {
        return Err(DamagedSketch::Length);
    }
    let mut sketch = SpaceSaving::of_size(shape, now);
    if is_evicting {
        sketch.filters = Filters::new(now, wide);
    }
    (sketch.total, sketch.bar) = (total, bar);
    Ok(sketch)
}

fn read_bucket(rest: &mut Reader, sketch: &mut SpaceSaving, at: usize) -> Result<(), DamagedSketch> {
    let tracked = rest.byte()?;
    if usize::from(tracked) > WAYS {
        return Err(DamagedSketch::Content("bucket"));
    }
    for _ in 0..tracked {
        read_slot(rest, sketch, at)?;
    }
    if !sketch.is_exact() {
        for number in 0..Filters::number(sketch.filters.is_wide()) {
            if !sketch.filters.set(at, number, rest.varint()?) {
                return Err(DamagedSketch::Content("cell"));
            }
        }
    }
    Ok(())
}

fn read_slot(rest: &mut Reader, sketch: &mut SpaceSaving, at: usize) -> Result<(), DamagedSketch> {
    let tag = rest.fixed_u64()?;
    let (high, err) = (rest.varint()?, rest.varint()?);
    let len = usize::try_from(rest.varint()?).unwrap_or(usize::MAX);
    let key = rest.take(len)?;
    if tag & 1 == 0 || bucket_of(tag, sketch.buckets.len()) != at || sketch.find(at, tag, key).is_some() {
        return Err(DamagedSketch::Content("hash"));
    }
    if len > LONGEST_KEY || !sketch.keys.fits(len) {
        return Err(DamagedSketch::Content("key length"));
    }
    if err > high || err > 0 && sketch.is_exact() {
        return Err(DamagedSketch::Content("error bound"));
    }
    sketch.place(tag, key, high, err);
    Ok(())
}

/// Certain counts never exceed the total, and are all of it while the sketch is exact.
fn check_total(sketch: &SpaceSaving) -> Result<(), DamagedSketch> {
    let certain: u128 = sketch.slots().map(|slot| u128::from(slot.low())).sum();
    let is_right = if sketch.is_exact() { certain == sketch.total } else { certain <= sketch.total };
    if is_right { Ok(()) } else { Err(DamagedSketch::Content("total")) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sketch::Sketch;

    fn sample() -> Vec<u8> {
        let mut sketch = SpaceSaving::new(8);
        sketch.add(0xABCD_EF01_2345_6789, b"key", 300).unwrap();
        let mut bytes = write(&sketch);
        bytes.truncate(bytes.len() - 4);
        bytes
    }

    fn error_of(change: impl FnOnce(&mut Vec<u8>)) -> DamagedSketch {
        let mut content = sample();
        change(&mut content);
        read(&frame::seal(content)).unwrap_err()
    }

    #[test]
    fn the_layout_is_as_written_down() {
        let mut expected = b"HSKT\x01\x01\0\0\x01\0\0\0\0\0\x01\0\0\0\0\0".to_vec();
        expected.extend_from_slice(&300u128.to_le_bytes());
        expected.extend_from_slice(&[0; 8]);
        expected.extend_from_slice(b"\x01\x89\x67\x45\x23\x01\xEF\xCD\xAB\xAC\x02\x00\x03key");
        assert_eq!(sample(), expected);
        assert!(read(&frame::seal(expected)).is_ok());
    }

    #[test]
    fn content_that_contradicts_itself_is_refused_even_with_a_right_checksum() {
        assert_eq!(error_of(|b| b[4] = 2), DamagedSketch::Foreign);
        assert_eq!(error_of(|b| b[6] = 3), DamagedSketch::Content("state"));
        assert_eq!(error_of(|b| b[7] = 1), DamagedSketch::Content("size"));
        assert_eq!(error_of(|b| b[8] = 0), DamagedSketch::Content("size"));
        assert_eq!(error_of(|b| b[8] = 0x21), DamagedSketch::Content("size"));
        assert_eq!(error_of(|b| b[12..15].copy_from_slice(&[2, 0, 0])), DamagedSketch::Content("key length"));
        assert_eq!(error_of(|b| b[20] += 1), DamagedSketch::Content("total"));
        assert_eq!(error_of(|b| b[44] = 9), DamagedSketch::Content("bucket"));
        assert_eq!(error_of(|b| b[45] ^= 1), DamagedSketch::Content("hash"));
        assert_eq!(error_of(|b| b[55] = 1), DamagedSketch::Content("error bound"));
        assert_eq!(error_of(|b| b.push(0)), DamagedSketch::Length);
        assert_eq!(error_of(|b| b.truncate(50)), DamagedSketch::Length);
    }

    #[test]
    fn a_header_that_promises_too_much_allocates_nothing() {
        let huge = |b: &mut Vec<u8>| {
            b[6] = 1;
            b[8..12].copy_from_slice(&(1u32 << 22).to_le_bytes());
        };
        assert_eq!(error_of(huge), DamagedSketch::Length);
    }
}
