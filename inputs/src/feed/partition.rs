//! One partition: an input whose order is its truth.

use std::io;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use super::chain::Chain;
use super::cutter::{Cut, Cutter};
use super::newlines;
use super::{FeedError, FeedSettings};
use crate::event::{Events, MAX_RECORD_LINE};
use crate::format::{self, Opened, Parser};
use crate::source::{self, OpenedSource, Pull};

/// How many of an input's first bytes settle its format.
const SAMPLE: usize = 64 << 10;

/// Whole records of one partition.
pub struct Block {
    pub(super) partition: Arc<Partition>,
    pub(super) number: u64,
    pub(super) parser: Arc<dyn Parser>,
    pub(super) arrival: i64,
    pub(super) too_long: bool,
    /// The records.
    pub bytes: Vec<u8>,
    /// Where the first one starts, in bytes from the start of the input, after decompression.
    pub offset: u64,
}

impl Block {
    /// The name of the input, as it was found.
    pub fn input(&self) -> &str {
        &self.partition.name
    }
}

/// One input of a [`super::Feed`].
pub(super) struct Partition {
    pub(super) name: String,
    pub(super) live: bool,
    /// The first record's time, when it could be looked at ahead; until a block is parsed it holds the watermark.
    pub(super) first: i64,
    reading: Mutex<Reading>,
    chain: Mutex<Chain>,
    /// When bytes last came, in milliseconds since the feed began (live partitions).
    heard: AtomicI64,
    /// How many blocks were handed out.
    blocks: AtomicU64,
    opened: AtomicBool,
    done: AtomicBool,
    arrival: AtomicBool,
}

/// What only the worker that reads the next block may touch.
struct Reading {
    stage: Stage,
    /// What the source failed of, once it has; told when all that came before is handed out.
    failure: Option<io::Error>,
    taken: Arc<AtomicU64>,
}

enum Stage {
    /// Looked at, and not open.
    Closed,
    /// Its format is not settled: the bytes so far.
    Sampling(OpenedSource, Vec<u8>),
    /// Being read.
    Open(OpenedSource, Opened, Cutter),
    /// At its end.
    Done,
}

impl Partition {
    /// Finds the input `name`: a file is looked at for its first record's time, a live input is opened. Also gives the
    /// number of its bytes, where that is known.
    pub(super) fn new(
        name: &str,
        taken: Arc<AtomicU64>,
        settings: &FeedSettings,
    ) -> Result<(Self, Option<u64>), FeedError> {
        let unreadable = |e| FeedError::Unreadable(name.into(), e);
        let kind = source::kind(name);
        let counter = if kind.live { taken.clone() } else { Arc::default() };
        let mut source = (kind.open)(name, counter).map_err(unreadable)?;
        let size = source.size;
        let mut first = i64::MIN;
        let stage = if kind.live {
            Stage::Sampling(source, Vec::new())
        } else {
            let (mut sample, mut failure) = (Vec::new(), None);
            look(&mut source, &mut sample, &mut failure);
            if let Some(error) = failure.filter(|_| sample.is_empty()) {
                return Err(unreadable(error));
            }
            first = first_time(name, &sample, settings)?;
            Stage::Closed
        };
        let partition = Partition {
            name: name.into(),
            live: kind.live,
            first,
            reading: Mutex::new(Reading { stage, failure: None, taken }),
            chain: Mutex::default(),
            heard: AtomicI64::new(0),
            blocks: AtomicU64::new(0),
            opened: AtomicBool::new(kind.live),
            done: AtomicBool::new(false),
            arrival: AtomicBool::new(false),
        };
        Ok((partition, size))
    }

