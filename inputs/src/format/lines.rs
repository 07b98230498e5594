//! `lines`: every line is a key, also an empty one, so that counts equal those of `sort | uniq -c`.

use std::sync::Arc;

use super::{FormatError, Framing, Opened, Parser, Wanted, for_each_line};
use crate::event::Events;

struct Lines;

impl Parser for Lines {
    fn parse(&self, block: &[u8], out: &mut Events) {
        for_each_line(block, |at, line| out.push(at, out.arrival(), 1, line));
    }
}

/// Opens an input as lines. Lines have no fields, so none can be named.
pub(super) fn open(wanted: &Wanted, _: &[u8]) -> Result<Opened, FormatError> {
    let named = wanted.key.iter().flatten().chain(&wanted.time).chain(&wanted.weight).find(|f| *f != "line");
    if let Some(field) = named {
        return Err(FormatError::NoField { field: field.clone(), present: "line".into() });
    }
    Ok(Opened { parser: Arc::new(Lines), framing: Framing::Lines, header: 0, arrival: true })
}
