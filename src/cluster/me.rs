//! This process, as all of its threads see it.

use std::{
    io::Write,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use super::{ClusterError, ClusterSettings, Hello, Peer, Secret, hello::Run};

/// Warnings shown at most: a port scan must not flood the terminal.
const MOST_WARNINGS: usize = 20;

#[derive(Debug)]
pub(super) struct Me {
    pub settings: ClusterSettings,
    pub hello: Hello,
    /// The run, in process 0, which mints it.
    pub run: Option<Run>,
    done: AtomicBool,
    warnings: AtomicUsize,
}

impl Me {
    pub(super) fn new(settings: &ClusterSettings, hello: &Hello) -> Result<Self, ClusterError> {
        let run = if settings.process == 0 { Some(Run::mint()?) } else { None };
        Ok(Me::with(settings.clone(), hello.clone(), run))
    }

    fn with(settings: ClusterSettings, hello: Hello, run: Option<Run>) -> Self {
        Me { settings, hello, run, done: AtomicBool::new(false), warnings: AtomicUsize::new(0) }
    }

    /// As this, for talks that may take no longer than the grace.
    pub(super) fn in_haste(&self) -> Self {
        let reply = self.settings.reply.min(self.settings.grace);
        Me::with(ClusterSettings { reply, ..self.settings.clone() }, self.hello.clone(), self.run)
    }

    pub(super) fn secret(&self) -> Option<&Secret> {
        self.settings.secret.as_ref()
    }

    pub(super) fn peer(&self, process: usize) -> Peer {
        let address = self.settings.addresses.get(process).cloned();
        Peer { process, address: address.unwrap_or_else(|| "at no known address".into()) }
    }

    /// Whether the joining is over, one way or the other: all threads end.
    pub(super) fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    pub(super) fn finish(&self) {
        self.done.store(true, Ordering::Release);
    }
}

/// Writes one line to standard error, while the joining goes on and the line is one of the first.
pub(super) fn warn(me: &Me, text: &str) {
    if !me.is_done() && me.warnings.fetch_add(1, Ordering::Relaxed) < MOST_WARNINGS {
        // With nobody to read it, a warning is not worth failing for.
        let _ = writeln!(std::io::stderr(), "hitters: {text}");
    }
}
