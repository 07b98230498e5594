//! Adds up events of one key while they are still on the worker that read them: most events of a skewed stream go no
//! further. This also takes the skew off the exchange, exactly.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Batch, Event};
use crate::bits::Bits;
use crate::key::same;
use crate::pages::filled;
use crate::prefetch::prefetch;
use crate::window::Slot;

/// How many events are added together, so that the places they go to are read in time: a bit of a `u32` each.
const GROUP: usize = u32::BITS as usize;
/// Places for keys, of 64 bytes each: 8 MiB. With half as many a third more events passed by (18.6 % of a skewed stream, not
/// 14.0 %), and each of those costs more than its place being further away.
const PLACES: usize = 1 << 17;
/// Keys up to this length stand in their place; longer ones beside it.
const INLINE: usize = 32;
/// How many events a trial is of, which decides whether combining pays.
const TRIAL: u32 = 100_000;
/// After one in which it did not, events pass by for so many times as long.
const PASSES: u32 = 16;
/// Combining pays when at least one event in this many met its key.
const PAYS: u32 = 5;
/// The most strangers that a holder outlives without an event of its own.
const MOST_CREDIT: u32 = 64;

/// Where keys of a window belong: what their hashes are mixed with.
#[inline]
fn mixer(slot: Slot) -> u64 {
    slot.to_word().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

/// Fills one cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Place {
    slot: Slot,
    hash: u64,
    weight: u64,
    /// The key's length and one, or 0 for an empty place.
    used: u32,
    /// How many strangers the holder outlives: it earns one with every event of its own.
    credit: u32,
    key: [u8; INLINE],
}

/// Where events of a group go, and the hashes of their keys.
#[derive(Clone, Copy)]
struct Asked {
    places: [u32; GROUP],
    hashes: [u64; GROUP],
}

/// A table of (slot, key) to weight with one place for each. A stranger costs the holder a credit and passes by; one that
/// comes when there is none left takes the place. So hot keys stay and cold ones hardly disturb them.
pub(super) struct Combine {
    places: Box<[Place; PLACES]>,
    /// One for each place, from the first long key on.
    long: Vec<Vec<u8>>,
    /// Events until the next decision.
    trial: u32,
    met: u32,
    passing: bool,
    /// The slots that something may be held of.
    held: BTreeSet<Slot>,
    newest: Option<Slot>,
}

impl Combine {
    pub(super) fn new() -> Self {
        let empty = Place { slot: Slot::from_word(0), hash: 0, weight: 0, used: 0, credit: 0, key: [0; INLINE] };
        let places = filled(empty, PLACES).into_boxed_slice();
        Combine {
            places: places.try_into().unwrap_or_else(|_| unreachable!("there are so many places")),
            long: Vec::new(),
            trial: TRIAL,
            met: 0,
            passing: false,
            held: BTreeSet::new(),
            newest: None,
        }
    }

    /// Adds so many events of a batch: `pick` tells of each which it is, and of which slot. `give` gets what can be combined
    /// no further.
    pub(super) fn add_all(
        &mut self,
        batch: &impl Batch,
        picked: usize,
        pick: impl Fn(usize) -> (Slot, usize),
        mut give: impl FnMut(Slot, u64, u64, &[u8]),
    ) {
        // Two groups take turns: while one is added, the places of the other are on their way.
        let mut asked = [Asked { places: [0; GROUP], hashes: [0; GROUP] }; 2];
        let group = |from: usize| from.min(picked)..(from + GROUP).min(picked);
        self.ask(batch, group(0), &pick, &mut asked[0]);
        for from in (0..picked).step_by(GROUP) {
            let turn = (from / GROUP) & 1;
            self.ask(batch, group(from + GROUP), &pick, &mut asked[turn ^ 1]);
            self.add_group(batch, group(from), &pick, &asked[turn], &mut give);
        }
    }

    /// Finds the places of a group of events, and asks for them, so that they are there soon after.
    #[inline(always)]
    fn ask(&self, batch: &impl Batch, group: Range<usize>, pick: &impl Fn(usize) -> (Slot, usize), asked: &mut Asked) {
        for ((place, hash), at) in asked.places.iter_mut().zip(&mut asked.hashes).zip(group) {
            let (slot, number) = pick(at);
            *hash = batch.hash(number);
            *place = (*hash ^ mixer(slot)) as u32 % PLACES as u32;
            if !self.passing {
                prefetch(self.place(*place));
            }
        }
    }

    /// Adds a group of events, whose places are given.
    ///
    /// Those that will meet their key are added first. Telling them apart takes no branches, which could only be guessed,
    /// and leaves both loops with branches that mostly go one way.
    #[inline(always)]
    fn add_group(
        &mut self,
        batch: &impl Batch,
        group: Range<usize>,
        pick: &impl Fn(usize) -> (Slot, usize),
        asked: &Asked,
        mut give: impl FnMut(Slot, u64, u64, &[u8]),
    ) {
        self.trial = self.trial.saturating_sub(group.len() as u32);
        if self.trial == 0 {
            self.decide(&mut give);
        }
        if self.passing {
            return group.map(pick).for_each(|(slot, number)| {
                let event = batch.event(number);
                give(slot, event.hash, event.weight, event.key);
            });
        }
        let all = u32::MAX >> (GROUP - group.len().clamp(1, GROUP));
        let known = self.known(asked) & all;
        self.met += known.count_ones();
        let event = |i: usize| {
            let (slot, number) = pick(group.start + i);
            (slot, asked.places[i] as usize % PLACES, batch.event(number))
        };
        for (slot, at, event) in Bits(known).map(event) {
            self.add(slot, at, &event, &mut give);
        }
        for (slot, at, event) in Bits(known ^ all).map(event) {
            self.add(slot, at, &event, &mut give);
        }
    }

