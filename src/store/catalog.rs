//! What is published: the windows of each level and the chunks of the dictionary, as the manifest's records say.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::level::Levels;
use super::manifest::{ChunkRecord, Contents, Record, SegmentRecord};
use super::pack::Pack;
use super::part::Part;

/// One state of a store. It never changes once it is shared; a newer state is another catalog.
#[derive(Clone, Debug)]
pub struct Catalog {
    levels: Levels,
    part: Part,
    windows: Vec<BTreeMap<i64, SegmentRecord>>,
    floors: Vec<i64>,
    chunks: Vec<ChunkRecord>,
    keys: u32,
    damaged: Vec<u64>,
    /// Where each pack ends, replaced segments included.
    pack_ends: HashMap<Pack, u64>,
    /// Bytes of each pack that are published.
    live: HashMap<Pack, u64>,
    keys_end: u64,
    records: u64,
}

impl Catalog {
    /// Nothing published.
    pub fn new(levels: Levels, part: Part) -> Self {
        let count = levels.count();
        Catalog {
            levels,
            part,
            windows: vec![BTreeMap::new(); count],
            floors: vec![i64::MIN; count],
            chunks: Vec::new(),
            keys: 0,
            damaged: Vec::new(),
            pack_ends: HashMap::new(),
            live: HashMap::new(),
            keys_end: 0,
            records: 0,
        }
    }

    /// Takes in what was read from the manifest. A record that cannot follow those before is damage.
    pub fn read(&mut self, contents: &Contents) {
        self.damaged.extend(&contents.damaged);
        contents.records.iter().for_each(|record| self.add(record));
        self.records += contents.damaged.len() as u64;
    }

    /// Takes in one record.
    pub fn add(&mut self, record: &Record) {
        let fits = match *record {
            Record::Keys(chunk) => self.add_chunk(chunk),
            Record::Segment(segment) => self.add_segment(segment),
            Record::Floor { level, start } => self.raise_floor(level.into(), start),
        };
        if !fits {
            self.damaged.push(self.records);
        }
        self.records += 1;
    }

    fn add_chunk(&mut self, chunk: ChunkRecord) -> bool {
        let (ends, last) = (chunk.offset.checked_add(chunk.length), chunk.first.checked_add(chunk.keys));
        let (Some(end), Some(last), true) = (ends, last, chunk.first >= self.keys && chunk.offset >= self.keys_end)
        else {
            return false;
        };
        (self.keys, self.keys_end) = (last, end);
        self.chunks.push(chunk);
        true
    }

    fn add_segment(&mut self, segment: SegmentRecord) -> bool {
        let level = usize::from(segment.level);
        let end = segment.offset.checked_add(segment.length);
        let (Some(end), true) = (end, level < self.levels.count()) else { return false };
        if self.levels.start(level, segment.start) != segment.start {
            return false;
        }
        let pack = self.pack(&segment);
        let pack_end = self.pack_ends.entry(pack).or_default();
        *pack_end = end.max(*pack_end);
        *self.live.entry(pack).or_default() += segment.length;
        if let Some(old) = self.windows[level].insert(segment.start, segment) {
            self.withdraw(&old);
            if old.generation < segment.generation {
                // It only moved.
                return true;
            }
        }
        for coarser in level + 1..self.levels.count() {
            let start = self.levels.start(coarser, segment.start);
            if let Some(old) = self.windows[coarser].remove(&start) {
                self.withdraw(&old);
            }
        }
        true
    }

    fn raise_floor(&mut self, level: usize, start: i64) -> bool {
        if level >= self.levels.count() {
            return false;
        }
        self.floors[level] = start.max(self.floors[level]);
        let kept = self.windows[level].split_off(&self.floors[level]);
        let dropped = std::mem::replace(&mut self.windows[level], kept);
        dropped.values().for_each(|old| self.withdraw(old));
        true
    }

    fn withdraw(&mut self, old: &SegmentRecord) {
        if let Some(live) = self.live.get_mut(&self.pack(old)) {
            *live -= old.length;
        }
    }

    /// The levels.
    pub fn levels(&self) -> &Levels {
        &self.levels
    }

    /// Which keys its windows are of.
    pub fn part(&self) -> &Part {
        &self.part
    }

