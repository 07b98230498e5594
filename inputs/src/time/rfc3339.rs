//! Times as in RFC 3339, section 5.6: `2026-01-01T00:00:00.123+01:00`.

use super::civil::{digits, in_range, midnight, offset, time_of_day};

/// Reads a time as milliseconds since the Unix epoch, rounded down. Any number of fraction digits is read.
#[inline]
pub(super) fn parse(text: &[u8]) -> Option<i64> {
    let (time, rest) = text.split_first_chunk::<19>()?;
    let marks = [time[4], time[7], time[13], time[16]] == *b"--::" && matches!(time[10], b'T' | b't' | b' ');
    if !marks {
        return None;
    }
    let (millis, zone) = fraction(rest)?;
    let day = midnight(digits(&time[..4])?, digits(&time[5..7])?, digits(&time[8..10])?)?;
    let time = time_of_day(digits(&time[11..13])?, digits(&time[14..16])?, digits(&time[17..])?, millis)?;
    let offset = match zone {
        [b'Z' | b'z'] => 0,
        zone => offset(zone)?,
    };
    in_range(day + time - offset)
}

/// The milliseconds of an optional fraction such as `.123456`, and what follows it.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some(text) = text.strip_prefix(b".") else { return Some((0, text)) };
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let digit = |i: usize| if i < length { u32::from(text[i] - b'0') } else { 0 };
    (length > 0).then(|| (digit(0) * 100 + digit(1) * 10 + digit(2), &text[length..]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_every_spelling() {
        for text in [
            "2026-01-01T00:00:00.123Z",
            "2026-01-01t00:00:00.123999999999z",
            "2026-01-01 01:30:00.123+01:30",
            "2025-12-31T23:00:00.123-0100",
        ] {
            assert_eq!(parse(text.as_bytes()), Some(1_767_225_600_123), "{text}");
        }
        assert_eq!(parse(b"1969-12-31T23:59:59.9Z"), Some(-100));
        assert_eq!(parse(b"1969-12-31T23:59:60Z"), Some(-1));
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:61Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00Zz",
            "2026-01-01T00:00:00+24:00",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "+026-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    fn oracle(text: &str) -> Option<i64> {
        let time: jiff::Timestamp = text.parse().ok()?;
        Some(time.as_nanosecond().div_euclid(1_000_000) as i64)
    }

    proptest! {
        #[test]
        fn agrees_with_jiff(
            year in 1u32..10_000, month in 0u32..14, day in 0u32..33, hour in 0u32..25, minute in 0u32..61,
            second in 0u32..60, fraction in "(\\.[0-9]{1,9})?", zone in "Z|z|[+-][01][0-9]:[0-5][0-9]", t in "[Tt ]"
        ) {
            prop_assume!((2..9999).contains(&year));
            let text = format!("{year:04}-{month:02}-{day:02}{t}{hour:02}:{minute:02}:{second:02}{fraction}{zone}");
            prop_assert_eq!(parse(text.as_bytes()), oracle(&text), "{}", text);
        }

        #[test]
        fn accepts_nothing_that_jiff_refuses(at in 0usize..24, byte in 0u8..128) {
            let mut text = b"2026-01-01T00:00:00.123Z".to_vec();
            text[at] = byte;
            let text = String::from_utf8(text).unwrap();
            // A leap second: jiff keeps its fraction, this is the last millisecond.
            prop_assume!(&text[17..19] != "60");
            if let Some(time) = parse(text.as_bytes()) {
                prop_assert_eq!(Some(time), oracle(&text), "{}", text);
            }
        }
    }
}
