//! The HTTP API: answers, refusals, and clients that mean no good.
#![allow(clippy::unwrap_used)]

#[path = "http/client.rs"]
mod client;
mod history;
mod reference;
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use client::{Reply, ask, connect, get, get_with, read, send, send_all};
use history::{HOUR, MINUTE, NEW_YEAR, Random, Truth, some_days};
use hitters::http::access::Access;
use hitters::http::limits::Limits;
use hitters::http::routes::ROUTES;
use hitters::http::server::Server;
use hitters::http::site::Site;
use hitters::query::history::History;
use hitters::query::{Query, answer};
use hitters::store::writer::Writer;
use serde_json::Value;
use support::{PATIENCE, run};

const TOKEN: &str = "a token that nobody guesses";

fn serve_with(dir: &Path, limits: Limits, token: Option<&str>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let access = Access::at(listener.local_addr().unwrap(), token).unwrap();
    Server::start(listener, Site::new(History::of_store(history::open(dir)), access, limits)).unwrap()
}

fn serve(dir: &Path) -> Server {
    serve_with(dir, Limits::default(), None)
}

/// A store of two days, and what is in it.
fn two_days() -> (tempfile::TempDir, Truth) {
    let (dir, truth) = (tempfile::tempdir().unwrap(), some_days(5, 10 * MINUTE, 2, 300, 6000));
    truth.write(dir.path());
    (dir, truth)
}

