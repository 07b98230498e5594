//! All that there is to ask: a store, what a running job knows that is not stored, or both.

use std::sync::Arc;
use std::time::Instant;

use hitters_dataflows::ranking::{State, Window};

use super::answer::{Answer, Effort, Query, QueryError, Trust, answer, check};
use super::combine::{self, Part, combine, without_row};
use super::follow::{Follow, Followed, counts};
use super::live::{Known, Knows, Live};
use super::movers::{Movers, movers};
use crate::sink::time::Rfc3339;
use crate::store::catalog::Catalog;
use crate::store::error::StoreError;
use crate::store::part::Part as Keys;
use crate::store::reader::Store;

/// How often a question is tried again because windows were stored meanwhile.
const MOST_TRIES: usize = 8;

/// A store, a running job, or a job and its store. Clones share all of it.
#[derive(Clone)]
pub struct History {
    store: Option<Arc<Store>>,
    live: Option<Arc<Live>>,
    beyond: Option<Beyond>,
}

/// What of a running cluster is not in the stores of all its processes.
#[derive(Clone)]
pub struct Beyond {
    /// All windows that end by then are. The others are taken from the rankings, wherever they are stored.
    pub from: i64,
    /// The rankings, of the keys of all processes.
    pub known: Arc<Known>,
    /// What they tell.
    pub knows: Knows,
}

/// One moment of it.
struct Moment {
    known: Arc<Known>,
    catalog: Option<Arc<Catalog>>,
    /// From here on, windows are open.
    open_from: i64,
    length: i64,
    knows: Knows,
    /// In a cluster, where [`Beyond`] begins, and which keys are stored here.
    beyond: Option<(i64, Keys)>,
}

impl History {
    /// What is in a store that others may write.
    pub fn of_store(store: Store) -> Self {
        History { store: Some(Arc::new(store)), live: None, beyond: None }
    }

    /// What a running job knows, and has stored.
    pub fn of_job(live: Arc<Live>, store: Option<Store>) -> Self {
        History { store: store.map(Arc::new), live: Some(live), beyond: None }
    }

    /// The same, of one process of a running cluster, for the keys that it stores: up to a moment what is stored, and then
    /// what is known of them. Totals of windows beyond are told by the first process alone, so that they add up.
    pub fn with_beyond(self, beyond: Beyond) -> Self {
        History { beyond: Some(beyond), ..self }
    }

    /// The store, if there is one.
    pub fn store(&self) -> Option<&Store> {
        self.store.as_deref()
    }

    /// The running job, if there is one.
    pub fn live(&self) -> Option<&Live> {
        self.live.as_deref()
    }

