//! A table of sums with one place for each key.

use std::ops::Range;

use crate::bits::Bits;
use crate::ingest::{Batch, Event};
use crate::key::same;
use crate::pages::filled;
use crate::prefetch::prefetch;
use crate::window::Slot;

/// How many events are added together, so that the places they go to are read in time: a bit of a `u32` each.
const GROUP: usize = u32::BITS as usize;
/// Cache lines of places: 8 MiB. With two places in each, 14.9 % of a skewed stream (a million keys, three windows) go
/// further, with half as many places 17.2 %, and each of those events costs more than its place being further away.
const LINES: usize = 1 << 17;
/// How many events a trial is of, which decides whether combining pays.
const TRIAL: u32 = 100_000;
/// After one in which it did not, events pass by for so many times as long.
const PASSES: u32 = 16;
/// Combining pays when at least one event in this many met its key.
const PAYS: u32 = 5;
/// Places are too narrow when of a trial's events one in this many had a key that does not fit.
const NARROW: u32 = 32;
/// The most strangers that a holder outlives without an event of its own.
const MOST_CREDIT: u8 = 64;
/// Stands for the length of a key that does not fit its place.
const BESIDE: u8 = u8::MAX;

/// What the hash of a key is mixed with in this slot. No two slots have the same, as it is a product with an odd number:
/// where a key, which has one hash, has the same tag, it is in the same slot.
#[inline]
fn mixer(slot: Slot) -> u64 {
    slot.to_word().wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A key and its sum in one slot.
#[derive(Clone, Copy)]
struct Place<const INLINE: usize> {
    /// The key's hash, mixed with the slot.
    tag: u64,
    weight: u32,
    /// The key's length and one, or [`BESIDE`], or 0 for an empty place.
    used: u8,
    /// How many strangers the holder outlives: it earns one with every event of its own.
    credit: u8,
    /// The number of the slot among those of the table.
    slot: u8,
    key: [u8; INLINE],
}

/// The places that fill one cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line<const INLINE: usize, const PLACES: usize>([Place<INLINE>; PLACES]);

/// The tags of a group of events.
type Tags = [u64; GROUP];

/// A table of (slot, key) to weight with one place for each. A stranger costs the holder a credit and passes by; one that
/// comes when there is none left takes the place. So hot keys stay and cold ones hardly disturb them.
///
/// Keys of up to `INLINE` bytes stand in their place, of which a cache line holds `PLACES`. Longer ones stand beside it if
/// a line is one place, as they can get no wider; else they pass by.
pub(in crate::ingest) struct Table<const INLINE: usize, const PLACES: usize> {
    lines: Box<[Line<INLINE, PLACES>; LINES]>,
    /// A bit for each place that is not empty, the first in the lowest of the first word: short windows fill few.
    used: Box<[u64]>,
    /// One for each place, from the first long key on.
    long: Vec<Vec<u8>>,
    /// The slots that something may be held of; the last is the one that most events are of.
    slots: Vec<Slot>,
    /// Events until the next decision.
    trial: u32,
    met: u32,
    /// Events that passed by for the length of their keys.
    too_long: u32,
    passing: bool,
}

impl<const INLINE: usize, const PLACES: usize> Table<INLINE, PLACES> {
    pub(super) fn new() -> Self {
        let empty = Place { tag: 0, weight: 0, used: 0, credit: 0, slot: 0, key: [0; INLINE] };
        let lines = filled(Line([empty; PLACES]), LINES).into_boxed_slice();
        Table {
            lines: lines.try_into().unwrap_or_else(|_| unreachable!("there are so many lines")),
            used: vec![0; LINES * PLACES / 64].into(),
            long: Vec::new(),
            slots: Vec::new(),
            trial: TRIAL,
            met: 0,
            too_long: 0,
            passing: false,
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
        let mut tags = [[0; GROUP]; 2];
        let group = |from: usize| from.min(picked)..(from + GROUP).min(picked);
        self.ask(batch, group(0), &pick, &mut tags[0]);
        for from in (0..picked).step_by(GROUP) {
            let turn = (from / GROUP) & 1;
            self.ask(batch, group(from + GROUP), &pick, &mut tags[turn ^ 1]);
            self.add_group(batch, group(from), &pick, &tags[turn], &mut give);
        }
    }

    /// Finds the tags of a group of events, and asks for their places, so that they are there soon after.
    #[inline(always)]
    fn ask(&self, batch: &impl Batch, group: Range<usize>, pick: &impl Fn(usize) -> (Slot, usize), tags: &mut Tags) {
        for (tag, at) in tags.iter_mut().zip(group) {
            let (slot, number) = pick(at);
            *tag = batch.hash(number) ^ mixer(slot);
            if !self.passing {
                prefetch(self.place(*tag));
            }
        }
    }

    /// Adds a group of events, whose tags are given.
    ///
    /// Those that will meet their key are added first. Telling them apart takes no branches, which could only be guessed,
    /// and leaves both loops with branches that mostly go one way.
    #[inline(always)]
    fn add_group(
        &mut self,
        batch: &impl Batch,
        group: Range<usize>,
        pick: &impl Fn(usize) -> (Slot, usize),
        tags: &Tags,
        mut give: impl FnMut(Slot, u64, u64, &[u8]),
    ) {
        self.trial = self.trial.saturating_sub(group.len() as u32);
        if self.trial == 0 {
            self.decide(&mut give);
        }
        if self.passing {
            return group.map(pick).for_each(|(slot, number)| pass(slot, &batch.event(number), &mut give));
        }
        let all = u32::MAX >> (GROUP - group.len().clamp(1, GROUP));
        let known = self.known(tags) & all;
        self.met += known.count_ones();
        for known in [known, known ^ all] {
            for i in Bits(known.into()) {
                let (slot, number) = pick(group.start + i);
                self.add(slot, tags[i], &batch.event(number), &mut give);
            }
        }
    }

    /// A bit for each of these tags whose place has the same.
    #[inline(always)]
    fn known(&self, tags: &Tags) -> u32 {
        let tags = tags.iter().enumerate();
        tags.fold(0, |known, (i, &tag)| known | u32::from(self.place(tag).tag == tag) << i)
    }

    /// The number of a tag's place.
    #[inline(always)]
    fn number(tag: u64) -> usize {
        tag as usize % (LINES * PLACES)
    }

    #[inline(always)]
    fn place(&self, tag: u64) -> &Place<INLINE> {
        let at = Self::number(tag);
        &self.lines[at / PLACES % LINES].0[at % PLACES]
    }

    #[inline(always)]
    fn add(&mut self, slot: Slot, tag: u64, event: &Event<'_>, give: impl FnMut(Slot, u64, u64, &[u8])) {
        let Event { weight, key, .. } = *event;
        if PLACES > 1 && key.len() > INLINE {
            self.too_long += 1;
            return pass(slot, event, give);
        }
        let at = Self::number(tag);
        let place = place_mut(&mut self.lines, at);
        if place.holds(tag, key, &self.long, at)
            && let Ok(sum) = u32::try_from(weight.saturating_add(place.weight.into()))
        {
            place.weight = sum;
            place.credit = MOST_CREDIT.min(place.credit + 1);
            return;
        }
        if place.credit > 0 {
            place.credit -= 1;
            return pass(slot, event, give);
        }
        match u32::try_from(weight) {
            Ok(weight) => self.take_place(slot, tag, weight, key, give),
            Err(_) => pass(slot, event, give),
        }
    }

    /// Gives what is held in a key's place, and lets the key have it.
    #[inline(always)]
    fn take_place(
        &mut self,
        slot: Slot,
        tag: u64,
        weight: u32,
        key: &[u8],
        mut give: impl FnMut(Slot, u64, u64, &[u8]),
    ) {
        let number = self.slot_number(slot, &mut give);
        let at = Self::number(tag);
        let place = place_mut(&mut self.lines, at);
        if place.used > 0 {
            place.give(&self.slots, &self.long, at, give);
        }
        self.used[at / 64] |= 1 << (at % 64);
        (place.tag, place.weight, place.slot) = (tag, weight, number);
        match place.key.get_mut(..key.len()) {
            Some(inline) => {
                inline.copy_from_slice(key);
                place.used = key.len() as u8 + 1;
            }
            None => {
                self.long.resize_with(LINES * PLACES, Vec::new);
                self.long[at].clear();
                self.long[at].extend_from_slice(key);
                place.used = BESIDE;
            }
        }
    }

    /// The number of a slot. Where there can be no more, all that is held is given first.
    #[inline(always)]
    fn slot_number(&mut self, slot: Slot, give: impl FnMut(Slot, u64, u64, &[u8])) -> u8 {
        if self.slots.last() != Some(&slot) { self.other_slot_number(slot, give) } else { (self.slots.len() - 1) as u8 }
    }

    #[cold]
    fn other_slot_number(&mut self, slot: Slot, give: impl FnMut(Slot, u64, u64, &[u8])) -> u8 {
        if let Some(number) = self.slots.iter().position(|&known| known == slot) {
            return number as u8;
        }
        if self.slots.len() > u8::MAX.into() {
            self.flush(give);
        }
        self.slots.push(slot);
        (self.slots.len() - 1) as u8
    }

    /// The slots that something may be held of.
    pub(super) fn held(&self) -> &[Slot] {
        &self.slots
    }

    /// Gives all that is held.
    pub(super) fn flush(&mut self, mut give: impl FnMut(Slot, u64, u64, &[u8])) {
        for (word, used) in self.used.iter_mut().enumerate() {
            for bit in Bits(std::mem::take(used)) {
                let at = word * 64 + bit;
                let place = place_mut(&mut self.lines, at);
                place.give(&self.slots, &self.long, at, &mut give);
                (place.used, place.credit) = (0, 0);
            }
        }
        self.slots.clear();
    }

    /// Whether many keys pass by for their length.
    pub(super) fn is_narrow(&self) -> bool {
        self.too_long >= TRIAL / NARROW
    }

    /// Ends a trial, after which events are combined on if it paid, or pass by until the next.
    #[cold]
    fn decide(&mut self, give: impl FnMut(Slot, u64, u64, &[u8])) {
        self.passing = !self.passing && self.met < TRIAL / PAYS;
        self.trial = if self.passing { TRIAL * PASSES } else { TRIAL };
        (self.met, self.too_long) = (0, 0);
        if self.passing {
            self.flush(give);
        }
    }
}

impl<const INLINE: usize> Place<INLINE> {
    /// Whether it holds this key under this tag, whose place it is, and so of the tag's slot.
    #[inline(always)]
    fn holds(&self, tag: u64, key: &[u8], long: &[Vec<u8>], at: usize) -> bool {
        self.tag == tag
            && match self.key.get(..key.len()) {
                Some(inline) => self.used as usize == key.len() + 1 && same(inline, key),
                None => self.used == BESIDE && long[at] == key,
            }
    }

    /// Gives what is held; `at` is the place's number.
    #[inline(always)]
    fn give(&self, slots: &[Slot], long: &[Vec<u8>], at: usize, mut give: impl FnMut(Slot, u64, u64, &[u8])) {
        let slot = slots[self.slot as usize];
        let key = match self.used {
            BESIDE => &long[at],
            used => &self.key[..used as usize - 1],
        };
        give(slot, self.tag ^ mixer(slot), self.weight.into(), key);
    }
}

/// The place of this number.
#[inline(always)]
fn place_mut<const INLINE: usize, const PLACES: usize>(
    lines: &mut [Line<INLINE, PLACES>; LINES],
    number: usize,
) -> &mut Place<INLINE> {
    &mut lines[number / PLACES % LINES].0[number % PLACES]
}

/// Gives an event by itself.
#[inline(always)]
fn pass(slot: Slot, event: &Event<'_>, mut give: impl FnMut(Slot, u64, u64, &[u8])) {
    give(slot, event.hash, event.weight, event.key);
}