    /// Reads the next block. `None` when another worker is just doing so, unless the caller wants to `wait` for it.
    pub(super) fn pull(
        self: &Arc<Self>,
        settings: &FeedSettings,
        spare: &mut Vec<Vec<u8>>,
        wait: bool,
    ) -> Result<Option<(Pull, Option<Block>)>, FeedError> {
        let reading = if wait { self.reading.lock().map_err(Into::into) } else { self.reading.try_lock() };
        let mut reading = match reading {
            Ok(reading) => reading,
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Poisoned(_)) => panic!("a worker panicked while it read {}", self.name),
        };
        self.opened.store(true, Relaxed);
        let block =
            reading.next(self, settings, spare.pop().unwrap_or_default()).inspect_err(|_| reading.stage = Stage::Done);
        let done = matches!(reading.stage, Stage::Done);
        self.done.store(done, Release);
        match block? {
            Some(block) => {
                self.heard.store(settings.began.elapsed().as_millis() as i64, Relaxed);
                Ok(Some((Pull::Filled, Some(block))))
            }
            None => Ok(Some((if done { Pull::Done } else { Pull::Idle }, None))),
        }
    }

    /// Whether its blocks come as fast as they are read, so that waiting for one is short.
    pub(super) fn is_stored(&self) -> bool {
        !self.live
    }

    /// Whether it was opened, and not only looked at.
    pub(super) fn is_opened(&self) -> bool {
        self.opened.load(Relaxed)
    }

    /// Whether its last block was handed out.
    pub(super) fn is_done(&self) -> bool {
        self.done.load(Acquire)
    }

    /// Whether nothing came for longer than the idle timeout.
    pub(super) fn is_idle(&self, settings: &FeedSettings) -> bool {
        let silent = settings.began.elapsed().as_millis() as i64 - self.heard.load(Relaxed);
        self.live && !self.arrival.load(Relaxed) && silent > settings.idle_timeout.as_millis() as i64
    }

    /// Whether others wait for it: not for a live one that is silent, or was never heard.
    pub(super) fn holds(&self, settings: &FeedSettings) -> bool {
        !self.live || (self.highest().is_some() && !self.is_idle(settings))
    }

    /// No event that is still to come is judged by a highest time below this; `i64::MAX` when all were parsed.
    pub(super) fn bound(&self, settings: &FeedSettings) -> i64 {
        let done = self.is_done();
        let chain = self.chain();
        let known = chain.highest().unwrap_or(self.first);
        if done && chain.parsed_through() == self.blocks.load(Acquire) {
            return i64::MAX;
        }
        if self.live && self.arrival.load(Relaxed) {
            // With the lock in hand no block is being read, and a later one will arrive later than now.
            if let Ok(_reading) = self.reading.try_lock()
                && chain.parsed_through() == self.blocks.load(Acquire)
            {
                return known.max((settings.clock)());
            }
        }
        known
    }

    /// The highest event time so far.
    pub(super) fn highest(&self) -> Option<i64> {
        self.chain().highest()
    }

    /// Lets the blocks to come be judged as if an event of time `highest` had passed. Of no effect while any block is
    /// on its way, since then the partition is not idle.
    pub(super) fn raise(&self, highest: i64) {
        let mut chain = self.chain();
        if let Ok(_reading) = self.reading.try_lock()
            && chain.parsed_through() == self.blocks.load(Acquire)
        {
            chain.raise(highest);
        }
    }

    /// The order of the blocks; held only for a moment.
    pub(super) fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().expect("no one panics with the chain in hand")
    }
}

