//! The fast path: every worker's sketches meet on the first worker and become rankings.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::{Operator, Probe};
use timely::dataflow::{ProbeHandle, StreamVec};

use super::JobError;
use super::count::Watch;
use super::deliver::Outlet;
use crate::gather::{Gather, Notice};
use crate::ingest::Summary;
use crate::job::EPOCH;
use crate::mark::Mark;
use crate::ranking::Ranking;
use crate::sketch::{AnySketch, Sketch};
use crate::window::Slot;

/// What a worker says at the end of an epoch, as it crosses the network: each sketch with its slot and whether it is
/// settled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Dispatch {
    from: usize,
    mark: Mark,
    tick: bool,
    sketches: Vec<(u64, bool, Vec<u8>)>,
}

impl Dispatch {
    /// Packs what worker `from` says; at a `tick`, its sketches are all that it has.
    pub fn new(from: usize, mark: Mark, tick: bool, summaries: Vec<Summary>) -> Self {
        let sketches = summaries.iter().map(|s| (s.slot.to_word(), s.settled, s.sketch.to_bytes())).collect();
        Dispatch { from, mark, tick, sketches }
    }

    fn unpack(self) -> Result<Notice, JobError> {
        let (mut settled, mut passing) = (Vec::new(), Vec::new());
        for (slot, let_go, bytes) in self.sketches {
            let list = if let_go { &mut settled } else { &mut passing };
            list.push((Slot::from_word(slot), AnySketch::from_bytes(&bytes)?));
        }
        Ok(Notice { from: self.from, mark: self.mark, settled, passing: self.tick.then_some(passing) })
    }
}

/// When early rankings are due.
#[derive(Clone, Copy, Debug)]
pub struct Ticks {
    /// How many epochs apart.
    pub every: u64,
    /// When the first epoch began.
    pub began: Instant,
}

impl Ticks {
    /// The number of the epoch that it is now, from 0.
    pub fn epoch(&self) -> u64 {
        (self.began.elapsed().as_millis() / EPOCH.as_millis()) as u64
    }

    /// Whether there is a tick between two epochs.
    pub fn is_between(&self, epoch: u64, later: u64) -> bool {
        later / self.every > epoch / self.every
    }
}

/// Gives early rankings at every tick, and what else [`Gather`] finds due at the end of every epoch.
///
/// An early ranking is of one cut: it counts the events of all epochs before its
/// tick and none after, whatever worker read them, and comes out when the frontier reaches the tick. Everything goes to
/// the first worker, which keeps one merged sketch for every open window.
pub fn early(
    dispatches: StreamVec<'_, u64, Dispatch>,
    mut gather: Gather,
    ticks: Ticks,
    outlet: Rc<RefCell<Outlet>>,
    probe: &ProbeHandle<u64>,
    mut watch: impl Watch + 'static,
) {
    let mut epochs = BTreeMap::<u64, Vec<Dispatch>>::new();
    let mut next_tick = ticks.every;
    let given = dispatches.unary_frontier::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
        Exchange::new(|_: &Dispatch| 0),
        "Early",
        |_, _| {
            move |(input, frontier), _| {
                input.for_each_stamp(|time, batches| {
                    let Some(&epoch) = time.least() else { return };
                    epochs.entry(epoch).or_default().extend(batches.flat_map(|batch| batch.drain(..)));
                });
                let give = |rankings: Result<Vec<Ranking>, JobError>, watch: &mut dyn Watch| match rankings {
                    Ok(rankings) => rankings.into_iter().for_each(|ranking| outlet.borrow_mut().give(ranking)),
                    Err(error) => watch.failed(error),
                };
                loop {
                    let epoch = epochs.first_key_value().map(|(epoch, _)| *epoch);
                    let epoch = epoch.filter(|epoch| !frontier.less_equal(epoch));
                    // Nothing of an epoch before the tick is missing, and nothing of a later one was taken.
                    let due = !frontier.less_than(&next_tick) && epoch.is_none_or(|epoch| epoch >= next_tick);
                    if due && !frontier.is_empty() {
                        let rankings = gather.early();
                        let any = rankings.as_ref().is_ok_and(|rankings| !rankings.is_empty());
                        give(rankings, &mut watch);
                        if any {
                            watch.early(ticks.began.elapsed().saturating_sub(epochs_long(next_tick)));
                        }
                        let reached =
                            frontier.frontier().first().copied().unwrap_or(next_tick).min(epoch.unwrap_or(u64::MAX));
                        next_tick = (reached / ticks.every + 1) * ticks.every;
                        continue;
                    }
                    let Some(epoch) = epoch else { break };
                    let dispatches = epochs.remove(&epoch).into_iter().flatten();
                    let taken = dispatches.map(Dispatch::unpack).try_for_each(|notice| gather.take(notice?));
                    give(taken.and_then(|()| gather.close()), &mut watch);
                }
                watch.watermark(gather.watermark());
            }
        },
    );
    given.probe_with(probe);
}

/// How long so many epochs are.
fn epochs_long(epochs: u64) -> Duration {
    EPOCH.saturating_mul(u32::try_from(epochs).unwrap_or(u32::MAX))
}
