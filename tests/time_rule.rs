//! Final rows, last revisions and late counts of any stream are those of the rule of time, byte for byte.
#![allow(clippy::unwrap_used)]

mod reference;
mod support;

use std::fmt::Write;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use reference::{Answer, Event, Partition, Rule, answer};
use support::{output::check, run};

const DAY: i64 = 86_400_000;

/// A stream in its files, and how it is run.
#[derive(Clone, Debug)]
struct Case {
    partitions: Vec<Partition>,
    rule: Rule,
    weighted: bool,
    ndjson: bool,
    ends_with_newline: bool,
    /// Which record of each file is longer than what a format is settled from, so that blocks are small after it.
    long: Option<usize>,
    block_size: usize,
    workers: usize,
}

impl Case {
    fn input(&self, partition: &[Event]) -> String {
        let mut text = String::from(if self.ndjson { "" } else { "ts,key,weight,more\n" });
        for (number, Event { time, key, weight }) in partition.iter().enumerate() {
            let more = if self.long == Some(number) { "x".repeat(64 << 10) } else { String::new() };
            let line = match self.ndjson {
                true => {
                    writeln!(text, "{}", serde_json::json!({ "ts": time, "key": key, "weight": weight, "more": more }))
                }
                false => writeln!(text, "{time},\"{}\",{weight},{more}", key.replace('"', "\"\"")),
            };
            line.unwrap();
        }
        if !self.ends_with_newline {
            text.pop();
        }
        text
    }

    fn arguments(&self) -> Vec<String> {
        let Rule { lengths, out_of_orderness, allowed_lateness, k } = &self.rule;
        let lengths: Vec<_> = lengths.iter().map(|length| format!("{length}ms")).collect();
        let format = if self.ndjson { "ndjson" } else { "csv" };
        let mut line = format!(
            "run --early off -o ndjson -f {format} --key key --time ts --time-format ms --window {} -k {k} -w {} \
             --out-of-orderness {out_of_orderness}ms --allowed-lateness {allowed_lateness}ms --block-size {}",
            lengths.join(","),
            self.workers,
            self.block_size
        );
        if self.weighted {
            line += " --weight weight";
        }
        line.split(' ').map(str::to_owned).collect()
    }

    fn expected(&self) -> Answer {
        let mut partitions = self.partitions.clone();
        if !self.weighted {
            partitions.iter_mut().flatten().for_each(|event| event.weight = 1);
        }
        answer(&self.rule, &partitions)
    }

    fn check(&self) {
        let directory = tempfile::tempdir().unwrap();
        let mut arguments = self.arguments();
        for (number, partition) in self.partitions.iter().enumerate() {
            let path = directory.path().join(format!("part-{number}"));
            std::fs::write(&path, self.input(partition)).unwrap();
            arguments.push(path.display().to_string());
        }
        check(&run(&arguments), &self.rule, &self.expected(), &arguments.join(" "));
    }
}

/// One file after the other in time, or all at the same time: every event is `forward` after the one before and then
/// moved `back`, so that some are late by a little and some by a lot.
fn partition() -> impl Strategy<Value = Vec<(i64, i64, &'static str, u64)>> {
    const KEYS: &[&str] = &["a", "b", "aa", "Z", "é", "x\ny", "q\"q", "c,d", " "];
    let forward = prop_oneof![3 => Just(0), 6 => 0..30i64, 1 => 0..3000i64];
    let back = prop_oneof![6 => Just(0), 3 => 0..20i64, 2 => 0..400i64, 1 => 0..20_000i64];
    let weight = prop_oneof![2 => Just(0), 6 => 1..4u64, 1 => 0..1_000_000_000_000u64];
    prop::collection::vec((forward, back, select(KEYS), weight), 0..100)
}

fn rules() -> impl Strategy<Value = Rule> {
    let lengths =
        subsequence(vec![1, 2, 7, 10, 60, 100, 333, 1000, 1500, 60_000, 3_600_000, DAY], 1..=4).prop_shuffle();
    let out_of_orderness = select(&[0, 1, 2, 9, 50, 5000][..]);
    let allowed_lateness = select(&[0, 1, 5, 10, 100, 10_000, DAY][..]);
    (lengths, out_of_orderness, allowed_lateness, 0..12usize).prop_map(
        |(lengths, out_of_orderness, allowed_lateness, k)| Rule { lengths, out_of_orderness, allowed_lateness, k },
    )
}

