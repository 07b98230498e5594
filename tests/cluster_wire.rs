//! A peer made by hand, from the layout that the documentation gives: what a process does when a peer dies, lingers from
//! an earlier run, or falls silent.
#![allow(clippy::unwrap_used)]

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use hitters::cluster::{ClusterError, ClusterSettings, Hello, Joined, join_on};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// Process 0 of `n`, started, and its address.
fn process_zero(
    n: usize,
    change: impl FnOnce(&mut ClusterSettings),
) -> (JoinHandle<Result<Joined, ClusterError>>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let others = (1..n).map(|process| format!("127.0.0.1:{process}"));
    let addresses = std::iter::once(address.clone()).chain(others).collect();
    let mut settings = ClusterSettings::new(0, addresses, None);
    settings.grace = Duration::from_millis(300);
    change(&mut settings);
    let hello = Hello { version: "0.1.0".into(), facts: vec![("-w".into(), "2".into())] };
    (thread::spawn(move || join_on(listener, &settings, &hello)), address)
}

/// A peer made by hand, which holds no secret.
struct Handmade(TcpStream);

impl Handmade {
    /// Dials process 0 as `index` of `n`, and proves itself.
    fn prove(address: &str, index: u32, n: u32) -> Self {
        let (mut peer, said) = Handmade::open(address, index, n);
        peer.0.write_all(&proof(1, &said)).unwrap();
        assert_eq!(peer.hear_proof(), proof(2, &said));
        peer
    }

    /// Dials process 0 and exchanges the openings. Also gives both of them.
    fn open(address: &str, index: u32, n: u32) -> (Self, Vec<u8>) {
        let mut stream = TcpStream::connect(address).unwrap();
        let numbers = [index, 0, n].map(u32::to_le_bytes);
        let opening = [b"hitters-cluster\x01", &[7; 32][..], numbers.as_flattened()].concat();
        stream.write_all(&opening).unwrap();
        let mut answer = [0; 60];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer[48..], [0_u32, index, n].map(u32::to_le_bytes).as_flattened()[..]);
        (Handmade(stream), [&opening[..], &answer].concat())
    }

    fn hear_proof(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Proves itself, and runs with `-w workers`. Also gives the generation that process 0 minted.
    fn meet(address: &str, index: u32, n: u32, workers: &str) -> (Self, u64) {
        let mut peer = Handmade::prove(address, index, n);
        peer.say(&json!({"version": "0.1.0", "facts": [["-w", workers]], "run": null}));
        let generation = peer.hear().unwrap()["run"]["generation"].as_u64().unwrap();
        (peer, generation)
    }

    fn say(&mut self, word: &Value) {
        self.0.write_all(&frame(word)).unwrap();
    }

    fn hear(&mut self) -> io::Result<Value> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let mut body = vec![0; u32::from_le_bytes(length) as usize];
        self.0.read_exact(&mut body)?;
        Ok(serde_json::from_slice(&body)?)
    }
}

fn proof(role: u8, said: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"").unwrap();
    mac.update(&[role]);
    mac.update(said);
    mac.finalize().into_bytes().into()
}

fn frame(word: &Value) -> Vec<u8> {
    let body = word.to_string();
    [&u32::try_from(body.len()).unwrap().to_le_bytes(), body.as_bytes()].concat()
}

fn error(process: JoinHandle<Result<Joined, ClusterError>>) -> String {
    let start = Instant::now();
    let error = process.join().unwrap().unwrap_err().to_string();
    assert!(start.elapsed() < Duration::from_secs(3), "it took {:?}", start.elapsed());
    error
}

/// A fast peer may send the job's bytes together with its last word: they must reach the job, whole.
#[test]
fn what_follows_the_last_word_is_left_to_the_job() {
    let (zero, address) = process_zero(2, |_| ());
    let (mut peer, generation) = Handmade::meet(&address, 1, 2, "2");
    assert_eq!(peer.hear().unwrap(), json!({"word": "ready", "generation": generation}));
    peer.say(&json!({"word": "ready", "generation": generation}));
    assert_eq!(peer.hear().unwrap(), json!({"word": "go"}));
    peer.0.write_all(&[frame(&json!({"word": "go"})), b"payload".to_vec()].concat()).unwrap();
    let joined = zero.join().unwrap().unwrap();
    assert_eq!(joined.generation, generation);
    let mut bytes = [0; 7];
    joined.sockets[1].as_ref().unwrap().read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"payload");
}

