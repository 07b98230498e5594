//! How generated events are written: one line an encoding in [`ENCODINGS`].

use rand::Rng;
use rand_pcg::Pcg64Mcg;

use super::combined::{self, Hosts};
use super::events::Event;
use super::random::{below, stream};

/// One way to write events: its name for the command line, a line of help, and how it writes.
pub struct Encoding {
    /// The name, as in `--format`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// What comes before the first event.
    pub header: &'static str,
    /// Appends the line of an event.
    pub encode: fn(&Event, &mut Decor, &mut Vec<u8>),
}

/// Every encoding, in the order in which help lists them.
pub const ENCODINGS: &[Encoding] = &[
    Encoding {
        name: "csv",
        about: "ts,key,bytes with times in epoch milliseconds",
        header: "ts,key,bytes\n",
        encode: csv,
    },
    Encoding {
        name: "ndjson",
        about: "one JSON object a line: ts, event, key, user, bytes",
        header: "",
        encode: ndjson,
    },
    Encoding { name: "combined", about: "a web server's log of /watch/KEY", header: "", encode: combined::encode },
    Encoding { name: "lines", about: "the key alone", header: "", encode: lines },
];

/// What encodings add to events that do not have it: users, hosts and the like. Seeded apart from the events, so that
/// these are the same in every encoding.
pub struct Decor {
    pub(super) rng: Pcg64Mcg,
    pub(super) hosts: Hosts,
}

impl Decor {
    /// The decor of a seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = stream(seed, 1);
        let hosts = combined::hosts(&mut rng);
        Decor { rng, hosts }
    }

    /// One of the choices, each as likely as the others.
    #[inline]
    pub(super) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[below(&mut self.rng, choices.len() as u64) as usize]
    }
}

const USERS: u64 = 1_000_000;
const ACTIONS: [&str; 8] = ["view", "view", "view", "view", "view", "like", "share", "comment"];

fn csv(event: &Event, _: &mut Decor, line: &mut Vec<u8>) {
    signed(line, event.time);
    line.push(b',');
    key(line, event.key);
    line.push(b',');
    number(line, event.bytes);
    line.push(b'\n');
}

fn ndjson(event: &Event, decor: &mut Decor, line: &mut Vec<u8>) {
    line.extend_from_slice(b"{\"ts\":");
    signed(line, event.time);
    line.extend_from_slice(b",\"event\":\"");
    line.extend_from_slice(decor.one_of(&ACTIONS).as_bytes());
    line.extend_from_slice(b"\",\"key\":\"");
    key(line, event.key);
    line.extend_from_slice(b"\",\"user\":\"user-");
    padded::<6>(line, decor.rng.next_u64() % USERS);
    line.extend_from_slice(b"\",\"bytes\":");
    number(line, event.bytes);
    line.extend_from_slice(b"}\n");
}

fn lines(event: &Event, _: &mut Decor, line: &mut Vec<u8>) {
    key(line, event.key);
    line.push(b'\n');
}

/// `video-` and the id in nine digits.
#[inline]
pub(super) fn key(line: &mut Vec<u8>, id: u64) {
    line.extend_from_slice(b"video-");
    padded::<9>(line, id);
}

/// The last `DIGITS` digits of a number.
#[inline]
pub(super) fn padded<const DIGITS: usize>(line: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    line.extend_from_slice(&digits);
}

/// A number in as many digits as it has.
#[inline]
pub(super) fn number(line: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut from = digits.len();
    loop {
        from -= 1;
        digits[from] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    line.extend_from_slice(&digits[from..]);
}

fn signed(line: &mut Vec<u8>, time: i64) {
    if time < 0 {
        line.push(b'-');
    }
    number(line, time.unsigned_abs());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut line = Vec::new();
        write(&mut line);
        String::from_utf8(line).expect("text")
    }

    #[test]
    fn digits() {
        for value in [0, 9, 10, 1_767_225_600_000, u64::MAX] {
            assert_eq!(written(|line| number(line, value)), value.to_string());
        }
        for value in [i64::MIN, -1, 0, i64::MAX] {
            assert_eq!(written(|line| signed(line, value)), value.to_string());
        }
        assert_eq!(written(|line| key(line, 2_921_115)), "video-002921115");
    }
}