fn keys_and_counts(answer: &Value) -> Vec<(String, u64)> {
    let row = |row: &Value| (row["key"].as_str().unwrap().to_owned(), row["count"].as_u64().unwrap());
    answer["rows"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn answers_are_those_of_addition_in_every_form() {
    let (dir, truth) = two_days();
    let server = serve(dir.path());
    let mut random = Random(3);
    for _ in 0..20 {
        let from = NEW_YEAR + random.below(280) as i64 * 10 * MINUTE;
        let to = from + random.below(280) as i64 * 10 * MINUTE;
        let path = format!("/v1/topk?k=7&start={from}&end={to}");
        let reply = get(server.address(), &path);
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")), "{reply:?}");
        let (answer, expected) = (reply.json(), truth.top(from, to, 7));
        let expected: Vec<_> =
            expected.into_iter().map(|r| (String::from_utf8(r.key).unwrap(), r.estimate.count)).collect();
        assert_eq!(keys_and_counts(&answer), expected);
        assert_eq!((&answer["exact"], &answer["partial"]), (&true.into(), &false.into()));
        let lines = get_with(server.address(), &path, "accept: application/x-ndjson\r\n");
        assert_eq!(lines.header("hitters-exact"), Some("true"));
        let rows: Vec<Value> = lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(Value::from(rows), answer["rows"]);
        let csv = get_with(server.address(), &path, "accept: text/csv\r\n");
        assert_eq!((csv.text().lines().count(), csv.header("vary")), (expected.len() + 1, Some("accept")));
        let store = dir.path().to_str().unwrap();
        if from < NEW_YEAR + HOUR * 5 {
            let (from, to) = (from.to_string(), to.to_string());
            let queried =
                run(["query", "--store", store, "-k", "7", "-o", "csv", "--from", from.as_str(), "--to", to.as_str()]);
            assert_eq!(csv.text(), queried.stdout, "one way to write rows");
        }
    }
}

#[test]
fn series_filters_changes_keys_and_windows() {
    let (dir, truth) = two_days();
    let server = serve(dir.path());
    let ask = |path: &str| {
        let reply = get(server.address(), path);
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        reply.json()
    };
    let (from, to) = (NEW_YEAR, NEW_YEAR + 6 * HOUR);
    let series = ask(&format!("/v1/topk?k=3&start={from}&end={to}&every=1h"));
    assert_eq!(series["intervals"].as_array().unwrap().len(), 6);
    let expected: Vec<_> = (0..6).flat_map(|hour| truth.top(from + hour * HOUR, from + (hour + 1) * HOUR, 3)).collect();
    assert_eq!(keys_and_counts(&series).len(), expected.len());
    assert!(keys_and_counts(&series).iter().zip(&expected).all(|((_, count), row)| *count == row.estimate.count));
    let filtered = ask("/v1/topk?k=1000&prefix=key-1&match=%5B05%5D%24");
    assert!(keys_and_counts(&filtered).iter().all(|(key, _)| key.starts_with("key-1") && key.ends_with(['0', '5'])));
    assert!(!keys_and_counts(&filtered).is_empty());
    let moved = ask(&format!("/v1/topk?compare&start={}&end={to}&k=5", from + 3 * HOUR));
    assert!(moved["rows"].as_array().unwrap().iter().all(|row| row["change"].is_i64() || row["change"].is_u64()));
    let (key, count) = keys_and_counts(&ask("/v1/topk?k=1")).remove(0);
    let followed = ask(&format!("/v1/key/{key}"));
    assert_eq!((keys_and_counts(&followed)[0].1, &followed["rows"][0]["rank"]), (count, &1.into()));
    let hours = ask(&format!("/v1/key/{key}?every=1h"));
    let sum: u64 = keys_and_counts(&hours).iter().map(|(_, count)| count).sum();
    assert_eq!(sum, count);
    assert_eq!(ask("/v1/key/nobody")["rows"][0]["rank"], Value::Null);
    let windows = ask("/v1/windows?limit=100000");
    assert_eq!(windows["rows"].as_array().unwrap().len(), truth.windows.len());
    let total: u64 = windows["rows"].as_array().unwrap().iter().map(|row| row["total"].as_u64().unwrap()).sum();
    assert_eq!(total, truth.sum(i64::MIN, i64::MAX).values().sum::<u64>());
    let last = ask("/v1/windows?level=1h&limit=1");
    assert_eq!(last["rows"][0]["window_end"], last["stored_until"]);
    assert_eq!(ask(&format!("/v1/windows?start={from}&end={from}"))["rows"], serde_json::json!([]));
}

#[test]
fn keys_of_any_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path(), MINUTE).unwrap();
    let keys: [&[u8]; 9] =
        [b"", b"caf\xe9", "café ✓".as_bytes(), b"a+b c", b"/watch/1?x=2#3", b"100%", br"\x41", b"..", b"\"\n,<"];
    let counts = (1..).zip(keys).map(|(count, key)| (key.to_vec(), count)).collect();
    history::put(&mut writer, NEW_YEAR, MINUTE, &counts);
    writer.finish().unwrap();
    let server = serve(dir.path());
    let encoded = |text: &[u8]| text.iter().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let rows = get(server.address(), "/v1/topk?k=20").json();
    assert_eq!(rows["rows"].as_array().unwrap().len(), keys.len());
    for row in rows["rows"].as_array().unwrap() {
        let key = row["key"].as_str().unwrap();
        let followed = get(server.address(), &format!("/v1/key/{}", encoded(key.as_bytes())));
        assert_eq!(followed.json()["rows"][0]["count"], row["count"], "{key}");
    }
    for (path, count) in [("caf%e9", 2), ("a+b%20c", 4), ("/watch/1%3Fx=2%233", 5), ("100%25", 6), ("100%", 6)] {
        assert_eq!(get(server.address(), &format!("/v1/key/{path}")).json()["rows"][0]["count"], count, "{path}");
    }
    let one = |path: &str| keys_and_counts(&get(server.address(), path).json());
    assert_eq!(one("/v1/topk?prefix=caf%E9"), [(r"caf\xe9".to_owned(), 2)]);
    assert_eq!(one("/v1/topk?prefix=a%2Bb+c"), [("a+b c".to_owned(), 4)]);
}

