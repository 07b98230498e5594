//! An input that stalls holds the others back.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hitters_inputs::feed::{Feed, FeedSettings, Reader};
use hitters_inputs::format::Wanted;
use hitters_inputs::source::Pull;
use hitters_inputs::time::TimeFormat;

const ROWS: i64 = 1_000_000;
const STEP: i64 = 10;
const MOST_AHEAD: i64 = 60_000;

fn settings() -> FeedSettings {
    FeedSettings {
        format: "csv".into(),
        wanted: Wanted {
            key: Some(vec!["key".into()]),
            time: Some("ts".into()),
            time_format: Some(TimeFormat::Millis),
            ..Wanted::default()
        },
        block_size: 4096,
        max_future: Duration::MAX,
        idle_timeout: Duration::from_secs(3600),
        most_ahead: MOST_AHEAD,
        places: false,
        workers: 1,
        arrival: 0,
        clock: || 0,
        began: Instant::now(),
    }
}

/// Reads once: what it did, how many events were handed out, and the latest time among them.
fn read(reader: &mut Reader) -> (Pull, usize, Option<i64>) {
    let pull = reader.read().unwrap();
    let (mut events, mut latest) = (0, None);
    reader.settle(|batch| {
        events += batch.events.len();
        latest = latest.max(batch.events.latest_time());
    });
    (pull, events, latest)
}

#[test]
fn a_file_waits_for_a_pipe_that_has_stalled_and_goes_on_with_it() {
    let (end, mut pipe) = std::io::pipe().unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let rows: String = (1..=ROWS).map(|i| format!("{},k\n", i * STEP)).collect();
    file.write_all(format!("ts,key\n{rows}").as_bytes()).unwrap();
    let inputs = [format!("/proc/self/fd/{}", end.as_raw_fd()), file.path().display().to_string()];
    let mut reader = Reader::new(Arc::new(Feed::new(&inputs, settings()).unwrap()), 1);
    // More than the sample that settles a format, so that nothing waits for more of it.
    let writing = std::thread::spawn(move || {
        pipe.write_all(format!("ts,key\n{}", "1,pipe\n".repeat(10_000)).as_bytes()).unwrap();
        pipe
    });

    let (mut events, mut latest, mut idle) = (0, None, 0);
    while idle < 1000 {
        let (pull, more, at) = read(&mut reader);
        events += more;
        latest = latest.max(at);
        idle = if pull == Pull::Idle && latest > Some(1) { idle + 1 } else { 0 };
        assert_ne!(pull, Pull::Done, "the pipe is open");
    }
    assert!(latest.unwrap() < ROWS * STEP, "the file was read to its end");

    let mut pipe = writing.join().unwrap();
    writeln!(pipe, "{},pipe", ROWS * STEP).unwrap();
    drop((pipe, end));
    loop {
        let (pull, more, _) = read(&mut reader);
        events += more;
        if pull == Pull::Done && more == 0 {
            break;
        }
    }
    assert_eq!(events as i64, ROWS + 10_001);
}
