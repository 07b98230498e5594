//! The bytes of all tracked keys in one buffer, which is compacted before it outgrows its bound.

use crate::prefetch::prefetch;

/// Where a key's bytes lie.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeyRef {
    start: u32,
    len: u32,
}

impl KeyRef {
    pub(super) fn len(self) -> usize {
        self.len as usize
    }
}

/// Key bytes, some of them of keys no longer tracked.
///
/// With at most `room` live bytes the buffer never exceeds 1.5 times `room`: it grows only while less than a third of
/// it is waste, and is compacted otherwise.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    bytes: Vec<u8>,
    live: usize,
    room: usize,
}

impl Keys {
    /// An empty buffer for `room` bytes of tracked keys; allocates nothing.
    pub(super) fn new(room: usize) -> Self {
        Keys { bytes: Vec::new(), live: 0, room }
    }

    pub(super) fn get(&self, key: KeyRef) -> &[u8] {
        &self.bytes[key.start as usize..][..key.len as usize]
    }

    /// Asks for the first line of a key.
    #[inline(always)]
    pub(super) fn prefetch(&self, key: KeyRef) {
        if let Some(first) = self.bytes.get(key.start as usize) {
            prefetch(first);
        }
    }

    /// Bytes of tracked keys.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// Whether a key of `len` bytes can be tracked beside all the others.
    pub(super) fn fits(&self, len: usize) -> bool {
        self.live + len <= self.room
    }

    /// Bytes allocated.
    pub(super) fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// The most bytes ever held between two calls.
    pub(super) fn ceiling(room: usize) -> usize {
        room + room / 2
    }

    /// Whether to compact before a key of `len` bytes is stored.
    pub(super) fn is_wasteful(&self, len: usize) -> bool {
        let waste = self.bytes.len() - self.live;
        let is_tight = self.bytes.len() + len > self.held();
        is_tight && waste > 0 && waste >= self.live / 2
    }

    /// Whether the buffer is larger than it may be between two calls.
    pub(super) fn is_over(&self) -> bool {
        self.held() > Self::ceiling(self.room)
    }

    /// Keeps a copy of `key`, in the place of a key that was let go, if that is long enough.
    pub(super) fn store(&mut self, key: &[u8], place: KeyRef) -> KeyRef {
        self.live += key.len();
        let len = key.len() as u32;
        if len <= place.len {
            self.bytes[place.start as usize..][..key.len()].copy_from_slice(key);
            return KeyRef { start: place.start, len };
        }
        let start = u32::try_from(self.bytes.len()).expect("key room is limited to 1 GiB");
        self.make_space(key.len());
        self.bytes.extend_from_slice(key);
        KeyRef { start, len }
    }

    /// Grows by half; past the ceiling only while a merge holds more keys than there is room for.
    fn make_space(&mut self, len: usize) {
        if self.bytes.len() + len > self.held() {
            let limit = if self.live > self.room { usize::MAX } else { Self::ceiling(self.room) };
            let wanted = (self.held() + self.held() / 2).min(limit);
            self.bytes.reserve_exact(wanted.saturating_sub(self.bytes.len()).max(len));
        }
    }

    /// Counts a key's bytes as waste; its place may still be passed to [`Keys::store`] until the next compaction.
    pub(super) fn release(&mut self, key: KeyRef) {
        self.live -= key.len();
    }

    /// Moves the keys in `tracked` together; no other place is valid after that.
    pub(super) fn compact<'a>(&mut self, tracked: impl Iterator<Item = &'a mut KeyRef>) {
        let held = self.held().min(Self::ceiling(self.room)).max(self.live);
        let mut packed = Vec::with_capacity(held);
        for key in tracked {
            let start = packed.len() as u32;
            packed.extend_from_slice(self.get(*key));
            key.start = start;
        }
        self.bytes = packed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_place_is_taken_over_by_a_key_that_fits() {
        let mut keys = Keys::new(100);
        let first = keys.store(b"long key", KeyRef::default());
        keys.release(first);
        let second = keys.store(b"short", first);
        assert_eq!((keys.get(second), keys.live(), keys.bytes.len()), (&b"short"[..], 5, 8));
    }

    #[test]
    fn compaction_keeps_every_tracked_key_and_drops_the_rest() {
        let mut keys = Keys::new(1000);
        let mut refs: Vec<KeyRef> = (0..50u8).map(|i| keys.store(&[i; 10], KeyRef::default())).collect();
        refs.drain(..30).for_each(|gone| keys.release(gone));
        keys.compact(refs.iter_mut());
        assert_eq!(keys.bytes.len(), 200);
        assert!(refs.iter().zip(30..).all(|(&key, i)| keys.get(key) == [i; 10]));
    }
}