#[test]
fn the_description_is_of_what_there_is() {
    let (dir, _) = two_days();
    let server = serve(dir.path());
    let document = get(server.address(), "/openapi.json").json();
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), ROUTES.len());
    for (path, operations) in paths {
        assert_eq!(operations.as_object().unwrap().len(), 1, "{path} can only be read");
        let described = operations["get"]["parameters"].as_array().unwrap();
        let route = ROUTES.iter().find(|route| route.path == path).unwrap();
        let path = path.replace("{key}", "key-1");
        let reply = get(server.address(), &path);
        assert_eq!(reply.status, 200, "{path}");
        let content = operations["get"]["responses"]["200"]["content"].as_object().unwrap();
        assert!(content.contains_key(reply.header("content-type").unwrap()), "{path}: {reply:?}");
        for media in content.keys() {
            let reply = get_with(server.address(), &path, &format!("accept: {media}\r\n"));
            assert_eq!(reply.header("content-type"), Some(media.as_str()), "{path}");
        }
        let in_query: Vec<&str> = described
            .iter()
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(in_query, route.parameters.iter().map(|parameter| parameter.name).collect::<Vec<_>>());
        for name in in_query {
            // Every parameter is looked at: what cannot be any value of it is refused by its name.
            let reply = get(server.address(), &format!("{path}?{name}=%28"));
            let can_be_anything = name == "prefix";
            assert_eq!(reply.status, if can_be_anything { 200 } else { 400 }, "{path} {name}: {reply:?}");
            assert!(can_be_anything || reply.json()["parameter"] == name, "{reply:?}");
        }
        assert_eq!(get(server.address(), &format!("{path}?other=1")).status, 400);
    }
    let metrics = get(server.address(), "/metrics");
    for line in [
        "hitters_http_requests_total{route=\"/openapi.json\",status=\"200\"} 3",
        "hitters_http_request_duration_seconds_count{route=\"/v1/health\"}",
        "hitters_store_windows{level=\"10m\"}",
        "hitters_store_keys",
        "hitters_http_running 0",
        "# EOF",
    ] {
        assert!(metrics.text().contains(line), "{line} is not in:\n{}", metrics.text());
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_a_sentence() {
    let (dir, _) = two_days();
    let server = serve(dir.path());
    let cases = [
        ("/v1/topk?k=100001", 400, "k: give a whole number from 0 to 100000"),
        ("/v1/topk?k=18446744073709551616", 400, "k: give a whole number"),
        ("/v1/topk?k=-1", 400, "k: give a whole number"),
        ("/v1/topk?start=2026-01-02&end=2026-01-01", 400, "end: the interval starts at 2026-01-02T00:00:00Z and ends"),
        ("/v1/topk?end=yesterday", 400, "end: \"yesterday\" is not a time"),
        ("/v1/topk?every=1ms", 400, "every: that makes more than 10000 answers"),
        ("/v1/topk?every=1h&k=100000", 400, "every: that makes more than 2 answers"),
        ("/v1/key/a?every=1ms", 400, "every: that makes more than 10000 answers"),
        ("/v1/topk?compare=1&every=1h", 400, "compare: this compares two intervals"),
        ("/v1/topk?match=(", 400, "match: \"(\" is not a regular expression"),
        ("/v1/topk?K=1", 400, "there is no parameter \"K\""),
        ("/v1/topk?k=1&k=2", 400, "k: it is given twice"),
        ("/v1/windows?level=5m", 400, "level: there is no \"5m\"; choose one of: 10m 1h"),
        ("/v1/windows?limit=100001", 400, "limit: give a whole number"),
        ("/v1/health?verbose", 400, "there is no parameter \"verbose\"; what there is: there are none here"),
        ("/v1/topk/", 404, "there is nothing at this path"),
        ("/v1/../etc/passwd", 404, "there is nothing at this path"),
        ("/v2/topk", 404, "there is nothing at this path"),
    ];
    for (path, status, sentence) in cases {
        let reply = get(server.address(), path);
        assert_eq!(reply.status, status, "{path}: {reply:?}");
        assert!(reply.error().starts_with(sentence), "{path}: {}", reply.error());
    }
    for accept in ["text/html", "nonsense", "text/csv;q=0", "*/*;q=0"] {
        let reply = get_with(server.address(), "/v1/topk", &format!("accept: {accept}\r\n"));
        assert_eq!(reply.status, 406, "{accept}");
        assert!(reply.error().starts_with("answers are application/json, text/csv"));
    }
    let odd: [(&str, usize); 5] = [
        ("/v1/topk?k=0", 0),
        ("/v1/topk?start=-5m", 0),
        ("/v1/topk?end=2025-01-01", 0),
        ("/v1/topk?start=2030-01-01&end=2030-01-01", 0),
        ("/v1/topk?k=100000&every=30d", 300),
    ];
    for (path, most) in odd {
        let answer = get(server.address(), path).json();
        assert!(answer["exact"] == true && answer["rows"].as_array().unwrap().len() <= most.max(900), "{path}");
        assert!(most > 0 || answer["rows"] == serde_json::json!([]), "{path}: {answer}");
    }
}

#[test]
fn clients_that_speak_badly() {
    let (dir, _) = two_days();
    let server = serve(dir.path());
    let at = server.address();
    let with = |method: &str, path: &str, headers: &str| {
        ask(at, format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}connection: close\r\n\r\n"))
    };
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let reply = with(method, "/v1/topk", "");
        assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD")), "{method}: {reply:?}");
        assert!(reply.error().contains("use GET or HEAD"));
    }
    let bodies = ["content-length: 5\r\n", "transfer-encoding: chunked\r\n", "content-length: 99999999999999\r\n"];
    for body in bodies {
        let reply = with("GET", "/v1/topk", body);
        assert_eq!((reply.status, reply.error().contains("no body")), (413, true), "{reply:?}");
    }
    let long = "x".repeat(20_000);
    for path in [format!("/v1/key/{long}"), format!("/v1/topk?prefix={long}")] {
        let reply = get(at, &path);
        assert_eq!(reply.status, 414);
        assert!(reply.error().ends_with("16384 are the most"));
    }
    let mut head = ask_head(at, "/v1/topk?k=1");
    assert_eq!((head.0, head.1 > 10), (200, true), "{head:?}");
    head = ask_head(at, "/v1/topk?k=x");
    assert_eq!(head.0, 400);
    // What is no HTTP at all is answered by a status alone, or not at all.
    let begins = |bytes: &[u8], status: &str| {
        let said = send(at, bytes);
        assert!(said.starts_with(&format!("HTTP/1.1 {status}")) && said.matches("HTTP/1.1").count() == 1, "{said}");
    };
    begins(format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100)).as_bytes(), "431");
    begins(format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "x".repeat(100_000)).as_bytes(), "431");
    begins(format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000)).as_bytes(), "4");
    begins(b"GET /\x00 HTTP/1.1\r\n\r\n", "400");
    begins(b"\xff\xfe\xfd\r\n\r\n", "400");
    begins(b"GET / HTTP/9.9\r\n\r\n", "400");
    begins(b"GET /v1/topk HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", "400");
    for cut in ["", "GET", "GET / HTTP/1.1\r\nhost: local"] {
        assert_eq!(send_all(at, cut.as_bytes()), "");
    }
    // Several at once on one connection are answered in turn.
    let one = "GET /v1/topk?k=1 HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut connection = connect(at);
    connection.write_all(one.repeat(50).as_bytes()).unwrap();
    let first = read(&mut connection);
    for _ in 1..50 {
        let next = read(&mut connection);
        assert_eq!((next.status, keys_and_counts(&next.json())), (200, keys_and_counts(&first.json())));
    }
    let random: Vec<Vec<u8>> = (0..100).map(|seed| noise(&mut Random(seed))).collect();
    random.iter().for_each(|bytes| drop(send_all(at, bytes)));
    assert_eq!(get(at, "/v1/health").text(), "{\"status\":\"ok\"}");
}

