//! Any bytes in any format: nothing panics, hangs or vanishes.

mod check;

use check::{VALID, check, valid};
use hitters_inputs::event::{Events, MAX_RECORD};
use hitters_inputs::format::{FORMATS, Wanted, open};
use proptest::prelude::*;
use proptest::sample::Index;

fn check_all(bytes: &[u8]) {
    for format in FORMATS {
        check(format.name, bytes);
    }
}

#[test]
fn valid_inputs_are_read_whole() {
    for format in FORMATS {
        let bytes = valid(format.name);
        let pattern = Some("(?<ts>[^ ]+) [A-Z]+ (?<key>.*)".to_string()).filter(|_| format.name == "regex");
        let opened = open(format.name, &Wanted { pattern, ..Wanted::default() }, bytes).expect(format.name);
        let mut out = Events::new(1);
        out.begin(&bytes[opened.header..], 5, i64::MAX);
        opened.parser.parse(&bytes[opened.header..], &mut out);
        assert!(!out.is_empty() && out.rejected().is_empty(), "{}: {:?}", format.name, out.rejected());
    }
    assert_eq!(VALID.len(), FORMATS.len());
}

#[test]
fn nothing_blank_and_binary() {
    for bytes in
        [&b""[..], b"\n", b"\r\n", b" ", b"\0", b"\0\n\0", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n", b"\xff\xfe\n\xff"]
    {
        check_all(bytes);
    }
    check_all(&(0..=255).collect::<Vec<u8>>());
    check_all(&b"\0".repeat(100_000));
    check_all(&b"\n".repeat(10_000));
}

#[test]
fn deep_and_repetitive() {
    for text in [
        "[",
        "{\"a\":",
        "{\"key\":[",
        "\"",
        "\\",
        ",",
        "\t",
        "\",\"",
        "a=",
        "=\"",
        "- ",
        "[ ",
        "? ",
        "9",
        "-",
        "%",
        "{}",
    ] {
        check_all(text.repeat(100_000).as_bytes());
    }
    check("ndjson", format!("{{\"key\":{}1{}}}\n{{\"key\":2}}\n", "[".repeat(100_000), "]".repeat(100_000)).as_bytes());
    check("ndjson", format!("{{\"tags\":{}1{}}}\n", "[".repeat(120), "]".repeat(120)).as_bytes());
}

#[test]
fn lines_over_the_limit() {
    let long = "x".repeat(MAX_RECORD * 3 / 2);
    check_all(long.as_bytes());
    check_all(format!("{long}\nshort\n{long}\r\n\n").as_bytes());
    for format in FORMATS {
        let text = String::from_utf8_lossy(valid(format.name));
        let record = text.lines().last().unwrap_or_default();
        check(format.name, format!("{text}{}{record}\n{text}", long.replace('x', " ")).as_bytes());
        check(format.name, format!("{text}{record}{long}\n{text}").as_bytes());
    }
}

#[test]
fn records_at_the_limit() {
    for extra in 0..3 {
        check_all(format!("{}\nshort\n", "y".repeat(MAX_RECORD - 1 + extra)).as_bytes());
    }
}

fn mutate(bytes: &mut Vec<u8>, edits: &[(Index, u8, u8)]) {
    for (at, kind, byte) in edits {
        if bytes.is_empty() {
            return;
        }
        let at = at.index(bytes.len());
        match kind % 4 {
            0 => bytes[at] = *byte,
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, b"\n\r\"\\,\t =[]{}:-%\0"[usize::from(byte % 16)]),
            _ => bytes.truncate(at),
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        check_all(&bytes);
    }

    #[test]
    fn arbitrary_marks(bytes in "[\n\r\"\\\\,\t =\\[\\]{}:\\-%a0]{0,120}") {
        check_all(bytes.as_bytes());
    }

    #[test]
    fn broken_records(edits in proptest::collection::vec((any::<Index>(), any::<u8>(), any::<u8>()), 1..6)) {
        for format in FORMATS {
            let mut bytes = valid(format.name).repeat(3);
            mutate(&mut bytes, &edits);
            check(format.name, &bytes);
        }
    }
}