    /// The segment of a window.
    pub fn window(&self, level: usize, start: i64) -> Option<&SegmentRecord> {
        self.windows[level].get(&start)
    }

    /// The segments of a level whose windows start in a range, in order.
    pub fn windows(&self, level: usize, starts: Range<i64>) -> impl DoubleEndedIterator<Item = &SegmentRecord> {
        // A range whose end is before its start would be a panic.
        let starts = starts.start..starts.end.max(starts.start);
        self.windows[level].range(starts).map(|(_, segment)| segment)
    }

    /// All segments of a level, in order.
    pub fn all(&self, level: usize) -> impl DoubleEndedIterator<Item = &SegmentRecord> {
        self.windows[level].values()
    }

    /// How many segments a level has.
    pub fn count(&self, level: usize) -> usize {
        self.windows[level].len()
    }

    /// Windows of the level that start before this are dropped.
    pub fn floor(&self, level: usize) -> i64 {
        self.floors[level]
    }

    /// The chunks of the dictionary, by id. What is not in a chunk was in a damaged one.
    pub fn chunks(&self) -> &[ChunkRecord] {
        &self.chunks
    }

    /// Ids are below this.
    pub fn keys(&self) -> u32 {
        self.keys
    }

    /// The numbers of damaged records: what they published is not known.
    pub fn damaged(&self) -> &[u64] {
        &self.damaged
    }

    /// How many records there are.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The end of the dictionary, in bytes.
    pub fn keys_end(&self) -> u64 {
        self.keys_end
    }

    /// The pack of a segment.
    pub fn pack(&self, segment: &SegmentRecord) -> Pack {
        Pack::of(&self.levels, segment.level.into(), segment.start, segment.generation)
    }

    /// The end of a pack, in bytes.
    pub fn pack_end(&self, pack: &Pack) -> u64 {
        self.pack_ends.get(pack).copied().unwrap_or(0)
    }

    /// Every pack that is not moved to a newer generation or expired, with the bytes in it and those of them that are
    /// published.
    pub fn packs(&self) -> impl Iterator<Item = (Pack, u64, u64)> {
        let packs = self.pack_ends.iter().filter(|(pack, _)| !self.is_moved(pack) && !self.is_expired(pack));
        packs.map(|(&pack, &end)| (pack, end, self.live_bytes(&pack)))
    }

    /// Every pack that is expired.
    pub fn expired_packs(&self) -> impl Iterator<Item = Pack> {
        self.pack_ends.keys().copied().filter(|pack| self.is_expired(pack))
    }

    fn live_bytes(&self, pack: &Pack) -> u64 {
        self.live.get(pack).copied().unwrap_or(0)
    }

    /// Whether all that was in a pack is in a newer generation of it.
    pub fn is_moved(&self, pack: &Pack) -> bool {
        let next = Pack { generation: pack.generation.saturating_add(1), ..*pack };
        self.live_bytes(pack) == 0 && self.pack_ends.contains_key(&next)
    }

    /// Whether all windows of a pack are dropped.
    pub fn is_expired(&self, pack: &Pack) -> bool {
        pack.start.saturating_add(self.levels.pack_length(pack.level)) <= self.floors[pack.level]
    }

    /// The newest generation of the pack that holds a window.
    pub fn generation(&self, level: usize, start: i64) -> u32 {
        let first = Pack::of(&self.levels, level, start, 0);
        let same = self.pack_ends.keys().filter(|pack| pack.first() == first);
        same.map(|pack| pack.generation).max().unwrap_or(0)
    }

    /// The time from the first window to the end of the last one, by the finest windows that are kept of each time.
    pub fn span(&self) -> Option<(i64, i64)> {
        let finest = |level: usize| level.checked_sub(1).map_or(i64::MAX, |finer| self.floors[finer]);
        let levels = || (0..self.levels.count()).map(|level| (level, self.windows(level, i64::MIN..finest(level))));
        let first = levels().filter_map(|(_, mut windows)| windows.next()).map(|window| window.start).min()?;
        let last = levels()
            .filter_map(|(level, mut windows)| Some(self.levels.end(level, windows.next_back()?.start)))
            .max()?;
        Some((first, last))
    }
}
