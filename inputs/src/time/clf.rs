//! Times of the common log format: `17/May/2015:10:05:03 +0000` (Apache `%t` without its brackets).

use super::civil::{digits, in_range, midnight, offset, time_of_day};

/// Reads a time as milliseconds since the Unix epoch.
#[inline]
pub(super) fn parse(text: &[u8]) -> Option<i64> {
    let (time, zone) = text.split_first_chunk::<21>()?;
    if [time[2], time[6], time[11], time[14], time[17], time[20]] != *b"//::: " {
        return None;
    }
    let day = midnight(digits(&time[7..11])?, month(&time[3..6])?, digits(&time[..2])?)?;
    let time = time_of_day(digits(&time[12..14])?, digits(&time[15..17])?, digits(&time[18..20])?, 0)?;
    in_range(day + time - offset(zone)?)
}

/// The month of its English abbreviation.
#[inline]
fn month(name: &[u8]) -> Option<u32> {
    Some(match name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_times_of_logs() {
        assert_eq!(parse(b"17/May/2015:10:05:03 +0000"), Some(1_431_857_103_000));
        assert_eq!(parse(b"01/Jan/1970:01:00:00 +0100"), Some(0));
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in ["", "-", "17/May/2015:10:05:03", "31/Jun/2015:10:05:03 +0000", "17/may/2015:10:05:03 +0000"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_strptime(time in -62_135_510_400i64..253_402_214_400, offset in -1439i32..1440) {
            let zone = jiff::tz::Offset::from_seconds(offset * 60).unwrap().to_time_zone();
            let zoned = jiff::Timestamp::from_second(time).unwrap().to_zoned(zone);
            let text = zoned.strftime("%d/%b/%Y:%H:%M:%S %z").to_string();
            prop_assert_eq!(parse(text.as_bytes()), Some(time * 1000), "{}", text);
        }
    }
}
