//! Processes that join a cluster, each as a thread with its own listener on 127.0.0.1.
#![allow(clippy::unwrap_used)]

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use hitters::cluster::{ClusterError, ClusterSettings, Hello, Joined, Secret, join, join_on};

/// One process that has not started yet.
struct Process {
    listener: TcpListener,
    settings: ClusterSettings,
    hello: Hello,
}

type Outcome = Result<Joined, ClusterError>;

impl Process {
    fn with_secret(mut self, secret: &str) -> Self {
        self.settings.secret = Secret::from_env_or_file(Some(secret.into()), None).unwrap();
        self
    }

    fn with_fact(mut self, name: &str, value: &str) -> Self {
        self.hello.facts.push((name.into(), value.into()));
        self
    }

    fn with_patience(mut self, millis: u64) -> Self {
        self.settings.patience = Duration::from_millis(millis);
        self
    }

    fn start(self) -> JoinHandle<Outcome> {
        thread::spawn(move || join_on(self.listener, &self.settings, &self.hello))
    }
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn address(listener: &TcpListener) -> String {
    listener.local_addr().unwrap().to_string()
}

/// `n` processes that agree, with times short enough for tests and patience longer than any of them may take.
fn cluster(n: usize) -> Vec<Process> {
    let listeners: Vec<_> = (0..n).map(|_| listener()).collect();
    let addresses: Vec<_> = listeners.iter().map(address).collect();
    let hello = Hello { version: "0.1.0".into(), facts: vec![("-w".into(), "2".into())] };
    let process = |(index, listener)| {
        let mut settings = ClusterSettings::new(index, addresses.clone(), None);
        settings.patience = Duration::from_secs(30);
        settings.retry = Duration::from_millis(5);
        settings.grace = Duration::from_millis(300);
        Process { listener, settings, hello: hello.clone() }
    };
    listeners.into_iter().enumerate().map(process).collect()
}

fn two() -> [Process; 2] {
    cluster(2).try_into().unwrap_or_else(|_| unreachable!())
}

fn three() -> [Process; 3] {
    cluster(3).try_into().unwrap_or_else(|_| unreachable!())
}

/// Starts all and waits for all. Nobody may use up its patience.
fn outcomes(processes: impl IntoIterator<Item = Process>) -> Vec<Outcome> {
    let start = Instant::now();
    let started: Vec<_> = processes.into_iter().map(Process::start).collect();
    let outcomes = started.into_iter().map(|process| process.join().unwrap()).collect();
    assert!(start.elapsed() < Duration::from_secs(5), "the outcome came after {:?}", start.elapsed());
    outcomes
}

fn all_joined(processes: impl IntoIterator<Item = Process>) -> Vec<Joined> {
    outcomes(processes).into_iter().map(|outcome| outcome.unwrap()).collect()
}

/// What each process says, with each address replaced by the index of its process.
fn errors(processes: impl IntoIterator<Item = Process>) -> Vec<String> {
    let processes: Vec<_> = processes.into_iter().collect();
    let addresses: Vec<_> = processes.iter().map(|process| address(&process.listener)).collect();
    let shown = |outcome: Outcome| {
        let text = outcome.unwrap_err().to_string();
        let named = |text: String, (i, address)| text.replace(address, &format!("@{i}"));
        addresses.iter().map(String::as_str).enumerate().fold(text, named)
    };
    outcomes(processes).into_iter().map(shown).collect()
}

#[test]
fn processes_join_and_talk() {
    for n in [1, 2, 3, 5] {
        let joined = all_joined(cluster(n));
        for (i, process) in joined.iter().enumerate() {
            assert_eq!((process.seed, process.generation), (joined[0].seed, joined[0].generation));
            assert_eq!(process.addresses, joined[0].addresses);
            assert_eq!(process.sockets.len(), n);
            assert!(process.sockets[i].is_none());
            for mut socket in process.sockets.iter().flatten() {
                socket.write_all(&[i as u8]).unwrap();
            }
        }
        for (i, process) in joined.iter().enumerate() {
            for (j, socket) in process.sockets.iter().enumerate().filter(|(j, _)| *j != i) {
                let mut byte = [0];
                socket.as_ref().unwrap().read_exact(&mut byte).unwrap();
                assert_eq!(byte, [j as u8], "the socket of {i} to {j}");
            }
        }
    }
}

#[test]
fn every_run_has_its_own_seed_and_generation() {
    let [first, second] = [all_joined(cluster(2)), all_joined(cluster(2))];
    assert_ne!(first[0].seed, second[0].seed);
    assert_ne!(first[0].generation, second[0].generation);
    assert_ne!(first[0].seed, first[0].generation);
}

#[test]
fn a_shared_secret_lets_them_join() {
    all_joined(cluster(3).into_iter().map(|process| process.with_secret("open sesame")));
}

#[test]
fn the_sockets_are_ready_for_the_job() {
    for socket in all_joined(cluster(2)).iter().flat_map(|joined| joined.sockets.iter().flatten()) {
        let options = socket2::SockRef::from(socket);
        assert!(!options.nonblocking().unwrap() && options.tcp_nodelay().unwrap() && options.keepalive().unwrap());
        assert_eq!((socket.read_timeout().unwrap(), socket.write_timeout().unwrap()), (None, None));
        assert_eq!(options.tcp_keepalive_time().unwrap(), Duration::from_secs(1));
        #[cfg(target_os = "linux")]
        assert_eq!(options.tcp_user_timeout().unwrap(), Some(Duration::from_secs(4)));
    }
}

#[test]
fn other_settings_are_named_in_both() {
    let [zero, one] = two();
    let errors = errors([zero.with_fact("--window", "1h"), one.with_fact("--window", "1m")]);
    assert_eq!(errors[0], "process 1 (@1) runs with --window 1m, this one with 1h; give all processes the same");
    assert_eq!(errors[1], "process 0 (@0) runs with --window 1h, this one with 1m; give all processes the same");
}

#[test]
fn other_versions_are_named_in_both() {
    let [zero, mut one] = two();
    one.hello.version = "0.2.0".into();
    let errors = errors([zero, one]);
    assert_eq!(errors[0], "process 1 (@1) is hitters 0.2.0, this one 0.1.0; install the same version everywhere");
    assert_eq!(errors[1], "process 0 (@0) is hitters 0.1.0, this one 0.2.0; install the same version everywhere");
}

#[test]
fn other_cluster_sizes_are_named_in_both() {
    let [zero, mut one] = two();
    one.settings.processes = 3;
    one.settings.addresses.push("127.0.0.1:1".into());
    let errors = errors([zero, one]);
    assert!(errors[0].starts_with("process 1 ("), "{}", errors[0]);
    assert!(errors[0].ends_with(" runs with -n 3, this one with -n 2; give all processes the same"), "{}", errors[0]);
    assert_eq!(errors[1], "process 0 (@0) runs with -n 2, this one with -n 3; give all processes the same");
}

#[test]
fn a_third_process_hears_the_reason_of_two() {
    let [zero, one, two] = three();
    let errors = errors([zero.with_fact("--key", "url"), one.with_fact("--key", "url"), two.with_fact("--key", "ip")]);
    for (i, error) in errors.iter().enumerate() {
        assert!(error.contains("--key"), "process {i} says: {error}");
        assert!(error.ends_with("; give all processes the same"), "process {i} says: {error}");
    }
}

/// Process 1 could wait for long, but 0 gives up soon, and says so.
#[test]
fn one_process_out_of_patience_ends_the_waiting_of_all() {
    let [zero, one, missing] = three();
    let there = address(&missing.listener);
    drop(missing);
    let errors = errors([zero.with_patience(400), one]);
    let reason =
        format!("after 0.4 s these are missing: process 2 ({there}); start all processes, with the same hostfile");
    assert_eq!(errors, [reason.clone(), format!("process 0 (@0) refused: {reason}")]);
}

#[test]
fn the_missing_are_named_with_the_reason() {
    let [missing, one, two] = three();
    let there = address(&missing.listener);
    drop((missing, two));
    let error = one.with_patience(100).start().join().unwrap().unwrap_err().to_string();
    assert!(error.starts_with("after 0.1 s these are missing: process 0 ("), "{error}");
    assert!(error.contains(&format!("({there}: Connection refused")), "{error}");
    assert!(error.contains(", process 2 ("), "{error}");
}

#[test]
fn a_wrong_secret_ends_both() {
    let [zero, one] = two();
    let errors = errors([zero.with_secret("open sesame"), one.with_secret("open barley")]);
    for error in errors {
        assert!(error.contains("has another secret than this process"), "{error}");
        assert!(error.contains("HITTERS_CLUSTER_SECRET"), "{error}");
        assert!(!error.contains("sesame") && !error.contains("barley"), "{error}");
    }
}

#[test]
fn a_secret_on_one_side_only_ends_both() {
    for holder in [0, 1] {
        let mut processes = cluster(2);
        let process = processes.remove(holder).with_secret("open sesame");
        processes.insert(holder, process);
        for error in errors(processes) {
            assert!(error.contains("HITTERS_CLUSTER_SECRET"), "{error}");
        }
    }
}

#[test]
fn without_a_secret_nothing_but_loopback() {
    for others in ["192.0.2.1:2102", "0.0.0.0:2102"] {
        let mut zero = cluster(1).remove(0);
        zero.settings.addresses.push(others.into());
        zero.settings.processes = 2;
        let error = zero.start().join().unwrap().unwrap_err();
        assert!(matches!(error, ClusterError::NotLoopback(_)), "{error}");
    }
}

/// A port scanner and a client that says nothing must neither end the waiting nor hold it up.
#[test]
fn strangers_do_not_stop_the_joining() {
    let [zero, one] = two();
    let there = address(&zero.listener);
    let zero = zero.start();
    let silent = TcpStream::connect(&there).unwrap();
    let mut half = TcpStream::connect(&there).unwrap();
    half.write_all(b"hitters-clu").unwrap();
    let mut scanner = TcpStream::connect(&there).unwrap();
    scanner.write_all(b"GET / HTTP/1.1\r\nHost: hitters\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = scanner.read_to_end(&mut answer); // returns because it was dropped
    assert!(answer.is_empty(), "a stranger learns nothing, not even who answers: {answer:?}");
    let start = Instant::now();
    let one = one.start();
    let [zero, one] = [zero.join().unwrap().unwrap(), one.join().unwrap().unwrap()];
    assert_eq!(zero.seed, one.seed);
    assert!(start.elapsed() < Duration::from_secs(3), "it took {:?}", start.elapsed());
    drop((silent, half));
}

/// Who only claims to be a process, and then goes away, is a stranger too.
#[test]
fn a_peer_that_never_proves_itself_is_dropped() {
    let [mut zero, one] = two();
    zero.settings.reply = Duration::from_millis(300);
    let there = address(&zero.listener);
    let zero = zero.start();
    let mut claimant = TcpStream::connect(&there).unwrap();
    claimant.write_all(b"hitters-cluster\x01").unwrap();
    claimant.write_all(&[7; 32]).unwrap();
    claimant.write_all(&[1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]).unwrap();
    let mut answer = Vec::new();
    let _ = claimant.read_to_end(&mut answer); // returns because it was dropped
    assert_eq!(answer.len(), 60, "the opening, and no proof before the other's");
    let one = one.start();
    assert_eq!(zero.join().unwrap().unwrap().seed, one.join().unwrap().unwrap().seed);
}

#[test]
fn another_protocol_is_named_on_both_sides() {
    let [zero, _one] = two();
    let mut newer = TcpStream::connect(address(&zero.listener)).unwrap();
    newer.write_all(b"hitters-cluster\x02 and what only the next version understands").unwrap();
    let here = newer.local_addr().unwrap();
    let zero = zero.start();
    let mut answer = Vec::new();
    newer.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"hitters-cluster\x01"), "{answer:?}");
    let error = zero.join().unwrap().unwrap_err().to_string();
    assert!(error.starts_with(&format!("{here} speaks version 2 of the cluster protocol, this process 1;")), "{error}");
}

