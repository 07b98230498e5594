//! What a server serves.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::access::Access;
use super::limits::Limits;
use super::metrics::Metrics;
use super::peers::Peers;
use crate::query::history::History;

/// A history and who may ask about it, how much.
pub struct Site {
    /// What is asked about.
    pub history: History,
    pub(super) access: Access,
    pub(super) limits: Limits,
    pub(super) metrics: Metrics,
    /// The other processes of a cluster, if there are any.
    pub(super) peers: Option<Peers>,
    /// One permit for each question that may be worked on.
    pub(super) running: Arc<Semaphore>,
    /// The same for questions of peers: these wait for nobody else, so processes that ask each other get on.
    pub(super) running_for_peers: Arc<Semaphore>,
}

impl Site {
    /// A site with no requests so far.
    pub fn new(history: History, access: Access, limits: Limits) -> Self {
        let [running, running_for_peers] = [(); 2].map(|()| Arc::new(Semaphore::new(limits.running)));
        Site { history, access, limits, metrics: Metrics::new(), peers: None, running, running_for_peers }
    }

    /// Asks these too.
    pub fn with_peers(self, peers: Peers) -> Self {
        Site { peers: Some(peers), ..self }
    }
}
