//! Starts the workers of this process, alone or as part of a cluster.

use std::net::TcpStream;

use timely::WorkerConfig;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::communication::{Config as Communication, Hooks};
pub use timely::worker::Worker;

/// The workers of this process and their way to the others.
pub enum Start {
    /// One process with this many workers.
    Alone(usize),
    /// As [`Start::Alone`], with everything between workers written to bytes and read back, as between processes.
    Bytes(usize),
    /// One of several processes.
    Cluster {
        /// How many workers there are in each process.
        workers: usize,
        /// Which of the processes this is.
        process: usize,
        /// A connection to every other process, by number, and `None` for this one. Both ends are known to each other.
        sockets: Vec<Option<TcpStream>>,
    },
}

/// Runs `work` on every worker of this process and returns when all are done.
///
/// # Errors
/// What stopped the workers from being started, or the first that one of them died of.
///
/// # Panics
/// When a connection breaks, threads called `timely:…` panic; see [`lost_process`] for telling what that means.
pub fn start(start: Start, work: impl Fn(&mut Worker) + Send + Sync + 'static) -> Result<(), String> {
    let guards = match start {
        Start::Alone(1) => timely::execute(timely::Config::thread(), work)?,
        Start::Alone(workers) => timely::execute(timely::Config::process(workers), work)?,
        Start::Bytes(workers) => {
            let config = timely::Config {
                communication: Communication::ProcessBinary(workers),
                worker: WorkerConfig::default(),
            };
            timely::execute(config, work)?
        }
        Start::Cluster { workers, process, sockets } => {
            let hooks = Hooks::default();
            let local = ProcessBuilder::new_typed_vector(workers, hooks.refill.clone(), hooks.spill.clone());
            let (remote, guard) = initialize_networking_from_sockets(local, sockets, process, workers, hooks)
                .map_err(|e| e.to_string())?;
            let builders = remote.into_iter().map(AllocatorBuilder::Tcp).collect();
            timely::execute::execute_from(builders, Box::new(guard), WorkerConfig::default(), work)?
        }
    };
    guards.join().into_iter().collect()
}

/// What the panic of a thread says of the cluster: `Some(Some(process))` when the connection to that process broke,
/// `Some(None)` when it is an echo of a broken connection, `None` for any other panic.
pub fn lost_process(thread: Option<&str>, message: &str) -> Option<Option<usize>> {
    let thread = thread?.strip_prefix("timely:")?;
    let number = |name: &str| name.rsplit('-').next().and_then(|n| n.parse().ok());
    let broken = message.starts_with("timely communication error");
    let echo = message.contains("MergeQueue poisoned") || message.contains("thread panic");
    match thread.split('-').next() {
        Some("recv" | "send") if broken => Some(number(thread)),
        _ if broken || echo => Some(None),
        _ => None,
    }
}
