//! Where the processes are: one `host:port` a line, line i for process i.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use super::{ClusterError, text::plain};

/// The first port of a cluster without a hostfile.
const FIRST_PORT: usize = 2101;

/// More than any hostfile needs; a wrong path must not fill the memory.
const MOST_BYTES: u64 = 4 << 20;

/// Reads the addresses of the first `processes` processes. `#` begins a comment, blank lines do not count, and lines
/// beyond those needed are left unread.
///
/// # Errors
///
/// The file cannot be read, has too few addresses, or one of them is not `host:port`.
pub fn read_hostfile(path: &Path, processes: usize) -> Result<Vec<String>, ClusterError> {
    let bytes = read(path).map_err(|cause| ClusterError::HostfileUnreadable { path: path.into(), cause })?;
    let text = String::from_utf8_lossy(&bytes);
    let addresses = useful_lines(&text)
        .take(processes)
        .map(|(line, address)| match is_address(address) {
            true => Ok(address.to_owned()),
            false => Err(ClusterError::HostfileLine { path: path.into(), line, text: plain(address, 80) }),
        })
        .collect::<Result<Vec<_>, _>>()?;
    match addresses.len() {
        found if found < processes => Err(ClusterError::HostfileShort { path: path.into(), found, processes }),
        _ => Ok(addresses),
    }
}

/// The addresses of a cluster on this machine alone: `127.0.0.1`, ports from 2101 up.
pub fn local_addresses(processes: usize) -> Vec<String> {
    (0..processes).map(|process| format!("127.0.0.1:{}", FIRST_PORT.saturating_add(process))).collect()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Lines with something on them, each with its number from 1.
fn useful_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .zip(1..)
        .filter(|(line, _)| !line.is_empty())
        .map(|(line, number)| (number, line))
}

/// Whether this is a name, an IPv4 address or a bracketed IPv6 address, then a colon and a port from 1 to 65535.
pub(super) fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_is_good = match bracketed {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_')),
    };
    host_is_good && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(text: &str, processes: usize) -> Result<Vec<String>, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let name = file.path().display().to_string();
        read_hostfile(file.path(), processes).map_err(|e| e.to_string().replace(&name, "FILE"))
    }

    #[test]
    fn comments_and_blank_lines_do_not_count() {
        let text = "# the cluster\n\n  one:2101  # first\r\n\t\n10.0.0.2:2102\n[::1]:2103";
        assert_eq!(read(text, 3).unwrap(), ["one:2101", "10.0.0.2:2102", "[::1]:2103"]);
    }

    #[test]
    fn lines_beyond_the_processes_are_left_alone() {
        assert_eq!(read("a:1\nb:2\nnonsense\n", 2).unwrap(), ["a:1", "b:2"]);
    }

    #[test]
    fn too_few_lines_name_both_numbers() {
        let error = read("a:1\n# b:2\n", 2).unwrap_err();
        assert_eq!(error, "the hostfile FILE has 1 addresses for 2 processes; add one host:port line for each");
    }

    #[test]
    fn a_malformed_line_is_named_with_its_number() {
        let error = read("a:1\n\nb 2\n", 2).unwrap_err();
        assert_eq!(error, "FILE:3: \"b 2\" is not host:port; write for example 10.0.0.1:2101");
    }

    #[test]
    fn only_host_and_port_is_an_address() {
        for good in ["a:1", "node-1.lan_x:65535", "[fe80::1]:80", "0.0.0.0:2101", "bücher:1"] {
            assert!(is_address(good), "{good}");
        }
        for bad in ["", ":", "a", "a:", ":1", "a:0", "a:65536", "a:+1", "a b:1", "::1:80", "[a]:1", "a:1:2"] {
            assert!(!is_address(bad), "{bad}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read_hostfile(Path::new("no/such/hosts"), 1).unwrap_err().to_string();
        assert!(error.starts_with("the hostfile no/such/hosts cannot be read: "), "{error}");
    }

    #[test]
    fn a_cluster_without_a_hostfile_is_on_this_machine() {
        assert_eq!(local_addresses(2), ["127.0.0.1:2101", "127.0.0.1:2102"]);
        assert!(local_addresses(2).iter().all(|address| is_address(address)));
    }
}
