//! What the bytes of all sketches have in common. Integers are little-endian; a varint is LEB128 of a `u64`.
//!
//! ```text
//!  0  "HSKT"      5  version u8 = 1         end  CRC-32 (IEEE) of all before it, u32
//!  4  kind u8     6  content by kind
//! ```

use super::DamagedSketch;

const MAGIC: &[u8; 4] = b"HSKT";
const VERSION: u8 = 1;
const CHECKSUM: usize = 4;
/// Where the content begins.
pub(super) const HEADER: usize = MAGIC.len() + 2;

/// The start of a sketch's bytes, for its content to follow.
pub(super) fn begin(kind: u8) -> Vec<u8> {
    [&MAGIC[..], &[kind, VERSION]].concat()
}

/// The bytes with their checksum.
pub(super) fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The kind of sketch that wrote these bytes, if one did.
pub(super) fn kind(bytes: &[u8]) -> Option<u8> {
    bytes.strip_prefix(MAGIC)?.first().copied()
}

/// The content, once magic, kind, version and checksum are right.
pub(super) fn open(expected: u8, bytes: &[u8]) -> Result<Reader<'_>, DamagedSketch> {
    let found = kind(bytes).ok_or(DamagedSketch::Foreign)?;
    let version = *bytes.get(MAGIC.len() + 1).ok_or(DamagedSketch::Length)?;
    if version != VERSION {
        return Err(DamagedSketch::Version(version));
    }
    let (sealed, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(DamagedSketch::Length)?;
    let content = sealed.get(HEADER..).ok_or(DamagedSketch::Length)?;
    if crc32fast::hash(sealed) != u32::from_le_bytes(*checksum) {
        return Err(DamagedSketch::Checksum);
    }
    if found != expected {
        return Err(DamagedSketch::Foreign);
    }
    Ok(Reader(content))
}

pub(super) fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The bytes not read yet.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// How many bytes are left.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// An error unless all was read.
    pub(super) fn end(self) -> Result<(), DamagedSketch> {
        if self.0.is_empty() { Ok(()) } else { Err(DamagedSketch::Length) }
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], DamagedSketch> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(DamagedSketch::Length)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DamagedSketch> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(DamagedSketch::Length)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, DamagedSketch> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn fixed_u32(&mut self) -> Result<u32, DamagedSketch> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn fixed_u64(&mut self) -> Result<u64, DamagedSketch> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn fixed_u128(&mut self) -> Result<u128, DamagedSketch> {
        self.array().map(u128::from_le_bytes)
    }

    /// A part of a whole: more than 0 and less than 1.
    pub(super) fn part(&mut self) -> Result<f64, DamagedSketch> {
        let part = f64::from_bits(self.fixed_u64()?);
        if part > 0.0 && part < 1.0 { Ok(part) } else { Err(DamagedSketch::Content("part")) }
    }

    pub(super) fn varint(&mut self) -> Result<u64, DamagedSketch> {
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

    /// A varint that says how many things of at least `bytes` bytes follow.
    pub(super) fn number_of(&mut self, bytes: usize) -> Result<usize, DamagedSketch> {
        let number = usize::try_from(self.varint()?).map_err(|_| DamagedSketch::Length)?;
        if number > self.len() / bytes { Err(DamagedSketch::Length) } else { Ok(number) }
    }

    /// `number` varints.
    pub(super) fn varints(&mut self, number: usize) -> Result<Vec<u64>, DamagedSketch> {
        if number > self.len() {
            return Err(DamagedSketch::Length);
        }
        let mut read = Vec::with_capacity(number);
        for _ in 0..number {
            read.push(self.varint()?);
        }
        Ok(read)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn error_of(kind: u8, bytes: &[u8]) -> DamagedSketch {
        open(kind, bytes).err().unwrap()
    }

    #[test]
    fn a_frame_opens_for_its_kind_version_and_checksum_alone() {
        let mut bytes = begin(3);
        bytes.extend_from_slice(b"content");
        assert_eq!(bytes, b"HSKT\x03\x01content");
        let sealed = seal(bytes.clone());
        assert_eq!(open(3, &sealed).unwrap().take(7).unwrap(), b"content");
        assert_eq!(kind(&sealed), Some(3));
        assert_eq!(error_of(4, &sealed), DamagedSketch::Foreign);
        assert_eq!(error_of(3, b"HSKX\x03\x01content"), DamagedSketch::Foreign);
        assert_eq!(error_of(3, b"HSKT\x03\x02content"), DamagedSketch::Version(2));
        assert_eq!(error_of(3, b"HSKT\x03\x01ab"), DamagedSketch::Length);
        assert_eq!(error_of(3, b"HSKT\x03\x01content"), DamagedSketch::Checksum);
        assert_eq!(error_of(3, b"HSKT"), DamagedSketch::Foreign);
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

    #[test]
    fn what_is_promised_must_be_there() {
        assert_eq!(Reader(&[3, 0, 0]).number_of(1), Err(DamagedSketch::Length));
        assert_eq!(Reader(&[2, 0, 0]).number_of(1), Ok(2));
        assert_eq!(Reader(&[0, 0]).varints(3), Err(DamagedSketch::Length));
    }
}
