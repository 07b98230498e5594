//! Runs the program: started, fed, watched and ended, always within a time.
#![allow(dead_code, clippy::unwrap_used)] // every test uses its part

pub mod output;
pub mod stream;

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// No run takes longer, however slow the machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The program with arguments, and without the cluster secret of whoever runs the tests.
pub fn hitters<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hitters"));
    command.args(arguments).env_remove("HITTERS_CLUSTER_SECRET").env_remove("HITTERS_TOKEN");
    command
}

/// Runs to the end with empty standard input.
pub fn run<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Ended {
    Running::start(&mut hitters(arguments)).finish(PATIENCE)
}

/// As many addresses of this machine that nobody uses, below the ports that the system gives to others.
pub fn free_addresses(processes: usize) -> Vec<String> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = 10_000 + (std::process::id() % 180) as u16 * 100;
    let candidates = std::iter::repeat_with(|| base + NEXT.fetch_add(1, Relaxed) % 2000);
    let free = candidates.take(2000).filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    let addresses: Vec<_> = free.map(|port| format!("127.0.0.1:{port}")).take(processes).collect();
    assert_eq!(addresses.len(), processes, "no ports are free");
    addresses
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit status; `None` after a signal.
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A process that is killed when this goes out of scope.
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    said: Receiver<Said>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    streams: usize,
}

enum Said {
    Out(Vec<u8>),
    Err(Vec<u8>),
    Closed,
}

impl Running {
    /// Starts a command whose standard input stays open until it is fed or waited for.
    pub fn start(command: &mut Command) -> Running {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (tell, said) = channel();
        listen(child.stdout.take().unwrap(), tell.clone(), Said::Out);
        listen(child.stderr.take().unwrap(), tell, Said::Err);
        let stdin = child.stdin.take();
        Running { child, stdin, said, stdout: Vec::new(), stderr: Vec::new(), streams: 2 }
    }

    /// Writes to standard input, which stays open. For less than a pipe holds (64 KiB).
    pub fn give(&mut self, bytes: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Writes to standard input on a thread of its own, then closes it. Stops when nobody reads any more.
    pub fn feed(&mut self, pieces: impl Iterator<Item = Vec<u8>> + Send + 'static) {
        let mut stdin = self.stdin.take().unwrap();
        thread::spawn(move || {
            for piece in pieces {
                if stdin.write_all(&piece).is_err() {
                    return;
                }
            }
        });
    }

    /// Waits until something is on standard output.
    pub fn wait_for_output(&mut self, within: Duration) {
        let deadline = Instant::now() + within;
        while self.stdout.is_empty() {
            self.listen_until(deadline);
            assert!(self.streams > 0, "it ended without output: {}", self.stderr());
        }
    }

    /// Waits until a line with `text` is on standard error, and returns it.
    pub fn wait_for_error(&mut self, text: &str, within: Duration) -> String {
        let deadline = Instant::now() + within;
        loop {
            let said = self.stderr();
            let whole = said.split_inclusive('\n').find(|line| line.contains(text) && line.ends_with('\n'));
            if let Some(line) = whole {
                return line.trim_end().to_owned();
            }
            assert!(self.streams > 0, "it ended without saying \"{text}\": {said}");
            self.listen_until(deadline);
        }
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// As `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Closes standard input, unless it is being fed, and waits for the end.
    pub fn finish(mut self, within: Duration) -> Ended {
        drop(self.stdin.take());
        self.wait(within)
    }

    /// Waits for the end, with standard input as it is.
    pub fn wait(mut self, within: Duration) -> Ended {
        let deadline = Instant::now() + within;
        while self.streams > 0 {
            self.listen_until(deadline);
        }
        let status = self.child.wait().unwrap().code();
        let stdout = String::from_utf8(std::mem::take(&mut self.stdout)).unwrap();
        Ended { status, stdout, stderr: self.stderr() }
    }

    fn listen_until(&mut self, deadline: Instant) {
        match self.said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Said::Out(bytes)) => self.stdout.extend(bytes),
            Ok(Said::Err(bytes)) => self.stderr.extend(bytes),
            Ok(Said::Closed) => self.streams -= 1,
            Err(_) => {
                let _ = self.child.kill();
                panic!("it did not come in time; so far it said: {:?}", self.stderr());
            }
        }
    }

    fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tells all that comes, on a thread of its own.
fn listen(mut stream: impl Read + Send + 'static, tell: Sender<Said>, said: fn(Vec<u8>) -> Said) {
    thread::spawn(move || {
        let mut bytes = vec![0; 64 << 10];
        while let Ok(n @ 1..) = stream.read(&mut bytes) {
            let _ = tell.send(said(bytes[..n].to_vec()));
        }
        let _ = tell.send(Said::Closed);
    });
}
