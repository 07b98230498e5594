//! Runs blocks of commands as a reader of the page would, with a limit of time.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::HITTERS;
use crate::scratch::Scratch;

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

/// Runs commands to their end and returns what they printed on both outputs.
pub fn run(commands: &str, scratch: &Scratch) -> Result<String, String> {
    let screen = scratch.screen();
    let mut shell = Shell::start(commands, scratch, &screen);
    let status = shell.wait(|_| false, &screen).ok_or("it did not end in time")?;
    let printed = read(&screen);
    if status.success() { Ok(printed) } else { Err(format!("it ended with {status} and printed:\n{printed}")) }
}

/// Runs commands that never end until they have printed what is `enough`.
pub fn run_until(commands: &str, scratch: &Scratch, enough: impl Fn(&str) -> bool) -> Result<(), String> {
    let screen = scratch.screen();
    let ended = Shell::start(commands, scratch, &screen).wait(&enough, &screen);
    let printed = read(&screen);
    match (ended, enough(&printed)) {
        (None, true) => Ok(()),
        (Some(status), _) => Err(format!("it ended with {status} and printed:\n{printed}")),
        (None, false) => Err(format!("it did not print what the page says, but:\n{printed}")),
    }
}

fn read(screen: &Path) -> String {
    String::from_utf8_lossy(&fs::read(screen).unwrap()).into_owned()
}

/// A shell and all that it started; they end with the value.
struct Shell(Child);

impl Shell {
    fn start(commands: &str, scratch: &Scratch, screen: &Path) -> Self {
        let printed = File::options().append(true).open(screen).unwrap();
        let beside = Path::new(HITTERS).parent().unwrap().display();
        let path = format!("{beside}:{}", std::env::var("PATH").unwrap_or_default());
        let shell = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &format!("{PRELUDE}\n{commands}")])
            .current_dir(scratch.path())
            .env("PATH", path)
            .env("SCREEN", screen)
            .env_remove("HITTERS_CLUSTER_SECRET")
            .stdin(Stdio::null())
            .stdout(printed.try_clone().unwrap())
            .stderr(printed)
            .process_group(0)
            .spawn();
        Shell(shell.unwrap())
    }

    /// Waits for the end, or until what was printed is enough, or time is up.
    fn wait(&mut self, enough: impl Fn(&str) -> bool, screen: &Path) -> Option<ExitStatus> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.0.try_wait().unwrap() {
                return Some(status);
            }
            if enough(&read(screen)) {
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
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.0.wait();
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
