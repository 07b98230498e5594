//! One worker of a job: it reads, keeps epochs, and holds itself back when the rest cannot follow.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::Input;
use timely::dataflow::{InputHandle, ProbeHandle};
use timely::worker::Worker;

use crate::count::CountError;
use crate::count::open::CountSettings;
use crate::gather::Gather;
use crate::ingest::{Ingest, IngestSettings};
use crate::mark::Mark;
use crate::operators::count::{Watch, count};
use crate::operators::deliver::{Outlet, deliver};
use crate::operators::early::{Dispatch, Ticks, early};
use crate::operators::rank::rank;
use crate::parcel::Parcel;
use crate::ranking::Ranking;
use crate::sketch::AnySketch;

/// How long an epoch is. A window that may close waits for the end of one.
pub const EPOCH: Duration = Duration::from_millis(25);

/// How many epochs a worker may be ahead of what all workers have finished.
const AHEAD: u64 = 4;

/// How long after something came more is likely to come.
const SOON: Duration = Duration::from_millis(200);
/// How long an idle worker waits before it looks for something to read.
const IDLE: Duration = Duration::from_millis(10);

/// What one step of reading did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something was read.
    Read,
    /// There is nothing to do now.
    Wait,
    /// There is nothing left to read.
    Done,
}

/// Where a worker's events come from.
pub trait Intake {
    /// Reads some more, without waiting for it to come.
    fn read(&mut self) -> Step;

    /// Adds to `ingest` all that was read and may be counted. The mark holds for all that is added later.
    fn settle(&mut self, ingest: &mut Ingest) -> Mark;
}

/// What a job computes.
#[derive(Clone, Debug)]
pub struct JobSettings {
    /// How exact counts are kept, were they wanted; also the windows and k of all.
    pub count: CountSettings,
    /// Whether there are exact counts. Without them, final and revised rankings come from the sketches.
    pub exact: bool,
    /// An empty sketch that each worker's sketch of a window begins as; `None` for no sketches.
    pub sketch: Option<AnySketch>,
    /// How many windows in a row make one of the result, each such row at every window's end; `[1]` for windows as they
    /// are. Anything else takes sketches that merge, and no exact counts.
    pub spans: Vec<i64>,
    /// How often early rankings and revisions come out.
    pub early: Duration,
}

/// Runs one worker of a job until all workers' inputs are done and all rankings given. Only the first worker of the
/// first process gives rankings. Every worker must have the same settings.
pub fn run(
    worker: &mut Worker,
    settings: &JobSettings,
    intake: &mut impl Intake,
    give: impl FnMut(Ranking) + 'static,
    mut watch: impl Watch + Clone + 'static,
) {
    let (me, workers) = (worker.index(), worker.peers());
    let probe = ProbeHandle::new();
    let ticks = Ticks { every: epochs(settings.early), began: Instant::now() };
    let closed = Rc::new(Cell::new(i64::MIN));
    let (mut parcels, mut dispatches) = build(worker, settings, ticks, &closed, give, &probe, &watch);
    let ingest = IngestSettings {
        windows: settings.count.windows.clone(),
        exact: settings.exact,
        sketch: settings.sketch.clone(),
    };
    let mut ingest = Ingest::new(&ingest, me, workers);
    let (mut epoch, mut last_read) = (0u64, ticks.began);
    let mut alarm = watch.clone();
    let mut dispatch = |ingest: &mut Ingest, mark, tick| {
        let summaries = ingest.summaries(mark, tick).unwrap_or_else(|overflow| {
            alarm.failed(CountError::from(overflow).into());
            Vec::new()
        });
        Dispatch::new(me, mark, tick, summaries)
    };
    let is_told = loop {
        let step = if probe.less_than(&epoch.saturating_sub(AHEAD)) {
            worker.step_or_park(Some(Duration::from_millis(1)));
            continue;
        } else {
            intake.read()
        };
        let mut mark = intake.settle(&mut ingest);
        let now = ticks.epoch();
        if step == Step::Done {
            mark = Mark::Done;
        }
        let ends = now > epoch || mark == Mark::Done;
        let tick = ticks.is_between(epoch, now);
        if ends && settings.exact {
            // By marks of earlier epochs, which whoever gathers knows of as well.
            ingest.close(closed.get());
        }
        let ready = if ends { ingest.marked(mark, tick) } else { ingest.full() };
        match (ready, &mut parcels) {
            (Ok(ready), Some(parcels)) => ready.into_iter().for_each(|mut parcel| parcels.send_batch(&mut parcel)),
            (Ok(_), None) => {}
            (Err(overflow), _) => watch.failed(CountError::from(overflow).into()),
        }
        if ends {
            dispatches.iter_mut().for_each(|to| to.send(dispatch(&mut ingest, mark, tick)));
            if mark == Mark::Done {
                break tick || !settings.exact;
            }
            epoch = now;
            parcels.iter_mut().for_each(|input| input.advance_to(epoch));
            dispatches.iter_mut().for_each(|input| input.advance_to(epoch));
        }
        match step {
            Step::Read => {
                last_read = Instant::now();
                worker.step();
            }
            _ if last_read.elapsed() < SOON => drop(worker.step_or_park(Some(Duration::from_millis(1)))),
            _ => drop(worker.step_or_park(Some(IDLE))),
        }
    };
    drop(parcels);
    // The last sketches wait for a tick, unless all is counted before.
    while let Some(to) = dispatches.as_mut().filter(|_| !is_told && closed.get() < i64::MAX) {
        worker.step_or_park(Some(Duration::from_millis(1)));
        let now = ticks.epoch();
        if ticks.is_between(epoch, now) {
            to.send(dispatch(&mut ingest, Mark::Done, true));
            break;
        }
        epoch = now;
        to.advance_to(epoch);
    }
    drop(dispatches);
    worker.step_or_park_while(None, || !probe.done());
}

