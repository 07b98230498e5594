//! Which addresses a process may have, and what they mean.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
};

use super::{ClusterError, Peer};

/// The socket addresses of `peer`. Without a secret each of them must be a loopback one.
pub(super) fn resolve(peer: &Peer, has_secret: bool) -> Result<Vec<SocketAddr>, ClusterError> {
    let unresolved = |cause| ClusterError::Unresolved { peer: peer.clone(), cause };
    let addresses: Vec<SocketAddr> = peer.address.to_socket_addrs().map_err(unresolved)?.collect();
    if addresses.is_empty() {
        return Err(unresolved(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
    }
    match has_secret || addresses.iter().all(|address| is_loopback(address.ip())) {
        true => Ok(addresses),
        false => Err(ClusterError::NotLoopback(peer.clone())),
    }
}

/// Whether only this machine can be behind `ip`; also when it is an IPv4 address in IPv6 clothes.
pub(super) fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// Whether `address` means "every address of this machine", which nobody can dial.
pub(super) fn is_unspecified(address: &str) -> bool {
    address.parse::<SocketAddr>().is_ok_and(|address| address.ip().to_canonical().is_unspecified())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn resolved(address: &str, has_secret: bool) -> Result<Vec<SocketAddr>, ClusterError> {
        resolve(&Peer { process: 1, address: address.into() }, has_secret)
    }

    #[test]
    fn only_a_secret_opens_other_addresses() {
        for here in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "localhost:1"] {
            assert!(resolved(here, false).is_ok(), "{here}");
        }
        for there in ["10.0.0.1:1", "0.0.0.0:1", "[::]:1", "[::ffff:10.0.0.1]:1"] {
            assert!(matches!(resolved(there, false), Err(ClusterError::NotLoopback(_))), "{there}");
            assert!(resolved(there, true).is_ok(), "{there}");
        }
    }

    #[test]
    fn nobody_can_dial_every_address() {
        assert!(is_unspecified("0.0.0.0:1") && is_unspecified("[::]:1"));
        assert!(!is_unspecified("127.0.0.1:1") && !is_unspecified("localhost:1"));
    }
}