/// Bytes that look like a request, less and less.
fn noise(random: &mut Random) -> Vec<u8> {
    let mut bytes = b"GET /v1/topk?k=1&start=0&match=a%41 HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\n\r\n".to_vec();
    for _ in 0..random.below(8) {
        let at = random.below(bytes.len() as u64) as usize;
        match random.below(3) {
            0 => bytes[at] = random.next() as u8,
            1 => drop(bytes.drain(at..)),
            _ => bytes.splice(at..at, (0..random.below(40)).map(|_| b"%&=?/:;\r\n \0\xff"[at % 11])).for_each(drop),
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

/// The status of a HEAD request, the length that it tells, and that no body comes.
fn ask_head(at: SocketAddr, path: &str) -> (u16, usize) {
    let said = send(at, format!("HEAD {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").as_bytes());
    let (head, body) = said.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "");
    let reply = Reply { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head: head.into(), body: Vec::new() };
    (reply.status, reply.header("content-length").map_or(0, |length| length.parse().unwrap()))
}

#[test]
fn only_this_machine_or_those_with_the_token() {
    let (dir, _) = two_days();
    let open = serve(dir.path());
    let host =
        |host: &str| ask(open.address(), format!("GET /v1/topk?k=1 HTTP/1.1\r\n{host}connection: close\r\n\r\n"));
    for here in ["host: localhost\r\n", "host: 127.0.0.1:8080\r\n", "host: [::1]:80\r\n"] {
        assert_eq!(host(here).status, 200, "{here}");
    }
    for there in ["host: evil.example\r\n", "host: 127.0.0.1.evil.example\r\n", "host: localhost.evil.example:80\r\n"] {
        let reply = host(there);
        assert_eq!((reply.status, reply.error().contains("without HITTERS_TOKEN")), (403, true), "{there}");
    }
    assert_eq!(host("").status, 400);
    assert_eq!(host("host: localhost\r\nhost: localhost\r\n").status, 400);
    let absolute = "GET http://evil.example/v1/topk HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert_eq!(ask(open.address(), absolute).status, 403);

    let closed = serve_with(dir.path(), Limits::default(), Some(TOKEN));
    for path in ["/v1/topk", "/v1/key/a", "/v1/windows", "/metrics", "/nothing"] {
        for header in
            ["", "authorization: Bearer wrong\r\n", "authorization: Basic YTpi\r\n", "authorization: Bearer\r\n"]
        {
            let reply = get_with(closed.address(), path, header);
            assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some("Bearer")), "{path} {header}");
            assert!(reply.error().starts_with("a token is needed") && !reply.error().contains(TOKEN));
        }
        let reply = get_with(closed.address(), path, &format!("authorization: Bearer {TOKEN}\r\n"));
        assert_eq!(reply.status, if path == "/nothing" { 404 } else { 200 }, "{path}");
    }
    for path in ["/", "/v1/health", "/openapi.json"] {
        assert_eq!(get(closed.address(), path).status, 200, "{path} tells nothing of the store");
    }
    let page = get(closed.address(), "/");
    assert!(page.text().contains("<title>hitters</title>") && !page.text().contains("http://"));
}

