//! Times as text.

use std::fmt;

const DAY: i64 = 86_400_000;

/// Milliseconds since the Unix epoch, shown as RFC 3339 UTC with milliseconds only where there are some:
/// `2026-01-01T10:00:00Z`, `2026-01-01T10:00:00.250Z`. Every `i64` has a text of its own: years outside 0000..=9999,
/// which RFC 3339 has no form for, get a sign and at least six digits (ISO 8601 expanded years).
///
/// ```
/// use hitters::sink::time::Rfc3339;
///
/// assert_eq!(Rfc3339(1_767_261_600_250).to_string(), "2026-01-01T10:00:00.250Z");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rfc3339(pub i64);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0.div_euclid(DAY));
        match year {
            0..=9999 => write!(f, "{year:04}")?,
            _ => write!(f, "{year:+07}")?,
        }
        write!(f, "-{month:02}-{day:02}T{}", TimeOfDay(self.0))
    }
}

/// The time of day of [`Rfc3339`], without its date: `10:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOfDay(pub i64);

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.rem_euclid(DAY);
        let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(f, "{hours:02}:{minutes:02}:{seconds:02}")?;
        match ms % 1000 {
            0 => f.write_str("Z"),
            fraction => write!(f, ".{fraction:03}Z"),
        }
    }
}

/// Whether two times fall on the same UTC day.
pub fn same_day(a: i64, b: i64) -> bool {
    a.div_euclid(DAY) == b.div_euclid(DAY)
}

/// Year, month and day of a day since the Unix epoch in the proleptic Gregorian calendar ("civil_from_days" in
/// H. Hinnant, chrono-Compatible Low-Level Date Algorithms). Years start in March inside, so that leap days come last.
fn civil(day: i64) -> (i64, i64, i64) {
    let from_march_0000 = day + 719_468;
    let era = from_march_0000.div_euclid(146_097);
    let day_of_era = from_march_0000.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day_of_month)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_jiff(ms in Timestamp::MIN.as_millisecond()..=Timestamp::MAX.as_millisecond()) {
            let expected = Timestamp::from_millisecond(ms).expect("in range");
            prop_assert_eq!(Rfc3339(ms).to_string().parse::<Timestamp>().expect("RFC 3339"), expected);
        }

        #[test]
        fn every_time_has_a_text(ms in any::<i64>()) {
            prop_assert!(Rfc3339(ms).to_string().ends_with('Z'));
        }
    }

    #[test]
    fn edges() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_767_225_600_007, "2026-01-01T00:00:00.007Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "+010000-01-01T00:00:00Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00Z"),
            (-62_167_219_200_001, "-000001-12-31T23:59:59.999Z"),
            (i64::MAX, "+292278994-08-17T07:12:55.807Z"),
            (i64::MIN, "-292275055-05-16T16:47:04.192Z"),
        ];
        for (ms, text) in cases {
            assert_eq!(Rfc3339(ms).to_string(), text);
        }
    }

    #[test]
    fn days_are_utc_days() {
        assert!(same_day(0, DAY - 1) && !same_day(0, DAY) && !same_day(-1, 0));
    }
}
