//! The default codec: `columnar` containers. They cross as they are in memory, are read in place where they arrive
//! aligned, and hold no `unsafe`: hostile bytes can panic and cannot corrupt memory.

use std::io::Write;
use std::sync::Arc;

use columnar::bytes::stash::Stash;
use columnar::{ContainerOf, Len, Push};
use timely::bytes::arc::Bytes;

use super::SlotRows;
use crate::window::Slot;

/// Slots and the number of the first row of each; hashes, weights and keys.
type Typed = ContainerOf<(u64, u64, u64, u64, String)>;

/// Combined counts while they are gathered: hash, weight and key of each in three columns, and two of slots.
#[derive(Clone, Default)]
pub struct Columns(Typed);

impl Columns {
    /// Adds a row.
    #[inline]
    pub fn push(&mut self, slot: Slot, hash: u64, weight: u64, key: &[u8]) {
        let (slots, firsts, hashes, weights, keys) = &mut self.0;
        let slot = slot.to_word();
        if slots.last() != Some(&slot) {
            slots.push(slot);
            firsts.push(hashes.len() as u64);
        }
        hashes.push(hash);
        weights.push(weight);
        keys.push(key);
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.0.2.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of bytes of all keys.
    pub fn key_bytes(&self) -> usize {
        self.0.4.values.len()
    }
}

impl From<Columns> for Rows {
    fn from(columns: Columns) -> Self {
        Rows(Arc::new(Stash::Typed(columns.0)))
    }
}

/// Combined counts on their way: columns, or the bytes in which they came. A clone is the same rows.
#[derive(Clone, Default)]
pub struct Rows(Arc<Stash<Typed, Bytes>>);

impl Rows {
    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    /// The rows, cut where the slot changes, in order.
    pub fn by_slot(&self) -> impl Iterator<Item = SlotRows<'_>> {
        let (slots, firsts, hashes, weights, keys) = self.0.borrow();
        super::by_slot(slots, firsts, hashes, weights, keys.bounds, keys.values)
    }

    pub(super) fn from_bytes(bytes: Bytes) -> Self {
        Rows(Arc::new(Stash::try_from_bytes(bytes).expect("a parcel's columns are whole")))
    }

    /// The bytes that they take on the wire, and about in memory.
    pub(crate) fn length_in_bytes(&self) -> usize {
        self.0.length_in_bytes()
    }

    pub(super) fn write_to<W: Write>(&self, writer: &mut W) {
        self.0.write_bytes(writer).expect("the buffer is as long as was asked for");
    }
}
