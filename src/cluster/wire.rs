//! Bytes with a deadline and frames with a limit: nobody on the other end can make this process wait or allocate.
//!
//! frame = length of the body u32 LE, at most 64 KiB | body

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

/// The longest body of a frame.
pub(super) const MOST_BYTES: usize = 64 << 10;

/// A socket whose every read and write ends by one deadline, however slowly the bytes come.
pub(super) struct Line<'a> {
    stream: &'a TcpStream,
    deadline: Instant,
}

impl<'a> Line<'a> {
    pub(super) fn new(stream: &'a TcpStream, time: Duration) -> Self {
        Line { stream, deadline: after(time) }
    }

    fn time_left(&self) -> io::Result<Duration> {
        match self.deadline.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
            left => Ok(left),
        }
    }
}

impl Read for Line<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.time_left()?))?;
        self.stream.read(bytes)
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.time_left()?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The moment `time` from now; a year when that is too far to tell.
pub(super) fn after(time: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    Instant::now() + time.min(YEAR)
}

/// Reads exactly `N` bytes.
pub(super) fn read_array<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Reads one frame and not a byte more: what follows may not be meant for us.
pub(super) fn read_frame(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let length = u32::from_le_bytes(read_array(from)?) as usize;
    if length > MOST_BYTES {
        return Err(too_long());
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(body)
}

/// Writes one frame in one piece.
pub(super) fn write_frame(to: &mut impl Write, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= MOST_BYTES).ok_or_else(too_long)?;
    to.write_all(&[&length.to_le_bytes(), body].concat())
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a message is longer than 64 KiB")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    #[test]
    fn a_frame_comes_back_and_what_follows_stays() {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, b"ready").unwrap();
        bytes.extend_from_slice(b"rest");
        let mut from = &bytes[..];
        assert_eq!(read_frame(&mut from).unwrap(), b"ready");
        assert_eq!(from, b"rest");
    }

    #[test]
    fn long_and_broken_frames_are_errors() {
        assert!(write_frame(&mut Vec::new(), &vec![0; MOST_BYTES]).is_ok());
        assert!(write_frame(&mut Vec::new(), &vec![0; MOST_BYTES + 1]).is_err());
        assert_eq!(read_frame(&mut &[255; 100][..]).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(read_frame(&mut &[5, 0, 0, 0, 1][..]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    /// A peer that sends a byte now and then would outlast a timeout per read.
    #[test]
    fn dripping_bytes_do_not_move_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut dripping = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let drips = thread::spawn(move || {
            while dripping.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        });
        let start = Instant::now();
        assert!(read_array::<1000>(&mut Line::new(&stream, Duration::from_millis(150))).is_err());
        assert!(start.elapsed() < Duration::from_secs(1));
        drop(stream);
        drips.join().unwrap();
    }

    #[test]
    fn endless_patience_is_no_overflow() {
        assert!(after(Duration::MAX) > Instant::now());
    }
}