    /// What is published in the store now.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn catalog(&self) -> Result<Option<Arc<Catalog>>, StoreError> {
        self.store().map(Store::catalog).transpose()
    }

    /// Which keys are stored; all when there is no store.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn part(&self) -> Result<Keys, StoreError> {
        Ok(self.catalog()?.map_or(Keys::WHOLE, |catalog| *catalog.part()))
    }

    /// All windows that end by then are in the store; [`i64::MIN`] when none are known to be.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn complete_until(&self) -> Result<i64, StoreError> {
        let told = self.live.as_ref().map_or(i64::MIN, |live| live.known().stored());
        Ok(self.stored_until()?.map_or(told, |end| end.max(told)))
    }

    /// What is known of windows that are not stored, by the length of the shortest; in a cluster the first process alone tells
    /// it, once for all.
    pub fn known(&self) -> Option<(Arc<Known>, i64)> {
        let live = self.live.as_ref()?;
        match &self.beyond {
            None => Some((live.known(), live.length())),
            Some(beyond) => (live.knows() != Knows::Elsewhere).then(|| (beyond.known.clone(), live.length())),
        }
    }

    /// From the first to the last moment of all windows, stored, closed and open.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn span(&self) -> Result<Option<(i64, i64)>, StoreError> {
        let known = self.live.as_ref().and_then(|live| live.known().span(live.length()));
        let spans = [self.catalog()?.and_then(|catalog| catalog.span()), known];
        Ok(spans.into_iter().flatten().reduce(|(a, b), (c, d)| (a.min(c), b.max(d))))
    }

    /// The end of the last window that is stored.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn stored_until(&self) -> Result<Option<i64>, StoreError> {
        Ok(self.catalog()?.and_then(|catalog| catalog.span()).map(|(_, end)| end))
    }

    /// From here on windows are open, or on their way to the store, so that counts are those of the events so far. `None` when
    /// no job runs here, or it is not known yet.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn open_from(&self) -> Result<Option<i64>, StoreError> {
        let Some(live) = &self.live else { return Ok(None) };
        Ok(open_from(&live.known(), self.catalog()?.as_deref(), live.length()))
    }

    /// The k most frequent keys of an interval, as [`answer`](super::answer()) has them; where windows are not stored yet,
    /// with what is known of them.
    ///
    /// # Errors
    /// [`QueryError`] when the interval is reversed or the store cannot be read.
    pub fn top(&self, query: &Query) -> Result<Answer, QueryError> {
        let began = Instant::now();
        let (from, to) = (query.from, query.to);
        check(from, to)?;
        let mut found = self.steadily(|moment| {
            let stored_to = self.stored_to(from, to);
            let parts = moment.map(|moment| moment.parts(from, to)).unwrap_or_default();
            // With parts, one row more bounds what the rows leave to other keys.
            let k = query.k.saturating_add(usize::from(!parts.is_empty()));
            let stored = match self.store() {
                Some(store) => {
                    let stored = answer(store, &Query { to: stored_to, k, ..query.clone() })?;
                    Answer { window: Window { start: from, end: to }, ..stored }
                }
                None => Answer::nothing(from, to),
            };
            let Some(moment) = moment else { return Ok(stored) };
            let more = match self.store() {
                Some(store) if !parts.is_empty() => {
                    counts(store, &without_row(&stored, &parts, &query.keep), from, stored_to)?
                }
                _ => Vec::new(),
            };
            let total = stored.total + moment.total(&parts);
            let mut found = Answer { total, ..combine(stored, more, &parts, query.k, &query.keep) };
            if self.doubt(moment, (from, to), &mut found.trust) {
                found.state = State::Early;
            }
            if found.trust.is_partial() {
                found.confidence = 0.0;
            }
            Ok(found)
        })?;
        found.effort.elapsed = began.elapsed();
        Ok(found)
    }

    /// The keys that changed most against the interval before, by what is stored.
    ///
    /// # Errors
    /// [`QueryError`] when the interval is reversed, there is no store, or it cannot be read.
    pub fn movers(&self, query: &Query) -> Result<Movers, QueryError> {
        let store = self.store().ok_or(QueryError::NoStore)?;
        self.steadily(|moment| {
            let mut found = movers(store, query)?;
            if let Some(moment) = moment {
                let parts = moment.parts(found.before.start, query.to);
                if let Some(first) = parts.iter().map(Part::start).chain(moment.reaches(query.to)).min() {
                    let missing = format!("windows from {} on are not stored yet and not compared", Rfc3339(first));
                    found.trust.missing.push(missing);
                    found.trust.exact = false;
                }
            }
            Ok(found)
        })
    }

    /// Looks a key up, to follow it, as [`Follow::new`] does.
    ///
    /// # Errors
    /// [`QueryError::Store`] when the store cannot be read.
    pub fn follow<'a>(&'a self, key: &'a [u8]) -> Result<Following<'a>, QueryError> {
        let stored = self.store().map(|store| Follow::new(store, key)).transpose()?;
        Ok(Following { history: self, key, stored })
    }

    /// Where the store is asked no further.
    fn stored_to(&self, from: i64, to: i64) -> i64 {
        self.beyond.as_ref().map_or(to, |beyond| beyond.from.clamp(from, to))
    }

    /// Does `work` at a moment of a running job at which the store stays as it is; without one, just so.
    fn steadily<T>(&self, mut work: impl FnMut(Option<&Moment>) -> Result<T, QueryError>) -> Result<T, QueryError> {
        let Some(live) = &self.live else { return work(None) };
        for _ in 0..MOST_TRIES {
            // A window that is not among the known any more is in the catalog that is read after.
            let (known, knows) = match &self.beyond {
                Some(beyond) => (beyond.known.clone(), beyond.knows),
                None => (live.known(), live.knows()),
            };
            let (catalog, length) = (self.catalog()?, live.length());
            let open_from = open_from(&known, catalog.as_deref(), length).unwrap_or(i64::MIN);
            let beyond = self.beyond.as_ref().map(|beyond| beyond.from);
            let beyond = beyond.zip(catalog.as_ref().map(|catalog| *catalog.part()));
            let open_from = beyond.map_or(open_from, |(from, _)| open_from.max(from));
            let moment = Moment { known, catalog, open_from, length, knows, beyond };
            let done = work(Some(&moment))?;
            match (&moment.catalog, &self.catalog()?) {
                (Some(before), Some(after)) if !Arc::ptr_eq(before, after) => {}
                _ => return Ok(done),
            }
        }
        Err(QueryError::Restless)
    }

    /// Notes what is not known of an interval; whether it reaches into open windows.
    fn doubt(&self, moment: &Moment, (from, to): (i64, i64), trust: &mut Trust) -> bool {
        let from = moment.beyond.map_or(from, |(beyond, _)| from.max(beyond));
        if let Some(lost) = moment.known.lost().filter(|lost| from < *lost && from < to) {
            trust.missing.push(format!("nothing is kept of {} to {}", Rfc3339(from), Rfc3339(lost.min(to))));
        }
        let Some(open_from) = moment.reaches(to) else {
            trust.exact &= trust.missing.is_empty();
            return false;
        };
        let open_from = Rfc3339(open_from.max(from));
        match moment.knows {
            Knows::Closed => {
                trust.missing.push(format!("windows from {open_from} on are open, and there are no early results"));
            }
            Knows::Elsewhere => trust.missing.push(format!(
                "windows from {open_from} on are not stored yet, and process 0, which ranks them, does not tell"
            )),
            Knows::Open => {}
        }
        trust.exact = false;
        true
    }
}

