//! Packs: the files that hold segments, one after the other.

use std::path::{Path, PathBuf};

use super::level::Levels;
use crate::sink::time::Rfc3339;

/// A pack: which level, which of its stretches of time, and how often it was compacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pack {
    /// The level of its segments.
    pub level: usize,
    /// The start of its stretch of time.
    pub start: i64,
    /// How often it was compacted.
    pub generation: u32,
}

impl Pack {
    /// The pack that holds the segment of the window that starts there.
    pub fn of(levels: &Levels, level: usize, window_start: i64, generation: u32) -> Self {
        let length = levels.pack_length(level);
        Pack { level, start: window_start.div_euclid(length).saturating_mul(length), generation }
    }

    /// Its first generation, by which all generations of a pack are known to be one.
    pub fn first(self) -> Self {
        Pack { generation: 0, ..self }
    }

    /// The directory of a level's packs.
    pub fn directory(dir: &Path, levels: &Levels, level: usize) -> PathBuf {
        dir.join(levels.name(level))
    }

    /// Its file.
    pub fn path(&self, dir: &Path, levels: &Levels) -> PathBuf {
        let start = Rfc3339(self.start).to_string();
        let date = start.split('T').next().unwrap_or(&start);
        let name = match self.generation {
            0 => format!("{date}.seg"),
            generation => format!("{date}.{generation}.seg"),
        };
        Pack::directory(dir, levels, self.level).join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::level::{DAY, MINUTE};
    use super::*;

    #[test]
    fn names_tell_level_and_day() {
        let levels = Levels::over(MINUTE).expect("minutes nest");
        let path = |level, start, generation| {
            let path = Pack::of(&levels, level, start, generation).path(Path::new("d"), &levels);
            path.display().to_string()
        };
        assert_eq!(path(0, 1_767_225_600_000 + MINUTE, 0), "d/1m/2026-01-01.seg");
        assert_eq!(path(1, 1_767_225_600_000 + DAY - 1, 2), "d/1h/2026-01-01.2.seg");
        assert_eq!(path(2, 1, 0), "d/4h/1970-01-01.seg");
        assert_eq!(path(0, -1, 0), "d/1m/1969-12-31.seg");
    }
}