#[test]
fn too_many_and_too_slow() {
    let (dir, _) = two_days();
    let busy = serve_with(dir.path(), Limits { running: 0, wait: Duration::ZERO, ..Limits::default() }, None);
    let reply = get(busy.address(), "/v1/topk");
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
    assert!(reply.error().starts_with("too many questions at a time"));
    assert_eq!(get(busy.address(), "/v1/health").status, 200, "it can be told from one that is ill");
    let slow = serve_with(dir.path(), Limits { time: Duration::ZERO, wait: Duration::ZERO, ..Limits::default() }, None);
    let reply = get(slow.address(), "/v1/topk");
    assert!(reply.status == 504 || reply.status == 503, "{reply:?}");
    let few = Limits { connections: 2, patience: Duration::from_millis(300), ..Limits::default() };
    let few = serve_with(dir.path(), few, None);
    // Two who say nothing, or never come to an end.
    let began = Instant::now();
    let mut silent = connect(few.address());
    let mut slow = connect(few.address());
    slow.write_all(b"GET /v1/health HTTP/1.1\r\nhost: localhost\r\n").unwrap();
    let dripping = slow.try_clone().unwrap();
    let drip = thread::spawn(move || while (&dripping).write_all(b"a: b\r\n").is_ok() {});
    let mut one_more = connect(few.address());
    let mut said = String::new();
    let _ = one_more.read_to_string(&mut said);
    assert!(said.is_empty() || said.contains("503") && said.ends_with("in a second\"}"), "{said}");
    for held in [&mut silent, &mut slow] {
        // Closed, or told that the head is too long, but not for ever.
        let _ = held.read_to_end(&mut Vec::new());
    }
    drip.join().unwrap();
    assert!(began.elapsed() < PATIENCE / 4);
    loop {
        let answered = send(few.address(), b"GET /v1/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        if answered.contains("200 OK") {
            break;
        }
        assert!(began.elapsed() < PATIENCE / 2, "places become free again: {answered}");
    }
}

