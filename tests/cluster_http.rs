//! The history of a cluster: each process keeps its own keys, and any of them answers for all.
#![allow(clippy::unwrap_used)]

#[path = "http/client.rs"]
mod client;
mod history;
mod reference;
mod support;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Instant;

use client::get;
use history::{MINUTE, NEW_YEAR, Random, contents};
use hitters::http::access::Access;
use hitters::http::limits::Limits;
use hitters::http::peers::Peers;
use hitters::http::server::Server;
use hitters::http::site::Site;
use hitters::query::history::History;
use serde_json::Value;
use support::stream::Stream;
use support::{Ended, PATIENCE, Running, free_addresses, hitters, run};

const OPTIONS: [&str; 9] = ["run", "--window", "1m", "--early", "off", "-o", "ndjson", "-f", "csv"];

/// Runs a cluster, one process a store, with the inputs dealt out to them.
fn count(dir: &Path, stores: &[PathBuf], workers: &str, inputs: &[PathBuf]) -> Vec<Ended> {
    let hosts = dir.join("hosts");
    std::fs::write(&hosts, free_addresses(stores.len()).join("\n")).unwrap();
    let start = |(index, store): (usize, &PathBuf)| {
        let mut command = hitters(OPTIONS);
        command.args(["-n", &stores.len().to_string(), "-p", &index.to_string(), "-w", workers, "-H"]).arg(&hosts);
        Running::start(command.arg("--store").arg(store).args(inputs.iter().skip(index).step_by(stores.len())))
    };
    let started: Vec<_> = stores.iter().enumerate().map(start).collect();
    started.into_iter().map(|process| process.finish(PATIENCE)).collect()
}

fn serve(listener: TcpListener, store: &Path, peers: &[SocketAddr]) -> Server {
    let access = Access::at(listener.local_addr().unwrap(), None).unwrap();
    let site = Site::new(History::of_store(history::open(store)), access, Limits::default());
    let peers = Peers::new(peers.iter().map(SocketAddr::to_string).collect(), None, &Limits::default());
    Server::start(listener, site.with_peers(peers)).unwrap()
}

fn ask(at: SocketAddr, path: &str) -> Value {
    let reply = get(at, path);
    assert_eq!(reply.status, 200, "{path}: {reply:?}");
    reply.json()
}

/// What an answer says of keys, without what depends on who was asked.
fn said(answer: &Value) -> Value {
    serde_json::json!([answer["start"], answer["end"], answer["exact"], answer["intervals"], answer["rows"]])
}

