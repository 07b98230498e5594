//! `hitters serve`, and the server of a running job.

use std::io::{self, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;

use super::access::{Access, AccessError, VARIABLE};
use super::limits::Limits;
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
    Door::open(&args.listen)?.serve(history)?.stop_at_signal().map_err(ServeError::Server)?;
    Ok(ExitCode::SUCCESS)
}

/// An address that is listened on; nobody is let in yet.
pub struct Door {
    listener: TcpListener,
    access: Access,
}

impl Door {
    /// Listens on an address, `host:port`, and settles who may ask there.
    ///
    /// # Errors
    /// [`ServeError::Listen`], or [`ServeError::Access`] when there is no token and others could reach it.
    pub fn open(address: &str) -> Result<Self, ServeError> {
        let refused = |error| ServeError::Listen { address: address.into(), error };
        let listener = TcpListener::bind(address).map_err(refused)?;
        let token = std::env::var_os(VARIABLE).map(|token| token.to_string_lossy().into_owned());
        let access = Access::at(listener.local_addr().map_err(refused)?, token.as_deref())
            .map_err(|error| ServeError::Access { address: address.into(), error })?;
        Ok(Door { listener, access })
    }

    /// Serves a history, and says where on standard error.
    ///
    /// # Errors
    /// [`ServeError::Server`].
    pub fn serve(self, history: History) -> Result<Server, ServeError> {
        let site = Site::new(history, self.access, Limits::default());
        let server = Server::start(self.listener, site).map_err(ServeError::Server)?;
        // Nobody may be reading standard error any more.
        let _ = writeln!(io::stderr(), "hitters: listening on http://{}", server.address());
        Ok(server)
    }
}
