//! Exact counting, and the changes of each window's best keys.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use differential_dataflow::{AsCollection, VecCollection};
use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::DistributorPact;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::Operator;

use super::JobError;
use crate::count::counted::Counted;
use crate::count::open::{Best, Change, CountSettings, OpenWindows};
use crate::mark::{Mark, Marks};
use crate::parcel::{ByAddress, Parcel};
use crate::ranking::Window;

/// What a worker says of a window: a key that may be among its best, or the total of all its keys. In this order, the
/// candidates of a window start with the totals and go on with the keys by rank.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Candidate {
    /// The total weight of one worker's keys.
    Total {
        /// Whether late events are counted in.
        revised: bool,
        /// Which worker.
        worker: usize,
        /// The total.
        total: u128,
    },
    /// One of a worker's k best keys.
    Key {
        /// Its count, subtracted from `u64::MAX` so that higher counts come first.
        below: u64,
        /// Its bytes.
        key: Vec<u8>,
    },
}

/// What the operator tells besides its output. Nobody need listen, but to failures.
pub trait Watch {
    /// The watermark of the job was applied.
    fn watermark(&mut self, _watermark: i64) {}
    /// Combined counts came after their window was forgotten.
    fn too_late(&mut self, _rows: u64) {}
    /// A window that is kept has all its counts, as far as this worker has its keys.
    fn counted(&mut self, _counted: Counted) {}
    /// All windows that end by then were told in [`counted`](Watch::counted).
    fn counted_all(&mut self, _until: i64) {}
    /// Early rankings were given, so long after the last moment of which they count the events.
    fn early(&mut self, _took: Duration) {}
    /// Counting cannot go on.
    fn failed(&mut self, error: JobError);
}

/// Counts the parcels' rows exactly and says how the candidates of each window change.
///
/// Takes each parcel to the worker it is for, and adds its rows at once. When the frontier passes an epoch, the marks of
/// that epoch are applied: windows close in that epoch, are revised in the epoch after (so that the final rows come out
/// before them), and are forgotten in the one after that. Revisions are told every `revise_every` epochs and before a
/// window is forgotten. Keeps the counts of every open window, and what it said last of every closed one.
/// `closed` is set to the watermark that was applied last.
pub fn count<'s>(
    parcels: Stream<'s, u64, Parcel>,
    settings: CountSettings,
    revise_every: u64,
    closed: Rc<Cell<i64>>,
    mut watch: impl Watch + 'static,
) -> VecCollection<'s, u64, (Window, Candidate), i64> {
    let (me, workers) = (parcels.scope().index(), parcels.scope().peers());
    let mut windows = OpenWindows::new(settings);
    let mut marks = Marks::new(workers);
    let mut said = BTreeMap::<Window, Best>::new();
    let mut revised = 0;
    let mut epochs = BTreeMap::<u64, (Capability<u64>, Vec<(usize, Mark)>)>::new();
    let pact = DistributorPact(|_| ByAddress);
    let changes = parcels.unary_frontier::<CapacityContainerBuilder<Vec<_>>, _, _, _>(pact, "Count", |_, _| {
        move |(input, frontier), output| {
            input.for_each_stamp(|time, parcels| {
                let Some(&epoch) = time.least() else { return };
                for parcel in parcels {
                    if let Err(error) = windows.add(&parcel.rows) {
                        watch.failed(error.into());
                    }
                    if parcel.mark != Mark::Nothing
                        && let Some(capability) = time.retain_least(0)
                    {
                        let (_, said) = epochs.entry(epoch).or_insert_with(|| (capability, Vec::new()));
                        said.push((parcel.from, parcel.mark));
                    }
                }
            });
            while let Some(entry) = epochs.first_entry().filter(|entry| !frontier.less_equal(entry.key())) {
                let (epoch, (capability, newest)) = entry.remove_entry();
                newest.into_iter().for_each(|(from, mark)| marks.set(from, mark));
                let watermark = marks.watermark();
                let revise = epoch / revise_every > revised;
                revised = epoch / revise_every;
                let changes = windows.advance(watermark, revise, |counted| watch.counted(counted));
                let changes = changes.unwrap_or_else(|error| {
                    watch.failed(error.into());
                    Vec::new()
                });
                watch.counted_all(windows.forgotten());
                watch.too_late(windows.take_too_late());
                watch.watermark(watermark);
                closed.set(watermark);
                let mut session = output.session(&capability);
                for change in changes {
                    let (time, window, best) = match change {
                        Change::Closed(best) => (epoch, best.window, Some(best)),
                        Change::Revised(best) => (epoch + 1, best.window, Some(best)),
                        Change::Forgotten(window) => (epoch + 2, window, None),
                    };
                    let before = said.remove(&window);
                    session.give_iterator(candidates(before.as_ref(), me).map(|c| ((window, c), time, -1)));
                    session.give_iterator(candidates(best.as_ref(), me).map(|c| ((window, c), time, 1)));
                    said.extend(best.map(|best| (window, best)));
                }
            }
        }
    });
    changes.as_collection()
}

fn candidates(best: Option<&Best>, worker: usize) -> impl Iterator<Item = Candidate> + '_ {
    best.into_iter().flat_map(move |best| {
        let total = Candidate::Total { revised: best.revised, worker, total: best.total };
        let keys = best.rows.iter().map(|(count, key)| Candidate::Key { below: u64::MAX - count, key: key.clone() });
        std::iter::once(total).chain(keys)
    })
}