#[test]
fn two_processes_with_one_index_end_all() {
    let mut processes = cluster(3);
    let other = listener();
    processes[2] =
        Process { settings: ClusterSettings { process: 1, ..processes[2].settings.clone() }, ..cluster(1).remove(0) };
    processes[2].settings.addresses[1] = address(&other);
    processes[2].listener = other;
    for (i, error) in errors(processes).iter().enumerate() {
        let expected =
            if i == 0 { "two processes run with -p 1 (" } else { "process 0 (@0) refused: two processes run" };
        assert!(error.starts_with(expected), "process {i} says: {error}");
    }
}

/// The second process with an index cannot bind; it shows itself to the first one before it ends.
#[test]
fn an_address_in_use_ends_all() {
    let [zero, one, missing] = three();
    drop(missing);
    let settings = ClusterSettings { grace: Duration::from_secs(5), ..one.settings.clone() };
    let hello = one.hello.clone();
    let second = thread::spawn(move || join(&settings, &hello).unwrap_err().to_string());
    let errors = errors([zero, one]);
    assert!(errors[0].starts_with("process 1 (@1) refused: two processes run with -p 1 ("), "{}", errors[0]);
    assert!(errors[1].starts_with("two processes run with -p 1 (this one and 127.0.0.1:"), "{}", errors[1]);
    let error = second.join().unwrap();
    assert!(error.starts_with("the address of process 1 (127.0.0.1:"), "{error}");
    assert!(error.ends_with(" is in use here; is another process running with the same -p?"), "{error}");
}

