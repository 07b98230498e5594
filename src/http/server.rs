//! Takes connections, and stops gracefully.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::runtime::{self, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::limits::{LONGEST_HEAD, Limits, MOST_HEADERS};
use super::routes::router;
use super::site::Site;

/// What a connection that is one too many hears.
const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-type: application/json\r\n\
      content-length: 58\r\n\r\n{\"error\":\"too many connections; connect again in a second\"}";
/// How long to wait when a connection cannot be taken, as when this process has too many files open.
const PAUSE: Duration = Duration::from_millis(100);

/// A server on threads of its own. Dropped, it breaks off what is running.
pub struct Server {
    address: SocketAddr,
    runtime: Option<Runtime>,
    stop: watch::Sender<bool>,
    connections: Arc<Semaphore>,
    limits: Limits,
}

impl Server {
    /// Serves `site` to those who connect to `listener`.
    ///
    /// # Errors
    /// What the system says when there can be no more threads, or the listener cannot be used.
    pub fn start(listener: TcpListener, site: Site) -> io::Result<Self> {
        let limits = site.limits;
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(2 * limits.running + 1)
            .thread_name("http")
            .enable_all()
            .build()?;
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopped) = watch::channel(false);
        let connections = Arc::new(Semaphore::new(limits.connections));
        runtime.spawn(accept(listener, router(Arc::new(site)), limits, connections.clone(), stopped));
        Ok(Server { address, runtime: Some(runtime), stop, connections, limits })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops: no more connections are taken, and requests that were read are answered, for as long as the limits grant.
    pub fn stop(self) {
        self.stop_unless(std::future::pending());
    }

    /// Serves until SIGINT or SIGTERM, then stops as [`Server::stop`] does; a second signal breaks off what is running.
    ///
    /// # Errors
    /// What the system says when signals cannot be waited for.
    pub fn stop_at_signal(self) -> io::Result<()> {
        let Some(runtime) = &self.runtime else { return Ok(()) };
        let mut signals = {
            let _inside = runtime.enter();
            Signals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? }
        };
        runtime.block_on(signals.next());
        self.stop_unless(async move { signals.next().await });
        Ok(())
    }

    fn stop_unless(mut self, hurry: impl Future<Output = ()>) {
        let Some(runtime) = self.runtime.take() else { return };
        self.stop.send_replace(true);
        runtime.block_on(async {
            let all = u32::try_from(self.limits.connections).unwrap_or(u32::MAX);
            let done = timeout(self.limits.grace, self.connections.acquire_many(all));
            tokio::select! {
                _ = done => {}
                () = hurry => {}
            }
        });
        runtime.shutdown_background();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

async fn accept(
    listener: tokio::net::TcpListener,
    router: Router,
    limits: Limits,
    connections: Arc<Semaphore>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => return,
        };
        let Ok((stream, _)) = accepted else {
            sleep(PAUSE).await;
            continue;
        };
        let Ok(permit) = connections.clone().try_acquire_owned() else {
            let _ = stream.try_write(BUSY);
            continue;
        };
        let (router, stopped) = (router.clone(), stopped.clone());
        tokio::spawn(async move {
            serve(stream, router, limits, stopped).await;
            drop(permit);
        });
    }
}

/// Serves one connection to its end.
async fn serve(stream: TcpStream, router: Router, limits: Limits, mut stopped: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    // Whoever stops reading does not hold an answer in memory for ever: the kernel then closes the connection.
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(limits.patience));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.patience)
        .max_buf_size(LONGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    // A connection that breaks has nobody left to tell.
    let _ = connection.await;
}
