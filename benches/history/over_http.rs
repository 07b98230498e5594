//! The same questions over HTTP, at a fixed rate whether or not the answers keep up.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use hitters::http::access::Access;
use hitters::http::limits::Limits;
use hitters::http::server::Server;
use hitters::http::site::Site;
use hitters::query::history::History;
use hitters::store::reader::Store;

/// Connections that stay open and take turns.
const CONNECTIONS: u32 = 8;

/// Asks `rate` questions a second, and tells how long each took from the moment at which it was due to the last byte of its
/// answer. A round before takes what is read for the first time out of it.
pub fn ask(dir: &Path, intervals: &[(i64, i64)], k: usize, rate: u32, seconds: u32) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let access = Access::at(listener.local_addr().expect("an address"), None).expect("a loopback address");
    let store = Store::open(dir, 4 << 30).expect("a store");
    let site = Site::new(History::of_store(store), access, Limits::default());
    let server = Server::start(listener, site).expect("a server");
    let address = server.address();
    let mut bytes = 0;
    let mut connection = TcpStream::connect(address).expect("a connection");
    for interval in intervals {
        bytes += exchange(&mut connection, interval, k);
    }
    let began = Instant::now() + Duration::from_millis(100);
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|client| {
            let intervals = intervals.to_vec();
            thread::spawn(move || client_times(address, &intervals, k, rate, seconds, client, began))
        })
        .collect();
    let mut times: Vec<Duration> = clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect();
    crate::report_times("over HTTP", &mut times);
    println!(
        "  at {rate} a second over {CONNECTIONS} connections, {:.1} KB an answer",
        bytes as f64 / intervals.len() as f64 / 1e3
    );
    server.stop();
}

fn client_times(
    address: SocketAddr,
    intervals: &[(i64, i64)],
    k: usize,
    rate: u32,
    seconds: u32,
    client: u32,
    began: Instant,
) -> Vec<Duration> {
    let mut connection = TcpStream::connect(address).expect("a connection");
    connection.set_nodelay(true).expect("an open connection");
    (client..rate * seconds)
        .step_by(CONNECTIONS as usize)
        .map(|number| {
            let due = began + Duration::from_secs(1) * number / rate;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            exchange(&mut connection, &intervals[number as usize % intervals.len()], k);
            due.elapsed()
        })
        .collect()
}

/// Asks and reads the answer; its length.
fn exchange(connection: &mut TcpStream, (from, to): &(i64, i64), k: usize) -> usize {
    let request = format!("GET /v1/topk?k={k}&start={from}&end={to} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    connection.write_all(request.as_bytes()).expect("an open connection");
    let (mut reply, mut buffer) = (Vec::new(), [0; 64 << 10]);
    loop {
        let read = connection.read(&mut buffer).expect("an open connection");
        assert!(read > 0, "the connection was closed");
        reply.extend_from_slice(&buffer[..read]);
        let Some(head) = reply.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&reply[..head]).expect("a head of text");
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        if reply.len() >= head + 4 + length.parse::<usize>().expect("a number") {
            return reply.len();
        }
    }
}
