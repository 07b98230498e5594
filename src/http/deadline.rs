//! When work on a question is in vain.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::refusal::Refusal;

/// The end of the time for a question, or of the wish for an answer.
pub(super) struct Deadline {
    at: Instant,
    given_up: AtomicBool,
}

/// Gives up on the answer when it goes out of scope, as when the client has gone.
pub(super) struct Waiting(Arc<Deadline>);

impl Deadline {
    pub(super) fn after(time: Duration) -> Arc<Self> {
        Arc::new(Deadline { at: Instant::now() + time, given_up: AtomicBool::new(false) })
    }

    /// Refuses when time is up, or nobody waits any more. To be asked between the steps of long work.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.given_up.load(Relaxed) || Instant::now() >= self.at { Err(Refusal::too_slow()) } else { Ok(()) }
    }

    pub(super) fn waiting(self: &Arc<Self>) -> Waiting {
        Waiting(self.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.given_up.store(true, Relaxed);
    }
}
