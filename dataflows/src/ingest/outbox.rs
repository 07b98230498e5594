//! Gathers combined counts into one open parcel for each worker.

use crate::mark::Mark;
use crate::parcel::{Columns, Parcel};
use crate::shard;
use crate::window::Slot;

/// A parcel is full at this many rows or key bytes: large enough to carry its overhead, small enough for the network's
/// buffers.
const ROWS: usize = 8192;
const KEY_BYTES: usize = 256 << 10;

pub(super) struct Outbox {
    me: usize,
    open: Vec<Columns>,
    full: Vec<Parcel>,
}

impl Outbox {
    pub(super) fn new(me: usize, workers: usize) -> Self {
        Outbox { me, open: vec![Columns::default(); workers], full: Vec::new() }
    }

    #[inline]
    pub(super) fn push(&mut self, slot: Slot, hash: u64, weight: u64, key: &[u8]) {
        let to = shard::worker(hash, self.open.len());
        let columns = &mut self.open[to];
        columns.push(slot, hash, weight, key);
        if columns.len() >= ROWS || columns.key_bytes() >= KEY_BYTES {
            let rows = std::mem::take(columns).into();
            self.full.push(Parcel { to, from: self.me, mark: Mark::Nothing, rows });
        }
    }

    pub(super) fn full(&mut self) -> impl Iterator<Item = Parcel> + '_ {
        self.full.drain(..)
    }

    /// One parcel for every worker, empty or not, with the mark.
    pub(super) fn marked(&mut self, mark: Mark) -> Vec<Parcel> {
        let from = self.me;
        let open = self.open.iter_mut().map(std::mem::take).enumerate();
        open.map(|(to, columns)| Parcel { to, from, mark, rows: columns.into() }).collect()
    }
}
