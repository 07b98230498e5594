//! Runs blocks of commands as a reader of the page would, with a limit of time.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::HITTERS;
use crate::scratch::Scratch;
use crate::shown::Printed;

/// No block takes longer, on a busy machine in a debug build.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(20);

/// Stands in for the terminal, on which `hitters run` prints a table, and for cargo, which would build the program again.
const PRELUDE: &str = r#"
hitters() {
    if [ "$1" = run ] && [ /dev/fd/1 -ef "$SCREEN" ] && [[ " $* " != *" -o "* ]]; then
        command hitters "$@" -o table
    else
        command hitters "$@"
    fi
}
cargo() {
    [ "$1 $2 $3" = "run --release --" ] || { echo "cargo $*: not run here" >&2; return 1; }
    shift 3
    hitters "$@"
}
"#;

/// Whether the program `tool` is installed.
pub fn has(tool: &str) -> bool {
    let found = Command::new("bash").args(["-c", "command -v \"$0\"", tool]).stdout(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

/// Runs commands to their end and returns what they printed.
pub fn run(commands: &str, scratch: &Scratch) -> Result<Printed, String> {
    let mut shell = Shell::start(commands, scratch);
    let status = shell.wait(|_| false).ok_or("it did not end in time")?;
    let printed = Printed { results: read(&shell.results), summaries: read(&shell.summaries) };
    match status.success() {
        true => Ok(printed),
        false => Err(format!("it ended with {status} and printed:\n{}{}", printed.results, printed.summaries)),
    }
}

/// Runs commands that never end until their results are `enough`.
pub fn run_until(commands: &str, scratch: &Scratch, enough: impl Fn(&str) -> bool) -> Result<(), String> {
    let mut shell = Shell::start(commands, scratch);
    let ended = shell.wait(&enough);
    let printed = read(&shell.results);
    match ended {
        Some(status) => Err(format!("it ended with {status} and printed:\n{printed}{}", read(&shell.summaries))),
        None if enough(&printed) => Ok(()),
        None => Err(format!("it did not print what the page says, but:\n{printed}{}", read(&shell.summaries))),
    }
}

fn read(file: &Path) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned()
}

/// A shell and all that it started; they end with the value.
struct Shell {
    process: Child,
    results: PathBuf,
    summaries: PathBuf,
}

impl Shell {
    fn start(commands: &str, scratch: &Scratch) -> Self {
        let [results, summaries] = ["results", "summaries"].map(|name| scratch.path().join(name));
        let beside = Path::new(HITTERS).parent().unwrap().display();
        let path = format!("{beside}:{}", std::env::var("PATH").unwrap_or_default());
        let process = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &format!("{PRELUDE}\n{commands}")])
            .current_dir(scratch.path())
            .env("PATH", path)
            .env("SCREEN", &results)
            .env_remove("HITTERS_CLUSTER_SECRET")
            .env_remove("HITTERS_TOKEN")
            .stdin(Stdio::null())
            .stdout(File::create(&results).unwrap())
            .stderr(File::create(&summaries).unwrap())
            .process_group(0)
            .spawn();
        Shell { process: process.unwrap(), results, summaries }
    }

    /// Waits for the end, or until the results are enough, or time is up.
    fn wait(&mut self, enough: impl Fn(&str) -> bool) -> Option<ExitStatus> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.process.try_wait().unwrap() {
                return Some(status);
            }
            if enough(&read(&self.results)) {
                return None;
            }
            std::thread::sleep(PAUSE);
        }
        None
    }
}

impl Drop for Shell {
    /// Ends the group of processes that began with this shell; those that have ended do not mind.
    fn drop(&mut self) {
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.process.wait();
    }
}

/// Waits until the ports of a cluster without a hostfile are free; nobody else who runs these tests on this machine takes
/// them while the value lives.
pub fn cluster_ports() -> TcpListener {
    let began = Instant::now();
    loop {
        let turn = TcpListener::bind("127.0.0.1:2100");
        let free = [2101, 2102].iter().all(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok());
        match turn {
            Ok(turn) if free => return turn,
            _ if began.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
            _ => panic!("the ports 2100 to 2102 of 127.0.0.1 are in use; this test needs them"),
        }
    }
}
