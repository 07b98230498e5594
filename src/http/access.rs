//! Who may ask.

use std::net::SocketAddr;

use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::{HeaderMap, StatusCode, Uri};
use sha2::{Digest, Sha256};

use super::refusal::Refusal;

/// The variable that holds the token.
pub const VARIABLE: &str = "HITTERS_TOKEN";
/// A token is not shorter, in bytes.
const SHORTEST: usize = 16;

/// Why nobody can be let in.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AccessError {
    /// Others than this machine could ask, and there is no token.
    #[error(
        "others can reach {0}, so a token is needed: export HITTERS_TOKEN=\"$(head -c 32 /dev/urandom | base64)\", or listen \
         on 127.0.0.1"
    )]
    NoToken(SocketAddr),
    /// A token that could be guessed.
    #[error("HITTERS_TOKEN is shorter than 16 bytes; make one with: head -c 32 /dev/urandom | base64")]
    Short,
}

/// Who may ask, at an address: with a token those who send it, without one this machine alone.
#[derive(Clone, Debug)]
pub struct Access {
    /// The SHA-256 of the token, so that a comparison tells nothing of it, however long it takes.
    token: Option<[u8; 32]>,
}

impl Access {
    /// Settles who may ask at `address`, given the value of `HITTERS_TOKEN`. White space around it does not count.
    ///
    /// # Errors
    /// [`AccessError`] when the token is short, or missing where it is needed.
    pub fn at(address: SocketAddr, token: Option<&str>) -> Result<Self, AccessError> {
        match token.map(str::trim) {
            Some(token) if token.len() < SHORTEST => Err(AccessError::Short),
            Some(token) => Ok(Access { token: Some(digest(token.as_bytes())) }),
            None if address.ip().to_canonical().is_loopback() => Ok(Access { token: None }),
            None => Err(AccessError::NoToken(address)),
        }
    }

    /// Lets a request in or not: `is_public` ones need no token. Without a token, a request must be addressed to this
    /// machine by a name that only means this machine, else a web page could ask through the browser of someone here (DNS
    /// rebinding).
    ///
    /// # Errors
    /// 401 without the token, 403 for another name, 400 for a name that cannot be read.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap, is_public: bool) -> Result<(), Refusal> {
        match &self.token {
            Some(_) if is_public => Ok(()),
            Some(token) => match bearer(headers).map(digest) {
                Some(given) if given == *token => Ok(()),
                _ => Err(Refusal::unknown_client()),
            },
            None => check_host(uri, headers),
        }
    }
}

fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// The token of `Authorization: Bearer TOKEN` (RFC 6750), when that is said once.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return None };
    let (scheme, token) = line.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

fn check_host(uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    let unreadable = || Refusal::new(StatusCode::BAD_REQUEST, "the request needs one Host header that can be read");
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(unreadable()) };
    let host = host.to_str().map_err(|_| unreadable())?;
    if is_here(host) && uri.authority().is_none_or(|authority| is_here(authority.as_str())) {
        return Ok(());
    }
    let why = "without HITTERS_TOKEN, only requests to localhost, 127.0.0.1 or [::1] are answered";
    Err(Refusal::new(StatusCode::FORBIDDEN, why))
}

/// Whether a `name` or `name:port` can only mean this machine.
fn is_here(authority: &str) -> bool {
    let name = match authority.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if port.is_empty() || is_port(port) => {
                return address.parse::<std::net::Ipv6Addr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
            }
            _ => return false,
        },
        None => authority.split_once(':').map_or(authority, |(name, port)| if is_digits(port) { name } else { "" }),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(is_digits)
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    #[test]
    fn others_need_a_token() {
        let [here, also_here, there] = ["127.0.0.1:1", "[::1]:1", "0.0.0.0:1"].map(|a| a.parse().unwrap());
        assert!(Access::at(here, None).is_ok() && Access::at(also_here, None).is_ok());
        assert_eq!(Access::at(there, None).unwrap_err(), AccessError::NoToken(there));
        assert!(Access::at(there, Some(TOKEN)).is_ok());
        for short in ["", " ", "0123456789abcde", "     0123456789     "] {
            assert_eq!(Access::at(here, Some(short)).unwrap_err(), AccessError::Short);
        }
    }

    #[test]
    fn names_of_this_machine() {
        for here in
            ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.9.9.9", "[::1]", "[::1]:1", "[::ffff:127.0.0.1]"]
        {
            assert!(is_here(here), "{here}");
        }
        let others = [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.nip.io",
            "10.0.0.1",
            "[::2]",
            "[::1",
            "a:b",
            "[::1]x",
            "localhost:80@example.com",
            "0.0.0.0",
            "127.1",
        ];
        for there in others {
            assert!(!is_here(there), "{there}");
        }
    }

    #[test]
    fn tokens_are_compared_whole() {
        let access = Access::at("0.0.0.0:1".parse().unwrap(), Some(TOKEN)).unwrap();
        let asked = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            lines
                .iter()
                .for_each(|line| assert!(headers.append(AUTHORIZATION, line.parse().unwrap()) || headers.len() == 1));
            access.check(&Uri::from_static("/"), &headers, false).map_err(|refusal| refusal.status.as_u16())
        };
        for good in ["Bearer 0123456789abcdef", "bearer  0123456789abcdef "] {
            assert_eq!(asked(&[good]), Ok(()));
        }
        let bad =
            ["Bearer 0123456789abcde", "Bearer 0123456789abcdeg", "Bearer", "Bearer ", "Basic 0123456789abcdef", ""];
        for bad in bad {
            assert_eq!(asked(&[bad]), Err(401), "{bad}");
        }
        assert_eq!(asked(&[]), Err(401));
        assert_eq!(asked(&["Bearer 0123456789abcdef", "Bearer 0123456789abcdef"]), Err(401));
        assert!(access.check(&Uri::from_static("/"), &HeaderMap::new(), true).is_ok());
    }
}
