//! Several processes: they give what one gives, and when one is lost or differs, all end and say why.
#![allow(clippy::unwrap_used)]

mod reference;
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use reference::answer;
use support::output::{late, results, same};
use support::stream::{Part, RULE, Stream, partitions, rule};
use support::{Ended, PATIENCE, Running, free_addresses, hitters};

/// How soon all others must have ended when one is lost.
const SOON: Duration = Duration::from_secs(5);
/// How soon a cluster that cannot be must have ended; a handshake takes 5 s at most.
const AT_ONCE: Duration = Duration::from_secs(8);

fn hostfile(directory: &Path, addresses: &[String]) -> PathBuf {
    let path = directory.join("hosts");
    std::fs::write(&path, addresses.join("\n")).unwrap();
    path
}

/// Process `index` of `processes`.
fn process(index: usize, processes: usize, hosts: &Path, options: &[&str]) -> Command {
    let mut command = hitters(RULE.iter().chain(options));
    command.args(["-n", &processes.to_string(), "-p", &index.to_string(), "-H"]).arg(hosts);
    command
}

/// Fails unless standard error is one sentence, which is returned.
fn one_sentence(ended: &Ended) -> &str {
    let said = ended.stderr.trim_end();
    assert!(said.starts_with("hitters: ") && said.lines().count() == 1, "not one sentence: {said:?}");
    assert!(!said.contains("panic") && !said.contains(".rs:"), "not for people: {said}");
    said
}

/// A stream in six files, read by `processes` processes: they print what the rule says, as one process does.
fn check_cluster(processes: usize, workers: &str, cut: fn(&Stream, usize) -> Vec<Part>) {
    let directory = tempfile::tempdir().unwrap();
    let parts = cut(&Stream::generate(200_000, directory.path()), 6);
    let expected = answer(&rule(), &partitions(&parts));
    let paths: Vec<PathBuf> =
        (0..).zip(&parts).map(|(number, part)| part.write(directory.path(), &format!("part-{number}"))).collect();
    let hosts = hostfile(directory.path(), &free_addresses(processes));
    let start = |index| {
        let mut command = process(index, processes, &hosts, &["-w", workers]);
        Running::start(command.args(paths.iter().skip(index).step_by(processes)))
    };
    let started: Vec<_> = (0..processes).map(start).collect();
    let ended: Vec<_> = started.into_iter().map(|process| process.finish(PATIENCE)).collect();
    for (index, process) in ended.iter().enumerate() {
        assert_eq!(process.status, Some(0), "process {index} says: {}", process.stderr);
        assert!(index == 0 || process.stdout.is_empty(), "process {index} prints: {}", process.stdout);
    }
    same(&results(&ended[0].stdout), &expected.results, "process 0");
    let of_each = ended.iter().map(|process| late(&process.stderr, &rule()));
    let all_late = of_each.reduce(|a, b| a.iter().zip(b).map(|(a, b)| a + b).collect());
    assert_eq!(all_late, Some(expected.late));
}

#[test]
fn two_processes_give_what_one_gives() {
    check_cluster(2, "2", Stream::dealt);
    check_cluster(2, "1", Stream::pieces);
}

#[test]
fn three_processes_give_what_one_gives() {
    check_cluster(3, "1", Stream::dealt);
    check_cluster(3, "2", Stream::pieces);
}

/// Processes that count what comes on standard input, and wait for silent ones as long as `idle_timeout`.
fn live(directory: &Path, processes: usize, idle_timeout: &str) -> Vec<Running> {
    let hosts = hostfile(directory, &free_addresses(processes));
    let options = ["-w", "2", "--columns", "ts,key", "--idle-timeout", idle_timeout, "-"];
    (0..processes).map(|index| Running::start(&mut process(index, processes, &hosts, &options))).collect()
}

/// Kills one of three; the others must end soon, each with a sentence that says that a process is gone.
fn lose(mut processes: Vec<Running>, lost: usize) {
    processes[lost].kill();
    let began = Instant::now();
    for (index, process) in processes.into_iter().enumerate() {
        let ended = process.wait(SOON.saturating_sub(began.elapsed()));
        if index != lost {
            assert_eq!(ended.status, Some(2), "process {index} says: {}", ended.stderr);
            let said = one_sentence(&ended);
            assert!(said.contains("start all processes again together"), "process {index} says: {said}");
        }
    }
}

/// Events a second of event time apart, for ever.
fn endless() -> impl Iterator<Item = Vec<u8>> {
    (0u64..).map(|piece| {
        let line = |event| format!("{},key-{}\n", 1_700_000_000 + piece * 100 + event, event * event % 97);
        (0..100).map(line).collect::<String>().into_bytes()
    })
}

#[test]
fn a_process_lost_while_all_are_busy_ends_the_others() {
    for lost in 0..3 {
        let directory = tempfile::tempdir().unwrap();
        let mut processes = live(directory.path(), 3, "1m");
        processes.iter_mut().for_each(|process| process.feed(endless()));
        processes[0].wait_for_output(PATIENCE);
        lose(processes, lost);
    }
}

#[test]
fn a_process_lost_while_all_are_silent_ends_the_others() {
    for lost in 0..3 {
        let directory = tempfile::tempdir().unwrap();
        let mut processes = live(directory.path(), 3, "1m");
        let some = endless().next().unwrap();
        processes.iter_mut().for_each(|process| process.give(&some));
        processes[0].wait_for_output(PATIENCE);
        lose(processes, lost);
    }
}

#[test]
fn a_silent_process_holds_nobody_up_for_long() {
    let directory = tempfile::tempdir().unwrap();
    let mut processes = live(directory.path(), 3, "200ms");
    processes[..2].iter_mut().for_each(|process| process.feed(endless()));
    processes[0].wait_for_output(PATIENCE);
}

