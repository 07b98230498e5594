//! The way out: whole rankings, in order, on the first worker.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use differential_dataflow::VecCollection;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::ProbeHandle;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::{Operator, Probe};

use super::rank::Ranked;
use crate::ranking::{Estimate, Ranking, Row, State, Window};

/// Gives rankings to whoever reads the results. No early ranking of a window follows its final one.
pub struct Outlet {
    give: Box<dyn FnMut(Ranking)>,
    /// The end of the last window that closed: windows close in the order of their ends.
    closed: i64,
}

impl Outlet {
    /// An outlet to `give`, which may block: the job then waits.
    pub fn new(give: impl FnMut(Ranking) + 'static) -> Self {
        Outlet { give: Box::new(give), closed: i64::MIN }
    }

    /// Gives one ranking, unless it is empty, or early and its window has closed.
    pub fn give(&mut self, ranking: Ranking) {
        if ranking.state == State::Early {
            if ranking.window.end <= self.closed {
                return;
            }
        } else {
            self.closed = self.closed.max(ranking.window.end);
        }
        if !ranking.rows.is_empty() {
            (self.give)(ranking);
        }
    }
}

/// Gives the ranking of every window that changed, whole, when the frontier passes the epoch of the change. Windows come
/// by epoch, then end, then start. Everything goes to the first worker, which keeps the rows of every closed window until
/// they are retracted. The probe follows the frontier of what was given.
pub fn deliver(
    rows: VecCollection<'_, u64, (Window, Ranked), i64>,
    outlet: Rc<RefCell<Outlet>>,
    probe: &ProbeHandle<u64>,
) {
    let mut changes = BTreeMap::<u64, Vec<(Window, Ranked, i64)>>::new();
    let mut windows = BTreeMap::<Window, Vec<Ranked>>::new();
    let given = rows.inner.unary_frontier::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
        Exchange::new(|_: &((Window, Ranked), u64, i64)| 0),
        "Deliver",
        |_, _| {
            move |(input, frontier), _| {
                input.for_each_stamp(|_, batches| {
                    for ((window, row), time, change) in batches.flat_map(|batch| batch.drain(..)) {
                        changes.entry(time).or_default().push((window, row, change));
                    }
                });
                while let Some(entry) = changes.first_entry().filter(|entry| !frontier.less_equal(entry.key())) {
                    for window in apply(&mut windows, entry.remove()) {
                        if let Some(rows) = windows.get(&window) {
                            outlet.borrow_mut().give(ranking(window, rows));
                        }
                    }
                }
            }
        },
    );
    given.probe_with(probe);
}

/// Applies one epoch's changes; the windows that changed, in order.
fn apply(windows: &mut BTreeMap<Window, Vec<Ranked>>, mut changes: Vec<(Window, Ranked, i64)>) -> Vec<Window> {
    differential_dataflow::consolidation::consolidate_updates(&mut changes);
    let mut changed: Vec<Window> = changes.iter().map(|(window, ..)| *window).collect();
    changed.dedup();
    for chunk in changes.chunk_by(|a, b| a.0 == b.0) {
        let rows = windows.entry(chunk[0].0).or_default();
        // Both are in the order of rows, so one pass over each does.
        let mut gone = chunk.iter().filter(|(_, _, change)| *change < 0).map(|(_, row, _)| row).peekable();
        rows.retain(|row| gone.next_if(|next| *next == row).is_none());
        rows.extend(chunk.iter().filter(|(_, _, change)| *change > 0).map(|(_, row, _)| row.clone()));
        rows.sort_unstable();
        if rows.is_empty() {
            windows.remove(&chunk[0].0);
        }
    }
    changed
}

fn ranking(window: Window, rows: &[Ranked]) -> Ranking {
    let first = &rows[0];
    Ranking {
        window,
        state: State::closed(first.revised),
        total: first.total,
        confidence: 1.0,
        rows: rows.iter().map(row).collect(),
    }
}

fn row(row: &Ranked) -> Row {
    Row { key: row.key.clone(), estimate: Estimate::exact(row.count), certified: true }
}
