use super::*;

const GET: &str =
    r#"1.2.3.4 - joe d [01/Jan/1970:00:00:01 +0000] "GET /a/b?c=1 HTTP/1.1" 200 - "http://x/" "cur\"l" more"#;

fn read(combined: bool, fields: &[&str], text: &str) -> Vec<String> {
    let wanted = Wanted { key: Some(fields.iter().map(|f| f.to_string()).collect()), ..Wanted::default() };
    let opened = open(&wanted, text.as_bytes(), "x", combined).unwrap();
    let mut out = Events::new(0);
    out.begin(text.as_bytes(), 5, i64::MAX);
    opened.parser.parse(text.as_bytes(), &mut out);
    let events =
        out.iter(text.as_bytes()).map(|e| format!("{} {} {}", e.time, e.weight, String::from_utf8_lossy(e.key)));
    events.chain(out.rejected().iter().map(|r| format!("{} at {}", r.why.name(), r.at))).collect()
}

#[test]
fn every_field_has_its_value() {
    let values = [
        ("remote_host", "1.2.3.4"),
        ("identity", "-"),
        ("user", "joe d"),
        ("time", "01/Jan/1970:00:00:01 +0000"),
        ("method", "GET"),
        ("target", "/a/b?c=1"),
        ("path", "/a/b"),
        ("protocol", "HTTP/1.1"),
        ("status", "200"),
        ("bytes", "0"),
        ("referer", "http://x/"),
        ("user_agent", r#"cur\"l"#),
    ];
    assert_eq!(values.len(), FIELDS.len());
    for (field, value) in values {
        assert_eq!(read(true, &[field], GET), [format!("1000 1 {value}")], "{field}");
    }
}

#[test]
fn common_takes_combined_lines_but_not_the_other_way() {
    let common = r#"h - - [01/Jan/1970:00:00:02 +0000] "GET / HTTP/1.0" 304 0"#;
    assert_eq!(read(false, &["path"], &format!("{GET}\n{common}\r\n")), ["1000 1 /a/b", "2000 1 /"]);
    assert_eq!(read(true, &["path"], common), ["malformed at 0"]);
}

#[test]
fn bytes_can_be_the_weight() {
    let wanted = Wanted { weight: Some("bytes".into()), ..Wanted::default() };
    let opened = open_combined(&wanted, b"").unwrap();
    let mut out = Events::new(0);
    let text = format!("{GET}\n{}", GET.replace("200 -", "200 77"));
    out.begin(text.as_bytes(), 5, i64::MAX);
    opened.parser.parse(text.as_bytes(), &mut out);
    assert_eq!(out.iter(text.as_bytes()).map(|e| e.weight).collect::<Vec<_>>(), [0, 77]);
}

#[test]
fn odd_requests_lack_only_their_own_fields() {
    for (request, path) in [
        ("-", None),
        ("", None),
        ("GET /x y HTTP/1.1", None),
        ("GET ", None),
        ("GET  HTTP/1.1", None),
        ("GET /x ", None),
        ("GET /x", Some("1000 1 /x")),
        (r#"GET /\"x\\ HTTP/1.1"#, Some(r#"1000 1 /\"x\\"#)),
    ] {
        let line = GET.replace("GET /a/b?c=1 HTTP/1.1", request);
        assert_eq!(read(true, &["path"], &line), [path.unwrap_or("missing field at 0")], "{request}");
        assert_eq!(read(true, &["status"], &line), ["1000 1 200"], "{request}");
    }
    let line = GET.replace("GET /a/b?c=1 HTTP/1.1", "GET /x");
    assert_eq!(read(true, &["protocol"], &line), ["missing field at 0"]);
}

#[test]
fn a_last_field_that_is_cut_ends_with_its_line() {
    let line = &GET[..GET.len() - r#"" more"#.len()];
    assert_eq!(read(true, &["user_agent"], line), [r#"1000 1 cur\"l"#]);
}

#[test]
fn two_backslashes_are_no_escape() {
    let line = GET.replace(r#"cur\"l" more"#, r#"dir\\" "x""#);
    assert_eq!(read(true, &["user_agent"], &line), [r"1000 1 dir\\"]);
}

#[test]
fn what_does_not_fit_is_malformed() {
    for (part, other) in
        [("joe d [", "joe d "), ("] \"", "]\""), (" 200 ", " 2x0 "), (" - \"", " -1 \""), ("\"http", "http")]
    {
        assert_eq!(read(true, &["status"], &GET.replace(part, other)), ["malformed at 0"], "{part}");
    }
    assert_eq!(read(true, &["status"], "\n\n{}\n"), ["malformed at 2"]);
    assert_eq!(read(true, &["status"], &GET.replace("Jan", "Foo")), ["bad time at 0"]);
}

#[test]
fn unknown_fields_are_named() {
    let wanted = Wanted { key: Some(vec!["referer".into()]), ..Wanted::default() };
    assert!(open_combined(&wanted, b"").is_ok());
    let error = open_common(&wanted, b"").err().unwrap().to_string();
    assert!(error.starts_with("there is no field \"referer\"; the fields are: remote_host, identity"), "{error}");
}
