//! What one worker sends another: combined counts in columns, and a mark that says what will not come any more.
//!
//! On the wire: four u64 words, in the byte order of the machine (receiving worker, sending worker, kind of mark, mark),
//! then the columns as the codec writes them. The whole is a multiple of 8 bytes long.

#[cfg(not(feature = "abomonation"))]
mod columns;
#[cfg(feature = "abomonation")]
#[path = "parcel/flat.rs"]
mod columns;

use std::io::Write;

use timely::Accountable;
use timely::bytes::arc::Bytes;
use timely::communication::Push;
use timely::dataflow::channels::pushers::exchange::Distributor;
use timely::dataflow::channels::{ContainerBytes, Message};
use timely::progress::Stamp;

use crate::mark::Mark;
use crate::window::Slot;
pub use columns::{Columns, Rows};

/// Combined counts from one worker to another, and the sender's mark.
#[derive(Clone, Default)]
pub struct Parcel {
    /// The worker that receives it.
    pub to: usize,
    /// The worker that sends it.
    pub from: usize,
    /// What the sender promises; [`Mark::Nothing`] where it says nothing new.
    pub mark: Mark,
    /// The counts.
    pub rows: Rows,
}

impl Accountable for Parcel {
    /// A parcel is one record, unless it says nothing at all.
    fn record_count(&self) -> i64 {
        i64::from(self.mark != Mark::Nothing || !self.rows.is_empty())
    }
}

impl ContainerBytes for Parcel {
    fn from_bytes(mut bytes: Bytes) -> Self {
        let head = bytes.extract_to(32.min(bytes.len()));
        let mut words = head.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().expect("8 bytes")));
        let mut word = || words.next().expect("a parcel begins with four words");
        let (to, from) = (word() as usize, word() as usize);
        let mark = Mark::from_words([word(), word()]).expect("a parcel's mark is of a known kind");
        Parcel { to, from, mark, rows: Rows::from_bytes(bytes) }
    }

    fn length_in_bytes(&self) -> usize {
        32 + self.rows.length_in_bytes()
    }

    fn into_bytes<W: Write>(&self, writer: &mut W) {
        let [kind, value] = self.mark.to_words();
        for word in [self.to as u64, self.from as u64, kind, value] {
            writer.write_all(&word.to_ne_bytes()).expect("the buffer is as long as was asked for");
        }
        self.rows.write_to(writer);
    }
}

/// Rows of one slot that stand one after the other.
#[derive(Clone, Copy)]
pub struct SlotRows<'a> {
    /// Their window.
    pub slot: Slot,
    /// Their keys' hashes.
    pub hashes: &'a [u64],
    /// Their weights, as many.
    pub weights: &'a [u64],
    /// Where each key of the parcel ends in `keys`, and the number of the first of these.
    ends: &'a [u64],
    keys: &'a [u8],
    first: usize,
}

impl<'a> SlotRows<'a> {
    /// The key of the `number`-th row, from 0.
    ///
    /// # Panics
    /// When there are not that many rows, or the parcel is damaged.
    #[inline]
    pub fn key(&self, number: usize) -> &'a [u8] {
        let at = self.first + number;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.keys[start as usize..self.ends[at] as usize]
    }
}

/// Columns cut into runs of one slot: the slots and first rows of these, and the hashes, weights and ends of keys of all
/// rows, and all their bytes.
fn by_slot<'a>(
    slots: &'a [u64],
    firsts: &'a [u64],
    hashes: &'a [u64],
    weights: &'a [u64],
    ends: &'a [u64],
    keys: &'a [u8],
) -> impl Iterator<Item = SlotRows<'a>> {
    let lasts = firsts.iter().skip(1).copied().chain([hashes.len() as u64]);
    slots.iter().zip(firsts).zip(lasts).map(move |((slot, first), last)| {
        let (first, last) = (*first as usize, last as usize);
        let (hashes, weights) = (&hashes[first..last], &weights[first..last]);
        SlotRows { slot: Slot::from_word(*slot), hashes, weights, ends, keys, first }
    })
}

/// Sends each parcel whole to the worker it is for.
pub(crate) struct ByAddress;

impl Distributor<Parcel> for ByAddress {
    fn partition<T: Clone, P: Push<Message<T, Parcel>>>(
        &mut self,
        parcel: &mut Parcel,
        stamp: &Stamp<T>,
        to: &mut [P],
    ) {
        let address = parcel.to;
        Message::push_at(parcel, stamp.clone(), &mut to[address]);
    }

    fn flush<T: Clone, P: Push<Message<T, Parcel>>>(&mut self, _: &Stamp<T>, _: &mut [P]) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(parcel: &Parcel) -> Vec<u8> {
        let mut bytes = Vec::new();
        parcel.into_bytes(&mut bytes);
        assert_eq!(bytes.len(), parcel.length_in_bytes());
        assert_eq!(bytes.len() % 8, 0);
        bytes
    }

    fn read(bytes: Vec<u8>) -> Parcel {
        Parcel::from_bytes(timely::bytes::arc::BytesMut::from(bytes).freeze())
    }

    fn rows(parcel: &Parcel) -> Vec<(u64, u64, u64, Vec<u8>)> {
        let mut rows = Vec::new();
        for same in parcel.rows.by_slot() {
            let row = |i: usize| (same.slot.to_word(), same.hashes[i], same.weights[i], same.key(i).to_vec());
            rows.extend((0..same.hashes.len()).map(row));
        }
        rows
    }

    #[test]
    fn a_parcel_crosses_the_wire_whole() {
        for mark in [Mark::Nothing, Mark::At(-5), Mark::Idle(9), Mark::Done] {
            let mut columns = Columns::default();
            for (i, key) in [&b"a"[..], b"", b"\xff\0odd", b"longer than eight bytes"].iter().enumerate() {
                columns.push(Slot::from_word(i as u64 / 2 * 256), u64::MAX - i as u64, i as u64, key);
            }
            let parcel = Parcel { to: 3, from: 1, mark, rows: columns.into() };
            let back = read(written(&parcel));
            assert_eq!((back.to, back.from, back.mark), (3, 1, mark));
            assert_eq!(rows(&back).len(), 4);
            assert_eq!(rows(&back), rows(&parcel));
        }
        let empty = read(written(&Parcel::default()));
        assert!(rows(&empty).is_empty());
    }

    #[test]
    fn damaged_bytes_panic_or_read_as_rows_and_never_run_wild() {
        let mut columns = Columns::default();
        for i in 0..50u64 {
            columns.push(Slot::from_word(i), i, i, format!("key-{i}").as_bytes());
        }
        let bytes = written(&Parcel { to: 0, from: 1, mark: Mark::At(7), rows: columns.into() });
        let quiet = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        for at in 0..bytes.len() {
            for flip in [0x01, 0x80] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                let _ = std::panic::catch_unwind(|| rows(&read(damaged)).len());
            }
        }
        std::panic::set_hook(quiet);
    }
}
