//! What processes tell each other once they trust each other, and where it differs.

use std::io;

use serde::{Deserialize, Serialize};

use super::{ClusterError, Peer, text::plain, wire};

/// What must be equal in all processes. Names and values are shown to people as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The version of hitters.
    pub version: String,
    /// Options and their values, such as `("--window", "1h")`. A name that comes twice has two values.
    pub facts: Vec<(String, String)>,
}

/// One start of the whole cluster, minted by process 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    /// Tells the processes of this run from those a former run left behind.
    pub generation: u64,
    /// The seed that all processes hash with.
    pub seed: u64,
}

impl Run {
    /// Mints a run out of the system's random bytes.
    pub(super) fn mint() -> Result<Run, ClusterError> {
        let random = || getrandom::u64().map_err(no_random_bytes);
        Ok(Run { generation: random()?, seed: random()? })
    }
}

/// The system has no random bytes to give.
pub(super) fn no_random_bytes(cause: getrandom::Error) -> ClusterError {
    ClusterError::System { what: "random bytes", cause: io::Error::other(cause.to_string()) }
}

/// A [`Hello`] on the wire, as JSON. Only process 0 sends a run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Introduction {
    version: String,
    facts: Vec<(String, String)>,
    pub run: Option<Run>,
}

impl Introduction {
    pub(super) fn new(hello: &Hello, run: Option<Run>) -> Self {
        Introduction { version: hello.version.clone(), facts: hello.facts.clone(), run }
    }

    /// The body of its frame.
    pub(super) fn encode(&self) -> Result<Vec<u8>, ClusterError> {
        let body = serde_json::to_vec(self).expect("strings and numbers always become JSON");
        match body.len() {
            bytes if bytes > wire::MOST_BYTES => Err(ClusterError::HelloTooLong { bytes, most: wire::MOST_BYTES }),
            _ => Ok(body),
        }
    }

    pub(super) fn decode(body: &[u8]) -> io::Result<Self> {
        Ok(serde_json::from_slice(body)?)
    }

    /// The first thing in which the peer differs from `ours`: the version, else all the settings that do.
    pub(super) fn agrees(&self, ours: &Hello, peer: Peer) -> Result<(), ClusterError> {
        if self.version != ours.version {
            return Err(ClusterError::Version { peer, theirs: plain(&self.version, 80), ours: ours.version.clone() });
        }
        match differences(&self.facts, &ours.facts) {
            None => Ok(()),
            Some((theirs, ours)) => Err(ClusterError::Settings { peer, theirs, ours }),
        }
    }
}

/// The facts that differ, in words: theirs with names, ours with names only where there are several.
fn differences(theirs: &[(String, String)], ours: &[(String, String)]) -> Option<(String, String)> {
    let different = names(ours, theirs).into_iter().filter(|name| values(theirs, name) != values(ours, name));
    let different: Vec<&str> = different.collect();
    match different[..] {
        [] => None,
        [name] => Some((worded(theirs, name), values(ours, name).map_or("none".into(), shown))),
        _ => Some((all_worded(theirs, &different), all_worded(ours, &different))),
    }
}

/// Every name in either list, once, in the order of the first.
fn names<'a>(first: &'a [(String, String)], second: &'a [(String, String)]) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in first.iter().chain(second) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

fn values<'a>(facts: &'a [(String, String)], wanted: &str) -> Option<Vec<&'a str>> {
    let values: Vec<&str> = facts.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.as_str()).collect();
    (!values.is_empty()).then_some(values)
}

fn all_worded(facts: &[(String, String)], names: &[&str]) -> String {
    plain(&names.iter().map(|name| worded(facts, name)).collect::<Vec<_>>().join(" and "), 1000)
}

fn worded(facts: &[(String, String)], name: &str) -> String {
    match values(facts, name) {
        Some(values) => format!("{} {}", plain(name, 80), shown(values)),
        None => format!("no {}", plain(name, 80)),
    }
}

fn shown(values: Vec<&str>) -> String {
    plain(&values.join(","), 200)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn hello(facts: &[(&str, &str)]) -> Hello {
        let facts = facts.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Hello { version: "0.1.0".into(), facts }
    }

    fn compared(theirs: &Hello, ours: &Hello) -> Result<(), String> {
        let peer = Peer { process: 1, address: "127.0.0.1:2102".into() };
        Introduction::new(theirs, None).agrees(ours, peer).map_err(|e| e.to_string())
    }

    #[test]
    fn equal_settings_agree_in_any_order() {
        compared(&hello(&[("-w", "2"), ("--key", "url")]), &hello(&[("--key", "url"), ("-w", "2")])).unwrap();
    }

    #[test]
    fn one_difference_is_one_sentence() {
        let error = compared(&hello(&[("-w", "2"), ("--window", "1m")]), &hello(&[("-w", "2"), ("--window", "1h")]));
        let expected =
            "process 1 (127.0.0.1:2102) runs with --window 1m, this one with 1h; give all processes the same";
        assert_eq!(error.unwrap_err(), expected);
    }

    #[test]
    fn several_differences_are_all_named() {
        let error = compared(&hello(&[("--window", "1m"), ("-w", "2")]), &hello(&[("-w", "1"), ("--window", "1h")]));
        let expected = "process 1 (127.0.0.1:2102) runs with -w 2 and --window 1m, this one with -w 1 and --window 1h; \
                        give all processes the same";
        assert_eq!(error.unwrap_err(), expected);
    }

    #[test]
    fn what_only_one_has_is_a_difference() {
        let with = hello(&[("--window", "1m")]);
        assert!(compared(&with, &hello(&[])).unwrap_err().contains("runs with --window 1m, this one with none;"));
        assert!(compared(&hello(&[]), &with).unwrap_err().contains("runs with no --window, this one with 1m;"));
    }

    #[test]
    fn a_second_value_of_a_name_counts() {
        let error = compared(&hello(&[("--window", "1m"), ("--window", "1d")]), &hello(&[("--window", "1m")]));
        assert!(error.unwrap_err().contains("runs with --window 1m,1d, this one with 1m;"));
    }

    #[test]
    fn another_version_comes_first() {
        let newer = Hello { version: "0.2.0\n".into(), ..hello(&[("-w", "2")]) };
        let expected =
            "process 1 (127.0.0.1:2102) is hitters 0.2.0\u{fffd}, this one 0.1.0; install the same version everywhere";
        assert_eq!(compared(&newer, &hello(&[])).unwrap_err(), expected);
    }

    #[test]
    fn an_introduction_comes_back_and_has_a_limit() {
        let run = Run { generation: u64::MAX, seed: 3 };
        let body = Introduction::new(&hello(&[("-w", "2")]), Some(run)).encode().unwrap();
        assert_eq!(Introduction::decode(&body).unwrap().run, Some(run));
        assert!(Introduction::decode(b"{}").is_err());
        let long = hello(&[("--key", &"x".repeat(wire::MOST_BYTES))]);
        assert!(matches!(Introduction::new(&long, None).encode(), Err(ClusterError::HelloTooLong { .. })));
    }
}
