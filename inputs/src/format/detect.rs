//! `auto`: settles the format from the start of the input.

use super::{FormatError, Opened, Wanted, bom, combined, csv, is_blank, logfmt, ndjson};

/// How many lines are looked at.
const LINES: usize = 20;

/// Opens an input in the format that its first lines fit: `ndjson`, `combined`, `common`, `logfmt`, `tsv` or `csv`, in
/// this order, else `lines`. A pattern makes it `regex`; named columns make it `tsv` or `csv`.
pub(super) fn open(wanted: &Wanted, sample: &[u8]) -> Result<Opened, FormatError> {
    super::open(settle(wanted, &sample[bom(sample)..]), wanted, sample)
}

/// The name of the format.
fn settle(wanted: &Wanted, sample: &[u8]) -> &'static str {
    let lines = first_lines(sample);
    let all = |combined| lines.iter().all(|line| combined::fits(line, combined));
    match lines.first() {
        _ if wanted.pattern.is_some() => "regex",
        _ if wanted.columns.is_some() => {
            if csv::is_table(sample, b'\t') {
                "tsv"
            } else {
                "csv"
            }
        }
        None => "lines",
        Some(first) if ndjson::is_object(first) => "ndjson",
        Some(_) if all(true) => "combined",
        Some(_) if all(false) => "common",
        Some(first) if is_logfmt(first) => "logfmt",
        Some(_) if csv::is_table(sample, b'\t') => "tsv",
        Some(_) if csv::is_table(sample, b',') => "csv",
        Some(_) => "lines",
    }
}

/// The first lines that are not blank. The last line of a sample may be cut, so it counts only when it is the only one.
fn first_lines(sample: &[u8]) -> Vec<&[u8]> {
    let whole = memchr::memrchr(b'\n', sample).map_or(sample, |end| &sample[..end]);
    let lines = whole.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.filter(|line| !is_blank(line)).take(LINES).collect()
}

/// Whether a line is mostly pairs: at least two, and more than there are words without `=`.
fn is_logfmt(line: &[u8]) -> bool {
    let pairs = logfmt::pairs(line).unwrap_or_default();
    let whole = pairs.iter().filter(|(name, value)| !name.is_empty() && *value != logfmt::Value::Absent).count();
    whole >= 2 && 2 * whole > pairs.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines_settle_the_format() {
        let common = "h - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 5";
        for (sample, format) in [
            ("", "lines"),
            ("\n \r\n", "lines"),
            ("{\"key\":1}\nnonsense", "ndjson"),
            ("\n\n {\"key\":{\"a\":[1]}} \r\n", "ndjson"),
            ("{\"key\":1", "lines"),
            ("[1]\n", "lines"),
            (&format!("{common} \"-\" \"x\"\n"), "combined"),
            (&format!("{common} \"-\" \"x\"\n{common}\n"), "common"),
            (common, "common"),
            (&format!("{common}\n{}", &common[..20]), "common"),
            ("ts=1 level=info msg=\"a b\"\n", "logfmt"),
            ("a=1\n", "lines"),
            ("I say a=1 and that b=2\n", "lines"),
            ("a\tb\n1\t2\n", "tsv"),
            ("a,b\n1,2\n3,\"4,\n5\"\n", "csv"),
            ("a,b\n", "csv"),
            ("a,b\n1,2\n3,", "csv"),
            ("a,b\tc\n1\t2\n", "tsv"),
            ("a,b\n1\n", "lines"),
            ("/index.html\n/a\n", "lines"),
        ] {
            assert_eq!(settle(&Wanted::default(), sample.as_bytes()), format, "{sample}");
        }
    }

    #[test]
    fn a_pattern_makes_it_regex() {
        let wanted = Wanted { pattern: Some("(".into()), ..Wanted::default() };
        assert!(matches!(open(&wanted, b"{}"), Err(FormatError::Pattern(_))));
    }

    #[test]
    fn columns_make_it_a_table() {
        let wanted = Wanted { columns: Some(vec!["a".into()]), ..Wanted::default() };
        assert_eq!(settle(&wanted, b"x\n"), "csv");
        assert_eq!(settle(&wanted, b"x\ty\n"), "tsv");
    }

    #[test]
    fn a_byte_order_mark_is_looked_past() {
        let opened = open(&Wanted::default(), "\u{feff}{\"key\":1}".as_bytes());
        assert!(opened.is_ok_and(|opened| opened.header == 3 && opened.arrival));
    }
}
