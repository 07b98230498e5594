//! Answers about keys.

use std::time::Instant;

use hitters_dataflows::ranking::State;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use super::answer::{Asked, Reply};
use super::limits::{LONGEST_URI, MOST_ROWS, MOST_STEPS};
use super::peers::with_peers;
use super::refusal::Refusal;
use super::respond::{Verdict, ranked, respond};
use super::routes::{COUNTS, K};
use super::seen::{Seen, seen};
use super::site::Site;
use super::told::Told;
use crate::query::follow::Followed;
use crate::query::interval::{between, series};
use crate::query::{Query, merge, show};
use crate::sink::key::key_text;

const TOPK: &str = "/v1/topk";
const WINDOWS: &str = "/v1/windows";

/// The k most frequent keys, or those that changed most.
pub(super) fn topk(site: &Site, asked: &Asked) -> Result<Reply, Refusal> {
    let (parameters, began) = (&asked.parameters, Instant::now());
    let (k, keep) = (parameters.number(&K)?, parameters.keep()?);
    let (from, to) = interval(site, asked)?;
    let query = Query { from, to, k: k as usize, keep };
    let (seen, mut verdict) = (seen(site, asked, to)?, Verdict::default());
    let rows = match (parameters.flag("compare")?, parameters.duration("every")?) {
        (true, None) => changes(site, &seen, asked, &query, &mut verdict)?,
        (true, Some(_)) => {
            return Err(Refusal::parameter("compare", "this compares two intervals; leave every out"));
        }
        (false, _) => rankings(site, &seen, asked, &query, &mut verdict)?,
    };
    respond(site, asked, (from, to), verdict, rows, began)
}

fn rankings(site: &Site, seen: &Seen, asked: &Asked, query: &Query, verdict: &mut Verdict) -> Result<Vec<u8>, Refusal> {
    let (from, to) = (query.from, query.to);
    let steps = steps(asked, from, to, (MOST_ROWS / query.k.max(1) as i64).clamp(1, MOST_STEPS))?;
    let answer = |(from, to)| {
        asked.deadline.check()?;
        Ok(seen.history.top(&Query { from, to, ..query.clone() })?)
    };
    let own = || steps.map(answer).collect::<Result<Vec<_>, Refusal>>();
    let (own, heard) = with_peers(site, asked, TOPK, Some((from, to)), seen.cut, own)?;
    let windows: Vec<_> = own.iter().map(|answer| answer.window).collect();
    let told: Option<Vec<_>> = heard.told.iter().map(|told| told.answers(&windows)).collect();
    let mut rankings = Vec::new();
    for parts in transposed(own, told.ok_or_else(Refusal::out_of_step)?) {
        let mut answer = merge::answers(parts, query.k).ok_or_else(Refusal::broken)?;
        if answer.trust.lacks(&heard.missing) {
            answer.doubt_all();
        }
        verdict.hear(answer.window, answer.state, answer.total, &answer.trust);
        if asked.own {
            verdict.bound_others(answer.others);
        }
        rankings.push(answer.into_ranking());
    }
    ranked(asked.media, rankings.iter())
}

fn changes(site: &Site, seen: &Seen, asked: &Asked, query: &Query, verdict: &mut Verdict) -> Result<Vec<u8>, Refusal> {
    let own = || Ok(seen.history.movers(query)?);
    let (own, heard) = with_peers(site, asked, TOPK, Some((query.from, query.to)), seen.cut, own)?;
    let told: Option<Vec<_>> = heard.told.iter().map(|told| told.movers(own.window, own.before)).collect();
    let all = std::iter::once(own).chain(told.ok_or_else(Refusal::out_of_step)?).collect();
    let mut movers = merge::movers(all, query.k).ok_or_else(Refusal::broken)?;
    movers.trust.lacks(&heard.missing);
    verdict.hear(movers.window, movers.state, movers.total, &movers.trust);
    let mut rows = Vec::new();
    show::moved(asked.media.rows(), &movers, &mut rows).map(|()| rows).map_err(|_| Refusal::broken())
}

/// The count and rank of a key.
pub(super) fn key(site: &Site, asked: &Asked) -> Result<Reply, Refusal> {
    let began = Instant::now();
    let (from, to) = interval(site, asked)?;
    let seen = seen(site, asked, to)?;
    let mut steps: Vec<_> = steps(asked, from, to, MOST_STEPS)?.map(|step| (step, None)).collect();
    if let Some(counts) = asked.parameters.counts(COUNTS.name)? {
        if counts.len() != steps.len() {
            return Err(Refusal::parameter(COUNTS.name, format!("give {} of them", steps.len())));
        }
        steps.iter_mut().zip(counts).for_each(|((_, as_if), count)| *as_if = Some(count));
    }
    let (mut verdict, mut followed, mut rows) = (Verdict::default(), Vec::new(), Vec::new());
    let (heard, missing) = follow(site, &seen, asked, &steps)?;
    let is_shared = heard.first().is_some_and(|parts| parts.len() > 1);
    for parts in heard {
        let mut row = merge::followed(parts).ok_or_else(Refusal::broken)?;
        row.trust.lacks(&missing);
        verdict.hear(row.window, row.state, row.total, &row.trust);
        followed.push(row);
    }
    if !missing.is_empty() {
        followed.iter_mut().for_each(|row| row.rank = None);
    } else if is_shared {
        rank(site, &seen, asked, &mut followed)?;
    }
    show::followed(asked.media.rows(), &asked.key, &followed, &mut rows).map_err(|_| Refusal::broken())?;
    respond(site, asked, (from, to), verdict, rows, began)
}