#[test]
fn parts_together_are_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let inputs: Vec<_> = (0..)
        .zip(Stream::generate(40_000, dir.path()).dealt(4))
        .map(|(number, part)| part.write(dir.path(), &format!("part-{number}")))
        .collect();
    let whole = path("whole");
    let given = inputs.iter().map(|input| input.to_str().unwrap());
    let ended = run(OPTIONS.into_iter().chain(["--store", whole.to_str().unwrap()]).chain(given));
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let stores = [path("a"), path("b"), path("c")];
    for ended in count(dir.path(), &stores, "2", &inputs) {
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    }
    // Each key stays where it is, and a rerun changes nothing.
    let first = stores.each_ref().map(|store| contents(store));
    count(dir.path(), &stores, "2", &inputs);
    assert!(stores.each_ref().map(|store| contents(store)) == first);

    let listeners = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
    let [alone, of_a, of_b, of_c] = listeners;
    let whole_server = serve(alone, &whole, &[]);
    let alone = whole_server.address();
    // All are given the same list, themselves included.
    let [a, b, c] = [(of_a, &stores[0]), (of_b, &stores[1]), (of_c, &stores[2])]
        .map(|(listener, store)| serve(listener, store, &addresses[1..]));
    let mut random = Random(1);
    let mut paths: Vec<String> = (0..10)
        .map(|_| {
            let from = NEW_YEAR + random.below(100) as i64 * MINUTE;
            let to = from + random.below(80) as i64 * MINUTE;
            format!("/v1/topk?k=20&start={from}&end={to}")
        })
        .collect();
    paths.extend(
        [
            "/v1/topk?k=5",
            "/v1/topk?k=3&every=20m",
            "/v1/topk?k=100&prefix=video-1&match=%5B0-4%5D%24",
            "/v1/topk?k=30&compare&start=2026-01-01T01:00:00Z&end=2026-01-01T02:00:00Z",
            "/v1/key/video-640772448?every=1h",
            "/v1/key/video-258806437?every=1m",
            "/v1/key/video-876840426?every=7m&start=2026-01-01T00:03:00Z",
            "/v1/key/nobody",
        ]
        .map(String::from),
    );
    for (at, path) in paths.iter().enumerate() {
        let (expected, found) = (ask(alone, path), ask(addresses[1 + at % 3], path));
        assert_eq!(said(&found), said(&expected), "{path}");
        assert_eq!(found["partial"], false);
    }
    // Of any key, by any process: its rank is that among all.
    let all = ask(alone, "/v1/topk?k=100000");
    for row in all["rows"].as_array().unwrap().iter().step_by(37) {
        let key = ask(addresses[1 + random.below(3) as usize], &format!("/v1/key/{}", row["key"].as_str().unwrap()));
        assert_eq!((&key["rows"][0]["rank"], &key["rows"][0]["count"]), (&row["rank"], &row["count"]), "{row}");
    }
    // Of a cut edge, bounds add up; estimates are rounded by each.
    let cut = |at| {
        let answer = ask(at, "/v1/topk?start=2026-01-01T00:00:30Z&k=3");
        let rows = answer["rows"].as_array().unwrap();
        let bounds = rows.iter().map(|row| [&row["key"], &row["low"], &row["high"]].map(Value::to_string));
        (answer["exact"].clone(), bounds.collect::<Vec<_>>())
    };
    assert_eq!(cut(addresses[3]), cut(alone));
    let windows = |at| ask(at, "/v1/windows?limit=7");
    let total = |answer: &Value| {
        let rows = answer["rows"].as_array().unwrap();
        rows.iter().map(|row| (row["window_start"].to_string(), row["total"].as_u64())).collect::<Vec<_>>()
    };
    assert_eq!(total(&windows(addresses[2])), total(&windows(alone)));
    // What one process holds itself is a part, and no more.
    let own: Vec<Value> = (1..4).map(|at| ask(addresses[at], "/v1/topk?k=100000&own=true")).collect();
    let keys: usize = own.iter().map(|answer| answer["rows"].as_array().unwrap().len()).sum();
    assert_eq!(keys, ask(alone, "/v1/topk?k=100000")["rows"].as_array().unwrap().len());
    assert!(own.iter().all(|answer| answer["rows"].as_array().unwrap().len() > keys / 5), "none has all");
    // One is gone: who asks is told whose keys are missing.
    b.stop();
    let partial = ask(addresses[1], "/v1/topk?k=3");
    assert_eq!((&partial["partial"], &partial["exact"]), (&true.into(), &false.into()));
    let missing = partial["missing"].as_array().unwrap();
    assert!(missing.iter().any(|sentence| sentence == "the keys of process 1 of 3 are missing"), "{missing:?}");
    assert!(missing[0].as_str().unwrap().starts_with(&format!("{} did not answer (", addresses[2])), "{missing:?}");
    assert!(
        partial["rows"].as_array().unwrap().iter().all(|row| row["certified"] == false && row["confidence"] == 0.0)
    );
    let unranked = ask(addresses[1], "/v1/key/video-640772448");
    assert_eq!((&unranked["rows"][0]["rank"], &unranked["partial"]), (&Value::Null, &true.into()));
    drop((a, c));

    let store = stores[1].to_str().unwrap();
    let queried = run(["query", "--store", store, "-k", "1", "-o", "csv"]);
    assert_eq!(queried.status, Some(2), "{}", queried.stderr);
    let sentence = "partial: this store holds the keys of process 1 of 3, of 2 workers each alone";
    assert!(queried.stderr.contains(sentence) && queried.stdout.lines().nth(1).unwrap().ends_with(",0,false"));
    assert!(run(["store", "info", store]).stdout.contains("the keys of process 1 of 3, of 2 workers each\n"));
}

