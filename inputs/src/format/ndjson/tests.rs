use proptest::prelude::*;

use super::*;

fn fields(names: &[&str]) -> Wanted {
    Wanted { key: Some(names.iter().map(|n| n.to_string()).collect()), ..Wanted::default() }
}

fn read(wanted: &Wanted, text: &[u8]) -> Vec<String> {
    let opened = open(wanted, text).unwrap();
    let mut out = Events::new(0);
    out.begin(&text[opened.header..], 5, i64::MAX);
    opened.parser.parse(&text[opened.header..], &mut out);
    let events =
        out.iter(&text[opened.header..]).map(|e| format!("{} {} {}", e.time, e.weight, String::from_utf8_lossy(e.key)));
    events.chain(out.rejected().iter().map(|r| format!("{} at {}", r.why.name(), r.at))).collect()
}

fn keys(names: &[&str], line: &str) -> Vec<String> {
    let keys = read(&fields(names), line.as_bytes());
    keys.into_iter().map(|key| key.strip_prefix("5 1 ").unwrap_or(&key).to_string()).collect()
}

#[test]
fn values_count_as_text() {
    for (value, key) in [
        (r#""a b""#, "a b"),
        (r#""""#, ""),
        (r#""a\"\u00e9\ud83d\ude00\n\/""#, "a\"é😀\n/"),
        ("12", "12"),
        ("-1.50e+3", "-1.50e+3"),
        ("1e999", "1e999"),
        ("true", "true"),
        ("false", "false"),
        ("null", "missing field at 0"),
        (r#"{"a" : [1, "x y" ] }"#, r#"{"a":[1,"x y"]}"#),
        ("[ ]", "[]"),
        (r#""\ud800""#, "malformed at 0"),
    ] {
        assert_eq!(keys(&["k"], &format!(r#"{{"k":{value}}}"#)), [key], "{value}");
        assert_eq!(keys(&["k"], &format!(r#" {{ "a" : 1 , "k" : {value} }} "#)), [key], "{value}");
    }
    assert_eq!(keys(&["k"], "{}"), ["missing field at 0"]);
}

#[test]
fn what_is_no_object_is_malformed() {
    for line in [
        "1",
        "[]",
        "null",
        "\"k\"",
        "{",
        "}",
        "{}x",
        "{}{}",
        "{'k':1}",
        "{k:1}",
        "{\"k\"}",
        "{\"k\":}",
        "{\"k\":1,}",
        "{,\"k\":1}",
        "{\"k\":01}",
        "{\"k\":1.}",
        "{\"k\":.1}",
        "{\"k\":+1}",
        "{\"k\":-}",
        "{\"k\":1e}",
        "{\"k\":tru}",
        "{\"k\":nulll}",
        "{\"k\":\"}",
        "{\"k\":\"\\x\"}",
        "{\"k\":\"\\u12g4\"}",
        "{\"k\":\"\t\"}",
        "{\"k\":1 \"a\":1}",
        "{\"k\":[1,]}",
        "{\"k\":[1}",
        "{\"k\":[1 2]}",
        "{\"k\":{\"a\"}}",
        "{\"k\":\"\\\"}",
        "{\"k\" 1}",
        "{\"k\":1\0}",
        "{\"k\":\"a\u{1}\"}",
        "{\"\\ud800\":1,\"k\":1}",
        "\u{b}{}",
    ] {
        assert_eq!(keys(&["k"], line), ["malformed at 0"], "{line}");
    }
    assert_eq!(read(&fields(&["k"]), b"{\"k\":\"\xff\"}\n{\"k\":1}"), ["5 1 1", "malformed at 0"]);
    assert_eq!(read(&fields(&["k"]), b"{\"k\":1,\"x\":\"\xc3\"}"), ["malformed at 0"]);
}

#[test]
fn names_given_twice_have_the_last_value() {
    assert_eq!(keys(&["k"], r#"{"k":1,"k":2}"#), ["2"]);
    assert_eq!(keys(&["k"], r#"{"k":1,"\u006b":2}"#), ["2"]);
    assert_eq!(keys(&["a.k"], r#"{"a":{"k":1},"a":{"k":2,"k":3}}"#), ["3"]);
}

#[test]
fn paths_reach_inside() {
    let line = r#"{"user":{"id":7,"name":{"first":"A\tb"}},"a.b":1,"a":{"b":2}}"#;
    assert_eq!(keys(&["user.id"], line), ["7"]);
    assert_eq!(keys(&["user.name.first"], line), ["A\tb"]);
    assert_eq!(keys(&["a.b"], line), ["1"]);
    assert_eq!(keys(&["a.b", "user.id"], line), ["1,7"]);
    for missing in ["user.x", "user.id.x", "x.id", "a.b.c", "user.name.first.x"] {
        assert_eq!(keys(&[missing], line), ["missing field at 0"], "{missing}");
    }
}

#[test]
fn arrays_give_an_event_for_each_element() {
    assert_eq!(keys(&["tags[]"], r#"{"tags":["a","b\n",3]}"#), ["a", "b\n", "3"]);
    assert_eq!(keys(&["tags[]"], r#"{"tags":"a"}"#), ["a"]);
    assert_eq!(keys(&["tags[]"], r#"{"tags[]":"a","tags":["b"]}"#), ["a"]);
    assert_eq!(keys(&["t[][]"], r#"{"t":[[1,2],[],3]}"#), ["1", "2", "3", "missing field at 0"]);
    for missing in [r#"{"tags":[]}"#, r#"{"tags":null}"#, r#"{"a":1}"#, r#"{"tags":[null,null]}"#] {
        assert_eq!(keys(&["tags[]"], missing), ["missing field at 0"], "{missing}");
    }
    assert_eq!(keys(&["a[]", "b[]"], r#"{"a":[1,2],"b":[3,4]}"#), ["1,3", "1,4", "2,3", "2,4"]);
}

#[test]
fn paths_through_one_array_stay_together() {
    let line = r#"{"items":[{"id":"a","n":2,"t":["x","y"]},{"id":"b","n":3,"t":"z"}],"user":"u"}"#;
    assert_eq!(keys(&["items[].id", "items[].n", "user"], line), ["a,2,u", "b,3,u"]);
    assert_eq!(keys(&["items[].id", "items[].t[]"], line), ["a,x", "a,y", "b,z"]);
    let wanted = Wanted { weight: Some("items[].n".into()), ..fields(&["items[].id"]) };
    assert_eq!(read(&wanted, line.as_bytes()), ["5 2 a", "5 3 b"]);
    let odd = line.replace("\"n\":3", "\"n\":-3");
    assert_eq!(read(&wanted, odd.as_bytes()), ["5 2 a", "bad weight at 0"]);
}

#[test]
fn crossed_arrays_have_a_limit() {
    let ones = vec!["1"; 5_000].join(",");
    assert_eq!(keys(&["a[]", "b[]"], &format!(r#"{{"a":[{ones}],"b":[{ones}]}}"#)), ["too long at 0"]);
    assert_eq!(keys(&["a[]"], &format!(r#"{{"a":[{ones}],"b":[{ones}]}}"#)).len(), 5_000);
    let twenty = vec!["1"; 20].join(",");
    assert_eq!(keys(&["a[]", "b[]"], &format!(r#"{{"a":[{twenty}],"b":[{twenty}]}}"#)).len(), 400);
}

#[test]
fn times_and_weights_are_numbers_or_strings() {
    let wanted = Wanted { time: Some("t".into()), weight: Some("w".into()), ..fields(&["k"]) };
    let lines = br#"{"t":1767225600123,"w":3,"k":"a"}
{"k":"b","w":"4","t":"2026-01-01T00:00:00Z"}
{"k":"c","w":1.5,"t":1}
{"k":"c","w":1,"t":"soon"}
{"k":"c","w":1}"#;
    let found = read(&wanted, lines);
    assert_eq!(found[..2], ["1767225600123 3 a", "1767225600000 4 b"]);
    assert_eq!(found[2..], ["bad weight at 79", "bad time at 103", "missing field at 130"]);
}

#[test]
fn fields_come_from_the_first_line_that_can_be_read() {
    let text = "\u{feff}\nnonsense\n{\"timestamp\":1,\"key\":\"a\"}\n";
    assert_eq!(read(&Wanted::default(), text.as_bytes()), ["1000 1 a", "malformed at 1"]);
    let error = open(&Wanted::default(), b"{\"a\":1,\"b\":2}").err().unwrap();
    assert_eq!(error.to_string(), "the format ndjson needs a --key; the fields are: a, b");
    assert!(open(&Wanted::default(), b"").is_ok());
}

#[test]
fn depth_has_a_limit() {
    let nested = |open: &str, close: &str, depth: usize| {
        format!(r#"{{"k":1,"x":{}1{}}}"#, open.repeat(depth), close.repeat(depth))
    };
    assert_eq!(keys(&["k"], &nested("[", "]", 126)), ["1"]);
    assert_eq!(keys(&["k"], &nested("[", "]", 127)), ["malformed at 0"]);
    assert_eq!(keys(&["k"], &nested("{\"a\":", "}", 126)), ["1"]);
    assert_eq!(keys(&["k"], &nested("{\"a\":", "}", 127)), ["malformed at 0"]);
    assert_eq!(keys(&["k"], &nested("[", "", 100_000)), ["malformed at 0"]);
    let brackets = format!(r#"{{"k":1,"x":"\"{}"}}"#, "[".repeat(200));
    assert_eq!(keys(&["k"], &brackets), ["1"]);
}

/// What both ways of reading find in a line: a line that only one of them takes counts as different when it is the scan.
fn both_ways(line: &[u8]) -> Result<(), TestCaseError> {
    let mut names = Names::default();
    for name in ["k", "ts", ""] {
        names.place(name);
    }
    let mut fast = vec![None; names.len()];
    let stops = Stops::of(line);
    let lines = Lines::new(line, &stops);
    let mut shape = Shape::default();
    let scanned = std::str::from_utf8(line).ok().and_then(|_| lines.members(0, &names, &mut fast, &mut shape));
    let slow = object::members(line).map(|members| {
        let mut found = vec![None; names.len()];
        for (name, value) in members {
            if let Some(i) = names.find(name.as_bytes(), 0, name.len()) {
                found[i] = Some(value);
            }
        }
        found
    });
    if scanned.is_some() {
        for value in fast.iter().flatten().filter(|value: &&object::Value<'_>| value.text.is_some()) {
            prop_assert_eq!(Some(value.text), object::plain(value.raw));
        }
        let fast: Vec<_> = fast.iter().map(|value| value.map(|value| value.raw)).collect();
        prop_assert_eq!(Some(fast), slow.clone(), "{}", String::from_utf8_lossy(line));
    }
    let value: Option<serde_json::Value> = serde_json::from_slice(line).ok().filter(serde_json::Value::is_object);
    if value.is_some() {
        prop_assert!(slow.is_some(), "{}", String::from_utf8_lossy(line));
        let plain = !line.contains(&b'\\');
        prop_assert!(scanned.is_some() || !plain, "not scanned: {}", String::from_utf8_lossy(line));
    }
    Ok(())
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,2})?([eE][+-]?[0-9])?",
        "\"([a-zé\"]|\\\\[\"\\\\/bfnrtu]|\\\\u[0-9a-fA-F]{4}| ){0,12}\"",
        "true|false|null",
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        let name = prop_oneof!["k|ts|a|", "[a-z\\\\]{0,9}"];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|v| format!("[{}]", v.join(", "))),
            proptest::collection::vec((name, inner), 0..4).prop_map(|members| {
                let members: Vec<_> = members.into_iter().map(|(n, v)| format!("\"{n}\" :{v}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn both_ways_agree(k in json(), ts in json(), edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3)) {
        let mut line = format!(r#"{{"ts":{ts},"k":{k}, "x":[1]}}"#).into_bytes();
        both_ways(&line)?;
        for (at, byte) in edits {
            let at = at.index(line.len());
            match byte % 4 {
                0 => line[at] = byte,
                1 => line[at] = b"{}[]\",:\\0e-. tn\r"[usize::from(byte >> 4)],
                2 => drop(line.remove(at)),
                _ => line.insert(at, line[usize::from(byte) % line.len()]),
            }
            both_ways(&line)?;
        }
    }
}

/// A line like many others, with `values` in it and one byte perhaps changed.
fn similar() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof!["-?[0-9]{1,12}(\\.[0-9])?", "\"[a-z\\\\\"]{0,20}\"", "true|null|\\[1, 2\\]|\\{\"k\":1\\}"];
    let layout = prop_oneof![
        4 => Just(r#"{"ts":A,"k":B,"a longer name than sixteen":C}"#),
        1 => Just(r#"{ "ts" : A , "k" : B, "k": C }"#),
        1 => Just(r#"{"ts":A,"x":B,"y":C}"#),
    ];
    let edit = prop::option::weighted(0.2, (any::<prop::sample::Index>(), 0x20u8..0x7f));
    (layout, [value.clone(), value.clone(), value], edit, any::<bool>()).prop_map(|(layout, [a, b, c], edit, crlf)| {
        let mut line = layout.replace('A', &a).replace('B', &b).replace('C', &c).into_bytes();
        if let Some((at, byte)) = edit {
            let at = at.index(line.len());
            line[at] = byte;
        }
        line.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
        line
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_line_is_read_the_same_whatever_line_is_before(lines in proptest::collection::vec(similar(), 1..12)) {
        let wanted = fields(&["k"]);
        let opened = open(&wanted, br#"{"k":1,"ts":1}"#).unwrap();
        let read = |bytes: &[u8]| {
            let mut out = Events::new(0);
            out.begin(bytes, 5, i64::MAX);
            opened.parser.parse(bytes, &mut out);
            let events: Vec<_> = out.iter(bytes).map(|e| (e.time, e.weight, e.key.to_vec())).collect();
            (events, out.rejected().iter().map(|r| r.why).collect::<Vec<_>>())
        };
        let alone: Vec<_> = lines.iter().map(|line| read(line)).collect();
        let (events, rejected): (Vec<_>, Vec<_>) = alone.into_iter().unzip();
        prop_assert_eq!(read(&lines.concat()), (events.concat(), rejected.concat()));
    }
}
