//! `hitters serve` and `hitters run --listen`, as users run them.
#![allow(clippy::unwrap_used)]

#[path = "http/client.rs"]
mod client;
mod history;
mod reference;
mod support;

use std::net::SocketAddr;
use std::time::Instant;

use client::{get, get_with};
use history::{MINUTE, some_days};
use serde_json::Value;
use support::{PATIENCE, Running, hitters, run};

const TOKEN: &str = "a token that nobody guesses";

fn keys_and_counts(answer: &Value) -> Vec<(String, u64)> {
    let row = |row: &Value| (row["key"].as_str().unwrap().to_owned(), row["count"].as_u64().unwrap());
    answer["rows"].as_array().unwrap().iter().map(row).collect()
}

fn address_of(running: &mut Running) -> SocketAddr {
    let line = running.wait_for_error("listening on http://", PATIENCE);
    line.rsplit("http://").next().unwrap().parse().unwrap()
}

#[test]
fn the_command_serves_until_it_is_told_to_stop() {
    let dir = tempfile::tempdir().unwrap();
    some_days(5, 10 * MINUTE, 2, 300, 6000).write(dir.path());
    let store = dir.path().to_str().unwrap();
    for signal in ["TERM", "INT"] {
        let mut running = Running::start(&mut hitters(["serve", "--store", store, "--listen", "127.0.0.1:0"]));
        let at = address_of(&mut running);
        assert_eq!(get(at, "/v1/topk?k=1").status, 200);
        let taken = run(["serve", "--store", store, "--listen", &at.to_string()]);
        assert_eq!(taken.status, Some(2));
        assert!(taken.stderr.starts_with(&format!("hitters: --listen {at}: ")), "{}", taken.stderr);
        running.signal(signal);
        let ended = running.finish(PATIENCE);
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
    }
    let refused: [(&[&str], &str); 4] = [
        (&["--store", "/nowhere"], "is not a store"),
        (&["--store", store, "--listen", "0.0.0.0:0"], "so a token is needed: export HITTERS_TOKEN="),
        (&["--store", store, "--listen", "nonsense"], "--listen nonsense: "),
        (&["--listen", "127.0.0.1:0"], "--store <DIR>"),
    ];
    for (arguments, sentence) in refused {
        let ended = run([&["serve"], arguments].concat());
        assert_eq!(ended.status, Some(2));
        assert!(ended.stderr.contains(sentence), "{arguments:?}: {}", ended.stderr);
    }
    let mut with_token = hitters(["serve", "--store", store, "--listen", "0.0.0.0:0"]);
    let mut running = Running::start(with_token.env("HITTERS_TOKEN", TOKEN));
    let at = SocketAddr::from(([127, 0, 0, 1], address_of(&mut running).port()));
    assert_eq!(get(at, "/v1/topk").status, 401);
    assert_eq!(get_with(at, "/v1/topk", &format!("authorization: Bearer {TOKEN}\r\n")).status, 200);
    let short = Running::start(hitters(["serve", "--store", store]).env("HITTERS_TOKEN", "short")).finish(PATIENCE);
    assert!(short.stderr.contains("HITTERS_TOKEN is shorter than 16 bytes"), "{}", short.stderr);
}

/// Asks until an answer fits, and returns it.
fn ask_until(at: SocketAddr, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let reply = get(at, path);
        assert_eq!(reply.status, 200, "{reply:?}");
        if fits(&reply.json()) {
            return reply.json();
        }
        assert!(began.elapsed() < PATIENCE, "{}", reply.text());
    }
}

