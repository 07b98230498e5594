//! The second codec: six flat columns written by `abomonation`, behind a frame.
//!
//! `abomonation` believes what it reads (RUSTSEC-2021-0120), so it is given little to believe: each column is a lone
//! `Vec<u64>` or `Vec<u8>`, and its encoding is accepted only if it is, but for the pointer, what encoding a vector of
//! the framed length gives. On the wire: the numbers of runs, of rows and of key bytes (u64 each, in the byte order of the
//! machine), then the runs' slots and first rows, hashes, weights, ends of keys and key bytes, each padded to a multiple of
//! 8 bytes. For use between processes of one build on a private network.

use std::io::Write;
use std::sync::Arc;

use timely::bytes::arc::Bytes;

use super::SlotRows;
use crate::window::Slot;

/// Bytes of a vector's header as `abomonation` writes it: the vector itself.
const HEADER: usize = size_of::<Vec<u64>>();

/// Combined counts while they are gathered: hash, weight and key of each in columns, and two of slots.
#[derive(Clone, Default)]
pub struct Columns {
    /// The slot of each run of rows, and the number of its first row.
    slots: Vec<u64>,
    firsts: Vec<u64>,
    hashes: Vec<u64>,
    weights: Vec<u64>,
    /// Where each key ends in `keys`.
    ends: Vec<u64>,
    keys: Vec<u8>,
}

impl Columns {
    /// Adds a row.
    #[inline]
    pub fn push(&mut self, slot: Slot, hash: u64, weight: u64, key: &[u8]) {
        if self.slots.last() != Some(&slot.to_word()) {
            self.slots.push(slot.to_word());
            self.firsts.push(self.hashes.len() as u64);
        }
        self.hashes.push(hash);
        self.weights.push(weight);
        self.keys.extend_from_slice(key);
        self.ends.push(self.keys.len() as u64);
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// The number of bytes of all keys.
    pub fn key_bytes(&self) -> usize {
        self.keys.len()
    }
}

impl From<Columns> for Rows {
    fn from(columns: Columns) -> Self {
        Rows(Arc::new(columns))
    }
}

/// Combined counts on their way. A clone is the same rows.
#[derive(Clone, Default)]
pub struct Rows(Arc<Columns>);

impl Rows {
    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rows, cut where the slot changes, in order.
    pub fn by_slot(&self) -> impl Iterator<Item = SlotRows<'_>> {
        let Columns { slots, firsts, hashes, weights, ends, keys } = &*self.0;
        super::by_slot(slots, firsts, hashes, weights, ends, keys)
    }

    pub(super) fn from_bytes(bytes: Bytes) -> Self {
        let mut rest = &bytes[..];
        let mut word = || {
            let (word, tail) = rest.split_first_chunk().expect("a parcel's frame is whole");
            rest = tail;
            u64::from_ne_bytes(*word) as usize
        };
        let (runs, rows, key_bytes) = (word(), word(), word());
        let mut words = |length| read::<u64>(&mut rest, length);
        let (slots, firsts) = (words(runs), words(runs));
        let (hashes, weights, ends) = (words(rows), words(rows), words(rows));
        let keys = read::<u8>(&mut rest, key_bytes);
        let ordered = ends.is_sorted() && ends.last().is_none_or(|&end| end == keys.len() as u64);
        assert!(rest.is_empty() && ordered, "a parcel's columns fit each other");
        Rows(Arc::new(Columns { slots, firsts, hashes, weights, ends, keys }))
    }

    /// The bytes that they take on the wire, and about in memory.
    pub(crate) fn length_in_bytes(&self) -> usize {
        let words = 2 * self.0.slots.len() + 3 * self.0.len();
        24 + 6 * HEADER + 8 * words + self.0.keys.len().next_multiple_of(8)
    }

    pub(super) fn write_to<W: Write>(&self, writer: &mut W) {
        let Columns { slots, firsts, hashes, weights, ends, keys } = &*self.0;
        for word in [slots.len(), hashes.len(), keys.len()] {
            writer.write_all(&(word as u64).to_ne_bytes()).expect("the buffer is as long as was asked for");
        }
        [slots, firsts, hashes, weights, ends].into_iter().for_each(|column| write(column, writer));
        write(keys, writer);
    }
}

/// Writes a column, padded.
fn write<T: Flat>(column: &Vec<T>, writer: &mut impl Write) {
    let mut bytes = Vec::with_capacity(HEADER + size_of_val(&column[..]) + 8);
    // SAFETY: `encode` reads the bytes of the vector's three words and of its elements. The former are initialized, the
    // latter are integers without padding.
    unsafe { abomonation::encode(column, &mut bytes) }.expect("memory can be written to");
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    writer.write_all(&bytes).expect("the buffer is as long as was asked for");
}

/// Reads a column of `length` elements from the front of `bytes`, which then start after it and its padding.
///
/// # Panics
/// When the encoding is not that of a vector of this length.
fn read<T: Flat>(bytes: &mut &[u8], length: usize) -> Vec<T> {
    let content = length.checked_mul(size_of::<T>()).expect("a column's length is sane");
    let total =
        content.checked_next_multiple_of(8).and_then(|n| n.checked_add(HEADER)).expect("a column's length is sane");
    let (column, rest) = bytes.split_at_checked(total).expect("a parcel's column is whole");
    *bytes = rest;
    // An aligned copy that starts with the column, as decoding asks for.
    let mut words: Vec<u64> =
        column.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().expect("8 bytes"))).collect();
    let claimed = words[..HEADER / 8].iter().filter(|&&word| word == length as u64).count();
    assert!(claimed > 0, "a column's header names its length");
    // SAFETY: any bytes of the words may be looked at as bytes, and any bytes written to them leave words.
    let aligned = unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast::<u8>(), words.len() * 8) };
    // SAFETY: `aligned` starts at a multiple of 8, and the elements are plain integers, for which every byte pattern is
    // valid. `decode` takes as many elements as the header claims, within `aligned`: `length * size_of::<T>()` cannot
    // wrap for the lengths accepted here, and what a forged header claims beyond that is refused below or by `decode`.
    let decoded = unsafe { abomonation::decode::<Vec<T>>(aligned) };
    let (column, rest) = decoded.expect("a parcel's column is whole");
    assert!(column.len() == length && rest.len() == total - HEADER - content, "a column is as long as its frame says");
    column.clone()
}

/// Elements that are the same in memory and on the wire.
trait Flat: abomonation::Abomonation + Clone {}
impl Flat for u64 {}
impl Flat for u8 {}
