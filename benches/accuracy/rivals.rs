//! Rivals that speak Python, through the script beside this file.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::K;
use crate::contest::Contest;
use crate::stream::Stream;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/accuracy/rivals.py");

/// One line that the script prints.
#[derive(serde::Deserialize)]
struct Said {
    name: String,
    memory: usize,
    rate: Option<f64>,
    rows: Vec<(String, u64)>,
}

/// Runs every rival that is installed on the stream, in each size, and reports each as it is done.
pub fn run(python: &str, stream: &Stream, memories: &[usize], report: &mut impl FnMut(Contest)) {
    let dir = tempfile::tempdir().expect("a directory for the stream");
    let path = dir.path().join("keys");
    let keys: Vec<u8> = stream.updates.iter().flat_map(|(_, key)| *key).collect();
    fs::write(&path, keys).expect("room for the stream");
    let sizes = memories.iter().map(usize::to_string);
    let child =
        Command::new(python).arg(SCRIPT).arg(&path).arg(K.to_string()).args(sizes).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        println!("no rivals: {python} cannot be run");
        return;
    };
    for line in BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok) {
        let Ok(said) = serde_json::from_str::<Said>(&line) else {
            println!("{line}");
            continue;
        };
        let rows: Vec<_> = said.rows.into_iter().map(|(key, count)| (key.into_bytes(), count)).collect();
        report(Contest { rate: said.rate, ..Contest::judge(&said.name, said.memory, stream, &rows) });
    }
    child.wait().expect("the script was started");
}
