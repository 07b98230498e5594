//! The inputs of one process, shared by its workers: any worker reads any block, and each block is handed out together
//! with the highest event time before it in its partition, so that results do not depend on who read what.

mod chain;
mod cutter;
mod partition;
mod reader;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub use chain::Before;
pub use partition::Block;
use partition::Partition;
pub use reader::{Batch, Place, Reader};

use crate::format::{FormatError, Wanted};
use crate::source::Pull;

/// How inputs are read.
pub struct FeedSettings {
    /// The format's name.
    pub format: String,
    /// What is wanted of every record.
    pub wanted: Wanted,
    /// How many bytes are read and parsed at a time.
    pub block_size: usize,
    /// How far ahead of the clock an event's time may be.
    pub max_future: Duration,
    /// How long a live partition may be silent before it stops holding the watermark.
    pub idle_timeout: Duration,
    /// How far a partition may be read ahead of the one that is furthest behind, in milliseconds of event time. It then
    /// waits, so that one that has stalled does not let counts of ever more windows pile up.
    pub most_ahead: i64,
    /// Whether places of rejected records will be asked for, so that lines are counted.
    pub places: bool,
    /// How many workers read.
    pub workers: usize,
    /// When records of files happened that carry no time: when the run began. Milliseconds since the Unix epoch.
    pub arrival: i64,
    /// Now, in milliseconds since the Unix epoch.
    pub clock: fn() -> i64,
    /// When the feed began.
    pub began: Instant,
}

impl FeedSettings {
    /// The latest event time that is accepted now.
    fn latest(&self) -> i64 {
        (self.clock)().saturating_add(self.max_future.as_millis().try_into().unwrap_or(i64::MAX))
    }
}

/// Why inputs cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// An input cannot be opened.
    #[error("{0}: {1}")]
    Unreadable(String, std::io::Error),
    /// An input does not fit its format.
    #[error("{0}: {1}")]
    Format(String, FormatError),
    /// An input broke off; what came before it is counted.
    #[error("{0}: {1}; the results lack the rest of it")]
    Broken(String, std::io::Error),
}

impl FeedError {
    /// Whether the other inputs can still be counted, the result being partial.
    pub fn is_partial(&self) -> bool {
        matches!(self, FeedError::Broken(..))
    }
}

/// What no event that is still to come falls short of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// None will be judged by a highest event time before it that is below this.
    At(i64),
    /// All partitions are silent: this process asks the others not to wait for it. With the highest event time, if
    /// there was an event.
    Idle(Option<i64>),
    /// There will be no event.
    Done,
}

/// The inputs of one process.
pub struct Feed {
    settings: FeedSettings,
    /// By first record's time, then name: live partitions first.
    partitions: Vec<Arc<Partition>>,
    /// All events of the partitions below this are parsed.
    done_through: AtomicUsize,
    taken: Arc<AtomicU64>,
    size: Option<u64>,
}

impl Feed {
    /// Finds the inputs and looks at the first records of each file. An input named twice is read once.
    ///
    /// # Errors
    /// [`FeedError`] when one cannot be opened or does not fit its format.
    pub fn new(inputs: &[String], settings: FeedSettings) -> Result<Self, FeedError> {
        let taken = Arc::<AtomicU64>::default();
        let (mut partitions, mut size) = (Vec::new(), Some(0));
        for name in inputs {
            let (partition, bytes) = Partition::new(name, taken.clone(), &settings)?;
            size = size.zip(bytes).map(|(all, one)| all + one);
            partitions.push(Arc::new(partition));
        }
        partitions.sort_by(|a, b| (a.first, &a.name).cmp(&(b.first, &b.name)));
        Ok(Feed { settings, partitions, done_through: AtomicUsize::new(0), taken, size })
    }

    /// How many bytes were read so far, before decompression.
    pub fn taken(&self) -> u64 {
        self.taken.load(Relaxed)
    }

    /// How many bytes there are to read, before decompression, unless an input is live.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// The partitions that are not done.
    fn remaining(&self) -> impl Iterator<Item = &Arc<Partition>> {
        let from = self.done_through.load(Relaxed);
        let done = self.partitions[from..].iter().take_while(|p| p.bound(&self.settings) == i64::MAX).count();
        self.done_through.fetch_max(from + done, Relaxed);
        self.partitions[from..].iter().filter(|p| !p.is_done())
    }

    /// Reads the next block of the partition that is furthest behind, or of another that is not too far ahead of it.
    fn pull(&self, spare: &mut Vec<Vec<u8>>) -> Result<(Pull, Option<Block>), FeedError> {
        let mut turns: Vec<(i64, &Arc<Partition>)> = Vec::new();
        for partition in self.remaining() {
            if !partition.is_opened() {
                // In the order of their first records, and no more at a time than there are workers to read them; live
                // ones are always open.
                let behind = turns.iter().map(|(bound, _)| *bound).min().is_none_or(|lowest| partition.first <= lowest);
                let stored = turns.iter().filter(|(_, partition)| partition.is_stored()).count();
                if !behind && stored >= self.settings.workers {
                    break;
                }
            }
            turns.push((partition.highest().unwrap_or(partition.first), partition));
        }
        turns.sort_by_key(|(behind, _)| *behind);
        let holding = turns.iter().find(|(_, partition)| partition.holds(&self.settings));
        let furthest = holding.map_or(i64::MAX, |(behind, _)| behind.saturating_add(self.settings.most_ahead));
        let (mut pull, mut busy) = (Pull::Done, None);
        for (ahead, partition) in turns {
            if ahead > furthest {
                pull = Pull::Idle;
                break;
            }
            match partition.pull(&self.settings, spare, false)? {
                Some((Pull::Filled, block)) => return Ok((Pull::Filled, block)),
                Some((Pull::Done, _)) => {}
                Some((Pull::Idle, _)) => pull = Pull::Idle,
                None => {
                    pull = Pull::Idle;
                    busy = busy.or(Some(partition).filter(|partition| partition.is_stored()));
                }
            }
        }
        if let Some(partition) = busy
            && let Some((Pull::Filled, block)) = partition.pull(&self.settings, spare, true)?
        {
            return Ok((Pull::Filled, block));
        }
        if pull == Pull::Done && self.remaining().next().is_some() {
            pull = Pull::Idle;
        }
        Ok((pull, None))
    }

    /// What no event of this process that is still to come falls short of, once all blocks whose turn has come by now
    /// are counted. Silent live partitions follow the others, or the furthest of them when all are silent.
    fn bound(&self) -> Bound {
        let (idle, active): (Vec<_>, Vec<_>) = self.partitions[self.done_through.load(Relaxed)..]
            .iter()
            .map(|p| (p, p.bound(&self.settings)))
            .filter(|(_, bound)| *bound < i64::MAX)
            .partition(|(p, _)| p.is_idle(&self.settings));
        let highest = || self.partitions.iter().filter_map(|p| p.highest()).max();
        match active.iter().map(|(_, bound)| *bound).min() {
            None if idle.is_empty() => Bound::Done,
            None => {
                let highest = highest();
                highest.into_iter().for_each(|highest| idle.iter().for_each(|(p, _)| p.raise(highest)));
                Bound::Idle(highest)
            }
            Some(lowest) => {
                let raised = idle.iter().map(|(p, _)| {
                    p.raise(lowest);
                    p.bound(&self.settings)
                });
                Bound::At(raised.chain([lowest]).min().expect("one at least"))
            }
        }
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}