type ParcelInput = InputHandle<u64, CapacityContainerBuilder<Parcel>>;
type DispatchInput = InputHandle<u64, CapacityContainerBuilder<Vec<Dispatch>>>;

/// How many epochs are so long, one at least.
fn epochs(length: Duration) -> u64 {
    (length.as_millis() / EPOCH.as_millis()).clamp(1, u64::MAX.into()) as u64
}

/// Builds the dataflow: the exact path and the fast path, as far as they are wanted. The same on every worker.
fn build(
    worker: &mut Worker,
    settings: &JobSettings,
    ticks: Ticks,
    closed: &Rc<Cell<i64>>,
    give: impl FnMut(Ranking) + 'static,
    probe: &ProbeHandle<u64>,
    watch: &(impl Watch + Clone + 'static),
) -> (Option<ParcelInput>, Option<DispatchInput>) {
    let workers = worker.peers();
    let outlet = Rc::new(RefCell::new(Outlet::new(give)));
    worker.dataflow(|scope| {
        let parcels = settings.exact.then(|| {
            let (input, parcels) = scope.new_input::<Parcel>();
            let candidates = count(parcels, settings.count.clone(), ticks.every, closed.clone(), watch.clone());
            deliver(rank(candidates, settings.count.k), outlet.clone(), probe);
            input
        });
        let dispatches = settings.sketch.is_some().then(|| {
            let (input, dispatches) = scope.new_input::<Vec<Dispatch>>();
            let (windows, spans) = (settings.count.windows.clone(), settings.spans.clone());
            let gather = Gather::new(windows, spans, settings.count.k, !settings.exact, workers);
            early(dispatches, gather, ticks, outlet.clone(), probe, watch.clone());
            input
        });
        (parcels, dispatches)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::ops::RangeInclusive;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};

    use timely::logging::{TimelyEvent, TimelyEventBuilder};

    use super::*;
    use crate::ingest::{Batch, Event};
    use crate::operators::JobError;
    use crate::ranking::State;
    use crate::sketch::SpaceSaving;
    use crate::window::Windows;

    struct Nothing;

    impl Intake for Nothing {
        fn read(&mut self) -> Step {
            Step::Done
        }

        fn settle(&mut self, _: &mut Ingest) -> Mark {
            Mark::Nothing
        }
    }

    #[derive(Clone)]
    struct Deaf;

    impl Watch for Deaf {
        fn failed(&mut self, error: JobError) {
            panic!("{error}");
        }
    }

    /// One event for the window from 0 to 1000.
    struct One;

    impl Batch for One {
        fn len(&self) -> usize {
            1
        }

        fn times(&self) -> RangeInclusive<i64> {
            0..=0
        }

        fn hash(&self, _: usize) -> u64 {
            7
        }

        fn event(&self, _: usize) -> Event<'_> {
            Event { time: 0, weight: 1, hash: 7, key: b"key" }
        }
    }

    /// Brings one event, and is done then or when it is told or the time is up.
    struct Until {
        brought: bool,
        end: Option<(Arc<AtomicBool>, Instant)>,
    }

    impl Intake for Until {
        fn read(&mut self) -> Step {
            let ends = |(told, end): &(Arc<AtomicBool>, Instant)| told.load(Ordering::Relaxed) || Instant::now() > *end;
            if self.end.as_ref().is_none_or(ends) { Step::Done } else { Step::Wait }
        }

        fn settle(&mut self, ingest: &mut Ingest) -> Mark {
            if !std::mem::replace(&mut self.brought, true) {
                ingest.add_all(None, &One, |_, _| unreachable!("the event is on time"));
            }
            Mark::At(0)
        }
    }

    #[test]
    fn what_a_worker_read_that_is_done_is_in_early_rankings() {
        let windows = Windows { lengths: vec![1000], out_of_orderness: 0, allowed_lateness: 0 };
        let count = CountSettings { windows, k: 3, keep: None, memory: 1 << 20, spill_dir: std::env::temp_dir() };
        let sketch = Some(SpaceSaving::new(8).into());
        let settings = JobSettings { count, exact: true, sketch, spans: vec![1], early: 2 * EPOCH };
        let (told, end) = (Arc::new(AtomicBool::new(false)), Instant::now() + Duration::from_secs(20));
        let noted = told.clone();
        let work = move |worker: &mut Worker| {
            let told = noted.clone();
            let end = (worker.index() == 1).then(|| (told.clone(), end));
            let give = move |ranking: Ranking| {
                told.fetch_or((ranking.state, ranking.total) == (State::Early, 2), Ordering::Relaxed);
            };
            run(worker, &settings, &mut Until { brought: false, end }, give, Deaf);
        };
        crate::start::start(crate::start::Start::Alone(2), work).unwrap();
        assert!(told.load(Ordering::Relaxed), "no early ranking had the events of both workers");
    }

    /// The names of all operators of a job.
    fn operators(exact: bool, sketch: bool) -> Vec<String> {
        let windows = Windows { lengths: vec![1000], out_of_orderness: 0, allowed_lateness: 0 };
        let count = CountSettings { windows, k: 3, keep: None, memory: 1 << 20, spill_dir: std::env::temp_dir() };
        let sketch = sketch.then(|| SpaceSaving::new(8).into());
        let settings = JobSettings { count, exact, sketch, spans: vec![1], early: EPOCH };
        let names = Arc::new(Mutex::new(Vec::new()));
        let noted = names.clone();
        let work = move |worker: &mut Worker| {
            let noted = noted.clone();
            worker.log_register().unwrap().insert::<TimelyEventBuilder, _>("timely", move |_, events| {
                for (_, event) in events.iter().flatten() {
                    if let TimelyEvent::Operates(operator) = event {
                        noted.lock().unwrap().push(operator.name.clone());
                    }
                }
            });
            run(worker, &settings, &mut Nothing, |_| {}, Deaf);
        };
        crate::start::start(crate::start::Start::Alone(1), work).unwrap();
        Arc::try_unwrap(names).map_or_else(|names| names.lock().unwrap().clone(), |names| names.into_inner().unwrap())
    }

    #[test]
    fn a_job_has_the_paths_that_are_wanted_and_no_others() {
        let has = |names: &[String], name: &str| names.iter().any(|found| found == name);
        for (exact, sketch) in [(true, true), (true, false), (false, true)] {
            let names = operators(exact, sketch);
            assert_eq!(["Count", "Rank", "Deliver"].map(|name| has(&names, name)), [exact; 3], "{names:?}");
            assert_eq!(has(&names, "Early"), sketch, "{names:?}");
        }
        assert!(operators(false, true).len() < operators(true, true).len());
    }
}
