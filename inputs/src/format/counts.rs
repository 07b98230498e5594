//! `counts`: a weight, blanks, and the rest of the line as the key, as `uniq -c` prints it.

use std::sync::Arc;

use super::{Extract, FormatError, Framing, Opened, Parser, Wanted, for_each_record};
use crate::event::Events;

struct Counts {
    extract: Extract,
    /// For each wanted field, whether it is the count or the key.
    positions: Vec<usize>,
}

impl Parser for Counts {
    fn parse(&self, block: &[u8], out: &mut Events) {
        let mut values = vec![None; self.positions.len()];
        for_each_record(block, out, |at, line, out| {
            let parts = split(line);
            for (value, &position) in values.iter_mut().zip(&self.positions) {
                *value = parts[position];
            }
            self.extract.give(at, &values, out);
        });
    }
}

/// The count and the key of a line. There is no key when nothing follows the count.
fn split(line: &[u8]) -> [Option<&[u8]>; 2] {
    let is_space = |&byte: &u8| byte == b' ' || byte == b'\t';
    let start = line.iter().position(|b| !is_space(b)).unwrap_or(line.len());
    let line = &line[start..];
    let end = line.iter().position(is_space).unwrap_or(line.len());
    let key = line[end..].iter().position(|b| !is_space(b)).map(|blanks| &line[end + blanks..]);
    [Some(&line[..end]), key]
}

/// Opens an input of counts. The fields are `count`, which is the weight, and `key`.
pub(super) fn open(wanted: &Wanted, _: &[u8]) -> Result<Opened, FormatError> {
    let wanted = Wanted { weight: wanted.weight.clone().or(Some("count".into())), ..wanted.clone() };
    let extract = Extract::new(&wanted, "counts", Some("key"), None)?;
    let positions = extract.positions(&["count".into(), "key".into()])?;
    let arrival = extract.arrival();
    Ok(Opened { parser: Arc::new(Counts { extract, positions }), framing: Framing::Lines, header: 0, arrival })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let opened = open(&Wanted::default(), text.as_bytes()).unwrap();
        assert!(opened.arrival);
        let mut out = Events::new(0);
        out.begin(text.as_bytes(), 5, i64::MAX);
        opened.parser.parse(text.as_bytes(), &mut out);
        let events = out.iter(text.as_bytes()).map(|e| format!("{} {}", e.weight, String::from_utf8_lossy(e.key)));
        events.chain(out.rejected().iter().map(|r| format!("{} at {}", r.why.name(), r.at))).collect()
    }

    #[test]
    fn counts_are_weights() {
        let text = "      3 GET /a b\n 12\tx\r\n\n0  y \n";
        assert_eq!(read(text), ["3 GET /a b", "12 x", "0 y "]);
    }

    #[test]
    fn other_lines_are_rejected() {
        let text = "a b\n-1 b\n1.5 b\n18446744073709551616 b\n  7\n7 \n";
        let rejected = [
            "bad weight at 0",
            "bad weight at 4",
            "bad weight at 9",
            "bad weight at 15",
            "missing field at 38",
            "missing field at 42",
        ];
        assert_eq!(read(text), rejected);
    }

    #[test]
    fn only_its_fields_can_be_wanted() {
        let wanted = Wanted { key: Some(vec!["path".into()]), ..Wanted::default() };
        let error = open(&wanted, b"").err().unwrap();
        assert_eq!(error.to_string(), "there is no field \"path\"; the fields are: count, key");
    }
}
