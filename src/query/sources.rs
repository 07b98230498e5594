//! The segments of a plan, opened.

use std::collections::HashSet;
use std::sync::Arc;

use super::plan::{Place, Plan, plan};
use crate::store::catalog::Catalog;
use crate::store::error::StoreError;
use crate::store::manifest::SegmentRecord;
use crate::store::reader::Store;
use crate::store::segment::Segment;

/// One interval's segments.
#[derive(Default)]
pub struct Sources {
    /// To add.
    pub plus: Vec<Source>,
    /// To take away.
    pub minus: Vec<Source>,
    /// To bound by, with the wanted part and the whole of the window.
    pub cuts: Vec<(Source, i64, i64)>,
}

/// An open segment.
pub struct Source {
    /// Which.
    pub record: SegmentRecord,
    /// Its bytes.
    pub segment: Arc<Segment>,
}

/// Something that cannot be used.
pub struct Unusable {
    /// The segment's level and start, if it is one.
    pub place: Option<Place>,
    /// Why.
    pub error: StoreError,
}

impl From<StoreError> for Unusable {
    fn from(error: StoreError) -> Self {
        Unusable { place: None, error }
    }
}

impl Source {
    /// Names this source in what went wrong with it.
    pub fn unusable(&self) -> impl Fn(StoreError) -> Unusable + '_ {
        |error| Unusable { place: Some(place(&self.record)), error }
    }
}

fn place(record: &SegmentRecord) -> Place {
    (record.level.into(), record.start)
}

impl Sources {
    /// Opens the segments of a plan.
    ///
    /// # Errors
    /// [`Unusable`] for the first that cannot be opened.
    pub fn open(store: &Store, catalog: &Catalog, plan: &Plan) -> Result<Self, Unusable> {
        let open = |record: &SegmentRecord| match store.segment(catalog, record) {
            Ok(segment) => Ok(Source { record: *record, segment }),
            Err(error) => Err(Unusable { place: Some(place(record)), error }),
        };
        let cuts = plan.cuts.iter().map(|cut| open(&cut.record).map(|source| (source, cut.wanted, cut.length)));
        Ok(Sources {
            plus: plan.plus.iter().map(open).collect::<Result<_, _>>()?,
            minus: plan.minus.iter().map(open).collect::<Result<_, _>>()?,
            cuts: cuts.collect::<Result<_, _>>()?,
        })
    }

    /// The number of segments.
    pub fn count(&self) -> usize {
        self.plus.len() + self.minus.len() + self.cuts.len()
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Source> {
        self.plus.iter().chain(&self.minus).chain(self.cuts.iter().map(|(source, _, _)| source))
    }

    /// The total weight of all keys: what is certain, and the best single answer.
    pub fn total(&self) -> u128 {
        let sum = |sources: &[Source]| sources.iter().map(|source| source.record.total).sum::<u128>();
        let cuts = self.cuts.iter().map(|(source, wanted, length)| share_of(source.record.total, *wanted, *length));
        sum(&self.plus).wrapping_sub(sum(&self.minus)).wrapping_add(cuts.sum())
    }
}

/// The part of a count that falls on a part of its time, were it spread evenly; rounded down.
pub fn share_of(count: u128, wanted: i64, length: i64) -> u128 {
    let (wanted, length) = (wanted as u128, length as u128);
    count / length * wanted + count % length * wanted / length
}

/// What came of trying a question on a store.
pub struct Tried<T> {
    /// The result.
    pub result: T,
    /// The catalog that the result is of.
    pub catalog: Arc<Catalog>,
    /// The plans that it was made with.
    pub plans: Vec<Plan>,
    /// Segments that were left out because they are damaged.
    pub damaged: Vec<String>,
}

/// Opens what `intervals` need and hands it to `work`; when a segment turns out to be damaged, again without it, and when
/// one is gone because it was compacted or has expired, again with what there is now.
///
/// # Errors
/// [`StoreError`] when the store cannot be read.
pub fn attempt<T>(
    store: &Store,
    intervals: &[(i64, i64)],
    mut work: impl FnMut(&Catalog, &[Sources]) -> Result<T, Unusable>,
) -> Result<Tried<T>, StoreError> {
    const MOST_MOVES: usize = 8;
    let (mut bad, mut damaged, mut moves) = (HashSet::new(), Vec::new(), 0);
    loop {
        let catalog = store.catalog()?;
        let plans: Vec<Plan> = intervals.iter().map(|&(from, to)| plan(&catalog, &bad, from, to)).collect();
        let opened: Result<Vec<Sources>, Unusable> =
            plans.iter().map(|plan| Sources::open(store, &catalog, plan)).collect();
        let Unusable { place, error } = match opened.and_then(|sources| work(&catalog, &sources)) {
            Ok(result) => return Ok(Tried { result, catalog, plans, damaged }),
            Err(unusable) => unusable,
        };
        match (place, error) {
            (Some(place), StoreError::Damaged { what }) if bad.insert(place) => damaged.push(what),
            (Some(_), error) if error.is_gone() && moves < MOST_MOVES => moves += 1,
            // A pack that is gone for good is as good as damaged.
            (Some(place), error) if error.is_gone() && bad.insert(place) => damaged.push(error.to_string()),
            (_, error) => return Err(error),
        }
    }
}
