//! Reading what is typed: numbers with suffixes, parts of a whole, durations, times.

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// The highest number up to which every whole number has an `f64` of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A whole number, with an optional `k`, `K`, `M` or `G` after it: `20M`, `1.5k`, `250_000`.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn number(text: &str) -> Result<u64, String> {
    let wrong = || format!("\"{text}\" is not a whole number; write for example 500, 20M or 1.5k");
    let plain = text.replace('_', "");
    let (digits, unit) = match plain.chars().last() {
        Some('k' | 'K') => (&plain[..plain.len() - 1], 1_000),
        Some('M') => (&plain[..plain.len() - 1], 1_000_000),
        Some('G') => (&plain[..plain.len() - 1], 1_000_000_000),
        _ => (&plain[..], 1),
    };
    if !digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(wrong());
    }
    if let Ok(whole) = digits.parse::<u64>() {
        return whole.checked_mul(unit).ok_or_else(|| format!("\"{text}\" is too large; the highest is {}", u64::MAX));
    }
    let number = digits.parse::<f64>().map_err(|_| wrong())? * unit as f64;
    if number.fract() == 0.0 && number < EXACT { Ok(number as u64) } else { Err(wrong()) }
}

/// A part of a whole, as a percentage or a fraction: `0.1%`, `0.001`.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn part(text: &str) -> Result<f64, String> {
    let (number, whole) = text.strip_suffix('%').map_or((text, 1.0), |percentage| (percentage, 100.0));
    match number.trim().parse::<f64>() {
        Ok(number) if (0.0..=whole).contains(&number) => Ok(number / whole),
        _ => Err(format!("\"{text}\" is not a part; write 0% to 100%, or 0 to 1")),
    }
}

/// A duration of 0 or more as jiff's friendly format has it, days of 24 h: `90s`, `3h 30m`, `2d`.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn duration(text: &str) -> Result<SignedDuration, String> {
    let duration = text.parse::<Span>().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    match duration {
        Ok(duration) if !duration.is_negative() => Ok(duration),
        _ => Err(format!("\"{text}\" is not a duration; write for example 500ms, 90s, 3h or 2d")),
    }
}

/// A [`duration`] in milliseconds.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn millis(text: &str) -> Result<i64, String> {
    Ok(i64::try_from(duration(text)?.as_millis()).unwrap_or(i64::MAX))
}

/// A number of bytes.
pub type Bytes = usize;

/// A number of bytes, with an optional unit: `64KiB`, `256MiB`, `2GiB`, or `1.5MB` in thousands.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn bytes(text: &str) -> Result<Bytes, String> {
    let wrong = || format!("\"{text}\" is not a number of bytes; write for example 64KiB, 256MiB or 2GiB");
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let unit: u64 = match unit.trim() {
        "" | "B" => 1,
        "K" | "KiB" => 1 << 10,
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
        "T" | "TiB" => 1 << 40,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err(wrong()),
    };
    let bytes = match number.parse::<u64>() {
        Ok(number) => number.checked_mul(unit),
        Err(_) => number.parse::<f64>().ok().map(|number| (number * unit as f64) as u64),
    };
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(wrong)
}

/// A time with its offset (RFC 3339).
///
/// # Errors
/// A sentence that says what is wrong.
pub fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| format!("\"{text}\" is not a time; write for example 2026-01-01T00:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let cases = [("0", 0), ("500", 500), ("20M", 20_000_000), ("1.5k", 1500), ("2G", 2_000_000_000), ("3K", 3000)];
        for (text, expected) in cases {
            assert_eq!(number(text), Ok(expected));
        }
        assert_eq!(number("250_000"), Ok(250_000));
        assert_eq!(number("18446744073709551615"), Ok(u64::MAX));
    }

    #[test]
    fn what_is_no_number() {
        for text in ["", "k", "-1", "1e6", "1.5", "0.0001k", "5x", "inf", "nan", "1.2.3", "99999999999G", "½", "5µ"] {
            assert!(number(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parts() {
        for (text, expected) in
            [("0.1%", 0.001), ("0.001", 0.001), ("100%", 1.0), ("1", 1.0), ("0", 0.0), ("5 %", 0.05)]
        {
            assert_eq!(part(text), Ok(expected));
        }
        for text in ["", "%", "-1%", "101%", "1.1", "nan", "inf", "x"] {
            assert!(part(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, seconds) in [("3h", 10_800), ("2d", 172_800), ("1h 30m", 5400), ("0s", 0), ("1w", 604_800)] {
            assert_eq!(duration(text), Ok(SignedDuration::from_secs(seconds)), "{text}");
        }
        for text in ["", "3", "-3s", "3s ago", "1mo", "h", "999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(time("2026-01-01T01:00:00+01:00").map(Timestamp::as_millisecond), Ok(1_767_225_600_000));
        for text in ["", "2026-01-01", "2026-01-01T00:00:00", "99999-01-01T00:00:00Z"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