    /// A bit for each event that was asked for whose place holds a key of the same hash.
    #[inline(always)]
    fn known(&self, asked: &Asked) -> u32 {
        let asked = asked.places.iter().zip(&asked.hashes).enumerate();
        asked.fold(0, |known, (i, (&place, &hash))| known | u32::from(self.place(place).hash == hash) << i)
    }

    #[inline(always)]
    fn place(&self, at: u32) -> &Place {
        &self.places[at as usize % PLACES]
    }

    #[inline(always)]
    fn add(&mut self, slot: Slot, at: usize, event: &Event<'_>, mut give: impl FnMut(Slot, u64, u64, &[u8])) {
        let Event { hash, weight, key, .. } = *event;
        let place = &mut self.places[at];
        if place.holds(slot, key, &self.long, at)
            && let Some(sum) = place.weight.checked_add(weight)
        {
            place.weight = sum;
            place.credit = MOST_CREDIT.min(place.credit + 1);
            return;
        }
        if place.credit > 0 {
            place.credit -= 1;
            return give(slot, hash, weight, key);
        }
        if place.used > 0 {
            give(place.slot, place.hash, place.weight, place.key(&self.long, at));
        }
        (place.slot, place.hash, place.weight, place.used) = (slot, hash, weight, key.len() as u32 + 1);
        if self.newest != Some(slot) {
            self.held.insert(slot);
            self.newest = Some(slot);
        }
        match place.key.get_mut(..key.len()) {
            Some(inline) => inline.copy_from_slice(key),
            None => {
                self.long.resize_with(PLACES, Vec::new);
                self.long[at].clear();
                self.long[at].extend_from_slice(key);
            }
        }
    }

    /// The slots that something may be held of.
    pub(super) fn held(&self) -> &BTreeSet<Slot> {
        &self.held
    }

    /// Gives all that is held.
    pub(super) fn flush(&mut self, mut give: impl FnMut(Slot, u64, u64, &[u8])) {
        for (at, place) in self.places.iter_mut().enumerate().filter(|(_, place)| place.used > 0) {
            give(place.slot, place.hash, place.weight, place.key(&self.long, at));
            (place.used, place.credit) = (0, 0);
        }
        self.held.clear();
        self.newest = None;
    }

    /// Ends a trial, after which events are combined on if it paid, or pass by until the next.
    #[cold]
    fn decide(&mut self, give: impl FnMut(Slot, u64, u64, &[u8])) {
        self.passing = !self.passing && self.met < TRIAL / PAYS;
        (self.trial, self.met) = (if self.passing { TRIAL * PASSES } else { TRIAL }, 0);
        if self.passing {
            self.flush(give);
        }
    }
}

impl Place {
    /// Whether it holds this key of this slot, whose place it is.
    #[inline(always)]
    fn holds(&self, slot: Slot, key: &[u8], long: &[Vec<u8>], at: usize) -> bool {
        let beside = || &long[at][..];
        let is_as_long = self.slot == slot && self.used as usize == key.len() + 1;
        // As of `Place::key`, by the other length, which is at hand: five instructions less an event.
        is_as_long && same(self.key.get(..key.len()).unwrap_or_else(beside), key)
    }

    /// The key that is held, which is the `at`-th of the `long` ones if it does not fit here.
    #[inline(always)]
    fn key<'a>(&'a self, long: &'a [Vec<u8>], at: usize) -> &'a [u8] {
        match self.key.get(..self.used as usize - 1) {
            Some(inline) => inline,
            None => &long[at],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// One event.
    struct One<'a>(Event<'a>);

    impl Batch for One<'_> {
        fn len(&self) -> usize {
            1
        }

        fn times(&self) -> std::ops::RangeInclusive<i64> {
            self.0.time..=self.0.time
        }

        fn hash(&self, _: usize) -> u64 {
            self.0.hash
        }

        fn event(&self, _: usize) -> Event<'_> {
            self.0
        }
    }

    fn add(
        combine: &mut Combine,
        slot: Slot,
        hash: u64,
        weight: u64,
        key: &[u8],
        give: impl FnMut(Slot, u64, u64, &[u8]),
    ) {
        combine.add_all(&One(Event { time: 0, weight, hash, key }), 1, |_| (slot, 0), give);
    }

    #[test]
    fn nothing_is_lost_or_mixed_up_whatever_collides() {
        let mut combine = Combine::new();
        let (mut truth, mut given) = (HashMap::new(), HashMap::new());
        let mut seen = 0u64;
        for i in 0..300_000u64 {
            // Few hashes for many keys: every way of colliding, with keys short, long, and of both kinds in one place.
            let n = i * i % 97;
            let key = vec![n as u8; (n % 5 * 11) as usize];
            let (slot, hash) = (Slot::from_word(n % 3 * 256), n % 7);
            *truth.entry((slot, hash, key.clone())).or_insert(0) += i;
            add(&mut combine, slot, hash, i, &key, |slot, hash, weight, key| {
                seen += 1;
                *given.entry((slot, hash, key.to_vec())).or_insert(0) += weight;
            });
        }
        combine.flush(|slot, hash, weight, key| *given.entry((slot, hash, key.to_vec())).or_insert(0) += weight);
        assert_eq!(given, truth);
        assert!(seen < 300_000, "some were combined");
    }

    #[test]
    fn a_sum_that_would_overflow_goes_on_in_parts() {
        let mut combine = Combine::new();
        let mut given = Vec::new();
        for _ in 0..3 {
            add(&mut combine, Slot::from_word(0), 1, u64::MAX, b"key", |_, _, weight, _| given.push(weight));
        }
        combine.flush(|_, _, weight, _| given.push(weight));
        assert_eq!(given, [u64::MAX; 3]);
    }
}
