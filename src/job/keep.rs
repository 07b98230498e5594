//! Full counts on their way from the workers into the store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use hitters_dataflows::count::counted::Counted;
use hitters_dataflows::ranking::Window;

use super::News;
use crate::query::live::Live;
use crate::store::error::StoreError;
use crate::store::writer::Writer;

/// How many messages of workers may wait before they wait for the store.
const AHEAD: usize = 64;
/// How long windows wait to be published together, and how many at most.
const TOGETHER: Duration = Duration::from_millis(500);
const MOST_TOGETHER: usize = 1024;
/// How much of a pack is compacted at a time, and how long it rests in between: 20 MiB a second at most.
const PIECE: u64 = 1 << 20;
const REST: Duration = Duration::from_millis(50);

/// What a worker tells the store.
pub(super) enum Kept {
    /// The counts of its keys in a window.
    Counts(Counted),
    /// It has told its counts of all windows that end by then.
    All {
        /// Which worker of this process.
        worker: usize,
        /// The time.
        until: i64,
    },
}

/// Starts a thread that puts into the store what `workers` workers tell, until all of them are done. It holds `news` to its
/// end, and says there if the store cannot be written; `live` hears what is stored.
///
/// # Errors
/// What the system says when there can be no more threads.
pub(super) fn keep(
    writer: Writer,
    workers: usize,
    news: SyncSender<News>,
    live: Option<Arc<Live>>,
) -> std::io::Result<SyncSender<Kept>> {
    let (tell, told) = sync_channel(AHEAD);
    std::thread::Builder::new().name("store".into()).spawn(move || {
        if let Err(error) = write(writer, workers, &told, live.as_deref()) {
            // A receiver that is gone has ended the run already.
            let _ = news.send(News::Failed(error.into()));
        }
    })?;
    Ok(tell)
}

/// Puts a window when every worker has told its part, in order of their ends, whatever worker comes first.
fn write(mut writer: Writer, workers: usize, told: &Receiver<Kept>, live: Option<&Live>) -> Result<(), StoreError> {
    let mut parts = BTreeMap::<Window, Vec<Counted>>::new();
    let mut until = vec![i64::MIN; workers];
    let (mut put, mut published) = (0, Instant::now());
    let mut complete = i64::MIN;
    // When the next piece may be compacted; `None` while there is nothing to do.
    let mut compact = Some(Instant::now());
    loop {
        match told.recv_timeout(if compact.is_some() { REST } else { TOGETHER }) {
            Ok(Kept::Counts(counted)) => parts.entry(counted.window).or_default().push(counted),
            Ok(Kept::All { worker, until: time }) => {
                until[worker] = time;
                complete = until.iter().copied().min().unwrap_or(i64::MAX);
                while let Some(window) = parts.first_entry().filter(|first| first.key().end <= complete) {
                    put_window(&mut writer, window.remove())?;
                    put += 1;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if compact.is_some_and(|next| next <= Instant::now()) {
            compact = writer.compact_some(PIECE)?.then(|| Instant::now() + REST);
        }
        if put >= MOST_TOGETHER || (writer.waiting() > 0 && published.elapsed() >= TOGETHER) {
            writer.publish()?;
            (put, published) = (0, Instant::now());
            compact = compact.or(Some(published));
        }
        if put == 0
            && let Some(live) = live
        {
            live.stored(complete);
        }
    }
    parts.into_values().try_for_each(|parts| put_window(&mut writer, parts))?;
    writer.finish()
}

fn put_window(writer: &mut Writer, parts: Vec<Counted>) -> Result<(), StoreError> {
    let Some(first) = parts.first() else { return Ok(()) };
    let revised = parts.iter().any(|part| part.revised);
    writer.put(first.window, revised, parts.iter().flat_map(Counted::iter)).map(drop)
}
