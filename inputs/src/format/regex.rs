//! `regex`: the named groups of a pattern that is searched in each line.

use std::sync::Arc;

use regex::bytes::Regex;

use super::{Extract, FormatError, Framing, Opened, Parser, Wanted, bom, for_each_record};
use crate::event::{Events, Reason};

struct Groups {
    pattern: Regex,
    extract: Extract,
    /// For each wanted field, the number of its group.
    groups: Vec<usize>,
}

impl Parser for Groups {
    fn parse(&self, block: &[u8], out: &mut Events) {
        let mut places = self.pattern.capture_locations();
        let mut values = vec![None; self.groups.len()];
        for_each_record(block, out, |at, line, out| {
            if self.pattern.captures_read(&mut places, line).is_none() {
                return out.reject(at, Reason::Malformed);
            }
            for (value, &group) in values.iter_mut().zip(&self.groups) {
                *value = places.get(group).map(|(start, end)| &line[start..end]);
            }
            self.extract.give(at, &values, out);
        });
    }
}

/// Opens an input whose lines hold the wanted pattern. The fields are its named groups: the key is the group `key`
/// unless the user names another.
pub(super) fn open(wanted: &Wanted, sample: &[u8]) -> Result<Opened, FormatError> {
    let Some(pattern) = &wanted.pattern else {
        return Err(FormatError::Pattern("the format regex needs one, such as '(?<key>[^ ]+)'".into()));
    };
    let pattern = Regex::new(pattern).map_err(|why| FormatError::Pattern(why.to_string()))?;
    let named = pattern.capture_names().enumerate().filter_map(|(group, name)| Some((group, name?.to_string())));
    let (numbers, names): (Vec<_>, Vec<_>) = named.unzip();
    if names.is_empty() {
        return Err(FormatError::Pattern("it has no named group; name one, such as '(?<key>[^ ]+)'".into()));
    }
    let extract = Extract::by_presence(wanted, "regex", &names)?;
    let groups = extract.positions(&names)?.into_iter().map(|position| numbers[position]).collect();
    let arrival = extract.arrival();
    let parser = Arc::new(Groups { pattern, extract, groups });
    Ok(Opened { parser, framing: Framing::Lines, header: bom(sample), arrival })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn with(pattern: &str) -> Wanted {
        Wanted { pattern: Some(pattern.into()), ..Wanted::default() }
    }

    fn read(wanted: &Wanted, text: &[u8]) -> Vec<String> {
        let opened = open(wanted, text).unwrap();
        let mut out = Events::new(0);
        out.begin(text, 5, i64::MAX);
        opened.parser.parse(text, &mut out);
        let events = out.iter(text).map(|e| format!("{} {} {}", e.time, e.weight, String::from_utf8_lossy(e.key)));
        events.chain(out.rejected().iter().map(|r| format!("{} at {}", r.why.name(), r.at))).collect()
    }

    #[test]
    fn groups_are_fields() {
        let text = b"10 GET /a\n\n11 PUT\nnothing\n12 GET /\xff\r\n";
        let found = read(&with("^(?<ts>\\d+) (\\w+)( (?<key>(?-u:[^ ])+))?$"), text);
        assert_eq!(found, ["10000 1 /a", "12000 1 /\u{fffd}", "missing field at 11", "malformed at 18"]);
    }

    #[test]
    fn any_group_can_be_the_key() {
        let wanted =
            Wanted { key: Some(vec!["verb".into()]), weight: Some("n".into()), ..with("(?<verb>[A-Z]+) (?<n>.*)") };
        assert_eq!(read(&wanted, b"a GET 5\nGET five\n"), ["5 5 GET", "bad weight at 8"]);
    }

    #[test]
    fn unusable_patterns_say_why() {
        let why = |wanted: &Wanted| open(wanted, b"").err().unwrap().to_string();
        assert!(why(&Wanted::default()).contains("needs one"));
        assert!(why(&with("(")).starts_with("--pattern: regex parse error"));
        assert!(why(&with("(a)")).contains("no named group"));
        assert!(why(&with("(?<a>a)")).contains("--key"));
        let wanted = Wanted { key: Some(vec!["b".into()]), ..with("(?<a>a)") };
        assert_eq!(why(&wanted), "there is no field \"b\"; the fields are: a");
    }
}
