use proptest::prelude::*;

use super::*;
use crate::event::Rejected;

type Row = (i64, u64, Vec<u8>, u32);

fn rows(events: &Events, block: &[u8]) -> Vec<Row> {
    events.iter(block).map(|e| (e.time, e.weight, e.key.to_vec(), e.at)).collect()
}

fn read(opened: &Opened, bytes: &[u8]) -> (Vec<Row>, Vec<Rejected>) {
    let mut out = Events::new(1);
    out.begin(bytes, 7, i64::MAX);
    opened.parser.parse(bytes, &mut out);
    (rows(&out, bytes), out.rejected().to_vec())
}

fn keys(wanted: &Wanted, file: &str) -> Vec<String> {
    let opened = open_csv(wanted, file.as_bytes()).unwrap();
    let (rows, rejected) = read(&opened, &file.as_bytes()[opened.header..]);
    let keys = rows.into_iter().map(|row| String::from_utf8(row.2).unwrap());
    keys.chain(rejected.iter().map(|r| format!("{} at {}", r.why.name(), r.at))).collect()
}

fn key(fields: &[&str]) -> Wanted {
    Wanted { key: Some(fields.iter().map(|f| f.to_string()).collect()), ..Wanted::default() }
}

#[test]
fn header_names_the_columns() {
    let file = "\u{feff}ts,key,n\r\n1,a,x\r\n\r\n2,\"b\"\"c\",y\n";
    let opened = open_csv(&Wanted::default(), file.as_bytes()).unwrap();
    assert!(!opened.arrival);
    let (rows, rejected) = read(&opened, &file.as_bytes()[opened.header..]);
    assert_eq!(rows, [(1000, 1, b"a".to_vec(), 0), (2000, 1, b"b\"c".to_vec(), 9)]);
    assert_eq!(rejected, []);
}

#[test]
fn quoted_header_names_and_newlines_in_fields() {
    assert_eq!(keys(&key(&["a,b"]), "\"a,b\",c\n\"x\ny\",1\nz,\"2\n"), ["x\ny", "malformed at 8"]);
}

#[test]
fn columns_in_any_order_and_twice() {
    assert_eq!(keys(&key(&["c", "a", "c"]), "a,b,c\n1,2,3\n"), ["3,1,3"]);
    assert_eq!(keys(&key(&["a"]), "a,a\n1,2\n"), ["1"]);
}

#[test]
fn short_records_lack_fields() {
    assert_eq!(keys(&key(&["c"]), "a,b,c\n1,2\n\"1\",2\n1,2,\n"), ["", "missing field at 0", "missing field at 4"]);
}

#[test]
fn columns_replace_the_header() {
    let wanted = Wanted { columns: Some(vec!["x".into(), "key".into()]), ..Wanted::default() };
    assert_eq!(keys(&wanted, "1,a\n2,b"), ["a", "b"]);
}

#[test]
fn unknown_fields_are_named() {
    let error = open_csv(&key(&["z"]), b"a,b\n").err().unwrap();
    assert_eq!(error.to_string(), "there is no field \"z\"; the fields are: a, b");
    let error = open_tsv(&Wanted::default(), b"a\tb\n").err().unwrap();
    assert_eq!(error.to_string(), "the format tsv needs a --key; the fields are: a, b");
    let error = open_csv(&Wanted::default(), b"\"a,b\n").err().unwrap();
    assert!(error.to_string().contains("a quote is not closed"), "{error}");
}

#[test]
fn empty_input_lacks_nothing() {
    assert!(keys(&key(&["z"]), "").is_empty());
    assert!(keys(&Wanted::default(), "\n\r\n").is_empty());
}

#[test]
fn quotes_inside_a_field_are_text() {
    assert_eq!(keys(&key(&["a"]), "a,b\nx\"y,1\n\"p\"q\"r,1\n"), ["x\"y", "pq\"r"]);
}

#[test]
fn only_the_start_of_the_file_has_a_byte_order_mark() {
    let file = "\u{feff}key,b\n\u{feff}x,\"1\"\"\"\n\u{feff}y,\"2\"\n";
    assert_eq!(keys(&key(&["key", "b"]), file), ["\u{feff}x,\"1\"\"\"", "\u{feff}y,2"]);
}

#[test]
fn tabs_split_tsv() {
    let file = b"key\tts\na,b\t1\n\"c\td\"\t2\n";
    let opened = open_tsv(&Wanted::default(), file).unwrap();
    let (rows, _) = read(&opened, &file[opened.header..]);
    assert_eq!(rows, [(1000, 1, b"a,b".to_vec(), 0), (2000, 1, b"c\td".to_vec(), 6)]);
}

#[test]
fn long_records_are_rejected() {
    let long = "x".repeat(MAX_RECORD + 1);
    let file = format!("key\n{long}\n\"{long}\"\nok\n");
    let expected = format!("too long at {}", long.len() + 1);
    assert_eq!(keys(&Wanted::default(), &file), ["ok", "too long at 0", expected.as_str()]);
}

/// All records of `bytes` as `csv-core` alone reads them, with carriage returns kept.
fn oracle(bytes: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut reader = csv_core::ReaderBuilder::new().terminator(csv_core::Terminator::Any(b'\n')).build();
    let (mut text, mut ends) = (vec![0; bytes.len() + 1], vec![0; bytes.len() + 2]);
    let (mut records, mut from) = (Vec::new(), 0);
    let (mut written, mut fields) = (0, 0);
    loop {
        let (result, read, wrote, ended) =
            reader.read_record(&bytes[from..], &mut text[written..], &mut ends[fields..]);
        (from, written, fields) = (from + read, written + wrote, fields + ended);
        match result {
            csv_core::ReadRecordResult::InputEmpty => {}
            csv_core::ReadRecordResult::Record => {
                let starts = std::iter::once(&0).chain(&ends[..fields]);
                records.push(starts.zip(&ends[..fields]).map(|(&s, &e)| text[s..e].to_vec()).collect());
                (written, fields) = (0, 0);
            }
            _ => return records,
        }
    }
}

