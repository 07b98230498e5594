//! Answers of stores that hold different keys, put together.
//!
//! Every key is in one store with its whole count, so the best of all are among the best of each: n sorted lists are merged,
//! totals are added, and nothing else is to be known.

use std::cmp::Reverse;

use hitters_dataflows::ranking::Row;

use super::answer::{Answer, Trust};
use super::combine::sum;
use super::follow::Followed;
use super::movers::Movers;

/// The `k` best of some answers about one interval; `None` without any.
pub fn answers(parts: Vec<Answer>, k: usize) -> Option<Answer> {
    parts.into_iter().reduce(|mut all, part| {
        all.rows.extend(part.rows);
        all.rows.sort_unstable_by(Row::by_rank);
        all.rows.truncate(k);
        all.total += part.total;
        all.state = all.state.with(part.state);
        all.confidence = all.confidence.min(part.confidence);
        trust(&mut all.trust, part.trust);
        all
    })
}

/// The `k` greatest changes of some answers about the same two intervals; `None` without any.
pub fn movers(parts: Vec<Movers>, k: usize) -> Option<Movers> {
    parts.into_iter().reduce(|mut all, part| {
        all.rows.extend(part.rows);
        all.rows.sort_unstable_by(|a, b| {
            let by_change = Reverse(a.change().unsigned_abs()).cmp(&Reverse(b.change().unsigned_abs()));
            by_change.then_with(|| a.key.cmp(&b.key))
        });
        all.rows.truncate(k);
        all.total += part.total;
        all.state = all.state.with(part.state);
        trust(&mut all.trust, part.trust);
        all
    })
}

/// One key by all who may have counted it; `None` without any. Its rank among all keys is not known to any of them.
pub fn followed(parts: Vec<Followed>) -> Option<Followed> {
    parts.into_iter().reduce(|mut all, part| {
        all.count = sum([all.count, part.count].into_iter());
        all.rank = None;
        all.total += part.total;
        all.state = all.state.with(part.state);
        trust(&mut all.trust, part.trust);
        all
    })
}

fn trust(all: &mut Trust, part: Trust) {
    all.exact &= part.exact;
    for (all, part) in [(&mut all.missing, part.missing), (&mut all.damaged, part.damaged)] {
        for sentence in part {
            if !all.contains(&sentence) {
                all.push(sentence);
            }
        }
    }
}