/// An interval, and what the key counts in it, if that is told.
type Step = ((i64, i64), Option<u64>);

/// What each process says of a key in some intervals that follow each other, and what is missing.
fn follow(
    site: &Site,
    seen: &Seen,
    asked: &Asked,
    steps: &[Step],
) -> Result<(Vec<Vec<Followed>>, Vec<String>), Refusal> {
    let own = || {
        let following = seen.history.follow(&asked.key)?;
        let follow = |&((from, to), as_if): &Step| {
            asked.deadline.check()?;
            Ok(following.ranked_as(from, to, as_if)?)
        };
        steps.iter().map(follow).collect::<Result<Vec<_>, Refusal>>()
    };
    let all = steps.first().zip(steps.last()).map(|(((from, _), _), ((_, to), _))| (*from, *to));
    let (own, heard) = with_peers(site, asked, &path(&asked.key), all, seen.cut, own)?;
    let windows: Vec<_> = own.iter().map(|row| row.window).collect();
    let told: Option<Vec<_>> = heard.told.iter().map(|told| told.followed(&windows)).collect();
    Ok((transposed(own, told.ok_or_else(Refusal::out_of_step)?).collect(), heard.missing))
}

/// Ranks a key that counts what `rows` say: every process is asked how many of its keys are ahead.
fn rank(site: &Site, seen: &Seen, asked: &Asked, rows: &mut [Followed]) -> Result<(), Refusal> {
    // As many at a time as have room in a URL.
    const LONGEST: usize = u64::MAX.ilog10() as usize + 4;
    const REST: usize = 512;
    let together = (LONGEST_URI.saturating_sub(path(&asked.key).len() + REST) / LONGEST).max(1);
    let is_ranked = |row: &Followed| row.state != State::Early && row.count.count > 0;
    for rows in rows.chunk_by_mut(|a, b| is_ranked(a) == is_ranked(b)).filter(|rows| is_ranked(&rows[0])) {
        for rows in rows.chunks_mut(together) {
            let counts: Vec<u64> = rows.iter().map(|row| row.count.count).collect();
            let steps: Vec<Step> =
                rows.iter().map(|row| ((row.window.start, row.window.end), Some(row.count.count))).collect();
            let asked = asked.with(asked.parameters.with_counts(&counts));
            let (heard, missing) = follow(site, seen, &asked, &steps)?;
            for (row, parts) in rows.iter_mut().zip(heard) {
                row.rank = merge::rank(&parts, row.count).filter(|_| missing.is_empty());
            }
        }
    }
    Ok(())
}

fn path(key: &[u8]) -> String {
    format!("/v1/key/{}", percent_encode(key_text(key).as_bytes(), NON_ALPHANUMERIC))
}

/// For each interval what this process and every other says of it.
fn transposed<T>(own: Vec<T>, told: Vec<Vec<T>>) -> impl Iterator<Item = Vec<T>> {
    let mut told: Vec<_> = told.into_iter().map(Vec::into_iter).collect();
    own.into_iter().map(move |own| std::iter::once(own).chain(told.iter_mut().filter_map(Iterator::next)).collect())
}

/// The interval that is asked for, or else all that there is.
pub(super) fn interval(site: &Site, asked: &Asked) -> Result<(i64, i64), Refusal> {
    let (from, to) = (asked.parameters.time("start", asked.now)?, asked.parameters.time("end", asked.now)?);
    let all = match (from, to) {
        (Some(_), Some(_)) => None,
        _ => span(site, asked)?,
    };
    Ok(between(from, to, all)?)
}

/// From the first to the last moment that anybody knows of.
fn span(site: &Site, asked: &Asked) -> Result<Option<(i64, i64)>, Refusal> {
    let (own, heard) = with_peers(site, &asked.about_windows(), WINDOWS, None, None, || Ok(site.history.span()?))?;
    let spans = heard.told.iter().filter_map(Told::span).chain(own);
    Ok(spans.reduce(|(a, b), (c, d)| (a.min(c), b.max(d))))
}

fn steps(asked: &Asked, from: i64, to: i64, most: i64) -> Result<impl Iterator<Item = (i64, i64)> + use<>, Refusal> {
    let every = asked.parameters.duration("every")?;
    series(from, to, every, most + 1).ok_or_else(|| {
        let why = format!("that makes more than {most} answers; give a longer one, a shorter interval or a smaller k");
        Refusal::parameter("every", why)
    })
}
