//! Reads what a run printed, so that it can be compared with the reference.

use jiff::SignedDuration;

use super::Ended;
use crate::reference::{Answer, Results, Rule};

/// What is looked at of a row.
#[derive(serde::Deserialize)]
struct Row {
    window_start: String,
    window_end: String,
    state: String,
    rank: usize,
}

impl Row {
    fn head(&self) -> (&str, &str, &str) {
        (&self.window_start, &self.window_end, &self.state)
    }
}

/// The rankings on standard output. Each must come whole, from rank 1 on, and final ones before revisions.
pub fn results(stdout: &str) -> Results {
    let rows: Vec<(Row, &str)> = stdout.lines().map(|line| (serde_json::from_str(line).unwrap(), line)).collect();
    let mut results = Results::default();
    for ranking in rows.chunk_by(|_, (next, _)| next.rank > 1) {
        let first = &ranking[0].0;
        let mut text = String::new();
        for (rank, (row, line)) in (1..).zip(ranking) {
            assert!(row.rank == rank && row.head() == first.head(), "not a whole ranking up to here: {line}");
            text = text + line + "\n";
        }
        let window = (first.window_start.clone(), first.window_end.clone());
        match first.state.as_str() {
            "final" => {
                assert!(!results.last_revisions.contains_key(&window), "final after it was revised:\n{text}");
                results.finals += &text;
            }
            "revised" => drop(results.last_revisions.insert(window, text)),
            _ => panic!("neither final nor revised:\n{text}"),
        }
    }
    results
}

/// How many records the summary says were late, by window length.
pub fn late(stderr: &str, rule: &Rule) -> Vec<u64> {
    let line = stderr.lines().find_map(|line| line.strip_prefix("late ")).unwrap_or_default();
    let mut parts: Vec<&str> = line.split(", ").filter(|part| !part.is_empty()).collect();
    let mut take = |length: &i64| {
        let ending = format!(" for {:#} windows", SignedDuration::from_millis(*length));
        let found = parts.iter().position(|part| part.ends_with(&ending));
        found.map_or(0, |at| parts.remove(at).strip_suffix(&ending).unwrap().replace(',', "").parse().unwrap())
    };
    let late = rule.lengths.iter().map(&mut take).collect();
    assert!(parts.is_empty(), "more than there is: {stderr}");
    late
}

/// Fails unless a run that reads all partitions ended well and came to `expected`.
pub fn check(ended: &Ended, rule: &Rule, expected: &Answer, about: &str) {
    assert_eq!(ended.status, Some(0), "{about}: {}", ended.stderr);
    same(&results(&ended.stdout), &expected.results, about);
    assert_eq!(late(&ended.stderr, rule), expected.late, "{about}: {}", ended.stderr);
    let events = ended.stderr.split(" event").next().unwrap().replace(',', "");
    assert_eq!(events.parse(), Ok(expected.events), "{about}: {}", ended.stderr);
}

/// Fails unless the results are the same.
pub fn same(printed: &Results, expected: &Results, about: &str) {
    same_lines(&printed.finals, &expected.finals, about);
    let revised = |results: &Results| results.last_revisions.keys().cloned().collect::<Vec<_>>();
    assert_eq!(revised(printed), revised(expected), "{about}: windows that were revised");
    for (window, rows) in &expected.last_revisions {
        same_lines(&printed.last_revisions[window], rows, about);
    }
}

/// Shows the first difference alone: the texts may be long.
fn same_lines(printed: &str, expected: &str, about: &str) {
    let (mut printed, mut expected) = (printed.lines(), expected.lines());
    for number in 1.. {
        let (printed, expected) = (printed.next(), expected.next());
        assert_eq!(printed, expected, "{about}: row {number}");
        if printed.is_none() {
            return;
        }
    }
}
