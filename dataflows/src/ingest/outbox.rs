//! Gathers combined counts into open parcels for each worker.

use crate::mark::Mark;
use crate::parcel::{Columns, Parcel};
use crate::shard;
use crate::window::Slot;

/// A parcel is full at this many rows or key bytes: large enough to carry its overhead, small enough for the network's
/// buffers.
const ROWS: usize = 2048;
const KEY_BYTES: usize = 128 << 10;

pub(super) struct Outbox {
    me: usize,
    /// One parcel for each window length by worker, so that rows of one window stand together and are counted together.
    open: Vec<Vec<Columns>>,
    full: Vec<Parcel>,
}

impl Outbox {
    pub(super) fn new(me: usize, workers: usize, lengths: usize) -> Self {
        Outbox { me, open: vec![vec![Columns::default(); lengths]; workers], full: Vec::new() }
    }

    #[inline]
    pub(super) fn push(&mut self, slot: Slot, hash: u64, weight: u64, key: &[u8]) {
        let to = shard::worker(hash, self.open.len());
        let columns = &mut self.open[to][slot.length()];
        columns.push(slot, hash, weight, key);
        if columns.len() >= ROWS || columns.key_bytes() >= KEY_BYTES {
            let rows = std::mem::take(columns).into();
            self.full.push(Parcel { to, from: self.me, mark: Mark::Nothing, rows });
        }
    }

    pub(super) fn full(&mut self) -> Vec<Parcel> {
        std::mem::take(&mut self.full)
    }

    /// The full parcels and those with anything in them, and at last one for every worker with the mark.
    pub(super) fn marked(&mut self, mark: Mark) -> Vec<Parcel> {
        let from = self.me;
        for (to, open) in self.open.iter_mut().enumerate() {
            let filled = open.iter_mut().filter(|columns| !columns.is_empty()).map(std::mem::take);
            self.full.extend(filled.map(|columns| Parcel { to, from, mark: Mark::Nothing, rows: columns.into() }));
            self.full.push(Parcel { to, from, mark, ..Parcel::default() });
        }
        self.full()
    }
}
