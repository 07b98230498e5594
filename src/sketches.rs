//! The table of sketches, for people.

use std::io::{self, Write};

use hitters_dataflows::sketch::SKETCHES;

use crate::quantity;

/// What memory is shown for.
#[derive(Clone, Debug, clap::Args)]
pub struct SketchesArgs {
    /// The part of the total that counts may be off by
    #[arg(long, value_name = "PART", default_value = "0.1%", value_parser = quantity::part)]
    pub epsilon: f64,
    /// The part of counts that may be off by more, and of bounds that may fail where the sketch's are not certain
    #[arg(long, value_name = "PART", default_value = "1%", value_parser = quantity::part)]
    pub delta: f64,
    /// Rows a window
    #[arg(short, value_name = "K", default_value_t = 10)]
    pub k: usize,
}

/// Writes one line a sketch: its name, the memory that it takes at most for each worker and open window, whether
/// sketches of several workers merge, what its bounds promise, and the paper.
///
/// # Errors
/// What the output reports, and a part that is 0 or 1.
pub fn run(args: &SketchesArgs, out: &mut dyn Write) -> io::Result<()> {
    for (option, part) in [("--epsilon", args.epsilon), ("--delta", args.delta)] {
        if part <= 0.0 || part >= 1.0 {
            return Err(io::Error::other(format!("{option}: give more than 0 and less than 1")));
        }
    }
    let mut lines = vec![["sketch", "memory", "merges", "bounds", "source"].map(String::from)];
    lines.extend(SKETCHES.iter().map(|entry| {
        let memory = memory(entry.bytes(args.epsilon, args.delta, args.k));
        let merges = if entry.merges { "yes" } else { "no" };
        [entry.name, &memory, merges, entry.guarantee, entry.paper].map(String::from)
    }));
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
    let [name, bytes, merges, bounds] = [0, 1, 2, 3].map(width);
    let mut text = format!("At most, for epsilon {}, delta {}, k {}:\n", args.epsilon, args.delta, args.k);
    for [a, b, c, d, e] in &lines {
        text += &format!("{a:name$}  {b:>bytes$}  {c:merges$}  {d:bounds$}  {e}\n");
    }
    out.write_all(text.as_bytes())
}

/// Three digits and a unit: `1.25 MiB`.
fn memory(bytes: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let unit = ((bytes.max(1.0).log2() / 10.0) as usize).min(units.len() - 1);
    let number = bytes / 1024f64.powi(unit as i32);
    let decimals = if number < 10.0 { 2 } else { usize::from(number < 100.0) };
    format!("{number:.decimals$} {}", units[unit])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_sketch_has_a_line() {
        let mut out = Vec::new();
        run(&SketchesArgs { epsilon: 0.001, delta: 0.01, k: 100 }, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), SKETCHES.len() + 2);
        assert!(text.starts_with("At most, for epsilon 0.001, delta 0.01, k 100:\nsketch "), "{text}");
        for (entry, line) in SKETCHES.iter().zip(text.lines().skip(2)) {
            assert!(line.starts_with(entry.name) && line.ends_with(entry.paper), "{line}");
        }
    }

    #[test]
    fn parts_that_leave_nothing_are_refused() {
        let refused = run(&SketchesArgs { epsilon: 0.0, delta: 0.01, k: 1 }, &mut Vec::new()).unwrap_err();
        assert_eq!(refused.to_string(), "--epsilon: give more than 0 and less than 1");
    }

    #[test]
    fn memory_has_three_digits() {
        let cases =
            [(5.0, "5.00 B"), (2048.0, "2.00 KiB"), (12.34e6, "11.8 MiB"), (5e8, "477 MiB"), (1e13, "9.09 TiB")];
        for (bytes, text) in cases {
            assert_eq!(memory(bytes), text);
        }
    }
}
