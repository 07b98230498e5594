//! Prints how fast each format is read, in events and bytes per second on one core:
//! `cargo run --release -p hitters-inputs --example parse_speed [FORMAT]...`

use std::fmt::Write;
use std::time::Instant;

use hitters_inputs::event::Events;
use hitters_inputs::format::{Wanted, open};
use hitters_inputs::time::TimeFormat;

/// How many records are generated, and how large the blocks are into which they are cut.
const RECORDS: u32 = 400_000;
const BLOCK: usize = 1 << 20;

/// A repeatable sequence of numbers (Knuth's MMIX generator).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// Writes one record of a format: its time in milliseconds, its key's number, and another number.
type Record = fn(&mut String, u64, u64, u64);

const INPUTS: &[(&str, &str, Option<&str>, Record)] = &[
    ("lines", "", None, |text, _, key, _| {
        let _ = writeln!(text, "video-{key:09}");
    }),
    ("counts", "", None, |text, _, key, n| {
        let _ = writeln!(text, "{n:7} video-{key:09}");
    }),
    ("csv", "ts,event,key,user,bytes\n", None, |text, ms, key, n| {
        let _ = writeln!(text, "{ms},view,video-{key:09},user-{n:07},{n}");
    }),
    ("csv", "ts,event,key,user,bytes\n", Some("quoted"), |text, ms, key, n| {
        let _ = writeln!(text, "\"{ms}\",\"view\",\"video-{key:09}\",\"user-{n:07}\",\"{n}\"");
    }),
    ("tsv", "ts\tevent\tkey\tuser\tbytes\n", None, |text, ms, key, n| {
        let _ = writeln!(text, "{ms}\tview\tvideo-{key:09}\tuser-{n:07}\t{n}");
    }),
    ("ndjson", "", None, |text, ms, key, n| {
        let record = format!(r#""event":"view","key":"video-{key:09}","user":"user-{n:07}","bytes":{n}"#);
        let _ = writeln!(text, r#"{{"ts":{ms},{record}}}"#);
    }),
    ("ndjson", "", Some("nested"), |text, ms, key, n| {
        let record =
            format!(r#""ts":{ms},"key":{{"id":"video-{key:09}","url":"https:\/\/example.org\/{n}"}},"t":[1,2,3]"#);
        let _ = writeln!(text, "{{{record}}}");
    }),
    ("logfmt", "", None, |text, ms, key, n| {
        let _ = writeln!(text, "ts={ms} level=info event=view key=video-{key:09} user=\"user {n:07}\" bytes={n}");
    }),
    ("combined", "", None, |text, _, key, n| {
        let second = n % 60;
        let _ = writeln!(
            text,
            "10.0.{}.{} - - [17/May/2015:10:05:{second:02} +0000] \"GET /videos/{key:09}?n={n} HTTP/1.1\" 200 {n} \
             \"https://example.org/\" \"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/32.0.1700.77\"",
            n % 256,
            key % 256
        );
    }),
    ("regex", "", None, |text, ms, key, n| {
        let _ = writeln!(text, "{ms} view video-{key:09} user-{n:07}");
    }),
];

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    println!("{:<16} {:>12} {:>12} {:>10}", "format", "events/s", "bytes/s", "rejected");
    for (format, header, variant, record) in INPUTS {
        if chosen.is_empty() || chosen.iter().any(|name| name == format) {
            measure(format, header, *variant, *record);
        }
    }
    measure_times();
}

fn measure(format: &str, header: &str, variant: Option<&str>, record: Record) {
    let mut numbers = Numbers(1);
    let mut text = String::from(header);
    for i in 0..RECORDS {
        record(&mut text, 1_767_225_600_000 + u64::from(i), numbers.next(100_000), numbers.next(10_000_000));
    }
    let key = (variant == Some("nested")).then(|| vec!["key.id".to_string()]);
    let pattern = (format == "regex").then(|| "^(?<ts>\\d+) view (?<key>[^ ]+)".to_string());
    let wanted = Wanted { key, pattern, ..Wanted::default() };
    let opened = match open(format, &wanted, &text.as_bytes()[..text.len().min(64 << 10)]) {
        Ok(opened) => opened,
        Err(why) => return eprintln!("{format}: {why}"),
    };
    let blocks = cut(&text.as_bytes()[opened.header..]);
    let mut out = Events::new(1);
    let mut best = f64::INFINITY;
    let (mut events, mut rejected) = (0, 0);
    for _ in 0..7 {
        (events, rejected) = (0, 0);
        let start = Instant::now();
        for block in &blocks {
            out.begin(block, 0, i64::MAX);
            opened.parser.parse(block, &mut out);
            events += out.len();
            rejected += out.rejected().len();
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    let name = format!("{format} {}", variant.unwrap_or_default());
    let millions = |count: usize| count as f64 / best / 1e6;
    println!("{name:<16} {:>10.1} M {:>10.0} M {rejected:>10}", millions(events), millions(text.len()));
}

/// Blocks of whole lines.
fn cut(mut text: &[u8]) -> Vec<&[u8]> {
    let mut blocks = Vec::new();
    while text.len() > BLOCK {
        let end = text[..BLOCK].iter().rposition(|&byte| byte == b'\n').map_or(text.len(), |at| at + 1);
        let (block, rest) = text.split_at(end);
        blocks.push(block);
        text = rest;
    }
    blocks.push(text);
    blocks
}

fn measure_times() {
    let clf = TimeFormat::Clf;
    for (name, format, text) in [
        ("time ms", TimeFormat::Auto, "1767225600123"),
        ("time s", TimeFormat::Auto, "1767225600"),
        ("time us", TimeFormat::Auto, "1767225600123456"),
        ("time rfc3339", TimeFormat::Auto, "2026-01-01T00:00:00.123Z"),
        ("time clf", clf, "17/May/2015:10:05:03 +0000"),
        ("time pattern", TimeFormat::Pattern("%Y-%m-%d %H:%M:%S".into()), "2026-01-01 00:00:00"),
    ] {
        let rounds = 2_000_000;
        let start = Instant::now();
        let mut sum = 0i64;
        for _ in 0..rounds {
            sum = sum.wrapping_add(format.parse(std::hint::black_box(text.as_bytes())).unwrap_or_default());
        }
        std::hint::black_box(sum);
        println!("{name:<16} {:>10.1} M", f64::from(rounds) / start.elapsed().as_secs_f64() / 1e6);
    }
}
