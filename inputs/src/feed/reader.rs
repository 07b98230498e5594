//! One worker's part in reading: it parses blocks as it gets them and hands them out when their turn has come.

use std::sync::Arc;

use super::{Before, Block, Bound, Feed, FeedError, newlines};
use crate::event::{Event, Events, MAX_RECORD, Reason};
use crate::source::Pull;

/// How many parsed blocks may wait for their turn.
const WAITING: usize = 16;

/// A parsed block whose turn has come.
pub struct Batch<'a> {
    /// Its events, and the records that gave none.
    pub events: &'a Events,
    /// The highest event time before its first record in its partition, and the lines before it.
    pub before: Before,
    block: &'a Block,
}

/// Where a record stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The input's name.
    pub input: &'a str,
    /// The line of the record's first byte, from 1.
    pub line: u64,
    /// The offset of its first byte in the input, after decompression.
    pub offset: u64,
    /// The record's first line, at most [`MAX_RECORD`] bytes.
    pub record: &'a [u8],
}

impl<'a> Batch<'a> {
    /// One of its events, which are in the order of their records.
    ///
    /// # Panics
    /// When there are not that many.
    #[inline]
    pub fn event(&self, number: usize) -> Event<'a> {
        self.events.event(number, &self.block.bytes)
    }

    /// Where the record stands that starts at `at` in the block. O(`at`): it counts lines.
    pub fn place(&self, at: u32) -> Place<'_> {
        let bytes = &self.block.bytes;
        let (head, rest) = bytes.split_at(at as usize);
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len()).min(MAX_RECORD);
        let line = self.before.lines + newlines(head) + 1;
        Place { input: self.block.input(), line, offset: self.block.offset + u64::from(at), record: &rest[..end] }
    }
}

struct Parsed {
    block: Block,
    events: Events,
}

/// Reads for one worker.
pub struct Reader {
    feed: Arc<Feed>,
    seed: u64,
    waiting: Vec<Parsed>,
    spare_bytes: Vec<Vec<u8>>,
    spare_events: Vec<Events>,
}

impl Reader {
    /// A reader of `feed` whose key hashes use `seed`.
    pub fn new(feed: Arc<Feed>, seed: u64) -> Self {
        Reader { feed, seed, waiting: Vec::new(), spare_bytes: Vec::new(), spare_events: Vec::new() }
    }

    /// Reads and parses one block, if there is one; [`Reader::settle`] hands it out. `Done` says that this worker has
    /// neither anything to read nor anything to hand out.
    ///
    /// # Errors
    /// [`FeedError`] when an input fails. Where the error [is partial](FeedError::is_partial), the others can be read on.
    pub fn read(&mut self) -> Result<Pull, FeedError> {
        if self.waiting.len() >= WAITING {
            return Ok(Pull::Idle);
        }
        let (pull, block) = self.feed.pull(&mut self.spare_bytes)?;
        if let Some(block) = block {
            let parsed = self.parse(block);
            self.waiting.push(parsed);
        }
        Ok(if pull == Pull::Done && !self.waiting.is_empty() { Pull::Idle } else { pull })
    }

    fn parse(&mut self, block: Block) -> Parsed {
        let mut events = self.spare_events.pop().unwrap_or_else(|| Events::new(self.seed));
        events.begin(&block.bytes, block.arrival, self.feed.settings.latest());
        if block.too_long {
            events.reject(0, Reason::TooLong);
        } else {
            block.parser.parse(&block.bytes, &mut events);
        }
        let lines = if self.feed.settings.places { newlines(&block.bytes) + u64::from(block.too_long) } else { 0 };
        let holds = Before { highest: events.latest_time(), lines };
        block.partition.chain().parsed(block.number, holds);
        Parsed { block, events }
    }

    /// Hands out every block whose turn has come. What is returned holds for all events that are handed out later.
    pub fn settle(&mut self, mut take: impl FnMut(Batch<'_>)) -> Bound {
        // The bound is taken first: whatever it rests on is then handed out below.
        let bound = self.feed.bound();
        let mut i = 0;
        while i < self.waiting.len() {
            let block = &self.waiting[i].block;
            let before = block.partition.chain().take_before(block.number);
            match before {
                None => i += 1,
                Some(before) => {
                    let Parsed { block, events } = self.waiting.remove(i);
                    take(Batch { events: &events, before, block: &block });
                    self.spare_bytes.push(block.bytes);
                    self.spare_events.push(events);
                }
            }
        }
        bound
    }
}
