//! What a server serves.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::access::Access;
use super::limits::Limits;
use super::metrics::Metrics;
use crate::query::history::History;

/// A history and who may ask about it, how much.
pub struct Site {
    /// What is asked about.
    pub history: History,
    pub(super) access: Access,
    pub(super) limits: Limits,
    pub(super) metrics: Metrics,
    /// One permit for each question that may be worked on.
    pub(super) running: Arc<Semaphore>,
}

impl Site {
    /// A site with no requests so far.
    pub fn new(history: History, access: Access, limits: Limits) -> Self {
        let running = Arc::new(Semaphore::new(limits.running));
        Site { history, access, limits, metrics: Metrics::new(), running }
    }
}
