//! What is asked, as it is written in a URL.

use axum::http::StatusCode;
use percent_encoding::percent_decode;
use regex::bytes::{Regex, RegexBuilder};

use super::limits::LARGEST_PATTERN;
use super::refusal::Refusal;
use super::routes::{COUNTS, LIMIT};
use crate::quantity;
use crate::query::keep::Keep;
use crate::query::moment::moment;
use crate::sink::key::key_bytes;

/// A parameter of a route.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it means, in one sentence.
    pub about: &'static str,
    /// How it is written.
    pub kind: Kind,
}

/// How a parameter is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number from 0 up to the second one; the first is the default.
    Number(u64, u64),
    /// A moment, as `--from` has it.
    Time,
    /// A moment, in milliseconds since the Unix epoch.
    Millis,
    /// A length of time, as `--every` has it.
    Duration,
    /// `true` or `false`, or nothing for `true`.
    Flag,
    /// Text in which `\xNN` stands for a byte.
    Key,
    /// A regular expression.
    Pattern,
    /// A word.
    Word,
    /// Counts with commas between.
    Counts,
}

/// The parameters of a request, all of them known and given once.
#[derive(Clone, Debug, Default)]
pub struct Parameters(Vec<(&'static Parameter, Vec<u8>)>);

impl Parameters {
    /// Reads a query string: `name=value` pairs with `&` between, `%NN` for bytes and `+` for spaces.
    ///
    /// # Errors
    /// 400 for a name that is not `known`, or one that is given twice.
    pub fn read(query: &str, known: &'static [Parameter]) -> Result<Self, Refusal> {
        let mut read = Vec::with_capacity(known.len());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(name);
            let Some(parameter) = known.iter().find(|parameter| parameter.name.as_bytes() == name) else {
                let names: Vec<&str> = known.iter().map(|parameter| parameter.name).collect();
                let names = if names.is_empty() { "there are none here".into() } else { names.join(", ") };
                let name = String::from_utf8_lossy(&name);
                let why = format!("there is no parameter \"{name}\"; what there is: {names}");
                return Err(Refusal::new(StatusCode::BAD_REQUEST, why));
            };
            if read.iter().any(|(other, _): &(&Parameter, _)| other.name == parameter.name) {
                return Err(Refusal::parameter(parameter.name, "it is given twice"));
            }
            read.push((parameter, decoded(value)));
        }
        Ok(Parameters(read))
    }

    /// Nothing but how many windows to list.
    pub(super) fn of_limit(limit: u64) -> Self {
        Parameters(vec![(&LIMIT, limit.to_string().into_bytes())])
    }

    /// The same, with `counts` too.
    pub(super) fn with_counts(&self, counts: &[u64]) -> Self {
        let counts: Vec<String> = counts.iter().map(u64::to_string).collect();
        let before = self.0.iter().filter(|(parameter, _)| parameter.name != COUNTS.name).cloned();
        Parameters(before.chain([(&COUNTS, counts.join(",").into_bytes())]).collect())
    }

    /// The names and values that were given.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.0.iter().map(|(parameter, value)| (parameter.name, value.as_slice()))
    }

    fn bytes(&self, name: &str) -> Option<(&'static str, &[u8])> {
        self.0.iter().find(|(parameter, _)| parameter.name == name).map(|(p, value)| (p.name, value.as_slice()))
    }

    fn text(&self, name: &str) -> Result<Option<(&'static str, &str)>, Refusal> {
        let Some((name, bytes)) = self.bytes(name) else { return Ok(None) };
        let text = str::from_utf8(bytes).map_err(|_| Refusal::parameter(name, "this is not UTF-8"))?;
        Ok(Some((name, text)))
    }

    /// A whole number; without one, the default of `known`.
    ///
    /// # Errors
    /// 400 when it is none, or above what is allowed.
    pub fn number(&self, known: &'static Parameter) -> Result<u64, Refusal> {
        let Kind::Number(default, most) = known.kind else { return Ok(0) };
        let Some((name, text)) = self.text(known.name)? else { return Ok(default) };
        let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let why = || Refusal::parameter(name, format!("give a whole number from 0 to {most}"));
        number.filter(|number| *number <= most).ok_or_else(why)
    }

    /// A moment in milliseconds.
    ///
    /// # Errors
    /// 400 when it is none.
    pub fn time(&self, name: &str, now: i64) -> Result<Option<i64>, Refusal> {
        let Some((name, text)) = self.text(name)? else { return Ok(None) };
        // A plus sign that was not encoded has become a space, as in +01:00.
        let read = moment(text, now).or_else(|why| moment(&text.replace(' ', "+"), now).map_err(|_| why));
        read.map(Some).map_err(|why| Refusal::parameter(name, why))
    }

    /// The milliseconds of a moment that a peer settled.
    ///
    /// # Errors
    /// 400 when it is no whole number.
    pub fn millis(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some((name, text)) = self.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Refusal::parameter(name, "give milliseconds since the Unix epoch"))
    }

    /// A list of counts.
    ///
    /// # Errors
    /// 400 when it is not one.
    pub fn counts(&self, name: &str) -> Result<Option<Vec<u64>>, Refusal> {
        let Some((name, text)) = self.text(name)? else { return Ok(None) };
        let counts = text.split(',').map(str::parse).collect::<Result<_, _>>();
        counts.map(Some).map_err(|_| Refusal::parameter(name, "give whole numbers with commas between"))
    }

    /// A length of time in milliseconds, above 0.
    ///
    /// # Errors
    /// 400 when it is none.
    pub fn duration(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some((name, text)) = self.text(name)? else { return Ok(None) };
        match quantity::millis(text) {
            Ok(0) => Err(Refusal::parameter(name, "give 1ms or more")),
            read => read.map(Some).map_err(|why| Refusal::parameter(name, why)),
        }
    }

    /// Whether something is wished for.
    ///
    /// # Errors
    /// 400 when it is neither `true` nor `false`.
    pub fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.text(name)? {
            None | Some((_, "false" | "0")) => Ok(false),
            Some((_, "" | "true" | "1")) => Ok(true),
            Some((name, _)) => Err(Refusal::parameter(name, "give true or false")),
        }
    }

    /// A word.
    ///
    /// # Errors
    /// 400 when it is not UTF-8.
    pub fn word(&self, name: &str) -> Result<Option<&str>, Refusal> {
        Ok(self.text(name)?.map(|(_, text)| text))
    }

    /// Which keys count: those that start with `prefix` and in which `match` is found.
    ///
    /// # Errors
    /// 400 when the expression is none, or too large.
    pub fn keep(&self) -> Result<Keep, Refusal> {
        let pattern = self.text("match")?.map(|(name, text)| pattern(name, text)).transpose()?;
        Ok(Keep { prefix: self.bytes("prefix").map(|(_, prefix)| key_bytes(prefix)), pattern })
    }
}

