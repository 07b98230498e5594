//! Times as numbers since the Unix epoch.

use super::civil::in_range;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Millis,
    Micros,
    Nanos,
}

impl Unit {
    /// The unit in which a number of this magnitude is a time of our age.
    fn of(number: u64) -> Unit {
        match number {
            ..100_000_000_000 => Unit::Seconds,
            100_000_000_000..100_000_000_000_000 => Unit::Millis,
            100_000_000_000_000..100_000_000_000_000_000 => Unit::Micros,
            _ => Unit::Nanos,
        }
    }
}

/// The first eight of the thirteen digits that were read last, which most numbers of a log have in common.
#[derive(Clone, Copy, Debug, Default)]
pub struct First {
    /// Zeros, which no digits are, before the first.
    text: u64,
    /// The milliseconds that the first five of them are.
    millis: u64,
}

impl First {
    /// Of eight digits that thirteen begin with; `None` when they are no digits, or the thirteen are less than 10^11, which
    /// would be seconds.
    fn of(text: u64) -> Option<First> {
        let number = eight_digits(text)?;
        (number >= 1_000_000).then_some(First { text, millis: number / 1000 * 100_000_000 })
    }
}

/// Reads the two commonest spellings, ten digits (seconds) and thirteen (milliseconds), and nothing else.
#[inline(always)]
pub(super) fn fast(text: &[u8], first: &mut First) -> Option<i64> {
    match text.len() {
        13 => {
            let begins = u64::from_le_bytes(*text.first_chunk()?);
            if begins != first.text {
                *first = First::of(begins)?;
            }
            // The last eight digits, of which the first three are among the eight before.
            Some((first.millis + eight_digits(u64::from_le_bytes(*text.last_chunk()?))?) as i64)
        }
        10 => {
            // The first and the last eight digits overlap.
            let begins = eight_digits(u64::from_le_bytes(*text.first_chunk()?))?;
            let ends = eight_digits(u64::from_le_bytes(*text.last_chunk()?))?;
            Some((begins / 1_000_000 * 100_000_000 + ends) as i64 * 1000)
        }
        _ => None,
    }
}

#[inline]
fn digit(byte: u8) -> Option<u64> {
    let digit = byte.wrapping_sub(b'0');
    (digit <= 9).then_some(u64::from(digit))
}

/// Reads eight digits at once, the first in the lowest byte: neighbours are added in pairs, three times.
#[inline(always)]
fn eight_digits(bytes: u64) -> Option<u64> {
    // What is left of a digit is at most 9; of any other byte it is more, or carries on to the highest bit.
    let digits = bytes ^ 0x3030_3030_3030_3030;
    if (digits | digits.wrapping_add(0x7676_7676_7676_7676)) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = (digits.wrapping_mul(10 << 8 | 1) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100 << 16 | 1) >> 16) & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(10_000 << 32 | 1) >> 32)
}

/// Reads `-`, digits, and `.` with more digits, of which only the whole digits are needed, as a time in `unit`, or in
/// the unit of the number's magnitude: below 10^11 seconds, below 10^14 milliseconds, below 10^17 microseconds, else
/// nanoseconds. Rounds down to milliseconds.
pub(super) fn parse(text: &[u8], unit: Option<Unit>) -> Option<i64> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = match memchr::memchr(b'.', text) {
        Some(dot) if dot + 1 < text.len() => (&text[..dot], &text[dot + 1..]),
        Some(_) => return None,
        None => (text, &[][..]),
    };
    if whole.is_empty() || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = whole.iter().try_fold(0u64, |n, &byte| n.checked_mul(10)?.checked_add(digit(byte)?))?;
    let (millis, rest) = to_millis(number, fraction, unit.unwrap_or_else(|| Unit::of(number)))?;
    in_range(if negative { -millis - i64::from(rest) } else { millis })
}

/// Whole milliseconds, and whether anything is left over.
fn to_millis(number: u64, fraction: &[u8], unit: Unit) -> Option<(i64, bool)> {
    let (millis, rest, fraction) = match unit {
        Unit::Seconds => {
            let thousandths = (0..3).fold(0, |n, i| n * 10 + u64::from(fraction.get(i).map_or(0, |d| d - b'0')));
            (number.checked_mul(1000)?.checked_add(thousandths)?, 0, fraction.get(3..).unwrap_or_default())
        }
        Unit::Millis => (number, 0, fraction),
        Unit::Micros => (number / 1000, number % 1000, fraction),
        Unit::Nanos => (number / 1_000_000, number % 1_000_000, fraction),
    };
    Some((i64::try_from(millis).ok()?, rest > 0 || fraction.iter().any(|&d| d != b'0')))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn magnitude_settles_the_unit() {
        assert_eq!(parse(b"1767225600", None), Some(1_767_225_600_000));
        assert_eq!(parse(b"1767225600123", None), Some(1_767_225_600_123));
        assert_eq!(parse(b"1767225600123456", None), Some(1_767_225_600_123));
        assert_eq!(parse(b"1767225600123456789", None), Some(1_767_225_600_123));
        assert_eq!(parse(b"99999999999", None), Some(99_999_999_999_000));
        assert_eq!(parse(b"100000000000", None), Some(100_000_000_000));
        assert_eq!(parse(b"18446744073709551616", None), None);
    }

    #[test]
    fn rounds_down_on_both_sides_of_zero() {
        assert_eq!(parse(b"1.2399", None), Some(1239));
        assert_eq!(parse(b"-1.2399", None), Some(-1240));
        assert_eq!(parse(b"-1.2390", None), Some(-1239));
        assert_eq!(parse(b"-1.5", Some(Unit::Millis)), Some(-2));
        assert_eq!(parse(b"-1000.1", Some(Unit::Micros)), Some(-2));
        assert_eq!(parse(b"1999999.9", Some(Unit::Nanos)), Some(1));
    }

    #[test]
    fn refuses_what_is_no_number() {
        for text in ["", "-", ".", "1.", ".5", "-.5", "+1", "1e3", "1 ", " 1", "1.2.3", "--1", "12a"] {
            assert_eq!(parse(text.as_bytes(), None), None, "{text}");
        }
        assert_eq!(parse(b"18446744073709551615", Some(Unit::Seconds)), None);
    }

    proptest! {
        #[test]
        fn fast_agrees_with_slow(
            texts in prop::collection::vec("[0-9]{10}|[0-9]{13}|1767[0-9]{9}|00000000[0-9]{5}|\0{10}|[ -~]{0,14}|[/-:]{13}|[/-:]{10}", 1..5)
        ) {
            let mut first = First::default();
            for text in texts.iter().chain(&texts) {
                if let Some(time) = fast(text.as_bytes(), &mut first) {
                    prop_assert_eq!(Some(time), parse(text.as_bytes(), None), "{}", text);
                } else if matches!(text.len(), 10 | 13) && text.bytes().all(|b| b.is_ascii_digit()) {
                    prop_assert!(text.len() == 13 && text.starts_with('0'), "{}", text);
                }
            }
        }

        #[test]
        fn nanoseconds_agree_with_jiff(nanos: i64) {
            let expected = jiff::Timestamp::from_nanosecond(nanos.into()).unwrap().as_nanosecond().div_euclid(1_000_000);
            prop_assert_eq!(parse(nanos.to_string().as_bytes(), Some(Unit::Nanos)), Some(expected as i64));
        }
    }
}
