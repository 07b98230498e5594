//! A socket to a peer that was met, and what the peer says on it until everybody may begin.
//!
//! ```text
//! ready(generation)   I have met everybody
//! go                  everybody has told me that they are ready; the last word, what follows is the job's
//! refused(by, reason) we cannot begin; never after go
//! ```

use std::{io, net::TcpStream, sync::mpsc::Sender, time::Duration};

use serde::{Deserialize, Serialize};
use socket2::{SockRef, TcpKeepalive};

use super::{
    ClusterError,
    handshake::Met,
    hello::Run,
    wire::{Line, read_frame, write_frame},
};

/// A silent network is questioned after this time, and again each time it passes.
const PROBE: Duration = Duration::from_secs(1);

/// How long sent bytes, or questions, may stay without an answer before the socket is given up.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNANSWERED: Duration = Duration::from_secs(4);

/// The time to write one word to a peer, which reads all the time.
const WRITE: Duration = Duration::from_secs(1);

/// One message after the handshake, as JSON in a frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "word", rename_all = "lowercase")]
pub(super) enum Word {
    Ready { generation: u64 },
    Go,
    Refused { by: usize, reason: String },
}

/// What the threads tell the one that waits.
#[derive(Debug)]
pub(super) enum Event {
    /// `peer` was dialled in vain.
    Tried { peer: usize, why: String },
    /// `peer` was met.
    Linked { peer: usize, stream: TcpStream, run: Option<Run> },
    /// Somebody cannot join.
    Disagreed { peer: Option<usize>, error: ClusterError },
    /// `peer` said something.
    Said { peer: usize, word: Word },
    /// `peer` closed its socket, or it was cut.
    Left { peer: usize },
}

impl Event {
    /// Nobody listens any more when the joining is over, which is well.
    pub(super) fn send(self, events: &Sender<Event>) {
        let _ = events.send(self);
    }
}

/// A peer that was met, and the socket to it.
#[derive(Debug)]
pub(super) struct Link {
    met: Met,
    stream: TcpStream,
}

impl Link {
    pub(super) fn new(met: Met, stream: TcpStream) -> io::Result<Self> {
        keep_alive(&stream)?;
        stream.set_read_timeout(None)?;
        Ok(Link { met, stream })
    }

    /// Tells that the peer is there and what it says, until its last word. Ends when the socket is shut down.
    pub(super) fn follow(self, events: &Sender<Event>) {
        let Link { met: Met { peer, run }, stream } = self;
        match stream.try_clone() {
            Ok(stream) => Event::Linked { peer, stream, run }.send(events),
            Err(cause) => {
                let error = ClusterError::System { what: "a socket", cause };
                return Event::Disagreed { peer: Some(peer), error }.send(events);
            }
        }
        let last = loop {
            match read_word(&stream) {
                Ok(word @ Word::Ready { .. }) => Event::Said { peer, word }.send(events),
                Ok(word) => break Event::Said { peer, word },
                Err(_) => break Event::Left { peer },
            }
        };
        drop(stream);
        last.send(events);
    }
}

/// Says `word`, or gives up after a second: a peer that does not read is noticed where it is read from.
pub(super) fn say(stream: &TcpStream, word: &Word) {
    let body = serde_json::to_vec(word).expect("strings and numbers always become JSON");
    let _ = write_frame(&mut Line::new(stream, WRITE), &body);
}

fn read_word(mut stream: &TcpStream) -> io::Result<Word> {
    Ok(serde_json::from_slice(&read_frame(&mut stream)?)?)
}

/// Makes a socket notice within 5 s that the other machine, or the network to it, is gone.
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(PROBE).with_interval(PROBE).with_retries(3))?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(UNANSWERED))?;
    stream.set_nodelay(true)
}

/// Makes a socket ready for the job: blocking, and without the timeouts of the joining.
pub(super) fn release(stream: &TcpStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(None)
}
