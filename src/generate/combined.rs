//! Generated events as lines of the combined log format of web servers.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use rand_pcg::Pcg64Mcg;

use super::encoding::{Decor, key, number, padded};
use super::events::Event;
use super::random::below;

/// The addresses of clients, as text.
pub(super) type Hosts = Vec<String>;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const STATUSES: [&str; 16] =
    ["200", "200", "200", "200", "200", "200", "200", "200", "200", "200", "206", "206", "301", "404", "404", "500"];
const REFERERS: [&str; 6] = [
    "-",
    "-",
    "https://example.com/",
    "https://example.com/trending",
    "https://search.example.net/?q=cats",
    "https://social.example.org/feed",
];
const AGENTS: [&str; 5] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "curl/8.14.1",
];

/// Addresses of private networks (RFC 1918), which are nobody's.
pub(super) fn hosts(rng: &mut Pcg64Mcg) -> Hosts {
    let mut byte = || below(rng, 256);
    (0..256).map(|_| format!("10.{}.{}.{}", byte(), byte(), byte())).collect()
}

/// Appends the line of an event: `HOST - - [TIME] "GET /watch/KEY HTTP/1.1" STATUS BYTES "REFERER" "AGENT"`.
pub(super) fn encode(event: &Event, decor: &mut Decor, line: &mut Vec<u8>) {
    let host = below(&mut decor.rng, decor.hosts.len() as u64) as usize;
    line.extend_from_slice(decor.hosts[host].as_bytes());
    line.extend_from_slice(b" - - [");
    time(line, event.time);
    line.extend_from_slice(b"] \"GET /watch/");
    key(line, event.key);
    line.extend_from_slice(b" HTTP/1.1\" ");
    line.extend_from_slice(decor.one_of(&STATUSES).as_bytes());
    line.push(b' ');
    number(line, event.bytes);
    line.extend_from_slice(b" \"");
    line.extend_from_slice(decor.one_of(&REFERERS).as_bytes());
    line.extend_from_slice(b"\" \"");
    line.extend_from_slice(decor.one_of(&AGENTS).as_bytes());
    line.extend_from_slice(b"\"\n");
}

/// A time in whole seconds as `01/Jan/2026:10:00:00 +0000`.
fn time(line: &mut Vec<u8>, ms: i64) {
    let at = civil(ms);
    padded::<2>(line, at.day() as u64);
    line.push(b'/');
    line.extend_from_slice(MONTHS[at.month() as usize - 1].as_bytes());
    line.push(b'/');
    padded::<4>(line, at.year() as u64);
    for part in [at.hour(), at.minute(), at.second()] {
        line.push(b':');
        padded::<2>(line, part as u64);
    }
    line.extend_from_slice(b" +0000");
}

fn civil(ms: i64) -> DateTime {
    let time = Timestamp::from_millisecond(ms).expect("a checked plan stays in the years 0001 to 9999");
    Offset::UTC.to_datetime(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_web_servers() {
        let mut line = Vec::new();
        time(&mut line, 1_431_857_103_999);
        assert_eq!(line, b"17/May/2015:10:05:03 +0000");
    }
}
