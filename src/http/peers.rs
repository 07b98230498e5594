//! The other processes of a cluster, each with keys of its own: they are asked the same questions over the same API.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use serde::{Deserialize, Serialize};
use ureq::Agent;

use super::answer::Asked;
use super::limits::Limits;
use super::refusal::Refusal;
use super::site::Site;
use super::told::Told;
use crate::sink::time::Rfc3339;
use crate::store::part::Part;

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(1);
/// The longest answer of a peer, in bytes.
const LONGEST: u64 = 256 << 20;

/// Where the other processes listen.
pub struct Peers {
    addresses: Vec<String>,
    /// What they are shown, so that they answer.
    bearer: Option<String>,
    agent: Agent,
}

/// An address, and what came from there.
type Answered<'a> = (&'a str, Result<Told, String>);

/// Which keys an answer is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    number: u32,
    of: u32,
    division: String,
}

impl Holder {
    /// Whether it is the first process, which ranks open windows.
    pub(super) fn is_first(&self) -> bool {
        self.number == 0
    }
}

impl From<&Part> for Holder {
    fn from(part: &Part) -> Self {
        Holder { number: part.number, of: part.of, division: part.division() }
    }
}

/// What peers answered, and what is missing because they did not.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) told: Vec<Told>,
    pub(super) missing: Vec<String>,
}

impl Peers {
    /// Peers at these addresses, `host:port`, shown this token.
    pub fn new(addresses: Vec<String>, token: Option<&str>, limits: &Limits) -> Self {
        let agent = Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            // Before this process gives up itself.
            .timeout_global(Some(limits.time * 4 / 5))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .build()
            .into();
        Peers { addresses, bearer: token.map(|token| format!("Bearer {}", token.trim())), agent }
    }

    fn ask(&self, address: &str, path: &str) -> Result<Told, String> {
        let mut request = self.agent.get(format!("http://{address}{path}")).header("accept", "application/json");
        if let Some(bearer) = &self.bearer {
            request = request.header("authorization", bearer);
        }
        let mut response = request.call().map_err(|error| error.to_string())?;
        let body = response.body_mut().with_config().limit(LONGEST).read_to_vec().map_err(|error| error.to_string())?;
        if !response.status().is_success() {
            return Err(format!("status {}", response.status().as_u16()));
        }
        serde_json::from_slice(&body).map_err(|_| "this is not an answer of hitters".into())
    }

    /// What the other parts of the same keys say.
    pub(super) fn hear(&self, part: &Part, path: &str) -> Heard {
        gather(&part.into(), self.ask_all(path, || ()).1)
    }

    /// Asks all at once, while `own` is worked out here.
    fn ask_all<T>(&self, path: &str, own: impl FnOnce() -> T) -> (T, Vec<Answered<'_>>) {
        thread::scope(|scope| {
            let ask = |address| move || self.ask(address, path);
            let asked: Vec<_> = self.addresses.iter().map(|address| (address, scope.spawn(ask(address)))).collect();
            let own = own();
            let heard = asked.into_iter().map(|(address, told)| {
                (address.as_str(), told.join().unwrap_or_else(|_| Err("asking it broke off".into())))
            });
            (own, heard.collect())
        })
    }
}

/// Works out `own` answer, and has the peers asked the same, unless the question is for this process alone.
///
/// # Errors
/// Those of `own`, and when the store cannot be read.
pub(super) fn with_peers<T>(
    site: &Site,
    asked: &Asked,
    path: &str,
    interval: Option<(i64, i64)>,
    cut: Option<i64>,
    own: impl FnOnce() -> Result<T, Refusal>,
) -> Result<(T, Heard), Refusal> {
    let part = site.history.part()?;
    if part.is_whole() || asked.own {
        return Ok((own()?, Heard::default()));
    }
    let Some(peers) = &site.peers else {
        return Ok((own()?, Heard { missing: part.missing().into_iter().collect(), ..Heard::default() }));
    };
    let (own, answers) = peers.ask_all(&format!("{path}?{}", question(asked, interval, cut)), own);
    Ok((own?, gather(&Holder::from(&part), answers)))
}

/// The question in the words of a URL, with the interval that was settled here, and up to when stores are asked.
fn question(asked: &Asked, interval: Option<(i64, i64)>, cut: Option<i64>) -> String {
    let encoded = |bytes: &[u8]| percent_encode(bytes, NON_ALPHANUMERIC).to_string();
    let settled = ["own", "start", "end", "cut"];
    let given = asked.parameters.iter().filter(|(name, _)| !settled.contains(name));
    let mut pairs: Vec<String> = given.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if let Some((from, to)) = interval {
        let times = [("start", from), ("end", to)].map(|(name, time)| (name, Rfc3339(time).to_string()));
        pairs.extend(times.map(|(name, time)| format!("{name}={}", encoded(time.as_bytes()))));
    }
    pairs.extend(cut.map(|cut| format!("cut={cut}")));
    pairs.push("own=true".into());
    pairs.join("&")
}

/// One answer of each part of the keys, and which parts there is none of.
fn gather(own: &Holder, answers: Vec<Answered<'_>>) -> Heard {
    let (mut by_number, mut missing) = (BTreeMap::new(), Vec::new());
    for (address, told) in answers {
        match told {
            Err(why) => missing.push(format!("{address} did not answer ({why})")),
            Ok(told) => match &told.part {
                Some(part) if (part.of, &part.division) == (own.of, &own.division) => {
                    let number = part.number;
                    // A process that is named twice, or this one, is heard once.
                    if number != own.number {
                        by_number.entry(number).or_insert(told);
                    }
                }
                _ => missing.push(format!("{address} does not hold a part of the same history")),
            },
        }
    }
    let absent = (0..own.of).filter(|number| *number != own.number && !by_number.contains_key(number));
    missing.extend(absent.map(|number| format!("the keys of process {number} of {} are missing", own.of)));
    Heard { told: by_number.into_values().collect(), missing }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(number: u32, division: &str) -> Result<Told, String> {
        let part = Some(Holder { number, of: 3, division: division.into() });
        Ok(Told { part, ..Told::default() })
    }

    #[test]
    fn every_part_is_heard_once_or_missed() {
        let own = Holder { number: 1, of: 3, division: "a".into() };
        let heard = gather(&own, vec![("x", told(0, "a")), ("y", told(2, "a"))]);
        assert_eq!((heard.told.len(), heard.missing.len()), (2, 0));
        let heard = gather(&own, vec![("x", told(0, "a")), ("again", told(0, "a")), ("self", told(1, "a"))]);
        assert_eq!((heard.told.len(), heard.missing), (1, vec!["the keys of process 2 of 3 are missing".into()]));
        let heard = gather(&own, vec![("x", told(0, "b")), ("y", Err("timeout".into()))]);
        assert_eq!(
            heard.missing,
            [
                "x does not hold a part of the same history",
                "y did not answer (timeout)",
                "the keys of process 0 of 3 are missing",
                "the keys of process 2 of 3 are missing"
            ]
        );
    }
}
