//! Answers of stores that hold different keys, put together.
//!
//! Every key is in one store with its whole count, so the best of all are among the best of each: n sorted lists are merged,
//! totals are added, and nothing else is to be known. A key's rank is one more than the number of keys ahead of it in each.

use std::cmp::Reverse;

use hitters_dataflows::ranking::Estimate;

use super::answer::{Answer, Trust};
use super::combine::{cut, is_above, sum};
use super::follow::Followed;
use super::movers::Movers;

/// The `k` best of some answers about one interval; `None` without any.
pub fn answers(parts: Vec<Answer>, k: usize) -> Option<Answer> {
    parts.into_iter().reduce(|mut all, part| {
        all.rows.extend(part.rows);
        all.others = all.others.max(part.others).max(cut(&mut all.rows, k));
        all.total += part.total;
        all.state = all.state.with(part.state);
        all.confidence = all.confidence.min(part.confidence);
        trust(&mut all.trust, part.trust);
        if !all.trust.exact {
            let others = all.others;
            all.rows.iter_mut().for_each(|row| row.certified &= is_above(row, others));
        }
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

/// One key by all who may have counted it; `None` without any. Its rank among all keys takes another question to each: see
/// [`rank`].
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

/// The rank of a key among the keys of all, each of whom says how many of its own count more than that key's `count`; `None`
/// when one does not know, or the count has changed since.
pub fn rank(parts: &[Followed], count: Estimate) -> Option<u64> {
    let same = sum(parts.iter().map(|part| part.count)) == count;
    let ahead = parts.iter().map(|part| part.rank.map(|rank| rank - 1)).sum::<Option<u64>>();
    ahead.filter(|_| same && count.count > 0).map(|ahead| ahead + 1)
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
