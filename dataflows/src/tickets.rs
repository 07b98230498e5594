//! Where the keys of a hash table stand: from half of a hash, the tag, to a number that the table gave the key, its ticket.
//!
//! Tickets stand in lines of eight, a cache line each, whose tags are compared at once, so that a search mostly reads one
//! line and takes no turns that depend on the data. A tag's line is given by its highest bits; when that is full, the slot
//! is in the next one. So the lines stand in the order of their tags, but for what went on to a next one, and growing
//! needs nothing but them.

use crate::bits::Bits;
use crate::pages::filled;
use crate::prefetch::prefetch;
use crate::tags::{WIDTH, equal};

/// Tables below this many bytes grow to four times their size, which moves each ticket a third as often; others to twice.
const SMALL: usize = 16 << 20;

/// No ticket.
pub const NONE: u32 = u32::MAX;

/// Slots are taken from the first to the last, and never given back.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line {
    tags: [u32; WIDTH],
    /// [`NONE`] in an empty slot.
    tickets: [u32; WIDTH],
}

const EMPTY: Line = Line { tags: [0; WIDTH], tickets: [NONE; WIDTH] };

impl Line {
    fn is_full(&self) -> bool {
        self.tickets[WIDTH - 1] != NONE
    }

    /// Takes the first empty slot, which there must be.
    #[inline]
    fn push(&mut self, tag: u32, ticket: u32) {
        let empty = equal(&self.tickets, NONE).trailing_zeros() as usize;
        (self.tags[empty], self.tickets[empty]) = (tag, ticket);
    }

    fn taken(&self) -> impl Iterator<Item = (u32, u32)> {
        self.tags.into_iter().zip(self.tickets).take_while(|(_, ticket)| *ticket != NONE)
    }
}

/// Tags and tickets. Memory: 13 to 26 bytes a key, up to 52 in a small table; while it grows, what it has and what it will
/// have.
pub struct Tickets {
    lines: Vec<Line>,
    len: usize,
}

/// Room for a ticket, until the next one is put.
pub struct Vacant(usize);

impl Default for Tickets {
    fn default() -> Self {
        Tickets { lines: vec![EMPTY], len: 0 }
    }
}

impl Tickets {
    /// The bytes of all slots, at most, while so many more tickets are put.
    pub fn memory(&self, more: usize) -> usize {
        let held = size_of_val(self.lines.as_slice());
        if self.is_full(more) { held * (1 + self.growth()) } else { held }
    }

    /// How many times as many slots there will be.
    fn growth(&self) -> usize {
        if size_of_val(self.lines.as_slice()) < SMALL { 4 } else { 2 }
    }

    /// Whether this many more keys are more than the slots are for: five in eight.
    #[inline]
    pub fn is_full(&self, more: usize) -> bool {
        self.len + more > self.lines.len() * (WIDTH * 5 / 8)
    }

    /// Asks for the line that a tag leads to.
    #[inline]
    pub fn prefetch(&self, tag: u32) {
        prefetch(&self.lines[self.home(tag)]);
    }

    /// The ticket that a key with this tag has in all likelihood, if it has one: the first of this tag in its line. Else
    /// [`NONE`].
    #[inline]
    pub fn guess(&self, tag: u32) -> u32 {
        let line = &self.lines[self.home(tag)];
        match equal(&line.tags, tag) {
            0 => NONE,
            equal => line.tickets[equal.trailing_zeros() as usize],
        }
    }

    /// The ticket of the key with this tag that `is_it` says is the one. Expected O(1).
    ///
    /// # Errors
    /// Where there is room for it, when it has none.
    #[inline]
    pub fn find(&self, tag: u32, mut is_it: impl FnMut(u32) -> bool) -> Result<u32, Vacant> {
        let mut at = self.home(tag);
        loop {
            let line = &self.lines[at];
            for slot in Bits(equal(&line.tags, tag).into()) {
                let ticket = line.tickets[slot];
                if ticket != NONE && is_it(ticket) {
                    return Ok(ticket);
                }
            }
            if !line.is_full() {
                return Err(Vacant(at));
            }
            at = self.after(at);
        }
    }

    /// As [`find`](Tickets::find), for a tag whose [`guess`](Tickets::guess) is known: that is tried first.
    ///
    /// # Errors
    /// As [`find`](Tickets::find).
    #[inline]
    pub fn find_guessed(&self, guess: u32, tag: u32, is_it: impl Fn(u32) -> bool) -> Result<u32, Vacant> {
        if guess != NONE && is_it(guess) { Ok(guess) } else { self.find(tag, is_it) }
    }

