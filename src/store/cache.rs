//! Segments that were read stay in memory, up to a limit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::error::StoreError;
use super::pack::Pack;
use super::segment::Segment;

/// What is cached: where a segment lies. Bytes that are published never change, so this names them for ever.
pub(super) type Place = (Pack, u64);

/// Segments by place. When they pass the limit, those that were not used for the longest time make room.
pub(super) struct Cache {
    limit: u64,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    segments: HashMap<Place, (Arc<Segment>, u64)>,
    bytes: u64,
    /// Counts uses.
    clock: u64,
}

impl Cache {
    pub(super) fn new(limit: u64) -> Self {
        Cache { limit, held: Mutex::default() }
    }

    /// The segment at a place, loaded when it is not held.
    pub(super) fn get(
        &self,
        place: Place,
        load: impl FnOnce() -> Result<Segment, StoreError>,
    ) -> Result<Arc<Segment>, StoreError> {
        let held = &mut *self.held.lock().expect("no one panics while holding segments");
        held.clock += 1;
        if let Some((segment, used)) = held.segments.get_mut(&place) {
            *used = held.clock;
            return Ok(segment.clone());
        }
        let segment = Arc::new(load()?);
        held.bytes += segment.length();
        held.segments.insert(place, (segment.clone(), held.clock));
        if held.bytes > self.limit {
            held.make_room(self.limit / 2);
        }
        Ok(segment)
    }

    /// Lets go of the segments of packs that are `gone`, so that their room on disk is free.
    pub(super) fn drop_packs(&self, gone: impl Fn(&Pack) -> bool) {
        let held = &mut *self.held.lock().expect("no one panics while holding segments");
        held.segments.retain(|(pack, _), _| !gone(pack));
        held.bytes = held.segments.values().map(|(segment, _)| segment.length()).sum();
    }
}

impl Held {
    /// Lets go of the longest unused until `limit` bytes are left. Segments in use live on until their users are done.
    fn make_room(&mut self, limit: u64) {
        let mut by_use: Vec<_> = self.segments.iter().map(|(&place, (_, used))| (*used, place)).collect();
        by_use.sort_unstable();
        for (_, place) in by_use {
            if self.bytes <= limit {
                break;
            }
            if let Some((segment, _)) = self.segments.remove(&place) {
                self.bytes -= segment.length();
            }
        }
    }
}