/// Process 0 brings 100 s at once and is silent; process 1 brings the first second for a while, then is silent, too. By
/// then nobody should hold the first minute open.
#[test]
fn silent_processes_hold_nobody_up_for_long() {
    let directory = tempfile::tempdir().unwrap();
    let mut processes = live(directory.path(), 2, "200ms");
    processes[0].give(&endless().next().unwrap());
    for _ in 0..20 {
        processes[1].give(b"1700000000,key\n");
        std::thread::sleep(Duration::from_millis(100)); // the pace of the stream
    }
    processes[0].wait_for_output(AT_ONCE);
}

/// Starts all; none may come to its end. What each says.
fn refusals(commands: impl IntoIterator<Item = Command>) -> Vec<String> {
    let started: Vec<_> = commands.into_iter().map(|mut command| Running::start(&mut command)).collect();
    let began = Instant::now();
    let refusal = |(index, process): (usize, Running)| {
        let ended = process.finish(AT_ONCE.saturating_sub(began.elapsed()));
        assert_eq!(ended.status, Some(2), "process {index} says: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "process {index}");
        one_sentence(&ended).to_owned()
    };
    started.into_iter().enumerate().map(refusal).collect()
}

/// What processes say that differ in the options given, one list each.
fn refusals_with(options: &[&[&str]]) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let hosts = hostfile(directory.path(), &free_addresses(options.len()));
    let processes = options.iter().enumerate();
    refusals(processes.map(|(index, given)| process(index, options.len(), &hosts, given)))
}

#[test]
fn other_options_end_all() {
    let others: [(&str, [&[&str]; 3]); 2] = [
        ("-w", [&["-w", "1"], &["-w", "2"], &["-w", "1"]]),
        ("--key", [&["-w", "1", "--key", "key"], &["-w", "1", "--key", "ts"], &["-w", "1", "--key", "key"]]),
    ];
    for (option, given) in &others {
        for said in refusals_with(given) {
            assert!(said.contains(option) && said.ends_with("give all processes the same"), "{option}: {said}");
        }
    }
}

#[test]
fn other_windows_end_all() {
    let directory = tempfile::tempdir().unwrap();
    let hosts = hostfile(directory.path(), &free_addresses(2));
    let with_window = |(index, window): (usize, &str)| {
        let mut command = hitters(["run", "-w", "1", "--window", window, "-n", "2", "-p", &index.to_string(), "-H"]);
        command.arg(&hosts);
        command
    };
    for said in refusals(["1m", "1h"].into_iter().enumerate().map(with_window)) {
        assert!(said.contains("--window 1") && said.ends_with("give all processes the same"), "{said}");
    }
}

#[test]
fn an_index_given_twice_ends_all() {
    let directory = tempfile::tempdir().unwrap();
    let hosts = hostfile(directory.path(), &free_addresses(3));
    for said in refusals([0, 1, 1].map(|index| process(index, 3, &hosts, &["-w", "1"]))) {
        assert!(said.contains("-p"), "{said}");
    }
}

#[test]
fn an_index_beyond_the_cluster_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let hosts = hostfile(directory.path(), &free_addresses(2));
    for said in refusals([process(2, 2, &hosts, &["-w", "1"])]) {
        assert_eq!(said, "hitters: -p 2 is not among the 2 processes; give each another index, from 0 to 1");
    }
}

#[test]
fn an_index_beyond_the_cluster_ends_all() {
    let directory = tempfile::tempdir().unwrap();
    let hosts = hostfile(directory.path(), &free_addresses(2));
    for said in refusals([0, 2].map(|index| process(index, 2, &hosts, &["-w", "1"]))) {
        assert!(said.contains("-p"), "{said}");
    }
}

#[test]
fn a_short_hostfile_ends_all() {
    let directory = tempfile::tempdir().unwrap();
    let hosts = hostfile(directory.path(), &free_addresses(1));
    for said in refusals([0, 1].map(|index| process(index, 2, &hosts, &["-w", "1"]))) {
        assert!(said.contains("has 1 addresses for 2 processes; add one host:port line for each"), "{said}");
    }
}

#[test]
fn another_secret_ends_all() {
    let directory = tempfile::tempdir().unwrap();
    for secrets in [[Some("open sesame"), Some("open barley")], [Some("open sesame"), None]] {
        let hosts = hostfile(directory.path(), &free_addresses(2));
        let with_secret = |(index, secret): (usize, Option<&str>)| {
            let mut command = process(index, 2, &hosts, &["-w", "1"]);
            command.envs(secret.map(|secret| ("HITTERS_CLUSTER_SECRET", secret)));
            command
        };
        for said in refusals(secrets.into_iter().enumerate().map(with_secret)) {
            assert!(said.contains("secret") && said.contains("HITTERS_CLUSTER_SECRET"), "{said}");
            assert!(!said.contains("sesame") && !said.contains("barley"), "a secret is shown: {said}");
        }
    }
}

#[test]
fn other_machines_need_a_secret() {
    let directory = tempfile::tempdir().unwrap();
    let addresses = [free_addresses(1), vec!["192.0.2.1:2102".into()]].concat();
    let hosts = hostfile(directory.path(), &addresses);
    for said in refusals([0, 1].map(|index| process(index, 2, &hosts, &["-w", "1"]))) {
        assert!(said.contains("process 1 (192.0.2.1:2102) is not on a loopback address"), "{said}");
        assert!(said.contains("set HITTERS_CLUSTER_SECRET"), "{said}");
    }
}