fn pattern(name: &'static str, text: &str) -> Result<Regex, Refusal> {
    RegexBuilder::new(text).size_limit(LARGEST_PATTERN).build().map_err(|why| {
        // The first lines of its message point at a place in the expression; the last one is a sentence.
        let why = why.to_string();
        let sentence = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
        Refusal::parameter(name, format!("\"{text}\" is not a regular expression that can be used: {sentence}"))
    })
}

fn decoded(text: &str) -> Vec<u8> {
    percent_decode(text.replace('+', " ").as_bytes()).collect()
}

/// The key that a path names: `%NN` and `\xNN` stand for bytes.
pub(super) fn key_of_path(path: &str) -> Vec<u8> {
    key_bytes(percent_decode(path.as_bytes()).collect::<Vec<u8>>())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    static KNOWN: [Parameter; 8] = [
        Parameter { name: "k", about: "", kind: Kind::Number(10, 100) },
        Parameter { name: "start", about: "", kind: Kind::Time },
        Parameter { name: "every", about: "", kind: Kind::Duration },
        Parameter { name: "compare", about: "", kind: Kind::Flag },
        Parameter { name: "prefix", about: "", kind: Kind::Key },
        Parameter { name: "match", about: "", kind: Kind::Pattern },
        Parameter { name: "level", about: "", kind: Kind::Word },
        Parameter { name: "end", about: "", kind: Kind::Time },
    ];

    fn read(query: &str) -> Parameters {
        Parameters::read(query, &KNOWN).unwrap()
    }

    fn refused(query: &str) -> String {
        let read = Parameters::read(query, &KNOWN).and_then(|read| {
            read.number(&KNOWN[0])?;
            read.time("start", 0)?;
            read.duration("every")?;
            read.flag("compare")?;
            read.keep()?;
            read.word("level").map(drop)
        });
        read.unwrap_err().error
    }

    #[test]
    fn values_are_read() {
        let asked = read("k=7&start=2026-01-01T01:00:00+01:00&end=-1h&every=1%68&compare&&prefix=a%2Fb+c%ff");
        assert_eq!(asked.number(&KNOWN[0]), Ok(7));
        assert_eq!(asked.time("start", 0), Ok(Some(1_767_225_600_000)));
        assert_eq!(asked.time("end", 7_200_000), Ok(Some(3_600_000)));
        assert_eq!((asked.duration("every"), asked.flag("compare")), (Ok(Some(3_600_000)), Ok(true)));
        assert_eq!(asked.keep().unwrap().prefix.unwrap(), b"a/b c\xff");
        let nothing = read("");
        assert_eq!((nothing.number(&KNOWN[0]), nothing.time("start", 0)), (Ok(10), Ok(None)));
        assert!(nothing.keep().unwrap().keeps_all() && !nothing.flag("compare").unwrap());
    }

    #[test]
    fn what_cannot_be_read_names_its_parameter() {
        let cases = [
            ("k=101", "k: give a whole number from 0 to 100"),
            ("k=", "k: give a whole number from 0 to 100"),
            ("k=+1", "k: give a whole number from 0 to 100"),
            ("k=99999999999999999999", "k: give a whole number from 0 to 100"),
            ("k=%ff", "k: this is not UTF-8"),
            ("k=1&k=1", "k: it is given twice"),
            ("start=yesterday", "start: \"yesterday\" is not a time; write for example 2026-01-01T10:07:00Z"),
            ("every=0s", "every: give 1ms or more"),
            ("every=often", "every: \"often\" is not a duration"),
            ("compare=maybe", "compare: give true or false"),
            ("match=(", "match: \"(\" is not a regular expression that can be used: unclosed group"),
            ("match=(a{1000}){1000}", "match: \"(a{1000}){1000}\" is not a regular expression that can be used: "),
            ("K=1", "there is no parameter \"K\"; what there is: k, start, every"),
            ("=1", "there is no parameter \"\""),
            ("%ff", "there is no parameter \"\u{fffd}\""),
        ];
        for (query, expected) in cases {
            let error = refused(query);
            assert!(error.starts_with(expected) && !error.contains('\n'), "{query}: {error}");
        }
    }

    #[test]
    fn keys_of_paths() {
        let cases: [(&str, &[u8]); 6] = [
            ("", b""),
            ("/watch/a+b", b"/watch/a+b"),
            ("caf%C3%A9", "café".as_bytes()),
            ("caf%e9", b"caf\xe9"),
            ("caf%5Cxe9", b"caf\xe9"),
            ("50%25%", b"50%%"),
        ];
        for (path, key) in cases {
            assert_eq!(key_of_path(path), key, "{path}");
        }
    }
}
