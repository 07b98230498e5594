//! Wanted paths, and the values that they lead to.

use super::names::Names;
use super::object;
use crate::event::Reason;

/// One wanted field: the steps to it from the top of a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// The place, among the top-level names, of the whole path as one name.
    pub literal: usize,
    /// The place of the path's first step.
    root: usize,
    /// The steps; the first is the root.
    steps: Vec<Step>,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Into a member of an object.
    Member(String),
    /// Into each element of an array.
    Each,
}

impl Path {
    /// Reads a path as `items[].id`, and adds the top-level names that it may start with to `names`.
    pub(super) fn new(field: &str, names: &mut Names) -> Path {
        let mut steps = Vec::new();
        for part in field.split('.') {
            let name = part.trim_end_matches("[]");
            steps.push(Step::Member(name.into()));
            steps.extend((name.len()..part.len()).step_by(2).map(|_| Step::Each));
        }
        let first = field.split('.').next().unwrap_or(field).trim_end_matches("[]");
        Path { literal: names.place(field), root: names.place(first), steps }
    }

    /// Whether the path is one top-level name.
    pub(super) fn is_flat(&self) -> bool {
        self.steps.len() == 1
    }
}

/// How far a path has been followed in a record.
#[derive(Clone, Copy)]
struct Cursor<'p, 'a> {
    steps: &'p [Step],
    taken: usize,
    raw: Option<&'a [u8]>,
}

impl<'a> Cursor<'_, 'a> {
    /// Goes into `element` when this path has come to the same array as `array`.
    fn enter(self, array: &Cursor<'_, 'a>, element: Option<&'a [u8]>) -> Self {
        let came = self.taken == array.taken && self.steps.get(..=array.taken) == array.steps.get(..=array.taken);
        if came { Cursor { taken: self.taken + 1, raw: element, ..self } } else { self }
    }
}

/// The values of the paths in one record, each as it is written.
type Row<'a> = Vec<Option<&'a [u8]>>;

/// Follows every path from the top-level members `found` of a record of `length` bytes. Arrays multiply the rows: one
/// for each element, and one for each pair of elements of arrays that are not inside each other.
///
/// # Errors
/// [`Reason::TooLong`] when the rows take more than 64 times the record's length and 32 KiB more: a record of two long
/// arrays would else give any number of events.
pub(super) fn rows<'a>(paths: &[Path], found: &[Option<&'a [u8]>], length: usize) -> Result<Vec<Row<'a>>, Reason> {
    let start = |path: &'_ Path| match found[path.literal] {
        Some(raw) => (path.steps.len(), Some(raw)),
        None => (1, found[path.root]),
    };
    let cursors = paths.iter().map(|path| {
        let (taken, raw) = start(path);
        Cursor { steps: &path.steps, taken, raw }
    });
    let mut expansion = Expansion { rows: Vec::new(), budget: (32 << 10) + 64 * length };
    expansion.follow(cursors.collect())?;
    Ok(expansion.rows)
}

struct Expansion<'a> {
    rows: Vec<Row<'a>>,
    /// How many more bytes may be read and given.
    budget: usize,
}

impl<'a> Expansion<'a> {
    fn spend(&mut self, bytes: usize) -> Result<(), Reason> {
        self.budget = self.budget.checked_sub(bytes).ok_or(Reason::TooLong)?;
        Ok(())
    }

    fn follow(&mut self, mut cursors: Vec<Cursor<'_, 'a>>) -> Result<(), Reason> {
        for cursor in &mut cursors {
            while let (Some(Step::Member(name)), Some(raw)) = (cursor.steps.get(cursor.taken), cursor.raw) {
                self.spend(raw.len())?;
                cursor.raw = object::member(raw, name);
                cursor.taken += 1;
            }
        }
        let Some(array) = cursors.iter().find(|c| c.raw.is_some() && c.taken < c.steps.len()).copied() else {
            let row: Row = cursors.iter().map(|cursor| cursor.raw).collect();
            self.spend(32 + row.iter().flatten().map(|raw| raw.len()).sum::<usize>())?;
            self.rows.push(row);
            return Ok(());
        };
        let raw = array.raw.unwrap_or_default();
        self.spend(raw.len())?;
        let elements = object::elements(raw);
        for element in elements.iter().copied().map(Some).chain(elements.is_empty().then_some(None)) {
            self.follow(cursors.iter().map(|cursor| cursor.enter(&array, element)).collect())?;
        }
        Ok(())
    }
}
