//! How long windows are kept.

use super::catalog::Catalog;
use super::level::{DAY, HOUR, Levels};

use crate::quantity;

/// How long windows are kept after their time, in milliseconds of event time; `None` for always. Windows shorter than an
/// hour, from an hour, and from a day on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    minute: Option<i64>,
    hour: Option<i64>,
    day: Option<i64>,
}

impl Retention {
    /// Reads `minute=2d,hour=90d,day=5y`; where shorter windows are not named they are kept as long as
    /// longer ones, and longer ones must not be dropped before them. A year (`y`) has 365 days.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut retention = Retention::default();
        for part in text.split(',') {
            let wrong =
                || format!("\"{part}\" is not how long to keep windows; write for example minute=2d,hour=90d,day=5y");
            let (name, length) = part.split_once('=').ok_or_else(wrong)?;
            let slot = match name.trim() {
                "minute" => &mut retention.minute,
                "hour" => &mut retention.hour,
                "day" => &mut retention.day,
                _ => return Err(wrong()),
            };
            let years = length.strip_suffix('y').and_then(|years| years.parse::<i64>().ok());
            let millis = match years {
                Some(years) if years >= 0 => years.saturating_mul(365 * DAY),
                _ => i64::try_from(quantity::duration(length)?.as_millis()).unwrap_or(i64::MAX),
            };
            *slot = Some(millis);
        }
        retention.hour = retention.hour.or(retention.day);
        retention.minute = retention.minute.or(retention.hour);
        let lengths = [retention.minute, retention.hour, retention.day].map(|length| length.unwrap_or(i64::MAX));
        if !lengths.is_sorted() {
            return Err("longer windows must be kept as long as shorter ones, or longer".into());
        }
        Ok(retention)
    }

    fn keeps(&self, length: i64) -> Option<i64> {
        match length {
            ..HOUR => self.minute,
            HOUR..DAY => self.hour,
            DAY.. => self.day,
        }
    }

    /// The first start of a level's windows to be kept when `latest` is the end of the latest one: whole packs are dropped,
    /// so some windows are kept longer.
    pub(super) fn floor(&self, levels: &Levels, level: usize, latest: i64) -> Option<i64> {
        let oldest = latest.saturating_sub(self.keeps(levels.length(level))?);
        let pack = levels.pack_length(level);
        Some(oldest.div_euclid(pack).saturating_mul(pack))
    }

    /// The floors that rise above those of a catalog, with windows below them.
    pub(super) fn rising(&self, catalog: &Catalog, latest: i64) -> Vec<(usize, i64)> {
        let levels = catalog.levels();
        let floors = (0..levels.count()).filter_map(|level| Some((level, self.floor(levels, level, latest)?)));
        floors.filter(|&(level, floor)| catalog.windows(level, i64::MIN..floor).next().is_some()).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::level::MINUTE;
    use super::*;

    #[test]
    fn lengths_by_name() {
        let retention = Retention::parse("minute=2d,hour=90d,day=5y").unwrap();
        let kept = [MINUTE, HOUR, DAY, 8 * DAY].map(|length| retention.keeps(length).unwrap() / DAY);
        assert_eq!(kept, [2, 90, 1825, 1825]);
        let hours = Retention::parse("hour=36h").unwrap();
        assert_eq!((hours.keeps(MINUTE), hours.keeps(DAY)), (Some(36 * HOUR), None));
        for text in ["", "minute", "week=1d", "minute=x", "minute=-1y", "minute=3d,hour=2d", "hour=3d,day=1d"] {
            assert!(Retention::parse(text).is_err(), "{text}");
        }
    }
}