#[test]
fn what_is_running_is_finished_when_it_stops() {
    let (dir, _) = two_days();
    let server = serve(dir.path());
    let at = server.address();
    let mut idle = connect(at);
    let slow = thread::spawn(move || get(at, "/v1/topk?every=1m&k=60&match=1.*2|3.*4"));
    let began = Instant::now();
    while !get(at, "/metrics").text().contains("hitters_http_running 1") {
        assert!(began.elapsed() < PATIENCE, "the question is too easy for this test");
    }
    server.stop();
    let reply = slow.join().unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["rows"].as_array().map(Vec::is_empty), Some(false));
    assert_eq!(idle.read(&mut [0]).unwrap_or(0), 0, "nobody is kept waiting");
    assert!(std::net::TcpStream::connect(at).is_err());
}

#[test]
fn windows_that_another_writes_are_seen() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, mut truth) = (Writer::open(dir.path(), MINUTE).unwrap(), Truth::new(MINUTE));
    let server = serve(dir.path());
    for minute in 0..130 {
        let start = NEW_YEAR + minute * MINUTE;
        truth.add(start, &format!("key-{}", minute % 3), 1);
        truth.add(start, "all", 2);
        history::put(&mut writer, start, MINUTE, &truth.windows[&start]);
        writer.publish().unwrap();
        let answer = get(server.address(), "/v1/topk").json();
        assert_eq!(keys_and_counts(&answer)[0], ("all".to_owned(), 2 * minute as u64 + 2));
        assert_eq!(answer["exact"], true);
    }
    writer.finish().unwrap();
    hitters::store::compact::compact(dir.path()).unwrap();
    let answer = get(server.address(), "/v1/topk").json();
    assert_eq!(keys_and_counts(&answer)[0], ("all".to_owned(), 260));
}

#[test]
fn damage_is_said_and_files_that_are_gone_are_no_secret_to_the_log_alone() {
    let (dir, _) = two_days();
    let server = serve(dir.path());
    let levels: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    for level in levels.iter().filter(|path| path.is_dir()) {
        for pack in std::fs::read_dir(level).unwrap() {
            let pack = pack.unwrap().path();
            let mut bytes = std::fs::read(&pack).unwrap();
            bytes[60] ^= 1;
            std::fs::write(pack, bytes).unwrap();
        }
    }
    let answer = get(server.address(), "/v1/topk").json();
    assert_eq!((&answer["exact"], &answer["partial"]), (&false.into(), &true.into()), "{answer}");
    assert!(!answer["missing"].as_array().unwrap().is_empty() && !answer["damaged"].as_array().unwrap().is_empty());
    assert!(answer["rows"].as_array().unwrap().iter().all(|row| row["confidence"] == 0.0));
    std::fs::remove_file(dir.path().join("manifest")).unwrap();
    for path in ["/v1/topk", "/v1/health", "/v1/windows", "/metrics"] {
        let reply = get(server.address(), path);
        assert_eq!(reply.status, 500, "{path}");
        assert_eq!(reply.error(), "the store cannot be read; the server's log says why");
    }
}

#[test]
fn many_ask_at_once() {
    let (dir, truth) = two_days();
    let server = serve(dir.path());
    let (at, from) = (server.address(), NEW_YEAR);
    let store = history::open(dir.path());
    thread::scope(|scope| {
        for client in 1..=8 {
            let (truth, store) = (&truth, &store);
            scope.spawn(move || {
                let to = from + client * HOUR;
                let expected = truth.top(from, to, 5).into_iter().map(|row| row.estimate.count).collect::<Vec<_>>();
                let direct = answer(store, &Query { from, to, k: 5, ..Query::default() }).unwrap();
                assert_eq!(direct.rows.iter().map(|row| row.estimate.count).collect::<Vec<_>>(), expected);
                for _ in 0..25 {
                    let reply = get(at, &format!("/v1/topk?k=5&start={from}&end={to}"));
                    let counts: Vec<u64> = keys_and_counts(&reply.json()).into_iter().map(|(_, count)| count).collect();
                    assert_eq!(counts, expected);
                }
            });
        }
    });
}