    /// Puts a ticket where [`find`](Tickets::find) has just found room for its tag.
    #[inline]
    pub fn insert(&mut self, at: Vacant, tag: u32, ticket: u32) {
        self.lines[at.0].push(tag, ticket);
        self.len += 1;
    }

    /// Makes room for this many more tickets. Amortized O(more).
    pub fn reserve(&mut self, more: usize) {
        while self.is_full(more) {
            let lines = filled(EMPTY, self.lines.len() * self.growth());
            let old = std::mem::replace(&mut self.lines, lines);
            old.iter().flat_map(Line::taken).for_each(|(tag, ticket)| self.put(tag, ticket));
        }
    }

    fn put(&mut self, tag: u32, ticket: u32) {
        let mut at = self.home(tag);
        while self.lines[at].is_full() {
            at = self.after(at);
        }
        self.lines[at].push(tag, ticket);
    }

    /// The line where the search for a tag begins.
    #[inline]
    fn home(&self, tag: u32) -> usize {
        ((u64::from(tag) * self.lines.len() as u64) >> 32) as usize
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.lines.len() - 1)
    }

    /// All tags and tickets in batches of at least so many, but the last: the tags of a batch are above those of the one
    /// before it. Within a batch they are in no order.
    pub fn batches(&self, least: usize) -> Batches<'_> {
        let first = self.lines.iter().take_while(|line| line.is_full()).count();
        let wrapped = self.lines[..(first + 1).min(self.lines.len())].iter().enumerate();
        let wrapped =
            wrapped.flat_map(|(at, line)| line.taken().filter(move |(tag, _)| self.home(*tag) > at)).collect();
        Batches { tickets: self, least: least.max(1), next: 0, wrapped }
    }
}

/// See [`Tickets::batches`].
///
/// A slot goes on to the next line only from a full one, so up to a line that is not full stand all slots whose tags lead
/// there; only what went on from the last line stands in the first ones, and comes last.
pub struct Batches<'a> {
    tickets: &'a Tickets,
    least: usize,
    next: usize,
    wrapped: Vec<(u32, u32)>,
}

impl Iterator for Batches<'_> {
    type Item = Vec<(u32, u32)>;

    fn next(&mut self) -> Option<Vec<(u32, u32)>> {
        let mut batch = Vec::with_capacity(self.least + 2 * WIDTH);
        for (at, line) in self.tickets.lines.iter().enumerate().skip(self.next) {
            self.next = at + 1;
            batch.extend(line.taken().filter(|(tag, _)| self.tickets.home(*tag) <= at));
            if batch.len() >= self.least && !line.is_full() {
                return Some(batch);
            }
        }
        batch.append(&mut self.wrapped);
        (!batch.is_empty()).then_some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tickets_are_found_and_batches_ascend(
            // Many are alike, and many lead to the last line, so that they wrap around.
            tags in prop::collection::vec(prop_oneof![0u32..20, any::<u32>(), u32::MAX - 3..=u32::MAX], 0..600),
            least in 0usize..50,
        ) {
            let mut tickets = Tickets::default();
            for (ticket, tag) in (0..).zip(&tags) {
                tickets.reserve(1);
                let found = tickets.find(*tag, |other| other == ticket);
                prop_assert!(found.is_err());
                found.map_or_else(|vacant| tickets.insert(vacant, *tag, ticket), drop);
            }
            for (ticket, tag) in (0..).zip(&tags) {
                prop_assert_eq!(tickets.find(*tag, |other| other == ticket).ok(), Some(ticket));
                let guess = tickets.guess(*tag);
                prop_assert!(guess == NONE || tags[guess as usize] == *tag);
            }
            let (mut seen, mut before) = (Vec::new(), None);
            for batch in tickets.batches(least) {
                prop_assert!(before < batch.iter().map(|(tag, _)| Some(*tag)).min().flatten());
                before = batch.iter().map(|(tag, _)| Some(*tag)).max().flatten();
                seen.extend(batch);
            }
            seen.sort_unstable_by_key(|(_, ticket)| *ticket);
            prop_assert_eq!(seen, tags.into_iter().zip(0..).collect::<Vec<_>>());
        }
    }
}
