//! Processes become a cluster: authenticated sockets between every two of them, and one reason for all when not.
//!
//! settings -> bind and dial (`connect`) -> who are you (`handshake`) -> is everybody ready (`gather`) -> sockets
//!
//! Process i binds its own address, dials every lower index and accepts every higher one. All that a peer can send is
//! bounded in time and length. Who does not speak the protocol is dropped with a warning; who speaks it but cannot join
//! (another secret, another version, other settings) ends the joining everywhere, with a sentence that says why.

mod address; // which addresses are accepted
mod connect; // bind, dial, accept
mod error; // why not
mod gather; // everybody is ready, or nobody begins
mod handshake; // two processes meet
mod hello; // what must be equal
mod hostfile; // where they are
mod link; // what they say after the handshake
mod me; // this process
mod secret; // proving to know it
mod settings; // who takes part
mod text; // words from elsewhere
mod wire; // frames and deadlines

use std::{
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        mpsc::{Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

pub use self::{
    error::{ClusterError, Peer},
    hello::Hello,
    hostfile::{local_addresses, read_hostfile},
    secret::Secret,
    settings::ClusterSettings,
};
use self::{
    gather::Gathering,
    handshake::Failure,
    hello::{Introduction, Run},
    link::Event,
    me::Me,
};

/// A cluster that may begin.
#[derive(Debug)]
pub struct Joined {
    /// A blocking socket to each process by index, `None` at one's own. Bytes are sent at once, and a silently cut network
    /// is noticed in less than 5 s; so is, on Linux, a peer whose full buffers take nothing for 4 s.
    pub sockets: Vec<Option<TcpStream>>,
    /// A random number, equal in all processes and different in every run.
    pub seed: u64,
    /// Names this run: equal in all processes and different in every run.
    pub generation: u64,
    /// The address of each process by index, as given.
    pub addresses: Vec<String>,
}

/// Joins the cluster: returns when every process has met every other one and all are ready, at the latest some seconds
/// after `settings.patience`. The sockets carry nothing but the job's own bytes from then on. A cluster of one process
/// opens no socket.
///
/// # Errors
///
/// The settings contradict each other, the own address cannot be bound, or somebody is missing, holds another secret,
/// or runs with another `hello`. The other processes get the same reason within a few seconds, if they are there.
pub fn join(settings: &ClusterSettings, hello: &Hello) -> Result<Joined, ClusterError> {
    let me = check(settings, hello)?;
    if settings.processes == 1 {
        return joined(&me, Gathering::new(&me).gather(&channel().1)?);
    }
    match connect::bind(&me) {
        Ok(listener) => meet(listener, Arc::new(me)),
        Err(error) => {
            if matches!(error, ClusterError::AddressInUse(_)) {
                show(&me, [settings.process]); // a process with our index is there: it must know, too
            }
            Err(error)
        }
    }
}

/// As [`join`], with a listener that is bound already.
///
/// # Errors
///
/// As [`join`], and when the listener cannot be used.
pub fn join_on(listener: TcpListener, settings: &ClusterSettings, hello: &Hello) -> Result<Joined, ClusterError> {
    meet(listener, Arc::new(check(settings, hello)?))
}

/// Everything that can be wrong before the first socket. A wrong index is shown to the others, who wait for a right one.
fn check(settings: &ClusterSettings, hello: &Hello) -> Result<Me, ClusterError> {
    settings.check_addresses()?;
    let me = Me::new(settings, hello)?;
    Introduction::new(hello, me.run).encode()?;
    match settings.check_index() {
        Ok(()) => Ok(me),
        Err(error) => {
            show(&me, 0..settings.processes);
            Err(error)
        }
    }
}

/// Meets `targets` once, for them to see what is wrong with this process. Those that are just starting get the grace to
/// be there.
fn show(me: &Me, targets: impl IntoIterator<Item = usize>) {
    let me = &me.in_haste();
    thread::scope(|scope| {
        for target in targets {
            // Where the system has no thread for it, the others find out when their patience ends.
            let meeting = move || {
                let began = Instant::now();
                while let Err(Failure::Stranger(_)) = connect::dial_once(me, target) {
                    if began.elapsed() > me.settings.grace {
                        break;
                    }
                    thread::sleep(me.settings.retry);
                }
            };
            let _ = thread::Builder::new().name(format!("cluster:show-{target}")).spawn_scoped(scope, meeting);
        }
    });
}

/// Meets everybody, with threads that dial and accept while this one gathers what they find.
fn meet(listener: TcpListener, me: Arc<Me>) -> Result<Joined, ClusterError> {
    let (sender, events) = channel();
    let acceptor = start(listener, &me, &sender)?;
    let met = Gathering::new(&me).gather(&events);
    me.finish();
    let _ = acceptor.join(); // so that the address is free again
    joined(&me, met?)
}

fn start(listener: TcpListener, me: &Arc<Me>, events: &Sender<Event>) -> Result<JoinHandle<()>, ClusterError> {
    listener.set_nonblocking(true).map_err(|cause| ClusterError::System { what: "a listening socket", cause })?;
    for target in 0..me.settings.process {
        let (owned, events) = (Arc::clone(me), events.clone());
        spawn(format!("cluster:dial-{target}"), me, move || connect::dial(&owned, target, &events))?;
    }
    let (owned, events) = (Arc::clone(me), events.clone());
    spawn("cluster:accept".into(), me, move || connect::accept_all(&listener, &owned, &events))
}

fn spawn(name: String, me: &Me, task: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, ClusterError> {
    thread::Builder::new().name(name).spawn(task).map_err(|cause| {
        me.finish();
        ClusterError::System { what: "a thread", cause }
    })
}

fn joined(me: &Me, (run, sockets): (Run, Vec<Option<TcpStream>>)) -> Result<Joined, ClusterError> {
    let system = |cause| ClusterError::System { what: "a socket without timeouts", cause };
    sockets.iter().flatten().try_for_each(link::release).map_err(system)?;
    let addresses = me.settings.addresses.clone();
    Ok(Joined { sockets, seed: run.seed, generation: run.generation, addresses })
}
