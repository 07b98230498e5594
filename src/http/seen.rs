//! Where an answer looks: in stores, and in a running cluster beyond what all its processes have stored.
//!
//! A window that closed is stored by each process in its own time, and what is known of windows that are open is known to the
//! first process alone. So whoever is asked first settles with all a moment by which every window that ended is stored
//! everywhere. From there on every process takes the rankings of the first one, for the keys that are its own.

use std::sync::Arc;

use hitters_dataflows::ranking::Window;
use serde::Serialize;

use super::answer::{Asked, Reply};
use super::media::Media;
use super::peers::Holder;
use super::refusal::Refusal;
use super::respond::{Interval, object, part, ranked};
use super::site::Site;
use crate::query::history::{Beyond, History};
use crate::query::live::{Known, Knows, Live};
use crate::store::part::Part;

/// What peers of a running cluster ask each other.
const LIVE: &str = "/v1/live";

/// What there is to ask about, and up to when stores are asked in a running cluster.
pub(super) struct Seen {
    pub(super) history: History,
    pub(super) cut: Option<i64>,
}

impl Seen {
    /// As the stores have it.
    pub(super) fn stored(site: &Site) -> Self {
        Seen { history: site.history.clone(), cut: None }
    }
}

/// What there is to ask about an interval that ends at `to`.
///
/// # Errors
/// When the store cannot be read, or a parameter not be understood.
pub(super) fn seen(site: &Site, asked: &Asked, to: i64) -> Result<Seen, Refusal> {
    let (part, settled) = (site.history.part()?, asked.parameters.millis("cut")?);
    let Some(live) = site.history.live().filter(|_| !part.is_whole()) else { return Ok(Seen::stored(site)) };
    let own = site.history.complete_until()?;
    let cut = match settled {
        Some(settled) => settled,
        None if asked.own => own,
        None => complete_everywhere(site, &part, own),
    };
    let beyond = if to <= cut { nothing(cut) } else { rankings(site, live, &part, cut, to) };
    Ok(Seen { history: site.history.clone().with_beyond(beyond), cut: Some(cut) })
}

/// All windows that end by then are stored in all processes that can be asked.
fn complete_everywhere(site: &Site, part: &Part, own: i64) -> i64 {
    let Some(peers) = &site.peers else { return own };
    let heard = peers.hear(part, &format!("{LIVE}?own=true"));
    heard.told.iter().filter_map(|told| told.complete_until_ms).fold(own, i64::min)
}

/// The rankings of windows that are not stored everywhere, from the process that has them.
fn rankings(site: &Site, live: &Live, part: &Part, cut: i64, to: i64) -> Beyond {
    if part.number == 0 {
        return Beyond { from: cut, known: live.known(), knows: live.knows() };
    }
    let Some(peers) = &site.peers else { return nothing(cut) };
    let heard = peers.hear(part, &format!("{LIVE}?own=true&after={cut}&before={to}"));
    let from_first = heard.told.into_iter().find(|told| told.part.as_ref().is_some_and(Holder::is_first));
    match from_first.and_then(|told| told.known()) {
        Some((known, knows)) => Beyond { from: cut, known: Arc::new(known), knows },
        None => nothing(cut),
    }
}

fn nothing(cut: i64) -> Beyond {
    Beyond { from: cut, known: Arc::new(Known::of([], None, None)), knows: Knows::Elsewhere }
}

#[derive(Serialize)]
struct Head {
    part: Option<Holder>,
    complete_until_ms: i64,
    knows: Option<Knows>,
    settled_ms: Option<i64>,
    lost_ms: Option<i64>,
    intervals: Vec<Interval>,
}

/// Until when all windows are stored here, and the rankings of those that end after a moment, when that is given.
pub(super) fn live(site: &Site, asked: &Asked) -> Result<Reply, Refusal> {
    let (after, before) = (asked.parameters.millis("after")?, asked.parameters.millis("before")?);
    let known = site.history.live().map(|live| (live.known(), live.knows()));
    let wanted = |window: Window| {
        after.is_some_and(|after| window.end > after) && before.is_none_or(|before| window.start < before)
    };
    let rankings = || known.iter().flat_map(|(known, _)| known.rankings()).filter(|ranking| wanted(ranking.window));
    let rows = ranked(asked.media, rankings())?;
    if asked.media != Media::Json {
        return Ok(Reply::rows(asked.media, rows, None));
    }
    let head = Head {
        part: part(site)?,
        complete_until_ms: site.history.complete_until()?,
        knows: known.as_ref().map(|(_, knows)| *knows),
        settled_ms: known.as_ref().and_then(|(known, _)| known.settled()),
        lost_ms: known.as_ref().and_then(|(known, _)| known.lost()),
        intervals: rankings().map(Interval::of).collect(),
    };
    Ok(Reply::rows(Media::Json, object(&head, &rows)?, None))
}