#[test]
fn a_run_serves_open_windows_and_what_it_has_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let mut arguments = vec!["run", "-f", "csv", "--window", "1m,1h", "-k", "3", "--early", "50ms"];
    arguments.extend(["--out-of-orderness", "0s", "--listen", "127.0.0.1:0", "-"]);
    for with_store in [true, false] {
        let more: &[&str] = if with_store { &["--store", store.to_str().unwrap()] } else { &[] };
        let mut running = Running::start(&mut hitters([&arguments, more].concat()));
        let at = address_of(&mut running);
        assert_eq!(get(at, "/v1/topk").json()["rows"], serde_json::json!([]));
        running.give(b"ts,key\n1767225600,a\n1767225601,a\n1767225602,b\n");
        let early = ask_until(at, "/v1/topk", |answer| answer["rows"].as_array().unwrap().len() == 2);
        assert_eq!(keys_and_counts(&early), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
        assert_eq!((&early["exact"], &early["rows"][0]["state"]), (&false.into(), &"early".into()), "{early}");
        assert_eq!(early["open_from"], "2026-01-01T00:00:00Z");
        // The first minute closes, the second is open.
        running.give(b"1767225660,b\n1767225661,b\n1767225662,c\n");
        let both = ask_until(at, "/v1/topk?start=2026-01-01", |answer| {
            let stored = !with_store || answer["stored_until"] == "2026-01-01T00:01:00Z";
            let closed = answer["open_from"] == "2026-01-01T00:01:00Z";
            stored && closed && answer["intervals"][0]["total"] == 6
        });
        let expected = [("b".to_owned(), 3), ("a".to_owned(), 2), ("c".to_owned(), 1)];
        assert_eq!((keys_and_counts(&both).as_slice(), &both["exact"]), (expected.as_slice(), &false.into()));
        let key = get(at, "/v1/key/b?every=1m").json();
        assert_eq!(keys_and_counts(&key).iter().map(|row| row.1).collect::<Vec<_>>(), [1, 2], "{key}");
        assert_eq!((&key["rows"][1]["rank"], &key["rows"][1]["state"]), (&Value::Null, &"early".into()));
        let first = get(at, "/v1/topk?start=2026-01-01&end=2026-01-01T00:01:00Z").json();
        assert_eq!((keys_and_counts(&first).len(), &first["exact"]), (2, &true.into()), "{first}");
        let windows = get(at, "/v1/windows").json();
        let states: Vec<&str> =
            windows["rows"].as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["final", "early"]);
        let compared = get(at, "/v1/topk?compare&start=2026-01-01T00:01:00Z&end=2026-01-01T00:02:00Z");
        match with_store {
            true => assert!(compared.json()["missing"][0].as_str().unwrap().contains("not stored yet")),
            false => assert_eq!((compared.status, compared.error().contains("give --store")), (400, true)),
        }
        let metrics = get(at, "/metrics");
        assert!(metrics.text().contains("hitters_events_total 6") && metrics.text().contains("hitters_windows_open 2"));
        let ended = running.finish(PATIENCE);
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        assert!(std::net::TcpStream::connect(at).is_err(), "the server ends with the run");
    }
}

#[test]
fn a_run_without_early_results_says_what_it_does_not_know() {
    let mut running = Running::start(&mut hitters([
        "run",
        "-f",
        "csv",
        "--window",
        "1m",
        "--early",
        "off",
        "--out-of-orderness",
        "0s",
        "--listen",
        "127.0.0.1:0",
        "-",
    ]));
    let at = address_of(&mut running);
    running.give(b"ts,key\n1767225600,a\n1767225660,b\n");
    let answer =
        ask_until(at, "/v1/topk?start=2026-01-01&end=2026-01-02", |answer| answer["intervals"][0]["total"] == 1);
    assert_eq!((&answer["exact"], &answer["partial"]), (&false.into(), &true.into()));
    let missing = answer["missing"][0].as_str().unwrap();
    assert!(missing.starts_with("windows from 2026-01-01T00:01:00Z on are open, and there are no early"), "{missing}");
    assert_eq!(running.finish(PATIENCE).status, Some(0));
    let refused = run(["run", "--listen", "0.0.0.0:0", "-"]);
    assert!(refused.status == Some(2) && refused.stderr.contains("a token is needed"), "{}", refused.stderr);
    let refused = run(["run", "--mode", "approx", "--window", "2h", "--every", "1h", "--listen", "127.0.0.1:0", "-"]);
    assert!(refused.stderr.contains("--listen: windows that overlap do not add up"), "{}", refused.stderr);
    let refused = run(["run", "-n", "2", "-p", "1", "--listen", "127.0.0.1:0", "-"]);
    assert!(refused.stderr.contains("--listen: results come from process 0"), "{}", refused.stderr);
}
