//! `hitters serve`, and the server of a running job.

use std::io::{self, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;

use super::access::{Access, AccessError, VARIABLE};
use super::limits::Limits;
use super::peers::Peers;
use super::server::Server;
use super::site::Site;
use crate::quantity::{self, Bytes};
use crate::query::history::History;
use crate::store::error::StoreError;
use crate::store::reader::Store;

/// What to serve, and where.
#[derive(Clone, Debug, clap::Args)]
pub struct ServeArgs {
    /// The directory that `hitters run --store` wrote, or is writing
    #[arg(long, value_name = "DIR")]
    pub store: PathBuf,
    /// Where to listen; beyond this machine only with a token in the variable HITTERS_TOKEN
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// In a cluster, where its other processes listen; they are asked for their keys
    #[arg(long, value_name = "HOST:PORT,..", value_delimiter = ',')]
    pub peers: Vec<String>,
    /// Memory for segments that were read
    #[arg(long, value_name = "BYTES", default_value = "1GiB", value_parser = quantity::bytes)]
    pub memory: Bytes,
}

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address cannot be listened on.
    #[error("--listen {address}: {error}")]
    Listen {
        /// As typed.
        address: String,
        /// What the system said.
        error: io::Error,
    },
    /// Who may ask is not settled.
    #[error("--listen {address}: {error}")]
    Access {
        /// As typed.
        address: String,
        /// Why not.
        error: AccessError,
    },
    /// Peers have nothing to add.
    #[error("--peers: the store holds all keys, so there is nobody else to ask; leave it out")]
    Whole,
    /// The server cannot be started, or not be stopped.
    #[error("the server cannot run: {0}")]
    Server(#[source] io::Error),
}

/// Serves a store until SIGINT or SIGTERM.
///
/// # Errors
/// [`ServeError`] when the store cannot be read or the address not be listened on.
pub fn run(args: &ServeArgs) -> Result<ExitCode, ServeError> {
    let history = History::of_store(Store::open(&args.store, args.memory as u64)?);
    Door::open(&args.listen, &args.peers)?.serve(history)?.stop_at_signal().map_err(ServeError::Server)?;
    Ok(ExitCode::SUCCESS)
}

/// An address that is listened on; nobody is let in yet.
pub struct Door {
    listener: TcpListener,
    access: Access,
    peers: Vec<String>,
    token: Option<String>,
}

impl Door {
    /// Listens on an address, `host:port`, and settles who may ask there, and who is asked in turn.
    ///
    /// # Errors
    /// [`ServeError::Listen`], or [`ServeError::Access`] when there is no token and others could reach it.
    pub fn open(address: &str, peers: &[String]) -> Result<Self, ServeError> {
        let refused = |error| ServeError::Listen { address: address.into(), error };
        let listener = TcpListener::bind(address).map_err(refused)?;
        let token = std::env::var_os(VARIABLE).map(|token| token.to_string_lossy().into_owned());
        let access = Access::at(listener.local_addr().map_err(refused)?, token.as_deref())
            .map_err(|error| ServeError::Access { address: address.into(), error })?;
        // All processes may be given the same list.
        let peers = peers.iter().filter(|peer| *peer != address).cloned().collect();
        Ok(Door { listener, access, peers, token })
    }

    /// Serves a history, and says where on standard error.
    ///
    /// # Errors
    /// [`ServeError`] when it cannot be started, the store cannot be read, or peers have nothing to add to it.
    pub fn serve(self, history: History) -> Result<Server, ServeError> {
        let limits = Limits::default();
        let is_whole = history.catalog()?.is_none_or(|catalog| catalog.part().is_whole());
        let mut site = Site::new(history, self.access, limits);
        if !self.peers.is_empty() {
            if is_whole {
                return Err(ServeError::Whole);
            }
            site = site.with_peers(Peers::new(self.peers, self.token.as_deref(), &limits));
        }
        let server = Server::start(self.listener, site).map_err(ServeError::Server)?;
        // Nobody may be reading standard error any more.
        let _ = writeln!(io::stderr(), "hitters: listening on http://{}", server.address());
        Ok(server)
    }
}
