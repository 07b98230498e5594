//! Answers about keys.

use std::time::Instant;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use super::answer::{Asked, Reply};
use super::limits::{MOST_ROWS, MOST_STEPS};
use super::media::Media;
use super::peers::with_peers;
use super::refusal::Refusal;
use super::respond::{Verdict, respond};
use super::routes::K;
use super::site::Site;
use super::told::Told;
use crate::query::interval::{between, series};
use crate::query::{Query, merge, show};
use crate::sink::key::key_text;
use crate::sink::{csv, ndjson};

const TOPK: &str = "/v1/topk";
const WINDOWS: &str = "/v1/windows";

/// The k most frequent keys, or those that changed most.
pub(super) fn topk(site: &Site, asked: &Asked) -> Result<Reply, Refusal> {
    let (parameters, began) = (&asked.parameters, Instant::now());
    let (k, keep) = (parameters.number(&K)?, parameters.keep()?);
    let (from, to) = interval(site, asked)?;
    let query = Query { from, to, k: k as usize, keep };
    let mut verdict = Verdict::default();
    let rows = match (parameters.flag("compare")?, parameters.duration("every")?) {
        (true, None) => changes(site, asked, &query, &mut verdict)?,
        (true, Some(_)) => {
            return Err(Refusal::parameter("compare", "this compares two intervals; leave every out"));
        }
        (false, _) => rankings(site, asked, &query, &mut verdict)?,
    };
    respond(site, asked, (from, to), verdict, rows, began)
}

fn rankings(site: &Site, asked: &Asked, query: &Query, verdict: &mut Verdict) -> Result<Vec<u8>, Refusal> {
    let (from, to) = (query.from, query.to);
    let steps = steps(asked, from, to, (MOST_ROWS / query.k.max(1) as i64).clamp(1, MOST_STEPS))?;
    let answer = |(from, to)| {
        asked.deadline.check()?;
        Ok(site.history.top(&Query { from, to, ..query.clone() })?)
    };
    let own = || steps.map(answer).collect::<Result<Vec<_>, Refusal>>();
    let (own, heard) = with_peers(site, asked, TOPK, Some((from, to)), own)?;
    let windows: Vec<_> = own.iter().map(|answer| answer.window).collect();
    let told: Option<Vec<_>> = heard.told.iter().map(|told| told.answers(&windows)).collect();
    let mut rankings = Vec::new();
    for parts in transposed(own, told.ok_or_else(Refusal::out_of_step)?) {
        let mut answer = merge::answers(parts, query.k).ok_or_else(Refusal::broken)?;
        if answer.trust.lacks(&heard.missing) {
            answer.doubt_all();
        }
        verdict.hear(answer.window, answer.state, answer.total, &answer.trust);
        rankings.push(answer.into_ranking());
    }
    let mut rows = Vec::new();
    let written = match asked.media {
        Media::Csv => csv::write_head(&mut rows)
            .and_then(|()| rankings.iter().try_for_each(|ranking| csv::write_rows(ranking, &mut rows))),
        Media::Json | Media::Ndjson => rankings.iter().try_for_each(|ranking| ndjson::write_rows(ranking, &mut rows)),
    };
    written.map(|()| rows).map_err(|_| Refusal::broken())
}

fn changes(site: &Site, asked: &Asked, query: &Query, verdict: &mut Verdict) -> Result<Vec<u8>, Refusal> {
    let own = || Ok(site.history.movers(query)?);
    let (own, heard) = with_peers(site, asked, TOPK, Some((query.from, query.to)), own)?;
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
    let steps = steps(asked, from, to, MOST_STEPS)?;
    let own = || {
        let following = site.history.follow(&asked.key)?;
        let follow = |(from, to)| {
            asked.deadline.check()?;
            Ok(following.during(from, to)?)
        };
        steps.map(follow).collect::<Result<Vec<_>, Refusal>>()
    };
    let path = format!("/v1/key/{}", percent_encode(key_text(&asked.key).as_bytes(), NON_ALPHANUMERIC));
    let (own, heard) = with_peers(site, asked, &path, Some((from, to)), own)?;
    let windows: Vec<_> = own.iter().map(|row| row.window).collect();
    let told: Option<Vec<_>> = heard.told.iter().map(|told| told.followed(&windows)).collect();
    let (mut verdict, mut followed, mut rows) = (Verdict::default(), Vec::new(), Vec::new());
    for parts in transposed(own, told.ok_or_else(Refusal::out_of_step)?) {
        let mut row = merge::followed(parts).ok_or_else(Refusal::broken)?;
        if row.trust.lacks(&heard.missing) {
            row.rank = None;
        }
        verdict.hear(row.window, row.state, row.total, &row.trust);
        followed.push(row);
    }
    show::followed(asked.media.rows(), &asked.key, &followed, &mut rows).map_err(|_| Refusal::broken())?;
    respond(site, asked, (from, to), verdict, rows, began)
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
    let (own, heard) = with_peers(site, &asked.about_windows(), WINDOWS, None, || Ok(site.history.span()?))?;
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
