//! Adds up events of one key while they are still on the worker that read them: most events of a skewed stream go no
//! further. This also takes the skew off the exchange, exactly.

mod table;

use self::table::Table;
use super::Batch;
use crate::window::Slot;

/// Combines events, whatever the lengths of their keys.
pub(super) enum Combine {
    /// Places of 32 bytes, of which there are twice as many: keys are taken for short ones until they are seen.
    Short(Table<16, 2>),
    /// Places of 64 bytes, where many keys are longer.
    Long(Table<48, 1>),
}

impl Combine {
    pub(super) fn new() -> Self {
        Combine::Short(Table::new())
    }

    /// Adds so many events of a batch: `pick` tells of each which it is, and of which slot. `give` gets what can be combined
    /// no further: slot, hash, weight and key.
    pub(super) fn add_all(
        &mut self,
        batch: &impl Batch,
        picked: usize,
        pick: impl Fn(usize) -> (Slot, usize),
        mut give: impl FnMut(Slot, u64, u64, &[u8]),
    ) {
        match self {
            Combine::Short(table) => {
                table.add_all(batch, picked, pick, &mut give);
                if table.is_narrow() {
                    table.flush(give);
                    *self = Combine::Long(Table::new());
                }
            }
            Combine::Long(table) => table.add_all(batch, picked, pick, give),
        }
    }

    /// The slots that something may be held of.
    pub(super) fn held(&self) -> &[Slot] {
        match self {
            Combine::Short(table) => table.held(),
            Combine::Long(table) => table.held(),
        }
    }

    /// Gives all that is held.
    pub(super) fn flush(&mut self, give: impl FnMut(Slot, u64, u64, &[u8])) {
        match self {
            Combine::Short(table) => table.flush(give),
            Combine::Long(table) => table.flush(give),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::Event;
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
            // Few hashes for many keys, and slots that share places: every way of colliding, with keys short, long, and of both
            // kinds in one place.
            let n = i * i % 97;
            let key = vec![n as u8; (n % 5 * 11) as usize];
            let (slot, hash) = (Slot::from_word((i % 3) << 18), n % 7);
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
        for weight in [u64::MAX, u64::from(u32::MAX) + 1, u64::from(u32::MAX), u64::from(u32::MAX) / 2 + 1] {
            let mut combine = Combine::new();
            let mut given = 0;
            let mut give = |_, _, weight, _: &[u8]| given += u128::from(weight);
            for _ in 0..300 {
                add(&mut combine, Slot::from_word(0), 1, weight, b"key", &mut give);
            }
            combine.flush(give);
            assert_eq!(given, u128::from(weight) * 300);
        }
    }

    #[test]
    fn more_windows_may_be_held_than_have_numbers() {
        let mut combine = Combine::new();
        let mut given = HashMap::new();
        let mut give = |slot, hash, weight, key: &[u8]| *given.entry((slot, hash, key.to_vec())).or_insert(0) += weight;
        for i in 0..2000 {
            add(&mut combine, Slot::from_word(i % 1000 * 256), i % 1000 * 1000, 1, b"key", &mut give);
            assert!(combine.held().contains(&Slot::from_word(i % 1000 * 256)));
        }
        combine.flush(give);
        assert!(combine.held().is_empty());
        let all = (0..1000).map(|i| ((Slot::from_word(i * 256), i * 1000, b"key".to_vec()), 2));
        assert_eq!(given, all.collect());
    }

    #[test]
    fn many_long_keys_take_wide_places_and_none_is_lost() {
        let mut combine = Combine::new();
        let (mut truth, mut given) = (HashMap::new(), HashMap::new());
        let mut give = |slot, hash, weight, key: &[u8]| *given.entry((slot, hash, key.to_vec())).or_insert(0) += weight;
        for i in 0..250_000u64 {
            let key = vec![b'x'; (i % 70) as usize];
            *truth.entry((Slot::from_word(0), i % 7000, key.clone())).or_insert(0) += 1;
            add(&mut combine, Slot::from_word(0), i % 7000, 1, &key, &mut give);
        }
        assert!(matches!(combine, Combine::Long(_)));
        combine.flush(give);
        assert_eq!(given, truth);
    }
}
