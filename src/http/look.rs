//! Answers about what there is.

use std::collections::BTreeMap;

use hitters_dataflows::ranking::{State, Window};
use serde::Serialize;

use super::answer::{Asked, Reply};
use super::media::Media;
use super::openapi;
use super::peers::{Holder, with_peers};
use super::refusal::Refusal;
use super::respond::{object, part};
use super::routes::LIMIT;
use super::seen::seen;
use super::site::Site;
use super::told::Told;
use crate::query::live::Known;
use crate::query::show::{self, Kept};
use crate::sink::time::Rfc3339;
use crate::store::catalog::Catalog;
use crate::store::level::length_text;

/// The type of the text that Prometheus reads.
pub(super) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The page: one file, nothing from elsewhere.
const PAGE: &str = include_str!("page.html");

#[derive(Serialize)]
struct Windows {
    level: Option<String>,
    levels: Vec<Level>,
    stored_from: Option<String>,
    stored_until: Option<String>,
    known_from: Option<String>,
    known_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<Holder>,
    partial: bool,
    missing: Vec<String>,
}

#[derive(Serialize)]
struct Level {
    level: String,
    windows: usize,
    first: Option<String>,
    last: Option<String>,
}

/// The latest windows of a length in an interval: those that are stored, and those of a running job that are not.
pub(super) fn windows(site: &Site, asked: &Asked) -> Result<Reply, Refusal> {
    let parameters = &asked.parameters;
    let limit = parameters.number(&LIMIT)? as usize;
    let from = parameters.time("start", asked.now)?.unwrap_or(i64::MIN);
    let to = parameters.time("end", asked.now)?.unwrap_or(i64::MAX);
    let seen = seen(site, asked, to)?;
    let known = seen.history.known();
    let catalog = site.history.catalog()?;
    let levels: Vec<(i64, Option<usize>)> = match (&catalog, &known) {
        (Some(catalog), _) => (0..catalog.levels().count()).map(|l| (catalog.levels().length(l), Some(l))).collect(),
        (None, Some((_, length))) => vec![(*length, None)],
        (None, None) => Vec::new(),
    };
    let level = match parameters.word("level")? {
        None => levels.first().copied(),
        Some(name) => {
            Some(levels.iter().copied().find(|(length, _)| length_text(*length) == name).ok_or_else(|| {
                let names: Vec<String> = levels.iter().map(|(length, _)| length_text(*length)).collect();
                Refusal::parameter("level", format!("there is no \"{name}\"; choose one of: {}", names.join(" ")))
            })?)
        }
    };
    let own = || {
        let rows = match level {
            Some((length, level)) => {
                let stored = catalog.as_deref().zip(level);
                latest(stored, known.as_ref().map(|(known, _)| known.as_ref()), seen.cut, length, (from, to), limit)
            }
            None => Vec::new(),
        };
        Ok(rows)
    };
    let whole_time = (from, to) == (i64::MIN, i64::MAX);
    let (own, heard) = with_peers(site, asked, "/v1/windows", (!whole_time).then_some((from, to)), seen.cut, own)?;
    let rows = together(own, &heard.told, limit);
    let mut text = Vec::new();
    show::windows(asked.media.rows(), &rows, &mut text).map_err(|_| Refusal::broken())?;
    if asked.media != Media::Json {
        return Ok(Reply::rows(asked.media, text, None));
    }
    let (known_from, known_until) = site.history.span()?.unzip();
    let time = |time: i64| Rfc3339(time).to_string();
    let head = Windows {
        level: level.map(|(length, _)| length_text(length)),
        levels: catalog.as_deref().map(stored_levels).unwrap_or_default(),
        stored_from: catalog.as_deref().and_then(Catalog::span).map(|(start, _)| time(start)),
        stored_until: site.history.stored_until()?.map(time),
        known_from: known_from.map(time),
        known_until: known_until.map(time),
        part: part(site)?,
        partial: !heard.missing.is_empty(),
        missing: heard.missing,
    };
    Ok(Reply::rows(Media::Json, object(&head, &text)?, None))
}

