//! Times as they are typed for queries.

use hitters_inputs::time::TimeFormat;

use crate::quantity;
use crate::settings::WrongOption;

/// The [`moment`] that was typed for an option, if one was.
///
/// # Errors
/// [`WrongOption`] when it is none.
pub fn typed(option: &'static str, text: &Option<String>, now: i64) -> Result<Option<i64>, WrongOption> {
    text.as_deref().map(|text| moment(text, now)).transpose().map_err(|why| WrongOption { option, why })
}

/// A time in milliseconds: RFC 3339, a date, an epoch, `now`, or a duration before or after now such as `-2h` or `now-2h`.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn moment(text: &str, now: i64) -> Result<i64, String> {
    let wrong = || {
        format!("\"{text}\" is not a time; write for example 2026-01-01T10:07:00Z, 2026-01-01, 1767261600, now or -2h")
    };
    let relative = text.strip_prefix("now").unwrap_or(text);
    match relative.as_bytes().first() {
        None if text == "now" => return Ok(now),
        Some(sign @ (b'-' | b'+')) => {
            if let Ok(millis) = quantity::millis(&relative[1..]) {
                return Ok(if *sign == b'-' { now.saturating_sub(millis) } else { now.saturating_add(millis) });
            }
        }
        _ => {}
    }
    let date = (text.len() == 10 && text.as_bytes()[4] == b'-').then(|| format!("{text}T00:00:00Z"));
    TimeFormat::Auto.parse(date.as_deref().unwrap_or(text).as_bytes()).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling() {
        const NOW: i64 = 1_767_225_600_000;
        let cases = [
            ("now", NOW),
            ("-2h", NOW - 7_200_000),
            ("now-1m", NOW - 60_000),
            ("+1d", NOW + 86_400_000),
            ("2026-01-01T00:00:00Z", NOW),
            ("2026-01-01T01:00:00+01:00", NOW),
            ("2026-01-01", NOW),
            ("1767225600", NOW),
            ("1767225600000", NOW),
            ("-5", -5000),
        ];
        for (text, expected) in cases {
            assert_eq!(moment(text, NOW), Ok(expected), "{text}");
        }
        for text in ["", "yesterday", "now!", "-", "-2x", "2026-13-01", "nów", "12345-6789"] {
            assert!(moment(text, NOW).is_err(), "{text}");
        }
    }
}
