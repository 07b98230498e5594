//! A client that says exactly what it is told to.
#![allow(dead_code)] // every test uses its part

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use serde_json::Value;

use crate::support::PATIENCE;

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The sentence of a refusal, which is one and tells nothing of the program's inside.
    pub fn error(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        let error = self.json()["error"].as_str().unwrap().to_owned();
        assert!(!error.contains(['\n', '{', '}']) || error.starts_with("match:"), "{error}");
        error
    }
}

/// Asks for a path and query.
pub fn get(address: SocketAddr, path: &str) -> Reply {
    get_with(address, path, "")
}

/// Asks with more header lines, each ended by `\r\n`.
pub fn get_with(address: SocketAddr, path: &str, headers: &str) -> Reply {
    ask(address, format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}connection: close\r\n\r\n"))
}

/// Sends a request that ends the connection and reads the reply.
pub fn ask(address: SocketAddr, request: impl AsRef<[u8]>) -> Reply {
    let mut connection = connect(address);
    connection.write_all(request.as_ref()).unwrap();
    read(&mut connection)
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection
}

/// Sends bytes and reads all that comes back, until the server closes the connection.
pub fn send(address: SocketAddr, bytes: &[u8]) -> String {
    exchange(connect(address), bytes, |_| {})
}

/// Sends bytes and that no more come, and reads all that comes back.
pub fn send_all(address: SocketAddr, bytes: &[u8]) -> String {
    exchange(connect(address), bytes, |connection| drop(connection.shutdown(Shutdown::Write)))
}

fn exchange(mut connection: TcpStream, bytes: &[u8], after: impl Fn(&TcpStream)) -> String {
    // The server may have heard enough before the end.
    let _ = connection.write_all(bytes);
    after(&connection);
    let mut said = Vec::new();
    match connection.read_to_end(&mut said) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => String::from_utf8_lossy(&said).into_owned(),
    }
}

/// Reads one reply.
pub fn read(connection: &mut TcpStream) -> Reply {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        connection.read_exact(&mut byte).unwrap_or_else(|e| panic!("{e} after {}", String::from_utf8_lossy(&head)));
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut reply = Reply { status, head, body: Vec::new() };
    let length = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
    reply.body.resize(length, 0);
    connection.read_exact(&mut reply.body).unwrap();
    reply
}