/// The latest windows of a length that are stored, and those that a running job knows beside them: in a cluster, of those that
/// end by `cut` the stored ones, and of the others those that are known.
fn latest(
    stored: Option<(&Catalog, usize)>,
    known: Option<&Known>,
    cut: Option<i64>,
    length: i64,
    (from, to): (i64, i64),
    limit: usize,
) -> Vec<Kept> {
    let mut rows = Vec::new();
    let is_stored = |window: Window| match cut {
        Some(cut) => window.end <= cut,
        None => stored.is_some_and(|(catalog, level)| catalog.window(level, window.start).is_some()),
    };
    if let Some(known) = known {
        let here = |w: Window| w.start < to && w.end > from && !is_stored(w);
        let not_stored = known.of_length(length).rev().filter(|ranking| here(ranking.window)).take(limit);
        rows.extend(not_stored.map(|r| Kept { window: r.window, state: r.state, keys: None, total: r.total }));
    }
    if let Some((catalog, level)) = stored {
        let end = |start: i64| start.saturating_add(length);
        let within = catalog.windows(level, catalog.levels().start(level, from)..to).rev();
        let shown = |end: i64| end > from && cut.is_none_or(|cut| end <= cut);
        rows.extend(within.filter(|record| shown(end(record.start))).take(limit).map(|record| Kept {
            window: Window { start: record.start, end: end(record.start) },
            state: State::closed(record.revised),
            keys: Some(record.keys.into()),
            total: record.total,
        }));
    }
    rows.sort_by_key(|row| row.window);
    rows.drain(..rows.len().saturating_sub(limit));
    rows
}

/// The latest windows of all processes: a window has the keys of all of them.
fn together(own: Vec<Kept>, told: &[Told], limit: usize) -> Vec<Kept> {
    let mut windows = BTreeMap::<Window, Kept>::new();
    let mut whole_from = None;
    for list in std::iter::once(own).chain(told.iter().map(|told| told.windows().collect())) {
        // Before its first window, a list that is full says nothing.
        if let Some(first) = list.first().filter(|_| list.len() == limit) {
            whole_from = whole_from.max(Some(first.window));
        }
        for row in list {
            let all = windows.entry(row.window).or_insert(Kept { keys: Some(0), total: 0, ..row });
            all.keys = all.keys.zip(row.keys).map(|(a, b)| a + b);
            all.total += row.total;
            all.state = all.state.max(row.state);
        }
    }
    let mut rows: Vec<Kept> =
        windows.into_values().filter(|row| whole_from.is_none_or(|from| row.window >= from)).collect();
    rows.drain(..rows.len().saturating_sub(limit));
    rows
}

fn stored_levels(catalog: &Catalog) -> Vec<Level> {
    let time = |time: i64| Rfc3339(time).to_string();
    let level = |level: usize| Level {
        level: catalog.levels().name(level),
        windows: catalog.count(level),
        first: catalog.all(level).next().map(|window| time(window.start)),
        last: catalog.all(level).next_back().map(|window| time(window.start)),
    };
    (0..catalog.levels().count()).map(level).collect()
}

/// Whether answers can be given.
pub(super) fn health(site: &Site, _: &Asked) -> Result<Reply, Refusal> {
    site.history.catalog()?;
    Ok(Reply::new("application/json", r#"{"status":"ok"}"#))
}

/// Counters for Prometheus.
pub(super) fn metrics(site: &Site, _: &Asked) -> Result<Reply, Refusal> {
    let text = site.metrics.text(&site.history, site.limits.running - site.running.available_permits())?;
    Ok(Reply::new(OPEN_METRICS, text))
}

/// The description of all routes.
pub(super) fn openapi(_: &Site, _: &Asked) -> Result<Reply, Refusal> {
    Ok(Reply::new("application/json", openapi::document().to_string()))
}

/// A page for people.
pub(super) fn page(_: &Site, _: &Asked) -> Result<Reply, Refusal> {
    Ok(Reply::new("text/html; charset=utf-8", PAGE))
}