#[test]
fn stores_of_other_clusters_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let input = path("input");
    std::fs::write(&input, "ts,key\n1767225600,a\n1767225601,b\n").unwrap();
    let (stores, inputs) = ([path("a"), path("b")], [input.clone(), input.clone()]);
    assert!(count(dir.path(), &stores, "1", &inputs).iter().all(|ended| ended.status == Some(0)));
    let refused = |stores: &[PathBuf], workers: &str, sentence: &str| {
        let ended = count(dir.path(), stores, workers, &inputs);
        assert!(ended.iter().all(|ended| ended.status == Some(2)), "{ended:?}");
        assert!(ended.iter().any(|ended| ended.stderr.contains(sentence)), "{ended:?}");
    };
    refused(&stores, "2", "give the same -n, -p and -w as before");
    refused(&[stores[1].clone(), stores[0].clone()], "1", "give the same -n, -p and -w as before");
    refused(&[stores[0].clone(), path("new")], "1", "--store");
    let alone = run([&OPTIONS[..], &["--store", stores[0].to_str().unwrap(), input.to_str().unwrap()]].concat());
    assert!(alone.stderr.contains("holds the keys of process 0 of 2") && alone.status == Some(2), "{}", alone.stderr);
    let whole = path("whole");
    run([&OPTIONS[..], &["--store", whole.to_str().unwrap(), input.to_str().unwrap()]].concat());
    let served =
        run(["serve", "--store", whole.to_str().unwrap(), "--listen", "127.0.0.1:0", "--peers", "127.0.0.1:1"]);
    assert!(served.stderr.contains("--peers: the store holds all keys"), "{}", served.stderr);
}

#[test]
fn a_running_cluster_answers_for_what_all_have_stored() {
    let dir = tempfile::tempdir().unwrap();
    let hosts = dir.path().join("hosts");
    std::fs::write(&hosts, free_addresses(2).join("\n")).unwrap();
    let listen = free_addresses(2);
    let mut processes: Vec<Running> = (0..2)
        .map(|index| {
            let mut command = hitters(OPTIONS);
            command
                .args(["-n", "2", "-p", &index.to_string(), "-w", "2", "--out-of-orderness", "0s", "-H"])
                .arg(&hosts);
            command.args(["--columns", "ts,key", "--listen", &listen[index], "--peers", &listen.join(","), "-"]);
            Running::start(command.arg("--store").arg(dir.path().join(index.to_string())))
        })
        .collect();
    let at: Vec<SocketAddr> = listen.iter().map(|address| address.parse().unwrap()).collect();
    for process in &mut processes {
        process.wait_for_error("listening on http://", PATIENCE);
        let lines: String = (0..40).map(|n| format!("1767225{:03},key-{}\n", 600 + n, n % 10)).collect();
        process.give(lines.as_bytes());
        process.give(b"1767225725,later\n");
    }
    let began = Instant::now();
    for at in at {
        loop {
            let answer = ask(at, "/v1/topk?start=2026-01-01&end=2026-01-01T00:01:00Z&k=20");
            assert!(began.elapsed() < PATIENCE, "{answer}");
            if answer["exact"] == true {
                let rows = answer["rows"].as_array().unwrap();
                assert!(rows.len() == 10 && rows.iter().all(|row| row["count"] == 8), "{answer}");
                break;
            }
            assert!(answer["partial"] == true, "what is not stored everywhere is missing: {answer}");
        }
        let open = ask(at, "/v1/topk?start=2026-01-01&end=2026-01-01T00:03:00Z");
        let missing = open["missing"][0].as_str().unwrap();
        let is_it = |missing: &str| {
            missing.starts_with("windows from 2026-01-01T00:0")
                && missing.ends_with(" on are open, and there are no early results")
        };
        assert_eq!((is_it(missing), &open["intervals"][0]["total"]), (true, &80.into()), "{open}");
    }
    // No process ends before all have read their inputs.
    processes.iter_mut().for_each(|process| process.feed(std::iter::empty()));
    for process in processes {
        let ended = process.wait(PATIENCE);
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    }
}