fn csv_text() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(proptest::sample::select(b"ab,,\"\"\n\n\r".to_vec()), 0..60)
}

proptest! {
    #[test]
    fn reads_as_csv_core_does(bytes in "[ab,\"\n]{0,60}") {
        let bytes = bytes.as_bytes();
        let wanted = Wanted { columns: Some(vec!["a".into(), "b".into()]), ..key(&["b", "a"]) };
        let opened = open_csv(&wanted, bytes).unwrap();
        let (rows, rejected) = read(&opened, bytes);
        let mut expected = Vec::new();
        let mut from = 0;
        while let Some(end) = record_end(&bytes[from..], b',') {
            expected.extend(oracle(&bytes[from..from + end]));
            from += end;
        }
        // Record by record or all at once: the boundaries are those of csv-core.
        let mut whole = oracle(bytes);
        if measure(&bytes[from..], b',') == Record::Unended {
            expected.extend(oracle(&bytes[from..]));
        } else if whole.len() > expected.len() {
            whole.pop();
        }
        prop_assert_eq!(&whole, &expected);
        let full: Vec<_> = whole.iter().filter(|r| r.len() >= 2).map(|r| composite(&r[1], &r[0])).collect();
        prop_assert_eq!(rows.iter().map(|r| r.2.clone()).collect::<Vec<_>>(), full);
        let open = usize::from(measure(&bytes[from..], b',') == Record::Open);
        prop_assert_eq!(rejected.len(), whole.iter().filter(|r| r.len() < 2).count() + open);
    }

    #[test]
    fn blocks_may_be_cut_between_records(bytes in csv_text(), cuts in proptest::collection::vec(any::<bool>(), 60)) {
        let wanted = Wanted { columns: Some(vec!["a".into(), "key".into()]), ..Wanted::default() };
        let opened = open_csv(&wanted, b"").unwrap();
        let (rows, rejected) = read(&opened, &bytes);
        let (mut start, mut from) = (0, 0);
        let (mut cut_rows, mut cut_rejected) = (Vec::new(), Vec::new());
        let mut cuts = cuts.into_iter().cycle();
        while start < bytes.len() {
            let end = record_end(&bytes[from..], b',').map(|end| from + end);
            from = end.unwrap_or(bytes.len());
            if end.is_none() || from == bytes.len() || cuts.next() == Some(true) {
                let (rows, rejected) = read(&opened, &bytes[start..from]);
                cut_rows.extend(rows.into_iter().map(|r| (r.0, r.1, r.2, r.3 + start as u32)));
                cut_rejected.extend(rejected.into_iter().map(|r| Rejected { at: r.at + start as u32, ..r }));
                start = from;
            }
        }
        prop_assert_eq!(rows, cut_rows);
        prop_assert_eq!(rejected, cut_rejected);
    }
}

/// Two parts of a key in one, as composite keys are written.
fn composite(first: &[u8], second: &[u8]) -> Vec<u8> {
    let part = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
    };
    format!("{},{}", part(first), part(second)).into_bytes()
}

/// Lines of all kinds: regular ones most of all, so that many are read together.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => "176722560[0-9]{4},[ab]{0,9},[0-9]{1,3},[ab]?\r?",
        1 => "176722560[0-9]{4},[ab]{60,70},1,x",
        1 => "9767225600000,a,1,future",
        1 => "[0-9]{10},a,1,[ab]{0,40}",
        1 => "-1,\"[a,\n]{0,5}\",1,x",
        1 => "[0-9]{13},a,[x1]",
        1 => "[0-9]{0,14},a",
        1 => "\r?",
        1 => "[ab,0-9\r]{0,70}",
    ]
}

proptest! {
    #[test]
    fn lines_read_together_are_read_as_each_alone(
        lines in proptest::collection::vec(line(), 0..300),
        fields in proptest::collection::vec(proptest::sample::select(vec!["ts", "key", "n", "c"]), 1..5),
        time: bool,
        weight: bool,
    ) {
        let columns = ["ts", "key", "n", "c"].map(String::from).to_vec();
        let time = time.then(|| "ts".to_string());
        let weight = weight.then(|| "n".to_string());
        let wanted = Wanted { columns: Some(columns), time, weight, ..key(&fields) };
        let opened = open_csv(&wanted, b"").unwrap();
        let read = |bytes: &[u8]| {
            let mut out = Events::new(1);
            out.begin(bytes, 7, 1_800_000_000_000);
            opened.parser.parse(bytes, &mut out);
            (rows(&out, bytes), out.rejected().to_vec(), out.latest_time())
        };
        let (mut alone, mut rejected, mut latest) = (Vec::new(), Vec::new(), None);
        let mut start = 0;
        for line in &lines {
            let line = format!("{line}\n");
            let (rows, no, last) = read(line.as_bytes());
            alone.extend(rows.into_iter().map(|row| (row.0, row.1, row.2, row.3 + start)));
            rejected.extend(no.into_iter().map(|no| Rejected { at: no.at + start, ..no }));
            latest = latest.max(last);
            start += line.len() as u32;
        }
        let together: String = lines.iter().map(|line| format!("{line}\n")).collect();
        prop_assert_eq!(read(together.as_bytes()), (alone, rejected, latest));
    }
}