impl Reading {
    /// The next block, or `None` when there is none now; the stage tells whether there may be one later.
    fn next(
        &mut self,
        of: &Arc<Partition>,
        settings: &FeedSettings,
        mut bytes: Vec<u8>,
    ) -> Result<Option<Block>, FeedError> {
        let failed = |e| FeedError::Broken(of.name.clone(), e);
        if let Stage::Closed = self.stage {
            let source = (source::kind(&of.name).open)(&of.name, self.taken.clone()).map_err(failed)?;
            self.stage = Stage::Sampling(source, Vec::new());
        }
        if let Stage::Sampling(source, sample) = &mut self.stage {
            let pull = look(source, sample, &mut self.failure);
            if pull == Pull::Idle && memchr::memchr(b'\n', sample).is_none() && self.failure.is_none() {
                return Ok(None);
            }
            let Stage::Sampling(source, sample) = std::mem::replace(&mut self.stage, Stage::Done) else {
                return Ok(None);
            };
            let opened = open(&of.name, &sample, settings)?;
            of.arrival.store(opened.arrival, Relaxed);
            if settings.places {
                of.chain().skip_lines(newlines(&sample[..opened.header]));
            }
            let cutter = Cutter::new(opened.framing, sample, opened.header);
            self.stage = Stage::Open(source, opened, cutter);
        }
        let Stage::Open(source, opened, cutter) = &mut self.stage else { return Ok(None) };
        bytes.clear();
        // At least a byte is asked for, so that an input's end is seen with its last block.
        let mut want = settings.block_size.saturating_sub(cutter.pending.len()).max(1);
        loop {
            let pull = fill(source, want, &mut cutter.pending, &mut self.failure);
            let (offset, too_long) = match (cutter.cut(pull == Pull::Done, &mut bytes), pull) {
                (Cut::Records { offset }, _) => (offset, false),
                (Cut::TooLong { offset }, _) => (offset, true),
                (Cut::Nothing, Pull::Filled) => {
                    // A record is larger than a block.
                    want = settings.block_size.max(SAMPLE);
                    continue;
                }
                (Cut::Nothing, Pull::Idle) => return self.failure.take().map_or(Ok(None), |e| Err(failed(e))),
                (Cut::Nothing, Pull::Done) => {
                    self.stage = Stage::Done;
                    return Ok(None);
                }
            };
            let arrival = if of.live { (settings.clock)() } else { settings.arrival };
            let number = of.blocks.fetch_add(1, Release);
            let (partition, parser) = (of.clone(), opened.parser.clone());
            return Ok(Some(Block { partition, number, parser, arrival, too_long, bytes, offset }));
        }
    }
}

/// Settles the format of an input that starts with `sample`.
fn open(name: &str, sample: &[u8], settings: &FeedSettings) -> Result<Opened, FeedError> {
    let head = &sample[..sample.len().min(SAMPLE.max(first_line(sample)))];
    format::open(&settings.format, &settings.wanted, head).map_err(|e| FeedError::Format(name.into(), e))
}

/// Pulls what settles the format of an input: [`SAMPLE`] bytes, and more if the first line is longer.
fn look(source: &mut OpenedSource, sample: &mut Vec<u8>, failure: &mut Option<io::Error>) -> Pull {
    loop {
        let pull = fill(source, SAMPLE, sample, failure);
        if pull != Pull::Filled || first_line(sample) < sample.len() || sample.len() > MAX_RECORD_LINE {
            return pull;
        }
    }
}

/// How long the first line is, with its newline.
fn first_line(sample: &[u8]) -> usize {
    memchr::memchr(b'\n', sample).map_or(sample.len(), |end| end + 1)
}

/// Pulls until `want` bytes were added, or the source pauses or ends; what it did last. A source that fails pauses for
/// ever: what came before can still be had, and the record that it broke off in is none.
fn fill(source: &mut OpenedSource, want: usize, into: &mut Vec<u8>, failure: &mut Option<io::Error>) -> Pull {
    let enough = into.len() + want;
    while failure.is_none() {
        match source.source.pull(enough - into.len(), into) {
            Ok(Pull::Filled) if into.len() < enough => {}
            Ok(pull) => return pull,
            Err(error) => *failure = Some(error),
        }
    }
    Pull::Idle
}

/// The time of the first event among the whole records of a sample; `i64::MIN` when there is none.
fn first_time(name: &str, sample: &[u8], settings: &FeedSettings) -> Result<i64, FeedError> {
    let opened = open(name, sample, settings)?;
    let mut cutter = Cutter::new(opened.framing, sample.to_vec(), opened.header);
    let mut block = Vec::new();
    let mut events = Events::new(0);
    if let Cut::Records { .. } = cutter.cut(sample.len() < SAMPLE, &mut block) {
        events.begin(&block, settings.arrival, settings.latest());
        opened.parser.parse(&block, &mut events);
    }
    Ok(events.iter(&block).next().map_or(i64::MIN, |event| event.time))
}
