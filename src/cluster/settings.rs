//! Who takes part, where, and how long each step may take.

use std::time::Duration;

use super::{ClusterError, Peer, Secret, address, hostfile::is_address};

/// Everything that joining needs to know.
#[derive(Debug, Clone)]
pub struct ClusterSettings {
    /// The number of processes (`-n`).
    pub processes: usize,
    /// The index of this one (`-p`), from 0.
    pub process: usize,
    /// `host:port` of each process, by index. One's own may be `0.0.0.0:port` when there is a secret.
    pub addresses: Vec<String>,
    /// What all processes share. Without it only loopback addresses are accepted.
    pub secret: Option<Secret>,
    /// How long to wait for everybody to join; 60 s by default.
    pub patience: Duration,
    /// The pause before a process that was not there is dialled again; 100 ms by default.
    pub retry: Duration,
    /// The longest that one connection, and one handshake, may take; 5 s by default.
    pub reply: Duration,
    /// How long a process that cannot join stays to tell the others why; 2 s by default.
    pub grace: Duration,
}

impl ClusterSettings {
    /// The settings of process `process` among `addresses`, with the default times.
    pub fn new(process: usize, addresses: Vec<String>, secret: Option<Secret>) -> Self {
        ClusterSettings {
            processes: addresses.len(),
            process,
            addresses,
            secret,
            patience: Duration::from_secs(60),
            retry: Duration::from_millis(100),
            reply: Duration::from_secs(5),
            grace: Duration::from_secs(2),
        }
    }

    /// What can be said before a socket is opened, except about this process's own index.
    pub(super) fn check_addresses(&self) -> Result<(), ClusterError> {
        let (found, processes) = (self.addresses.len(), self.processes);
        if processes == 0 {
            return Err(ClusterError::NoProcesses);
        }
        if found != processes {
            return Err(ClusterError::AddressCount { found, processes });
        }
        (0..processes).try_for_each(|process| self.check_address(process))
    }

    /// The index of this process, against the number of processes.
    pub(super) fn check_index(&self) -> Result<(), ClusterError> {
        let (process, processes) = (self.process, self.processes);
        if process < processes { Ok(()) } else { Err(ClusterError::Index { process, processes }) }
    }

    fn check_address(&self, process: usize) -> Result<(), ClusterError> {
        let address = &self.addresses[process];
        let peer = Peer { process, address: address.clone() };
        if self.secret.is_none() && is_address(address) {
            address::resolve(&peer, false)?;
        }
        if !is_address(address) || (process != self.process && address::is_unspecified(address)) {
            return Err(ClusterError::UnusableAddress(peer));
        }
        match self.addresses[..process].iter().position(|earlier| earlier == address) {
            Some(first) => Err(ClusterError::SameAddress { first: Peer { process: first, ..peer }, second: process }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(process: usize, addresses: &[&str], secret: Option<Secret>) -> Result<(), String> {
        let addresses = addresses.iter().map(|address| address.to_string()).collect();
        let settings = ClusterSettings::new(process, addresses, secret);
        settings.check_addresses().and_then(|()| settings.check_index()).map_err(|e| e.to_string())
    }

    fn secret() -> Option<Secret> {
        Secret::from_env_or_file(Some("open sesame".into()), None).ok().flatten()
    }

    #[test]
    fn without_a_secret_only_loopback_is_accepted() {
        let expected = "process 1 (192.0.2.1:2) is not on a loopback address, which needs a shared secret; set \
                        HITTERS_CLUSTER_SECRET or --secret-file in all processes";
        assert_eq!(checked(0, &["127.0.0.1:1", "192.0.2.1:2"], None), Err(expected.into()));
        assert_eq!(checked(0, &["127.0.0.1:1", "192.0.2.1:2"], secret()), Ok(()));
        assert!(checked(0, &["0.0.0.0:1", "127.0.0.1:2"], None).is_err());
    }

    #[test]
    fn only_the_own_address_may_be_every_address() {
        assert_eq!(checked(0, &["0.0.0.0:1", "192.0.2.1:2"], secret()), Ok(()));
        assert!(
            checked(1, &["0.0.0.0:1", "192.0.2.1:2"], secret()).is_err_and(|e| e.contains("process 0 (0.0.0.0:1)"))
        );
    }

    #[test]
    fn addresses_are_one_each() {
        let error = checked(0, &["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:1"], None);
        let expected =
            "process 0 (127.0.0.1:1) and process 2 have the same address; give each its own line in the hostfile";
        assert_eq!(error, Err(expected.into()));
        assert!(checked(0, &["nonsense"], None).is_err_and(|e| e.contains("process 0 (nonsense) cannot be used")));
        let miscounted = ClusterSettings { processes: 3, ..ClusterSettings::new(0, vec!["127.0.0.1:1".into()], None) };
        assert!(matches!(miscounted.check_addresses(), Err(ClusterError::AddressCount { found: 1, processes: 3 })));
    }

    #[test]
    fn the_index_is_below_the_number() {
        let error = checked(2, &["127.0.0.1:1", "127.0.0.1:2"], None);
        let expected = "-p 2 is not among the 2 processes; give each another index, from 0 to 1";
        assert_eq!(error, Err(expected.into()));
        assert!(checked(0, &[], None).is_err_and(|e| e.contains("at least one process")));
    }
}