fn cases() -> impl Strategy<Value = Case> {
    let starts = prop::collection::vec(select(&[0, 0, 0, 40, 1000, DAY][..]), 4);
    let epoch = select(&[0, 1_700_000_000_000, 951_782_399_000][..]);
    let partitions = (prop::collection::vec(partition(), 1..5), starts, epoch);
    let run = (
        any::<[bool; 3]>(),
        select(&[None, Some(0), Some(2)][..]),
        select(&[1, 7, 64, 4096, 512 << 10][..]),
        1..4usize,
    );
    (partitions, rules(), run).prop_map(|((drawn, starts, epoch), rule, (flags, long, block_size, workers))| {
        let partitions = drawn.into_iter().zip(starts).map(|(drawn, start)| in_time(drawn, epoch + start)).collect();
        let [weighted, ndjson, ends_with_newline] = flags;
        Case { partitions, rule, weighted, ndjson, ends_with_newline, long, block_size, workers }
    })
}

fn in_time(drawn: Vec<(i64, i64, &str, u64)>, mut now: i64) -> Partition {
    let place = |(forward, back, key, weight): (i64, i64, &str, u64)| {
        now += forward;
        Event { time: now - back, key: key.into(), weight }
    };
    drawn.into_iter().map(place).collect()
}

/// Draws streams from a seed, or others every time.
fn check_cases(cases_wanted: u32, seed: Option<[u8; 32]>) {
    let config = Config { cases: cases_wanted, max_shrink_iters: 300, failure_persistence: None, ..Config::default() };
    let mut runner = match seed {
        Some(seed) => TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed)),
        None => TestRunner::new(config),
    };
    let checked = runner.run(&cases(), |case| {
        case.check();
        Ok(())
    });
    checked.unwrap_or_else(|failed| panic!("{failed}"));
}

#[test]
fn any_stream_gives_what_the_rule_says() {
    check_cases(100, Some([7; 32]));
}

#[test]
#[ignore = "takes minutes"]
fn many_more_streams_give_what_the_rule_says() {
    check_cases(2000, None);
}

/// The reference itself, against what was worked out by hand: windows of 10 ms, out of order by 2 ms, 9 ms allowed.
#[test]
fn the_rule_by_hand() {
    let event = |time, key: &str, weight| Event { time, key: key.into(), weight };
    let partitions = vec![
        vec![event(9, "b", 1), event(11, "a", 4), event(9, "b", 1), event(12, "b", 3), event(9, "c", 7)],
        vec![event(20, "a", 1), event(3, "d", 1), event(21, "a", 1), event(9, "d", 1)],
    ];
    let rule = Rule { lengths: vec![10], out_of_orderness: 2, allowed_lateness: 9, k: 2 };
    let row = |start, end, rest: &str| {
        let window = format!(r#""window_start":"1970-01-01T00:00:{start}Z","window_end":"1970-01-01T00:00:{end}Z""#);
        format!("{{{window},{rest},\"confidence\":1.0,\"certified\":true}}\n")
    };
    let finals = [
        // 9 ms, then at a watermark of 9 ms again.
        row("00", "00.010", r#""state":"final","rank":1,"key":"b","count":2,"low":2,"high":2,"share":1.0"#),
        row("00.010", "00.020", r#""state":"final","rank":1,"key":"a","count":4,"low":4,"high":4,"share":0.571429"#),
        row("00.010", "00.020", r#""state":"final","rank":2,"key":"b","count":3,"low":3,"high":3,"share":0.428571"#),
        row("00.020", "00.030", r#""state":"final","rank":1,"key":"a","count":2,"low":2,"high":2,"share":1.0"#),
    ];
    // At a watermark of 10 ms, and of 18 ms in the other file; at 19 ms it is too late.
    let revised = [
        row("00", "00.010", r#""state":"revised","rank":1,"key":"c","count":7,"low":7,"high":7,"share":0.7"#),
        row("00", "00.010", r#""state":"revised","rank":2,"key":"b","count":2,"low":2,"high":2,"share":0.2"#),
    ];
    let answer = answer(&rule, &partitions);
    assert_eq!(answer.results.finals, finals.concat());
    assert_eq!(answer.results.last_revisions.into_values().collect::<Vec<_>>(), [revised.concat()]);
    assert_eq!((answer.late, answer.events), (vec![1], 9));
}
