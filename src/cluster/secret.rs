//! The shared secret, and proving that one holds it without showing it.

use std::{fmt, fs::File, io, io::Read, path::Path};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::ClusterError;

/// The variable that holds the secret.
const VARIABLE: &str = "HITTERS_CLUSTER_SECRET";

/// Longer than any secret; a wrong path must not fill the memory.
const MOST_BYTES: usize = 64 << 10;

/// Bytes of a [`proof`].
pub(super) const PROOF_BYTES: usize = 32;

/// What all processes of a cluster know and nobody else does. Never printed, and never sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

impl Secret {
    /// Takes the secret from the file if one is given, else from `env`, the value of `HITTERS_CLUSTER_SECRET`; `None`
    /// when there is neither. White space around it does not count.
    ///
    /// # Errors
    ///
    /// The secret is empty, or its file cannot be read or is longer than 64 KiB.
    pub fn from_env_or_file(env: Option<String>, file: Option<&Path>) -> Result<Option<Secret>, ClusterError> {
        match (file, env) {
            (Some(path), _) => {
                let bytes = read(path).map_err(|cause| ClusterError::SecretUnreadable { path: path.into(), cause })?;
                Secret::trimmed(&bytes, || path.display().to_string()).map(Some)
            }
            (None, Some(text)) => Secret::trimmed(text.as_bytes(), || VARIABLE.into()).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn trimmed(bytes: &[u8], origin: impl Fn() -> String) -> Result<Secret, ClusterError> {
        match bytes.trim_ascii() {
            [] => Err(ClusterError::SecretEmpty { origin: origin() }),
            secret => Ok(Secret(secret.to_vec())),
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is longer than 64 KiB"));
    }
    Ok(bytes)
}

/// Who speaks: it is part of the proof, so that a proof cannot be sent back to its maker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Dialer = 1,
    Acceptor = 2,
}

/// HMAC-SHA256 (RFC 2104) with the secret over the role and everything both sides said so far. Without a secret the
/// key is empty, which proves only that the other has none either.
pub(super) fn proof(secret: Option<&Secret>, role: Role, said: &[u8]) -> [u8; PROOF_BYTES] {
    keyed(secret, role, said).finalize().into_bytes().into()
}

/// Whether `claimed` is the proof of `role`; takes the same time whatever the answer.
pub(super) fn proves(secret: Option<&Secret>, role: Role, said: &[u8], claimed: &[u8; PROOF_BYTES]) -> bool {
    keyed(secret, role, said).verify_slice(claimed).is_ok()
}

fn keyed(secret: Option<&Secret>, role: Role, said: &[u8]) -> Hmac<Sha256> {
    let key = secret.map_or(&[][..], |secret| &secret.0);
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("an HMAC key may have any length");
    mac.update(&[role as u8]);
    mac.update(said);
    mac
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::from_env_or_file(Some(text.into()), None).unwrap().unwrap()
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn the_file_is_trimmed_and_goes_before_the_variable() {
        let file = file("  open sesame\n");
        let found = Secret::from_env_or_file(Some("other".into()), Some(file.path())).unwrap();
        assert_eq!(found, Some(secret("open sesame")));
        assert_eq!(Secret::from_env_or_file(None, None).unwrap(), None);
    }

    #[test]
    fn an_empty_secret_is_an_error() {
        let error = Secret::from_env_or_file(Some(" \n".into()), None).unwrap_err().to_string();
        assert!(error.starts_with("the cluster secret in HITTERS_CLUSTER_SECRET is empty; "), "{error}");
        let file = file("\n");
        assert!(Secret::from_env_or_file(None, Some(file.path())).is_err());
    }

    #[test]
    fn a_file_that_is_no_secret_is_an_error() {
        assert!(Secret::from_env_or_file(None, Some(Path::new("no/such/file"))).is_err());
        assert!(Secret::from_env_or_file(None, Some(file(&"x".repeat(MOST_BYTES)).path())).is_ok());
        assert!(Secret::from_env_or_file(None, Some(file(&"x".repeat(MOST_BYTES + 1)).path())).is_err());
    }

    #[test]
    fn the_secret_is_never_printed() {
        assert_eq!(format!("{:?}", secret("open sesame")), "Secret(hidden)");
    }

    #[test]
    fn a_proof_holds_for_one_secret_one_role_and_one_talk() {
        let key = secret("open sesame");
        let made = proof(Some(&key), Role::Dialer, b"talk");
        assert!(proves(Some(&key), Role::Dialer, b"talk", &made));
        assert!(!proves(Some(&secret("open")), Role::Dialer, b"talk", &made));
        assert!(!proves(None, Role::Dialer, b"talk", &made));
        assert!(!proves(Some(&key), Role::Acceptor, b"talk", &made));
        assert!(!proves(Some(&key), Role::Dialer, b"walk", &made));
    }

    /// RFC 4231, test case 2, so that two builds agree on the bytes.
    #[test]
    fn the_proof_is_hmac_sha256() {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").unwrap();
        mac.update(b"what do ya want for nothing?");
        assert_eq!(mac.finalize().into_bytes()[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").unwrap();
        mac.update(b"\x01what");
        assert_eq!(proof(Some(&secret("Jefe")), Role::Dialer, b"what")[..], mac.finalize().into_bytes()[..]);
    }
}
