//! From bytes to events: [`source`] reads blocks of whole records, [`format`](mod@format) turns them into [`event`]s, [`time`] reads times, and [`feed`] hands each worker of a process its next block together with the
//! highest event time before it.
//!
//! Nothing here knows windows, workers of other processes, or timely.

pub mod event;
pub mod feed;
pub mod format;
mod scan;
pub mod source;
pub mod time;
