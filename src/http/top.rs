//! Answers about keys.

use std::time::Instant;

use super::answer::{Asked, Reply};
use super::limits::{MOST_ROWS, MOST_STEPS};
use super::refusal::Refusal;
use super::respond::{Verdict, respond};
use super::routes::K;
use super::site::Site;
use crate::query::Query;
use crate::query::interval::{between, series};
use crate::query::show;
use crate::sink::{csv, ndjson};

use super::media::Media;

/// The k most frequent keys, or those that changed most.
pub(super) fn topk(site: &Site, asked: &Asked) -> Result<Reply, Refusal> {
    let began = Instant::now();
    let parameters = &asked.parameters;
    let (k, keep) = (parameters.number(&K)?, parameters.keep()?);
    let (from, to) = interval(site, asked)?;
    let query = |from, to| Query { from, to, k: k as usize, keep: keep.clone() };
    let (mut verdict, mut rows) = (Verdict::default(), Vec::new());
    if parameters.flag("compare")? {
        if parameters.duration("every")?.is_some() {
            return Err(Refusal::parameter("compare", "this compares two intervals; leave every out"));
        }
        let movers = site.history.movers(&query(from, to))?;
        verdict.hear(movers.window, movers.state, movers.total, &movers.trust);
        show::moved(asked.media.rows(), &movers, &mut rows).map_err(|_| Refusal::broken())?;
    } else {
        let steps = steps(asked, from, to, (MOST_ROWS / k.max(1) as i64).clamp(1, MOST_STEPS))?;
        let mut rankings = Vec::new();
        for (from, to) in steps {
            asked.deadline.check()?;
            let answer = site.history.top(&query(from, to))?;
            verdict.hear(answer.window, answer.state, answer.total, &answer.trust);
            rankings.push(answer.into_ranking());
        }
        let written = match asked.media {
            Media::Csv => csv::write_head(&mut rows)
                .and_then(|()| rankings.iter().try_for_each(|r| csv::write_rows(r, &mut rows))),
            Media::Json | Media::Ndjson => {
                rankings.iter().try_for_each(|ranking| ndjson::write_rows(ranking, &mut rows))
            }
        };
        written.map_err(|_| Refusal::broken())?;
    }
    respond(site, asked, (from, to), verdict, rows, began)
}

/// The count and rank of a key.
pub(super) fn key(site: &Site, asked: &Asked) -> Result<Reply, Refusal> {
    let began = Instant::now();
    let (from, to) = interval(site, asked)?;
    let steps = steps(asked, from, to, MOST_STEPS)?;
    let following = site.history.follow(&asked.key)?;
    let (mut verdict, mut followed, mut rows) = (Verdict::default(), Vec::new(), Vec::new());
    for (from, to) in steps {
        asked.deadline.check()?;
        let row = following.during(from, to)?;
        verdict.hear(row.window, row.state, row.total, &row.trust);
        followed.push(row);
    }
    show::followed(asked.media.rows(), &asked.key, &followed, &mut rows).map_err(|_| Refusal::broken())?;
    respond(site, asked, (from, to), verdict, rows, began)
}

/// The interval that is asked for, or else all that there is.
pub(super) fn interval(site: &Site, asked: &Asked) -> Result<(i64, i64), Refusal> {
    let (from, to) = (asked.parameters.time("start", asked.now)?, asked.parameters.time("end", asked.now)?);
    Ok(between(from, to, site.history.span()?)?)
}

fn steps(asked: &Asked, from: i64, to: i64, most: i64) -> Result<impl Iterator<Item = (i64, i64)>, Refusal> {
    let every = asked.parameters.duration("every")?;
    series(from, to, every, most + 1).ok_or_else(|| {
        let why = format!("that makes more than {most} answers; give a longer one, a shorter interval or a smaller k");
        Refusal::parameter("every", why)
    })
}
