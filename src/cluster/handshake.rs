//! Two processes meet on a fresh socket: who are you, do you hold the secret, do we run the same?
//!
//! ```text
//! dialer   -> opening                 acceptor -> opening
//! dialer   -> proof (32 bytes)        acceptor -> proof, or zeros when the dialer's was wrong
//! dialer   -> introduction (frame)    acceptor -> introduction (frame)
//!
//! opening = "hitters-cluster" | protocol u8 | nonce, 32 bytes
//!         | own index u32 LE | index of the other u32 LE | processes u32 LE
//! proof   = HMAC-SHA256(secret, role u8 | opening of the dialer | opening of the acceptor)
//! ```
//!
//! The dialer proves first, so a port scanner learns nothing to guess the secret from. What comes after the proofs is
//! neither encrypted nor signed: the network between the processes has to be a private one.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

use super::{
    ClusterError, Peer,
    hello::{Introduction, Run, no_random_bytes},
    me::Me,
    secret::{PROOF_BYTES, Role, proof, proves},
    wire::{Line, read_array, read_frame, write_frame},
};

const MAGIC: &[u8; 15] = b"hitters-cluster";
const PROTOCOL: u8 = 1;
const PREAMBLE_BYTES: usize = MAGIC.len() + 1;
const OPENING_BYTES: usize = PREAMBLE_BYTES + 32 + 3 * 4;

/// A peer that is who it should be and runs with the same settings.
#[derive(Debug)]
pub(super) struct Met {
    pub peer: usize,
    /// The run, when the peer is process 0.
    pub run: Option<Run>,
}

/// Why two ends of a socket did not meet.
#[derive(Debug)]
pub(super) enum Failure {
    /// Not a process of this cluster, or one that went silent: the socket is dropped, the waiting goes on.
    Stranger(String),
    /// A process that cannot join: no process of the cluster can go on.
    Disagreement { peer: Option<usize>, error: ClusterError },
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Stranger(match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it does not answer".into(),
            io::ErrorKind::UnexpectedEof => "it closed the connection before it had answered".into(),
            _ => error.to_string(),
        })
    }
}

impl Failure {
    fn disagreement(peer: u32, error: ClusterError) -> Self {
        Failure::Disagreement { peer: Some(peer as usize), error }
    }
}

/// Meets the process `target` over a socket that this process dialled.
pub(super) fn meet_dialled(stream: &TcpStream, me: &Me, target: usize) -> Result<Met, Failure> {
    let mut line = Line::new(stream, me.settings.reply);
    let dialer = Opening::of(me, index(target))?;
    line.write_all(&dialer.encode())?;
    let acceptor = Opening::read(&mut line, &me.peer(target).address)?;
    let said = [dialer.encode(), acceptor.encode()].concat();
    line.write_all(&proof(me.secret(), Role::Dialer, &said))?;
    let peer = me.peer(target);
    check_proof(&mut line, me, Role::Acceptor, &said)?
        .then_some(())
        .ok_or_else(|| Failure::disagreement(index(target), ClusterError::WrongSecret(peer.clone())))?;
    agreed(&dialer, &acceptor, Role::Dialer, &peer)?;
    line_up(&mut line, me, Role::Dialer, peer)
}

/// Meets whoever dialled this process over `stream`.
pub(super) fn meet_accepted(stream: &TcpStream, me: &Me) -> Result<Met, Failure> {
    let mut line = Line::new(stream, me.settings.reply);
    let from = stream.peer_addr()?.to_string();
    let dialer = match Opening::read(&mut line, &from) {
        Ok(dialer) => dialer,
        Err(failure) => {
            if matches!(failure, Failure::Disagreement { .. }) {
                line.write_all(&Opening::of(me, 0)?.encode())?; // so that the dialer sees our protocol too
            }
            return Err(failure);
        }
    };
    let acceptor = Opening::of(me, dialer.index)?;
    line.write_all(&acceptor.encode())?;
    let said = [dialer.encode(), acceptor.encode()].concat();
    let claimed = Peer { process: dialer.index as usize, address: from };
    if !check_proof(&mut line, me, Role::Dialer, &said)? {
        line.write_all(&[0; PROOF_BYTES])?;
        return Err(Failure::disagreement(dialer.index, ClusterError::WrongSecret(claimed)));
    }
    line.write_all(&proof(me.secret(), Role::Acceptor, &said))?;
    agreed(&dialer, &acceptor, Role::Acceptor, &claimed)?;
    line_up(&mut line, me, Role::Acceptor, me.peer(claimed.process))
}

