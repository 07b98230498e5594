//! Calendar arithmetic in the proleptic Gregorian calendar.

/// Milliseconds in a day.
const DAY: i64 = 86_400_000;

/// The first and the last millisecond of the years 0001 to 9999, since the Unix epoch.
const FIRST: i64 = -62_135_596_800_000;
const LAST: i64 = 253_402_300_799_999;

/// Passes on a time in the years 0001 to 9999.
#[inline]
pub(super) fn in_range(millis: i64) -> Option<i64> {
    (FIRST..=LAST).contains(&millis).then_some(millis)
}

/// Midnight UTC of a date in milliseconds since the Unix epoch; `None` when there is no such date in the years 0001 to
/// 9999.
#[inline]
pub(super) fn midnight(year: u32, month: u32, day: u32) -> Option<i64> {
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    Some(days_before(year, month, day) * DAY)
}

/// Days from 1970-01-01 to a date. Source: Hinnant, "chrono-compatible low-level date algorithms", `days_from_civil`:
/// years that start in March put the leap day at the end.
fn days_before(year: u32, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    i64::from(era * 146_097 + day_of_era) - 719_468
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Time of day in milliseconds; `None` when there is no such time. A leap second is the last millisecond of its minute.
#[inline]
pub(super) fn time_of_day(hour: u32, minute: u32, second: u32, millis: u32) -> Option<i64> {
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (second, millis) = if second == 60 { (59, 999) } else { (second, millis) };
    Some(i64::from(((hour * 60 + minute) * 60 + second) * 1000 + millis))
}

/// What to take from a local time in milliseconds to get UTC, for an offset `+HHMM` or `+HH:MM`.
#[inline]
pub(super) fn offset(text: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match *text {
        [sign, h, i, b':', m, n] | [sign, h, i, m, n] => (sign, digits(&[h, i])?, digits(&[m, n])?),
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let millis = i64::from(hours * 60 + minutes) * 60_000;
    match sign {
        b'+' => Some(millis),
        b'-' => Some(-millis),
        _ => None,
    }
}

/// A number of up to nine digits.
#[inline]
pub(super) fn digits(text: &[u8]) -> Option<u32> {
    let mut number = 0;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + u32::from(digit);
    }
    Some(number)
}
