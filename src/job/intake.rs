//! A worker's intake: parsed blocks are judged and go into the dataflow; what is rejected is counted and written down.

use std::ops::RangeInclusive;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};

use hitters_dataflows::ingest::{self, Event, Ingest};
use hitters_dataflows::job::{self, Step};
use hitters_dataflows::mark::Mark;
use hitters_inputs::event::Reason;
use hitters_inputs::feed::{Batch, Bound, Feed, Reader};
use hitters_inputs::source::Pull;

use super::{News, RunError};
use crate::latency::Latency;
use crate::meters::Meters;
use crate::rejects::Rejects;

/// What the workers of a process share.
pub(super) struct Shared {
    pub(super) feed: Arc<Feed>,
    pub(super) seed: u64,
    pub(super) meters: Arc<Meters>,
    pub(super) latency: Arc<Latency>,
    pub(super) rejects: Option<Arc<Rejects>>,
    /// The window lengths as typed.
    pub(super) lengths: Arc<[String]>,
    /// What could not be read to its end.
    pub(super) partial: Arc<Mutex<Vec<String>>>,
}

/// One worker's.
pub(super) struct Intake {
    reader: Reader,
    /// Which worker of this process it is.
    worker: usize,
    latency: Arc<Latency>,
    tally: Tally,
    partial: Arc<Mutex<Vec<String>>>,
}

/// Where rejections are noted.
struct Tally {
    meters: Arc<Meters>,
    rejects: Option<Arc<Rejects>>,
    lengths: Arc<[String]>,
    news: SyncSender<News>,
}

impl Intake {
    /// The intake of the `worker`-th of this process's workers.
    pub(super) fn new(shared: &Shared, worker: usize, news: SyncSender<News>) -> Self {
        let Shared { feed, seed, meters, latency, rejects, lengths, partial } = shared;
        let tally = Tally { meters: meters.clone(), rejects: rejects.clone(), lengths: lengths.clone(), news };
        Intake {
            reader: Reader::new(feed.clone(), *seed),
            worker,
            latency: latency.clone(),
            tally,
            partial: partial.clone(),
        }
    }
}

impl job::Intake for Intake {
    fn read(&mut self) -> Step {
        match self.reader.read() {
            Ok(Pull::Filled) => Step::Read,
            Ok(Pull::Idle) => Step::Wait,
            Ok(Pull::Done) => Step::Done,
            Err(error) if error.is_partial() => {
                self.partial.lock().expect("no one panics while adding a problem").push(error.to_string());
                Step::Read
            }
            Err(error) => {
                self.tally.fail(error.into());
                Step::Wait
            }
        }
    }

    fn settle(&mut self, ingest: &mut Ingest) -> Mark {
        let bound = self.reader.settle(|batch| self.tally.take(&batch, ingest));
        let mark = match bound {
            Bound::At(highest) => Mark::At(ingest.windows().watermark(Some(highest))),
            Bound::Idle(highest) => Mark::Idle(ingest.windows().watermark(highest)),
            Bound::Done => Mark::Done,
        };
        self.latency.promised(self.worker, mark);
        mark
    }
}

impl Tally {
    /// Gives the events of a block to the dataflow, each judged by the events before it.
    fn take(&self, batch: &Batch<'_>, ingest: &mut Ingest) {
        self.meters.add_events(batch.events.len());
        for rejected in batch.events.rejected() {
            self.meters.add_rejected(rejected.why);
            self.write(rejected.why, None, batch, rejected.at);
        }
        ingest.add_all(batch.before.highest, &Taken(batch), |number, length| {
            self.meters.add_late(length, 1);
            self.write(Reason::Late, Some(length), batch, batch.events.record_of(number));
        });
    }

    fn write(&self, why: Reason, length: Option<usize>, batch: &Batch<'_>, at: u32) {
        let Some(rejects) = &self.rejects else { return };
        let window = length.map(|length| self.lengths[length].as_str());
        if let Err(error) = rejects.add(why, window, &batch.place(at)) {
            self.fail(RunError::Rejects { path: rejects.path().display().to_string(), error });
        }
    }

    fn fail(&self, error: RunError) {
        // A receiver that is gone has ended the run already.
        let _ = self.news.send(News::Failed(error));
    }
}

/// A block of events as the dataflow takes them.
struct Taken<'a>(&'a Batch<'a>);

impl ingest::Batch for Taken<'_> {
    fn len(&self) -> usize {
        self.0.events.len()
    }

    fn times(&self) -> RangeInclusive<i64> {
        self.0.events.times()
    }

    #[inline]
    fn hash(&self, number: usize) -> u64 {
        self.0.events.hash(number)
    }

    #[inline]
    fn event(&self, number: usize) -> Event<'_> {
        let event = self.0.event(number);
        Event { time: event.time, weight: event.weight, hash: event.hash, key: event.key }
    }
}