/// Where open windows begin: after those that are settled, and before a job has come to that, with the first early ranking,
/// or after what was stored before.
fn open_from(known: &Known, catalog: Option<&Catalog>, length: i64) -> Option<i64> {
    let first_open = || known.of_length(length).find(|ranking| ranking.state == State::Early).map(|r| r.window.start);
    let stored = || catalog.and_then(Catalog::span).map(|(_, end)| end);
    known.settled().or_else(first_open).or_else(stored)
}

impl Moment {
    /// The windows of the shortest length in an interval that are not stored.
    fn parts(&self, from: i64, to: i64) -> Vec<Part<'_>> {
        let is_stored = |start| match self.beyond {
            Some((beyond, _)) => start < beyond,
            None => self.catalog.as_ref().is_some_and(|catalog| catalog.window(0, start).is_some()),
        };
        let parts = self.known.of_length(self.length).filter(|ranking| !is_stored(ranking.window.start));
        let mut owner = self.beyond.map(|(_, part)| part.owner());
        let mut owns = |key: &[u8]| owner.as_mut().is_none_or(|owner| owner.owns(key));
        parts.filter_map(|ranking| Part::of(ranking, from, to, &mut owns)).collect()
    }

    /// Whether a key is answered for here.
    fn owns(&self, key: &[u8]) -> bool {
        self.beyond.is_none_or(|(_, part)| part.owner().owns(key))
    }

    /// The total weight of windows that are not stored, unless another process of the cluster tells it.
    fn total(&self, parts: &[Part<'_>]) -> u128 {
        match self.beyond {
            Some((_, part)) if part.number > 0 => 0,
            _ => parts.iter().map(Part::total).sum(),
        }
    }

    /// The start of the open windows, if an interval that ends there reaches into them.
    fn reaches(&self, to: i64) -> Option<i64> {
        (to > self.open_from).then_some(self.open_from)
    }
}

/// A key that was looked up.
pub struct Following<'a> {
    history: &'a History,
    key: &'a [u8],
    stored: Option<Follow<'a>>,
}

impl Following<'_> {
    /// The key's count in an interval. Its rank is known where all windows are stored.
    ///
    /// # Errors
    /// [`QueryError`] when the interval is reversed or the store cannot be read.
    pub fn during(&self, from: i64, to: i64) -> Result<Followed, QueryError> {
        self.ranked_as(from, to, None)
    }

    /// As [`during`](Following::during), with the rank that the key would have if its count were `as_if`.
    ///
    /// # Errors
    /// As for [`during`](Following::during).
    pub fn ranked_as(&self, from: i64, to: i64, as_if: Option<u64>) -> Result<Followed, QueryError> {
        check(from, to)?;
        self.history.steadily(|moment| {
            let mut found = match &self.stored {
                Some(stored) => {
                    let found = stored.ranked_as(from, self.history.stored_to(from, to), as_if)?;
                    Followed { window: Window { start: from, end: to }, ..found }
                }
                None => nothing(from, to),
            };
            let Some(moment) = moment else { return Ok(found) };
            let parts = moment.parts(from, to);
            if !parts.is_empty() {
                if moment.owns(self.key) {
                    let estimates = parts.iter().map(|part| part.key(self.key));
                    found.count = combine::sum(std::iter::once(found.count).chain(estimates));
                }
                found.total += moment.total(&parts);
                found.state = combine::state(found.state, &parts);
                found.trust.exact &= found.state != State::Early && found.count.low == found.count.high;
                found.rank = None;
            }
            if self.history.doubt(moment, (from, to), &mut found.trust) {
                found.state = State::Early;
                found.rank = None;
            }
            Ok(found)
        })
    }
}

fn nothing(from: i64, to: i64) -> Followed {
    let Answer { window, state, total, trust, .. } = Answer::nothing(from, to);
    Followed {
        window,
        state,
        count: combine::sum(std::iter::empty()),
        rank: None,
        total,
        trust,
        effort: Effort::default(),
    }
}
