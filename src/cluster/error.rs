//! What can keep processes from becoming a cluster, each as one sentence with its remedy.

use std::{fmt, io, path::PathBuf, time::Duration};

use thiserror::Error;

/// Another process of the cluster, as people know it: its index and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its index, as given with `-p`.
    pub process: usize,
    /// Its `host:port`: from the hostfile, or where its connection came from.
    pub address: String,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ({})", self.process, self.address)
    }
}

/// Why a cluster did not come together. Every text names the thing and the remedy, and fits on one line.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The hostfile cannot be read.
    #[error("the hostfile {} cannot be read: {cause}", path.display())]
    HostfileUnreadable {
        /// The hostfile.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The hostfile has fewer useful lines than there are processes.
    #[error("the hostfile {} has {found} addresses for {processes} processes; add one host:port line for each", path.display())]
    HostfileShort {
        /// The hostfile.
        path: PathBuf,
        /// Useful lines it has.
        found: usize,
        /// Lines it needs.
        processes: usize,
    },
    /// A line of the hostfile is not `host:port`.
    #[error("{}:{line}: \"{text}\" is not host:port; write for example 10.0.0.1:2101", path.display())]
    HostfileLine {
        /// The hostfile.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// The secret is there, but empty.
    #[error(
        "the cluster secret in {origin} is empty; write one there, or leave it away to use loopback addresses only"
    )]
    SecretEmpty {
        /// The variable or the file.
        origin: String,
    },
    /// The file with the secret cannot be read, or is far too long for one.
    #[error("the cluster secret in {} cannot be read: {cause}", path.display())]
    SecretUnreadable {
        /// The file given as `--secret-file`.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A cluster of no processes.
    #[error("a cluster needs at least one process; give -n 1 or more")]
    NoProcesses,
    /// As many addresses as processes are needed.
    #[error("there are {found} addresses for {processes} processes; give one each")]
    AddressCount {
        /// Addresses given.
        found: usize,
        /// Processes told with `-n`.
        processes: usize,
    },
    /// An address that is not `host:port`, or one that nobody can dial.
    #[error("the address of {0} cannot be used by the others; write host:port with a host they can reach")]
    UnusableAddress(Peer),
    /// Two processes have one address.
    #[error("{first} and process {second} have the same address; give each its own line in the hostfile")]
    SameAddress {
        /// The first of the two.
        first: Peer,
        /// The index of the other.
        second: usize,
    },
    /// This process's index is not below the number of processes.
    #[error("-p {process} is not among the {processes} processes; give each another index, from 0 to {}", processes - 1)]
    Index {
        /// The index given with `-p`.
        process: usize,
        /// The number given with `-n`.
        processes: usize,
    },
    /// Without a secret only loopback addresses are accepted.
    #[error(
        "{0} is not on a loopback address, which needs a shared secret; set HITTERS_CLUSTER_SECRET or --secret-file in all processes"
    )]
    NotLoopback(Peer),
    /// An address does not resolve.
    #[error("the address of {peer} cannot be resolved: {cause}")]
    Unresolved {
        /// Whose address it is.
        peer: Peer,
        /// What the system said.
        cause: io::Error,
    },
    /// Somebody listens on this process's address already.
    #[error("the address of {0} is in use here; is another process running with the same -p?")]
    AddressInUse(Peer),
    /// This process's address belongs to another machine.
    #[error("the address of {0} is not one of this machine; check -p and the hostfile")]
    AddressNotLocal(Peer),
    /// The system refuses a socket, a thread, or random bytes.
    #[error("the system refuses {what}, which the cluster needs: {cause}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// What it said.
        cause: io::Error,
    },
    /// What this process has to say about itself does not fit into one message.
    #[error("the settings of this process are too long to compare with the others: {bytes} bytes of at most {most}")]
    HelloTooLong {
        /// Bytes they take.
        bytes: usize,
        /// Bytes they may take.
        most: usize,
    },
    /// The peer does not hold this process's secret.
    #[error(
        "{0} has another secret than this process, or only one has any; give all the same HITTERS_CLUSTER_SECRET or --secret-file"
    )]
    WrongSecret(Peer),
    /// The peer speaks another version of the cluster's own language.
    #[error(
        "{address} speaks version {theirs} of the cluster protocol, this process {ours}; install the same hitters everywhere"
    )]
    Protocol {
        /// Where the peer is.
        address: String,
        /// Its version.
        theirs: u8,
        /// This one's version.
        ours: u8,
    },
    /// The peer was told another number of processes.
    #[error("{peer} runs with -n {theirs}, this one with -n {ours}; give all processes the same")]
    Size {
        /// The other process.
        peer: Peer,
        /// Its number of processes.
        theirs: usize,
        /// This one's.
        ours: usize,
    },
    /// The peer's index is not below the number of processes.
    #[error("{peer} is not among the {processes} processes; start it with a -p from 0 to {}", processes - 1)]
    PeerIndex {
        /// The other process.
        peer: Peer,
        /// The number of processes.
        processes: usize,
    },
    /// Two processes have one index.
    #[error("two processes run with -p {process} ({here} and {there}); give each its own index")]
    Duplicate {
        /// The index.
        process: usize,
        /// Where the one is.
        here: String,
        /// Where the other is.
        there: String,
    },
    /// The dialling process expected another one at this address.
    #[error(
        "process {dialer} expects process {expected} where process {found} is; give all processes the same hostfile"
    )]
    OtherHostfile {
        /// Who dialled.
        dialer: usize,
        /// Whom it wanted.
        expected: usize,
        /// Who was there.
        found: usize,
    },
    /// The peer is another version of hitters.
    #[error("{peer} is hitters {theirs}, this one {ours}; install the same version everywhere")]
    Version {
        /// The other process.
        peer: Peer,
        /// Its version.
        theirs: String,
        /// This one's.
        ours: String,
    },
    /// The peer runs with other settings.
    #[error("{peer} runs with {theirs}, this one with {ours}; give all processes the same")]
    Settings {
        /// The other process.
        peer: Peer,
        /// The settings that differ, as it has them.
        theirs: String,
        /// The same ones, as they are here.
        ours: String,
    },
    /// Patience ran out while processes were missing.
    #[error("after {} s these are missing: {missing}; start all processes, with the same hostfile", patience.as_secs_f64())]
    Missing {
        /// Who, and why each could not be reached.
        missing: String,
        /// How long this process waited.
        patience: Duration,
    },
    /// The peer ended while the cluster was joining.
    #[error("{0} ended while the cluster was joining; start all processes again")]
    Left(Peer),
    /// The peer stopped answering at the very end of joining.
    #[error("these did not finish joining: {0}; start all processes again")]
    Unfinished(String),
    /// The peer belongs to a run that another process 0 began.
    #[error("{0} belongs to an earlier run of the cluster; end it, and start all processes again")]
    OtherRun(Peer),
    /// A process found the reason, and told the others.
    #[error("{peer} refused: {reason}")]
    Refused {
        /// Who found it.
        peer: Peer,
        /// In its words.
        reason: String,
    },
}
