//! What must hold for any bytes in any format. A fuzz target needs only to call [`check`].

use hitters_inputs::event::{Events, MAX_RECORD, Reason, Rejected};
use hitters_inputs::format::{Framing, Opened, Wanted, open};

/// The start of a valid input of each format.
pub const VALID: &[(&str, &str)] = &[
    ("auto", "{\"ts\":1767225600123,\"key\":\"a\",\"weight\":5}\n"),
    ("lines", "GET /index.html\n\n/b\r\n"),
    ("csv", "ts,key,weight\n1767225600123,a,5\n2026-01-01T00:00:00Z,\"b, \"\"c\"\"\nd\",7\r\n"),
    ("tsv", "ts\tkey\tweight\n1767225600123\ta\t5\n1767225600\t\"b\tc\"\t7\n"),
    (
        "ndjson",
        "{\"ts\":1767225600123,\"key\":\"a\",\"tags\":[\"x\",{\"y\":[1]}]}\n{\"key\":\"\\u00e9\\n\",\"ts\":\"2026-01-01T00:00:00Z\"}\n",
    ),
    ("logfmt", "ts=1767225600123 level=info key=\"a \\\"b\\\" \\n\" weight=5 bare\nts=1 key=b\n"),
    (
        "combined",
        "1.2.3.4 - joe [17/May/2015:10:05:03 +0000] \"GET /a?b=c HTTP/1.1\" 200 12 \"-\" \"curl \\\"8\\\"\"\n",
    ),
    ("common", "1.2.3.4 - - [17/May/2015:10:05:03 +0000] \"GET /a HTTP/1.1\" 304 -\n"),
    ("regex", "1767225600123 GET /a\n1767225601 PUT /b\n"),
    ("counts", "     12 GET /a b\n3\t/b\n"),
];

/// The start of a valid input of `format`.
pub fn valid(format: &str) -> &'static [u8] {
    VALID.iter().find(|(name, _)| *name == format).expect("every format has a valid input").1.as_bytes()
}

/// Reads `bytes` as an input of `format`, and as what follows a valid start of one. Panics when a record vanishes, is
/// given twice, or depends on where the input is cut.
pub fn check(format: &str, bytes: &[u8]) {
    let pattern = (format == "regex").then(|| "(?-u)(?<ts>[^ ]+) [A-Z]+ (?<key>.*)".to_string());
    let plain = Wanted { pattern, ..Wanted::default() };
    let sample = &bytes[..bytes.len().min(64 << 10)];
    if let Ok(opened) = open(format, &plain, sample) {
        assert!(opened.header <= sample.len(), "the header is longer than the sample");
        check_block(format, &opened, &bytes[opened.header..]);
    }
    let opened = open(format, &plain, valid(format)).expect("a valid input opens");
    check_block(format, &opened, bytes);
    if format == "ndjson" {
        let key = Some(vec!["tags[]".into(), "tags[].y[]".into(), "a.b".into()]);
        let opened = open(format, &Wanted { key, ..plain }, b"").expect("any path can be wanted");
        check_block(format, &opened, bytes);
    }
}

/// One event or rejection: where its record starts, and what it says.
type Outcome = (u32, Result<(i64, u64, Vec<u8>), Reason>);

fn outcomes(opened: &Opened, block: &[u8]) -> Vec<Outcome> {
    let mut out = Events::new(1);
    out.begin(block, 5, i64::MAX);
    opened.parser.parse(block, &mut out);
    let events = out.iter(block).map(|e| (e.at, Ok((e.time, e.weight, e.key.to_vec()))));
    let mut all: Vec<_> = events.collect();
    assert!(all.is_sorted_by_key(|(at, _)| *at), "events are in the order of their records");
    all.extend(out.rejected().iter().map(|&Rejected { at, why }| (at, Err(why))));
    all.sort_by_key(|(at, _)| *at);
    all
}

fn check_block(format: &str, opened: &Opened, block: &[u8]) {
    let found = outcomes(opened, block);
    if opened.framing == Framing::Lines {
        let starts: Vec<_> = lines(block).into_iter().filter(|(_, line)| is_record(opened, line)).collect();
        let mut accounted: Vec<_> = found.iter().map(|(at, _)| *at as usize).collect();
        accounted.dedup();
        assert_eq!(accounted, starts.iter().map(|(at, _)| *at).collect::<Vec<_>>(), "{format}: every record, once");
        for (at, line) in starts.iter().filter(|(_, line)| line.len() > MAX_RECORD) {
            let why = found.iter().find(|(a, _)| *a as usize == *at).map(|(_, outcome)| outcome.clone());
            assert_eq!(why, Some(Err(Reason::TooLong)), "{format}: {} bytes", line.len());
        }
        let cut = block.iter().take(block.len() / 2 + 1).rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let mut halves = outcomes(opened, &block[..cut]);
        halves.extend(outcomes(opened, &block[cut..]).into_iter().map(|(at, outcome)| (at + cut as u32, outcome)));
        assert_eq!(found, halves, "{format}: cut at {cut}");
    } else {
        let content =
            block.split(|&byte| byte == b'\n').any(|line| !line.strip_suffix(b"\r").unwrap_or(line).is_empty());
        assert_eq!(found.is_empty(), !content, "{format}: records");
        assert!(found.iter().all(|(at, _)| *at == 0 || block[*at as usize - 1] == b'\n'), "{format}: record starts");
    }
}

/// Every line with its offset, without `\n` or `\r\n`.
fn lines(block: &[u8]) -> Vec<(usize, &[u8])> {
    let mut found = Vec::new();
    let mut at = 0;
    for line in block.split_inclusive(|&byte| byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        found.push((at, text.strip_suffix(b"\r").unwrap_or(text)));
        at += line.len();
    }
    found
}

/// Only where a line is a key as it is, a blank one counts.
fn is_record(opened: &Opened, line: &[u8]) -> bool {
    let mut out = Events::new(1);
    out.begin(b"\n", 5, i64::MAX);
    opened.parser.parse(b"\n", &mut out);
    !out.is_empty() || !line.iter().all(|byte| b" \t\r".contains(byte))
}
