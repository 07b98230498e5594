//! Sockets: bind one's own address, dial the lower indices, accept the higher ones.

use std::{
    io::{self, ErrorKind, Read},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, mpsc::Sender},
    thread,
    time::Duration,
};

use super::{
    ClusterError,
    address::{is_loopback, resolve},
    handshake::{Failure, Met, meet_accepted, meet_dialled},
    link::{Event, Link},
    me::{Me, warn},
    wire::Line,
};

/// Connections that may be in their handshake at one time; more are dropped, and may dial again.
const MOST_HANDSHAKES: usize = 256;

/// How long a process that has just refused waits for the other end to read why.
const LINGER: Duration = Duration::from_millis(500);

/// Binds this process's own address.
pub(super) fn bind(me: &Me) -> Result<TcpListener, ClusterError> {
    let own = me.peer(me.settings.process);
    let addresses = resolve(&own, me.secret().is_some())?;
    TcpListener::bind(&addresses[..]).map_err(|cause| match cause.kind() {
        ErrorKind::AddrInUse => ClusterError::AddressInUse(own),
        ErrorKind::AddrNotAvailable => ClusterError::AddressNotLocal(own),
        _ => ClusterError::System { what: "a listening socket", cause },
    })
}

/// Dials `target` until it is met or disagrees, and then tells what it says.
pub(super) fn dial(me: &Arc<Me>, target: usize, events: &Sender<Event>) {
    while !me.is_done() {
        match dial_once(me, target) {
            Ok(link) => return link.follow(events),
            Err(Failure::Disagreement { peer, error }) => return Event::Disagreed { peer, error }.send(events),
            Err(Failure::Stranger(why)) => Event::Tried { peer: target, why }.send(events),
        }
        thread::sleep(me.settings.retry);
    }
}

/// Dials `target` once.
pub(super) fn dial_once(me: &Me, target: usize) -> Result<Link, Failure> {
    let peer = me.peer(target);
    let addresses = match resolve(&peer, me.secret().is_some()) {
        Ok(addresses) => addresses,
        // A name may come into being together with its process.
        Err(ClusterError::Unresolved { cause, .. }) => return Err(Failure::Stranger(cause.to_string())),
        Err(error) => return Err(Failure::Disagreement { peer: Some(target), error }),
    };
    let stream = connect(&addresses, me.settings.reply)?;
    let met = meet_dialled(&stream, me, target);
    linked(stream, met)
}

fn connect(addresses: &[SocketAddr], time: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect_timeout(address, time) {
            Ok(stream) if stream.local_addr()? != stream.peer_addr()? => return Ok(stream),
            // Where nobody listens, the system may pick the port dialled as our own, and connect us to ourselves.
            Ok(_) => last = ErrorKind::ConnectionRefused.into(),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Accepts whoever dials, until the joining is done. Each connection has its own thread, so none holds up the others.
pub(super) fn accept_all(listener: &TcpListener, me: &Arc<Me>, events: &Sender<Event>) {
    let handshakes = Arc::new(());
    while !me.is_done() {
        match listener.accept() {
            Ok((_, from)) if me.secret().is_none() && !is_loopback(from.ip()) => {
                warn(me, &format!("dropped a connection from {from}: without a secret only loopback is accepted"));
            }
            Ok((_, from)) if Arc::strong_count(&handshakes) > MOST_HANDSHAKES => {
                warn(me, &format!("dropped a connection from {from}: too many are waiting already"));
            }
            Ok((stream, from)) => welcome(stream, from, me, events, &handshakes),
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            // Nobody is there yet, or the process is out of sockets for now.
            Err(_) => thread::sleep(me.settings.retry.min(Duration::from_millis(20))),
        }
    }
}

/// Meets one connection in its own thread.
fn welcome(stream: TcpStream, from: SocketAddr, me: &Arc<Me>, events: &Sender<Event>, handshakes: &Arc<()>) {
    let (owned, events, ticket) = (Arc::clone(me), events.clone(), Arc::clone(handshakes));
    let started = thread::Builder::new().name("cluster:accept".into()).spawn(move || {
        let met = stream.set_nonblocking(false).map_err(Failure::from).and_then(|()| meet_accepted(&stream, &owned));
        let link = linked(stream, met);
        drop(ticket);
        match link {
            Ok(link) => link.follow(&events),
            Err(Failure::Disagreement { peer, error }) => Event::Disagreed { peer, error }.send(&events),
            Err(Failure::Stranger(why)) => warn(&owned, &format!("dropped a connection from {from}: {why}")),
        }
    });
    if let Err(error) = started {
        warn(me, &format!("dropped a connection from {from}: {error}"));
    }
}

/// Keeps the socket of a peer that was met. One that disagrees gets the time to read why.
fn linked(stream: TcpStream, met: Result<Met, Failure>) -> Result<Link, Failure> {
    match met {
        Ok(met) => Ok(Link::new(met, stream)?),
        Err(failure) => {
            if matches!(failure, Failure::Disagreement { .. }) {
                linger(&stream);
            }
            Err(failure)
        }
    }
}

/// Waits for the other end to close. Closing first, with bytes unread, would take from it what was just sent.
fn linger(stream: &TcpStream) {
    let mut line = Line::new(stream, LINGER);
    let mut rest = [0; 1024];
    if stream.shutdown(Shutdown::Write).is_ok() {
        while line.read(&mut rest).is_ok_and(|bytes| bytes > 0) {}
    }
}