fn check_proof(line: &mut Line<'_>, me: &Me, role: Role, said: &[u8]) -> Result<bool, Failure> {
    Ok(proves(me.secret(), role, said, &read_array(line)?))
}

/// Exchanges the introductions and compares them; both sides see both, so both find the same difference.
fn line_up(line: &mut Line<'_>, me: &Me, role: Role, peer: Peer) -> Result<Met, Failure> {
    let ours = Introduction::new(&me.hello, me.run);
    let fatal = |error| Failure::Disagreement { peer: Some(peer.process), error };
    let body = ours.encode().map_err(fatal)?;
    if role == Role::Dialer {
        write_frame(line, &body)?;
    }
    let theirs = Introduction::decode(&read_frame(line)?)?;
    if role == Role::Acceptor {
        write_frame(line, &body)?;
    }
    theirs.agrees(&me.hello, peer.clone()).map_err(fatal)?;
    match theirs.run {
        None if peer.process == 0 => Err(Failure::Stranger("it is process 0 and names no run".into())),
        run => Ok(Met { peer: peer.process, run: run.filter(|_| peer.process == 0) }),
    }
}

/// The first thing each side says: who it is, whom it talks to, and how many they are.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Opening {
    nonce: [u8; 32],
    index: u32,
    other: u32,
    processes: u32,
}

impl Opening {
    fn of(me: &Me, other: u32) -> Result<Self, Failure> {
        let mut nonce = [0; 32];
        getrandom::fill(&mut nonce).map_err(|e| Failure::Disagreement { peer: None, error: no_random_bytes(e) })?;
        Ok(Opening { nonce, index: index(me.settings.process), other, processes: index(me.settings.processes) })
    }

    fn encode(&self) -> [u8; OPENING_BYTES] {
        let numbers = [self.index, self.other, self.processes].map(u32::to_le_bytes);
        let bytes = [&MAGIC[..], &[PROTOCOL], &self.nonce, numbers.as_flattened()].concat();
        bytes.try_into().expect("an opening has one length")
    }

    fn read(from: &mut impl Read, address: &str) -> Result<Self, Failure> {
        let preamble: [u8; PREAMBLE_BYTES] = read_array(from)?;
        let (magic, protocol) = (&preamble[..MAGIC.len()], preamble[MAGIC.len()]);
        if magic != MAGIC {
            return Err(Failure::Stranger("it does not speak the cluster protocol".into()));
        }
        if protocol != PROTOCOL {
            let error = ClusterError::Protocol { address: address.into(), theirs: protocol, ours: PROTOCOL };
            return Err(Failure::Disagreement { peer: None, error });
        }
        let nonce = read_array(from)?;
        let mut number = || read_array(from).map(u32::from_le_bytes);
        Ok(Opening { nonce, index: number()?, other: number()?, processes: number()? })
    }
}

/// Whether the two openings fit together. A question of both together, so both sides come to the same answer.
fn agreed(dialer: &Opening, acceptor: &Opening, role: Role, peer: &Peer) -> Result<(), Failure> {
    let (ours, theirs) = if role == Role::Dialer { (dialer, acceptor) } else { (acceptor, dialer) };
    let processes = acceptor.processes as usize;
    let error = if dialer.processes != acceptor.processes {
        ClusterError::Size { peer: peer.clone(), theirs: theirs.processes as usize, ours: ours.processes as usize }
    } else if dialer.index >= acceptor.processes {
        ClusterError::PeerIndex { peer: Peer { process: dialer.index as usize, ..peer.clone() }, processes }
    } else if dialer.index == acceptor.index {
        let process = dialer.index as usize;
        ClusterError::Duplicate { process, here: "this one".into(), there: peer.address.clone() }
    } else if dialer.other != acceptor.index {
        let [dialer, expected, found] = [dialer.index, dialer.other, acceptor.index].map(|index| index as usize);
        ClusterError::OtherHostfile { dialer, expected, found }
    } else {
        return Ok(());
    };
    Err(Failure::disagreement(theirs.index, error))
}

/// An index on the wire. One too large for it stays larger than any cluster.
fn index(process: usize) -> u32 {
    u32::try_from(process).unwrap_or(u32::MAX)
}
