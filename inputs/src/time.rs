//! Reading event times.

mod civil;
mod clf;
mod epoch;
mod rfc3339;

use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::{Offset, TimeZone};

pub use epoch::First;

/// How a time field is written.
///
/// Whatever the format, times outside the years 0001 to 9999 (UTC) are not times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TimeFormat {
    /// Epoch seconds, milliseconds, microseconds or nanoseconds by magnitude (with an optional fraction), or RFC 3339.
    #[default]
    Auto,
    /// Epoch seconds, with an optional fraction.
    Seconds,
    /// Epoch milliseconds, with an optional fraction.
    Millis,
    /// Epoch microseconds, with an optional fraction.
    Micros,
    /// Epoch nanoseconds, with an optional fraction.
    Nanos,
    /// RFC 3339: `2026-01-01T00:00:00.123Z`. `t` or a space may stand for `T`, and an offset for `Z`, also without its
    /// colon. A leap second (`:60`) reads as the last millisecond of its minute.
    Rfc3339,
    /// As in web server logs: `17/May/2015:10:05:03 +0000`.
    Clf,
    /// A strptime pattern; times without an offset are UTC, those without a time of day midnight.
    Pattern(String),
}

impl TimeFormat {
    /// The format that the command line calls `name`: `auto`, `s`, `ms`, `us`, `ns`, `rfc3339`, `clf`, or a strptime
    /// pattern, which must contain `%`.
    ///
    /// # Errors
    /// A sentence that says what is wrong, when `name` is none of these or the pattern cannot give a time.
    pub fn named(name: &str) -> Result<TimeFormat, String> {
        match name {
            "auto" => Ok(TimeFormat::Auto),
            "s" => Ok(TimeFormat::Seconds),
            "ms" => Ok(TimeFormat::Millis),
            "us" => Ok(TimeFormat::Micros),
            "ns" => Ok(TimeFormat::Nanos),
            "rfc3339" => Ok(TimeFormat::Rfc3339),
            "clf" => Ok(TimeFormat::Clf),
            pattern if pattern.contains('%') => check_pattern(pattern),
            _ => Err(format!(
                "there is no time format \"{name}\"; use auto, s, ms, us, ns, rfc3339, clf, or a strptime pattern such \
                 as \"%Y-%m-%d %H:%M:%S\""
            )),
        }
    }

    /// Reads a time as milliseconds since the Unix epoch, rounded down; `None` when it is not one.
    pub fn parse(&self, text: &[u8]) -> Option<i64> {
        self.parse_after(text, &mut First::default())
    }

    /// As [`TimeFormat::parse`], faster when the time `first` was used for last began the same. Any will do.
    #[inline(always)]
    pub fn parse_after(&self, text: &[u8], first: &mut First) -> Option<i64> {
        if matches!(self, TimeFormat::Auto)
            && let Some(time) = epoch::fast(text, first)
        {
            return Some(time);
        }
        self.parse_any(text)
    }

    fn parse_any(&self, text: &[u8]) -> Option<i64> {
        match self {
            TimeFormat::Auto => auto(text),
            TimeFormat::Seconds => epoch::parse(text, Some(epoch::Unit::Seconds)),
            TimeFormat::Millis => epoch::parse(text, Some(epoch::Unit::Millis)),
            TimeFormat::Micros => epoch::parse(text, Some(epoch::Unit::Micros)),
            TimeFormat::Nanos => epoch::parse(text, Some(epoch::Unit::Nanos)),
            TimeFormat::Rfc3339 => rfc3339::parse(text),
            TimeFormat::Clf => clf::parse(text),
            TimeFormat::Pattern(pattern) => by_pattern(pattern, text).ok(),
        }
    }
}

fn auto(text: &[u8]) -> Option<i64> {
    // The fifth byte of RFC 3339 is a hyphen, and an epoch has none but the first.
    if text.get(4) == Some(&b'-') { rfc3339::parse(text) } else { epoch::parse(text, None) }
}

/// Accepts a pattern when a time written with it can be read back.
fn check_pattern(pattern: &str) -> Result<TimeFormat, String> {
    let wrong = |why: jiff::Error| format!("the time format \"{pattern}\" cannot be used: {why}; see strptime(3)");
    let sample = jiff::Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    let written = BrokenDownTime::from(&sample).to_string(pattern).map_err(wrong)?;
    by_pattern(pattern, written.as_bytes()).map_err(wrong)?;
    Ok(TimeFormat::Pattern(pattern.into()))
}

fn by_pattern(pattern: &str, text: &[u8]) -> Result<i64, jiff::Error> {
    let parsed = BrokenDownTime::parse(pattern, text)?;
    let time = match (parsed.timestamp(), parsed.offset()) {
        (None, None) => Offset::UTC.to_timestamp(parsed.to_datetime()?)?,
        _ => parsed.to_timestamp()?,
    };
    let millis = time.as_nanosecond().div_euclid(1_000_000) as i64;
    civil::in_range(millis).ok_or_else(|| jiff::Error::from_args(format_args!("the year is not in 1 to 9999")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_and_patterns() {
        assert_eq!(TimeFormat::named("us"), Ok(TimeFormat::Micros));
        let pattern = TimeFormat::named("%d.%m.%Y %H:%M").unwrap();
        assert_eq!(pattern.parse(b"02.01.1970 00:01"), Some(86_460_000));
        assert_eq!(pattern.parse(b"02.13.1970 00:01"), None);
        assert_eq!(
            TimeFormat::named("%Y-%m-%dT%H:%M:%S%.f%z").unwrap().parse(b"1970-01-01T01:00:00.5+0100"),
            Some(500)
        );
        assert_eq!(TimeFormat::named("%s").unwrap().parse(b"12"), Some(12_000));
        assert_eq!(TimeFormat::named("%Y-%m-%d").unwrap().parse(b"1970-01-02"), Some(86_400_000));
    }

    #[test]
    fn unusable_names_say_why() {
        for name in ["%", "%H:%M", "%Y-%m-%d %!", "hello", ""] {
            let why = TimeFormat::named(name).unwrap_err();
            assert!(why.contains(&format!("\"{name}\"")), "{why}");
        }
    }

    #[test]
    fn auto_tells_epochs_from_dates() {
        let auto = TimeFormat::Auto;
        assert_eq!(auto.parse(b"1767225600123"), Some(1_767_225_600_123));
        assert_eq!(auto.parse(b"1767225600"), Some(1_767_225_600_000));
        assert_eq!(auto.parse(b"2026-01-01T00:00:00Z"), Some(1_767_225_600_000));
        assert_eq!(auto.parse(b"-1"), Some(-1000));
        assert_eq!(auto.parse(b"2026-01-01"), None);
        assert_eq!(auto.parse(b""), None);
    }

    #[test]
    fn years_beyond_9999_are_no_times() {
        assert_eq!(TimeFormat::Millis.parse(b"253402300799999"), Some(253_402_300_799_999));
        assert_eq!(TimeFormat::Millis.parse(b"253402300800000"), None);
        assert_eq!(TimeFormat::Auto.parse(b"-99999999999"), None);
        assert!(TimeFormat::named("%Y").is_err());
        assert_eq!(TimeFormat::named("%Y-%m-%d").unwrap().parse(b"-0001-01-01"), None);
    }
}
