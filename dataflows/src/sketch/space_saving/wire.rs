//! A sketch as bytes. Integers are little-endian; a varint is LEB128 of a `u64`.
//!
//! ```text
//!  0  "HSSK"                                  36  bar u64
//!  4  version u8 = 1                          44  for each bucket in order:
//!  5  1 when evicting, else 0                       keys tracked u8, and for each of them
//!  6  doublings left to full size u8                  tag u64, high varint, err varint, length varint, key
//!  7  0                                            16 filter cells as varints, when evicting
//!  8  buckets at full size u32                end  CRC-32 (IEEE) of all before it, u32
//! 12  key room u64
//! 20  total u128
//! ```
//!
//! A bucket takes at least one byte, 17 when evicting, so reading allocates at most 260 bytes for each byte of input.

use super::bucket::{Filter, WAYS, bucket_of};
use super::{DamagedSketch, LONGEST_KEY, Shape, SpaceSaving};

const MAGIC: &[u8; 4] = b"HSSK";
const VERSION: u8 = 1;
const HEADER: usize = 44;
const CHECKSUM: usize = 4;

pub(super) fn write(sketch: &SpaceSaving) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER + sketch.keys.live() + sketch.buckets.len() * WAYS * 16);
    out.extend_from_slice(MAGIC);
    out.push(VERSION);
    out.push(u8::from(!sketch.is_exact()));
    out.push((sketch.shape.buckets / sketch.buckets.len()).ilog2() as u8);
    out.push(0);
    out.extend_from_slice(&(sketch.shape.buckets as u32).to_le_bytes());
    out.extend_from_slice(&(sketch.shape.key_room as u64).to_le_bytes());
    out.extend_from_slice(&sketch.total.to_le_bytes());
    out.extend_from_slice(&sketch.bar.to_le_bytes());
    for at in 0..sketch.buckets.len() {
        write_bucket(sketch, at, &mut out);
    }
    let checksum = crc32fast::hash(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

fn write_bucket(sketch: &SpaceSaving, at: usize, out: &mut Vec<u8>) {
    let bucket = &sketch.buckets[at];
    out.push(bucket.used().count() as u8);
    for slot in bucket.slots() {
        out.extend_from_slice(&slot.tag.to_le_bytes());
        [slot.high, slot.err, slot.key.len() as u64].into_iter().for_each(|value| write_varint(value, out));
        out.extend_from_slice(sketch.keys.get(slot.key));
    }
    if let Some(filter) = sketch.filters.get(at) {
        filter.0.into_iter().for_each(|cell| write_varint(cell, out));
    }
}

fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn read(bytes: &[u8]) -> Result<SpaceSaving, DamagedSketch> {
    let mut rest = Reader(checked(bytes)?);
    let mut sketch = read_header(&mut rest)?;
    for at in 0..sketch.buckets.len() {
        read_bucket(&mut rest, &mut sketch, at)?;
    }
    if !rest.0.is_empty() {
        return Err(DamagedSketch::Length);
    }
    check_total(&sketch)?;
    Ok(sketch)
}

/// What follows the version, once magic, version and checksum are right.
fn checked(bytes: &[u8]) -> Result<&[u8], DamagedSketch> {
    if !bytes.starts_with(MAGIC) {
        return Err(DamagedSketch::Foreign);
    }
    let version = *bytes.get(MAGIC.len()).ok_or(DamagedSketch::Length)?;
    if version != VERSION {
        return Err(DamagedSketch::Version(version));
    }
    if bytes.len() < HEADER + CHECKSUM {
        return Err(DamagedSketch::Length);
    }
    let (content, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(DamagedSketch::Length)?;
    if crc32fast::hash(content) != u32::from_le_bytes(*checksum) {
        return Err(DamagedSketch::Checksum);
    }
    Ok(&content[MAGIC.len() + 1..])
}

/// An empty sketch of the size that the header tells, if the bytes that follow can fill it.
fn read_header(rest: &mut Reader) -> Result<SpaceSaving, DamagedSketch> {
    let is_evicting = flag(rest.byte()?)?;
    let doublings = u32::from(rest.byte()?);
    if rest.byte()? != 0 {
        return Err(DamagedSketch::Content("state"));
    }
    let buckets = u32::from_le_bytes(rest.array()?) as usize;
    let key_room = usize::try_from(rest.fixed_u64()?).unwrap_or(usize::MAX);
    let shape = Shape { buckets, key_room };
    if !shape.is_possible() || doublings > Shape::doublings(buckets) || is_evicting && doublings > 0 {
        return Err(DamagedSketch::Content("size"));
    }
    let now = buckets >> doublings;
    let total = u128::from_le_bytes(rest.array()?);
    let bar = rest.fixed_u64()?;
    let least_bytes = if is_evicting { 17 * now } else { now };
    if rest.0.len() < least_bytes {
        return Err(DamagedSketch::Length);
    }
    let mut sketch = SpaceSaving::of_size(shape, now);
    if is_evicting {
        sketch.begin_evicting();
    }
    (sketch.total, sketch.bar) = (total, bar);
    Ok(sketch)
}

fn flag(byte: u8) -> Result<bool, DamagedSketch> {
    if byte > 1 { Err(DamagedSketch::Content("state")) } else { Ok(byte == 1) }
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
        let mut filter = Filter::default();
        for cell in &mut filter.0 {
            *cell = rest.varint()?;
        }
        sketch.filters[at] = filter;
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

/// The bytes not read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], DamagedSketch> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(DamagedSketch::Length)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DamagedSketch> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(DamagedSketch::Length)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, DamagedSketch> {
        self.array().map(|[byte]| byte)
    }

    fn fixed_u64(&mut self) -> Result<u64, DamagedSketch> {
        self.array().map(u64::from_le_bytes)
    }

    fn varint(&mut self) -> Result<u64, DamagedSketch> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if bits << shift >> shift != bits {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DamagedSketch::Content("number"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sketch::Sketch;

    /// As `write` would end it, so that only the content is wrong.
    fn sealed(mut content: Vec<u8>) -> Vec<u8> {
        let checksum = crc32fast::hash(&content);
        content.extend_from_slice(&checksum.to_le_bytes());
        content
    }

    fn sample() -> Vec<u8> {
        let mut sketch = SpaceSaving::new(8);
        sketch.add(0xABCD_EF01_2345_6789, b"key", 300).unwrap();
        let mut bytes = write(&sketch);
        bytes.truncate(bytes.len() - CHECKSUM);
        bytes
    }

    fn error_of(change: impl FnOnce(&mut Vec<u8>)) -> DamagedSketch {
        let mut content = sample();
        change(&mut content);
        read(&sealed(content)).unwrap_err()
    }

    #[test]
    fn the_layout_is_as_written_down() {
        let mut expected = b"HSSK\x01\0\0\0\x01\0\0\0\0\0\x01\0\0\0\0\0".to_vec();
        expected.extend_from_slice(&300u128.to_le_bytes());
        expected.extend_from_slice(&[0; 8]);
        expected.extend_from_slice(b"\x01\x89\x67\x45\x23\x01\xEF\xCD\xAB\xAC\x02\x00\x03key");
        assert_eq!(sample(), expected);
        assert!(read(&sealed(expected)).is_ok());
    }

    #[test]
    fn content_that_contradicts_itself_is_refused_even_with_a_right_checksum() {
        assert_eq!(error_of(|b| b[0] = b'X'), DamagedSketch::Foreign);
        assert_eq!(error_of(|b| b[4] = 2), DamagedSketch::Version(2));
        assert_eq!(error_of(|b| b[5] = 2), DamagedSketch::Content("state"));
        assert_eq!(error_of(|b| b[6] = 1), DamagedSketch::Content("size"));
        assert_eq!(error_of(|b| b[7] = 1), DamagedSketch::Content("state"));
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
            b[5] = 1;
            b[8..12].copy_from_slice(&(1u32 << 21).to_le_bytes());
        };
        assert_eq!(error_of(huge), DamagedSketch::Length);
    }

    #[test]
    fn a_varint_beyond_64_bits_is_refused() {
        let read = |bytes: &[u8]| Reader(bytes).varint();
        let mut longest = Vec::new();
        write_varint(u64::MAX, &mut longest);
        assert_eq!((longest.len(), read(&longest)), (10, Ok(u64::MAX)));
        longest[9] = 2;
        assert_eq!(read(&longest), Err(DamagedSketch::Content("number")));
        assert_eq!(read(&[0x80; 11]), Err(DamagedSketch::Content("number")));
    }
}
