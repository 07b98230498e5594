//! Ends the process when one of its workers dies or the connection to another process breaks: timely would leave the
//! others waiting for ever.

use std::panic;
use std::process::exit;
use std::sync::Once;
use std::thread;
use std::time::Duration;

use hitters_dataflows::start::lost_process;

/// From now on, a panic of a thread of timely ends this process with status 2 and one sentence. `addresses` are those of
/// the cluster's processes, by number.
pub(super) fn end_with_workers(addresses: Vec<String>) {
    static SPOKEN: Once = Once::new();
    let default = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let current = thread::current();
        if !current.name().is_some_and(|name| name.starts_with("timely:")) {
            return default(info);
        }
        let message = info.payload_as_str().unwrap_or_default();
        match lost_process(current.name(), message) {
            // The thread that lost the connection knows whose it was; its echoes leave it a moment to say so.
            Some(None) => thread::sleep(Duration::from_secs(1)),
            Some(Some(process)) => SPOKEN.call_once(|| {
                let address = addresses.get(process).map(String::as_str).unwrap_or("unknown address");
                eprintln!(
                    "hitters: process {process} ({address}) is gone, so this one stops; start all processes again together"
                );
            }),
            None => SPOKEN.call_once(|| default(info)),
        }
        SPOKEN.call_once(|| {
            eprintln!("hitters: the connection to another process broke; start all processes again together")
        });
        exit(2);
    }));
}