/// A proof handed out to anybody could be used to guess the secret at leisure.
#[test]
fn a_wrong_proof_gets_none_back() {
    let (zero, address) = process_zero(2, |_| ());
    let (mut peer, said) = Handmade::open(&address, 1, 2);
    peer.0.write_all(&proof(2, &said)).unwrap();
    assert_eq!(peer.hear_proof(), [0; 32]);
    assert!(error(zero).contains("HITTERS_CLUSTER_SECRET"));
}

#[test]
fn a_peer_that_dies_while_others_are_missing_ends_the_waiting() {
    let (zero, address) = process_zero(3, |_| ());
    drop(Handmade::meet(&address, 1, 3, "2"));
    let expected = "process 1 (127.0.0.1:1) ended while the cluster was joining; start all processes again";
    assert_eq!(error(zero), expected);
}

#[test]
fn a_peer_of_an_earlier_run_is_refused() {
    let (zero, address) = process_zero(2, |_| ());
    let (mut peer, generation) = Handmade::meet(&address, 1, 2, "2");
    peer.say(&json!({"word": "ready", "generation": generation ^ 1}));
    let reason =
        "process 1 (127.0.0.1:1) belongs to an earlier run of the cluster; end it, and start all processes again";
    assert_eq!(peer.hear().unwrap()["word"], "ready");
    assert_eq!(peer.hear().unwrap(), json!({"word": "refused", "by": 0, "reason": reason}));
    drop(peer);
    assert_eq!(error(zero), reason);
}

#[test]
fn a_peer_that_comes_after_the_refusal_hears_the_reason() {
    let (zero, address) = process_zero(3, |settings| settings.grace = Duration::from_secs(5));
    let (mut other, _) = Handmade::meet(&address, 1, 3, "1");
    assert!(other.hear().is_err(), "the socket is closed");
    let (mut late, _) = Handmade::meet(&address, 2, 3, "2");
    let reason = "process 1 (127.0.0.1:1) runs with -w 1, this one with 2; give all processes the same";
    assert_eq!(late.hear().unwrap(), json!({"word": "refused", "by": 0, "reason": reason}));
    drop(late);
    assert_eq!(error(zero), reason);
}

#[test]
fn a_reason_is_passed_on_in_the_words_of_its_finder() {
    let (zero, address) = process_zero(3, |_| ());
    let (mut one, _) = Handmade::meet(&address, 1, 3, "2");
    let (mut two, _) = Handmade::meet(&address, 2, 3, "2");
    two.say(&json!({"word": "refused", "by": 2, "reason": "no disk\u{1b}[31m"}));
    assert_eq!(one.hear().unwrap()["word"], "ready");
    assert_eq!(one.hear().unwrap(), json!({"word": "refused", "by": 2, "reason": "no disk\u{fffd}[31m"}));
    drop((one, two));
    assert_eq!(error(zero), "process 2 (127.0.0.1:2) refused: no disk\u{fffd}[31m");
}

#[test]
fn a_peer_that_falls_silent_at_the_end_is_named() {
    let (zero, address) = process_zero(2, |settings| {
        settings.patience = Duration::from_millis(500);
        settings.reply = Duration::from_millis(500);
    });
    let _silent = Handmade::meet(&address, 1, 2, "2");
    assert_eq!(error(zero), "these did not finish joining: process 1 (127.0.0.1:1); start all processes again");
}

/// Neither a length nor a body from elsewhere may do more than end its own connection.
#[test]
fn nonsense_after_the_proof_is_dropped_and_the_waiting_goes_on() {
    let (zero, address) = process_zero(2, |_| ());
    for nonsense in [&[255; 64][..], &[2, 0, 0, 0, b'{', b'}'], &[0, 0, 0, 0]] {
        let mut peer = Handmade::prove(&address, 1, 2);
        peer.0.write_all(nonsense).unwrap();
        assert!(peer.hear().is_err(), "the socket is closed");
    }
    let (mut peer, _) = Handmade::meet(&address, 1, 2, "2");
    peer.0.write_all(&[255; 64]).unwrap();
    assert!(error(zero).starts_with("process 1 (127.0.0.1:1) ended while the cluster was joining"));
}