#[test]
fn any_process_of_a_running_cluster_answers_for_open_windows_too() {
    let dir = tempfile::tempdir().unwrap();
    let hosts = dir.path().join("hosts");
    std::fs::write(&hosts, free_addresses(3).join("\n")).unwrap();
    let listen = free_addresses(3);
    let mut processes: Vec<Running> = (0..3)
        .map(|index| {
            let mut command = hitters(["run", "--window", "1m", "--early", "50ms", "-k", "20", "-o", "ndjson"]);
            command.args(["-f", "csv", "--columns", "ts,key", "--out-of-orderness", "0s", "-w", "2", "-n", "3", "-p"]);
            command.arg(index.to_string()).arg("-H").arg(&hosts).args(["--listen", &listen[index]]);
            command.args(["--peers", &listen.join(","), "-"]);
            Running::start(command.arg("--store").arg(dir.path().join(index.to_string())))
        })
        .collect();
    for process in &mut processes {
        process.wait_for_error("listening on http://", PATIENCE);
        // key-n comes n times in the first minute, and n times in the second; of a third one there are a few events.
        let line = |n: i64, minute: i64| format!("{},key-{n}\n", NEW_YEAR / 1000 + minute * 60 + n).repeat(n as usize);
        let lines: String = [0, 1].into_iter().flat_map(|minute| (1..10).map(move |n| line(n, minute))).collect();
        process.give(lines.as_bytes());
        process.give(format!("{},key-2\n", NEW_YEAR / 1000 + 121).as_bytes());
    }
    let at: Vec<SocketAddr> = listen.iter().map(|address| address.parse().unwrap()).collect();
    let until = |at: SocketAddr, path: &str, fits: &dyn Fn(&Value) -> bool| {
        let began = Instant::now();
        loop {
            let answer = ask(at, path);
            if fits(&answer) {
                return answer;
            }
            assert!(began.elapsed() < PATIENCE, "{path}: {answer}");
        }
    };
    // 3 x 45 events in each of two minutes, and 3 more.
    let counts = |n: u64| 6 * n + if n == 2 { 3 } else { 0 };
    let mut expected: Vec<(String, u64)> = (1..10).map(|n| (format!("key-{n}"), counts(n))).collect();
    expected.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    for at in &at {
        let whole = until(*at, "/v1/topk?k=20", &|answer| answer["intervals"][0]["total"] == 273);
        let rows = whole["rows"].as_array().unwrap().iter();
        let found: Vec<_> =
            rows.map(|row| (row["key"].as_str().unwrap().to_string(), row["count"].as_u64().unwrap())).collect();
        assert_eq!((&found, &whole["partial"], &whole["exact"]), (&expected, &false.into(), &false.into()), "{whole}");
        assert_eq!((&whole["intervals"][0]["state"], &whole["missing"]), (&"early".into(), &serde_json::json!([])));
        // Certain once all have stored the closed windows; until then two rows of each may leave too much to others.
        let best = until(*at, "/v1/topk?k=2", &|answer| answer["rows"][1]["certified"] == true);
        assert_eq!(best["rows"][1]["key"], "key-8", "{best}");
        // Closed everywhere, and perhaps stored: then the answer is final.
        let closed = until(*at, "/v1/topk?k=9&start=2026-01-01&end=2026-01-01T00:02:00Z", &|a| a["exact"] == true);
        assert_eq!(closed["intervals"][0]["total"], 270);
        let path = "/v1/key/key-2?every=1m&start=2026-01-01&end=2026-01-01T00:03:00Z";
        let key = until(*at, path, &|answer| answer["rows"][1]["rank"] == 8);
        let rows = [0, 1, 2].map(|at| [&key["rows"][at]["count"], &key["rows"][at]["rank"], &key["rows"][at]["state"]]);
        let [closed, open] = [serde_json::json!([6, 8, "final"]), serde_json::json!([3, null, "early"])];
        assert_eq!(serde_json::json!(rows), serde_json::json!([closed, closed, open]), "{key}");
        let windows = until(*at, "/v1/windows", &|answer| (0..2).all(|at| answer["rows"][at]["keys"] == 9));
        let rows = windows["rows"].as_array().unwrap();
        let rows: Vec<_> = rows.iter().map(|row| serde_json::json!([row["state"], row["total"]])).collect();
        assert_eq!(rows, [("final", 135), ("final", 135), ("early", 3)].map(|row| serde_json::json!(row)), "{windows}");
    }
    processes.iter_mut().for_each(|process| process.feed(std::iter::empty()));
    for process in processes {
        let ended = process.wait(PATIENCE);
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    }
}