#[test]
fn an_index_beyond_the_cluster_ends_both() {
    let [zero, mut one] = two();
    one.settings.process = 2;
    let errors = errors([zero, one]);
    assert!(errors[0].starts_with("process 2 (127.0.0.1:"), "{}", errors[0]);
    assert!(errors[0].ends_with(" is not among the 2 processes; start it with a -p from 0 to 1"), "{}", errors[0]);
    assert_eq!(errors[1], "-p 2 is not among the 2 processes; give each another index, from 0 to 1");
}

#[test]
fn another_order_of_addresses_ends_all() {
    let mut processes = cluster(3);
    processes[2].settings.addresses.swap(0, 1);
    for (i, error) in errors(processes).iter().enumerate() {
        assert!(error.ends_with("; give all processes the same hostfile"), "process {i} says: {error}");
    }
}

#[test]
fn an_address_of_another_machine_cannot_be_bound() {
    let zero = cluster(1).remove(0).with_secret("open sesame");
    let addresses = vec!["192.0.2.1:2101".into(), "127.0.0.1:2102".into()];
    let settings = ClusterSettings { addresses, processes: 2, ..zero.settings };
    let error = join(&settings, &zero.hello).unwrap_err().to_string();
    assert_eq!(
        error,
        "the address of process 0 (192.0.2.1:2101) is not one of this machine; check -p and the hostfile"
    );
}
