//! From rows to an answer in the form that was asked for.

use std::time::Instant;

use hitters_dataflows::ranking::{Ranking, State, Window};
use serde::Serialize;

use super::answer::{Asked, Reply};
use super::media::Media;
use super::peers::Holder;
use super::refusal::Refusal;
use super::site::Site;
use crate::query::answer::Trust;
use crate::sink::time::Rfc3339;
use crate::sink::{csv, ndjson};

/// The most sentences about what is missing, or damaged.
const MOST_SAID: usize = 100;

/// What is known of some answers together.
#[derive(Default)]
pub(super) struct Verdict {
    intervals: Vec<Interval>,
    missing: Vec<String>,
    damaged: Vec<String>,
}

/// What is known of an interval as a whole.
#[derive(Serialize)]
pub(super) struct Interval {
    window_start: String,
    window_end: String,
    state: &'static str,
    total: u128,
    exact: bool,
    /// For peers: no key without a row counts more.
    #[serde(skip_serializing_if = "Option::is_none")]
    others: Option<u64>,
}

impl Interval {
    fn new(window: Window, state: State, total: u128, exact: bool) -> Self {
        let [window_start, window_end] = [window.start, window.end].map(|time| Rfc3339(time).to_string());
        Interval { window_start, window_end, state: state.name(), total, exact, others: None }
    }

    /// The window of a ranking.
    pub(super) fn of(ranking: &Ranking) -> Self {
        Interval::new(ranking.window, ranking.state, ranking.total, false)
    }
}

#[derive(Serialize)]
struct Head<'a> {
    start: String,
    end: String,
    exact: bool,
    partial: bool,
    missing: &'a [String],
    damaged: &'a [String],
    stored_until: Option<String>,
    open_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<Holder>,
    elapsed_ms: f64,
    intervals: &'a [Interval],
}

impl Verdict {
    /// Takes in an answer.
    pub(super) fn hear(&mut self, window: Window, state: State, total: u128, trust: &Trust) {
        self.intervals.push(Interval::new(window, state, total, trust.exact));
        for (said, heard) in [(&mut self.missing, &trust.missing), (&mut self.damaged, &trust.damaged)] {
            for sentence in heard {
                if said.len() < MOST_SAID && !said.contains(sentence) {
                    said.push(sentence.clone());
                }
            }
        }
    }

    /// Tells peers that no key without a row of the last answer counts more than this.
    pub(super) fn bound_others(&mut self, others: u64) {
        if let Some(last) = self.intervals.last_mut() {
            last.others = Some(others);
        }
    }
}

/// The rows of rankings, as a media has them.
pub(super) fn ranked<'a>(media: Media, mut rankings: impl Iterator<Item = &'a Ranking>) -> Result<Vec<u8>, Refusal> {
    let mut rows = Vec::new();
    let written = match media {
        Media::Csv => csv::write_head(&mut rows)
            .and_then(|()| rankings.try_for_each(|ranking| csv::write_rows(ranking, &mut rows))),
        Media::Json | Media::Ndjson => rankings.try_for_each(|ranking| ndjson::write_rows(ranking, &mut rows)),
    };
    written.map(|()| rows).map_err(|_| Refusal::broken())
}

/// An answer of rows that the output of the media wrote: bare, or in an object that says what is known of them.
pub(super) fn respond(
    site: &Site,
    asked: &Asked,
    (from, to): (i64, i64),
    verdict: Verdict,
    rows: Vec<u8>,
    began: Instant,
) -> Result<Reply, Refusal> {
    let exact = verdict.intervals.iter().all(|interval| interval.exact);
    let partial = !verdict.missing.is_empty();
    if asked.media != Media::Json {
        return Ok(Reply::rows(asked.media, rows, Some((exact, partial))));
    }
    let time = |time: i64| Rfc3339(time).to_string();
    let head = Head {
        start: time(from),
        end: time(to),
        exact,
        partial,
        missing: &verdict.missing,
        damaged: &verdict.damaged,
        stored_until: site.history.stored_until()?.map(time),
        open_from: site.history.open_from()?.map(time),
        part: part(site)?,
        elapsed_ms: (began.elapsed().as_secs_f64() * 1e6).round() / 1e3,
        intervals: &verdict.intervals,
    };
    Ok(Reply::rows(Media::Json, object(&head, &rows)?, Some((exact, partial))))
}

/// Which keys are held here, if not all.
pub(super) fn part(site: &Site) -> Result<Option<Holder>, Refusal> {
    let catalog = site.history.catalog()?;
    Ok(catalog.map(|catalog| *catalog.part()).filter(|part| !part.is_whole()).map(|part| Holder::from(&part)))
}

/// An object with the fields of `head`, and rows, which are objects a line.
pub(super) fn object(head: &impl Serialize, rows: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut body = serde_json::to_vec(head).map_err(|_| Refusal::broken())?;
    body.reserve(rows.len() + 16);
    body.truncate(body.len().saturating_sub(1));
    body.extend_from_slice(b",\"rows\":[");
    let rows = rows.strip_suffix(b"\n").unwrap_or(rows);
    body.extend(rows.iter().map(|&byte| if byte == b'\n' { b',' } else { byte }));
    body.extend_from_slice(b"]}");
    Ok(body)
}
