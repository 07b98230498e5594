//! Levels: the window lengths that a store keeps counts of, each filling the next.

use super::error::StoreError;

/// A minute, in milliseconds.
pub const MINUTE: i64 = 60_000;
/// An hour, in milliseconds.
pub const HOUR: i64 = 60 * MINUTE;
/// A day, in milliseconds.
pub const DAY: i64 = 24 * HOUR;

/// The lengths above the finest, where they are longer and a multiple of it. Each fills the next; with 4 hours, 8 and 64
/// days between and above those that people ask for, an interval takes fewer segments.
const COARSER: [i64; 6] = [MINUTE, HOUR, 4 * HOUR, DAY, 8 * DAY, 64 * DAY];
/// How many windows of a day or more share a pack.
const DAYS_IN_PACK: i64 = 64;

/// The levels of a store, finest first. A window of one is filled by whole windows of the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Levels(Vec<i64>);

impl Levels {
    /// The levels over windows of `finest` milliseconds.
    ///
    /// # Errors
    /// [`StoreError::Nesting`] when such windows neither divide a day nor are whole days.
    pub fn over(finest: i64) -> Result<Self, StoreError> {
        if finest <= 0 || (DAY % finest != 0 && finest % DAY != 0) {
            return Err(StoreError::Nesting { length: length_text(finest) });
        }
        let mut lengths = vec![finest];
        lengths.extend(COARSER.iter().filter(|&&coarser| coarser > finest && coarser % finest == 0));
        Ok(Levels(lengths))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The length of a level's windows, in milliseconds.
    pub fn length(&self, level: usize) -> i64 {
        self.0[level]
    }

    /// The start of the window that holds a time.
    pub fn start(&self, level: usize, time: i64) -> i64 {
        let length = self.0[level];
        time.div_euclid(length).saturating_mul(length)
    }

    /// The end of the window that starts there.
    pub fn end(&self, level: usize, start: i64) -> i64 {
        start.saturating_add(self.0[level])
    }

    /// The level's name: `1m`, `1h`, `1d`, `90s`.
    pub fn name(&self, level: usize) -> String {
        length_text(self.0[level])
    }

    /// The length of time that shares a pack.
    pub fn pack_length(&self, level: usize) -> i64 {
        if self.0[level] < DAY { DAY } else { self.0[level].saturating_mul(DAYS_IN_PACK) }
    }
}

/// A length in its largest whole unit: `1d`, `90m`, `1500ms`.
pub fn length_text(length: i64) -> String {
    let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (1000, "s")];
    match units.iter().find(|(unit, _)| length % unit == 0) {
        Some((unit, name)) => format!("{}{name}", length / unit),
        None => format!("{length}ms"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn levels_fill_each_other() {
        let all = [MINUTE, HOUR, 4 * HOUR, DAY, 8 * DAY, 64 * DAY];
        let cases: [(i64, &[i64]); 8] = [
            (MINUTE, &all[1..]),
            (1000, &all),
            (16_000, &all[1..]),
            (90 * MINUTE, &all[3..]),
            (HOUR, &all[2..]),
            (DAY, &all[4..]),
            (7 * DAY, &[]),
            (1, &all),
        ];
        for (finest, expected) in cases {
            let levels = Levels::over(finest).unwrap();
            assert_eq!((levels.0[0], &levels.0[1..]), (finest, expected));
            assert!(levels.0.windows(2).all(|pair| pair[1] % pair[0] == 0), "{finest}");
        }
        for finest in [0, -1, 7 * MINUTE, 36 * HOUR, i64::MIN] {
            assert!(matches!(Levels::over(finest), Err(StoreError::Nesting { .. })), "{finest}");
        }
    }

    #[test]
    fn lengths_have_names() {
        for (length, text) in [(MINUTE, "1m"), (90 * MINUTE, "90m"), (DAY, "1d"), (1500, "1500ms"), (7 * DAY, "7d")] {
            assert_eq!(length_text(length), text);
        }
    }
}
