//! A run from start to end: inputs are opened, workers started, and rankings written as they come.

mod death;
mod intake;
mod keep;

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use hitters_dataflows::count::counted::Counted;
use hitters_dataflows::count::open::CountSettings;
use hitters_dataflows::job::{self as worker, JobSettings};
use hitters_dataflows::operators::JobError;
use hitters_dataflows::operators::count::Watch;
use hitters_dataflows::ranking::{Ranking, State};
use hitters_dataflows::start::{Start, Worker, start};
use hitters_inputs::feed::{Feed, FeedError};
use jiff::SignedDuration;

use crate::cluster::{self, ClusterError, ClusterSettings, Hello};
use crate::http::command::{Door, ServeError};
use crate::http::server::Server;
use crate::latency::Latency;
use crate::meters::Meters;
use crate::progress::{Progress, Snapshot};
use crate::query::history::History;
use crate::query::live::{Knows, Live};
use crate::rejects::Rejects;
use crate::settings::Settings;
use crate::sink::terminal::Terminal;
use crate::sink::{self, Sink, UnknownSink};
use crate::store::error::StoreError;
use crate::store::part::Part;
use crate::store::reader::Store;
use crate::store::retain::Retention;
use crate::store::writer::Writer;
use crate::summary::Summary;
use intake::{Intake, Shared};
use keep::{Kept, keep};

/// How many rankings may wait to be written before the job waits for the writer.
const AHEAD: usize = 64;
/// Memory for segments that were read to answer questions.
const SERVED_MEMORY: u64 = 256 << 20;
/// How often progress is shown.
const PROGRESS: Duration = Duration::from_millis(200);

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// An input cannot be read.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The job cannot go on.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The processes cannot come together.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// History cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Results cannot be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// There is no such output.
    #[error(transparent)]
    Sink(#[from] UnknownSink),
    /// Results cannot be written.
    #[error("results cannot be written")]
    Output(#[source] io::Error),
    /// Rejected records cannot be written.
    #[error("--rejects {path}: {error}")]
    Rejects {
        /// The file.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// Workers cannot be started, or died.
    #[error("a worker ended: {0}")]
    Worker(String),
}

/// How a run ended that came to its end.
#[derive(Debug, Default)]
pub struct Outcome {
    summary: Summary,
    /// What could not be read to its end.
    partial: Vec<String>,
    /// Whether rejected records make it a failure.
    strict: bool,
}

impl Outcome {
    /// 0; 1 when records were rejected and that counts; 2 when the result is partial.
    pub fn exit_code(&self) -> ExitCode {
        match () {
            () if !self.partial.is_empty() => ExitCode::from(2),
            () if self.strict && self.summary.any_rejected() => ExitCode::from(1),
            () => ExitCode::SUCCESS,
        }
    }
}

/// What workers tell the thread that writes.
enum News {
    Ranking(Ranking),
    Failed(RunError),
}

/// What the dataflow of a worker tells besides its results.
#[derive(Clone)]
struct Tell {
    news: SyncSender<News>,
    meters: Arc<Meters>,
    latency: Arc<Latency>,
    /// Which worker of this process it is, and where full counts go.
    keep: Option<(usize, SyncSender<Kept>)>,
}

impl Watch for Tell {
    fn watermark(&mut self, watermark: i64) {
        self.meters.set_watermark(watermark);
    }

    fn too_late(&mut self, rows: u64) {
        self.meters.add_late(0, rows);
    }

    fn counted(&mut self, counted: Counted) {
        if let Some((_, keep)) = &self.keep {
            // A store that failed has said so.
            let _ = keep.send(Kept::Counts(counted));
        }
    }

    fn counted_all(&mut self, until: i64) {
        if let Some((worker, keep)) = &self.keep {
            let _ = keep.send(Kept::All { worker: *worker, until });
        }
    }

    fn early(&mut self, took: Duration) {
        self.latency.early(took);
    }

    fn failed(&mut self, error: JobError) {
        // A receiver that is gone has ended the run already.
        let _ = self.news.send(News::Failed(error.into()));
    }
}

/// Runs to the end of the inputs, writing rankings to standard output; progress, problems and the summary go to standard
/// error.
///
/// # Errors
/// [`RunError`] when the run cannot start or has to end early.
///
/// # Panics
/// When a worker panicked while it noted a problem.
pub fn run(settings: Settings) -> Result<Outcome, RunError> {
    let began = settings.feed.began;
    let mut sink = open_sink(settings.output.as_deref())?;
    let door = settings.listen.as_ref().map(|(address, peers)| Door::open(address, peers)).transpose()?;
    let rejects = settings.rejects.as_deref().map(create_rejects).transpose()?.map(Arc::new);
    let meters = Arc::new(Meters::new(settings.lengths.len()));
    let latency = Arc::new(Latency::new(settings.job.count.windows.lengths.clone(), settings.workers));
    let feed = Arc::new(Feed::new(&settings.inputs, settings.feed)?);
    let in_cluster = settings.cluster.is_some();
    let (start, seed) = members(settings.cluster, settings.workers, settings.stored.as_ref())?;
    let part = part(&start, seed);
    let store = settings
        .store
        .as_ref()
        .map(|(dir, retention)| open_store(dir, *retention, &settings.job.count, &part))
        .transpose()?;
    let shared = Shared {
        feed: feed.clone(),
        seed,
        meters: meters.clone(),
        latency: latency.clone(),
        rejects: rejects.clone(),
        lengths: settings.lengths.into(),
        partial: Arc::default(),
    };
    let partial = shared.partial.clone();
    let served = door.map(|door| serve(door, &settings.job, settings.store.as_ref(), &part, &meters)).transpose()?;
    let (live, server) = served.unzip();
    let lengths = settings.job.count.windows.lengths.clone();
    let (news, rankings) = sync_channel(AHEAD);
    let keep = store.map(|writer| start_keeping(writer, settings.workers, news.clone(), live.clone())).transpose()?;
    // All of these go on when nobody reads the output any more.
    let in_cluster = in_cluster || keep.is_some() || server.is_some();
    let workers = spawn(start, settings.job, shared, news, keep)?;
    let snapshot = || Snapshot {
        bytes: feed.taken(),
        total_bytes: feed.size(),
        events: meters.events(),
        watermark: meters.watermark(),
    };
    let Some(windows) = write(&rankings, sink.as_mut(), live.as_deref(), snapshot, &latency, in_cluster)? else {
        return Ok(Outcome::default());
    };
    server.into_iter().for_each(Server::stop);
    workers.join().unwrap_or_else(|_| Err("it panicked".into())).map_err(RunError::Worker)?;
    if let Some(rejects) = rejects {
        rejects.finish().map_err(|error| RunError::Rejects { path: rejects.path().display().to_string(), error })?;
    }
    let lengths = lengths.into_iter().map(SignedDuration::from_millis);
    let summary = Summary {
        events: meters.events(),
        rejected: meters.rejected(),
        late: lengths.zip(meters.late()).collect(),
        windows,
        elapsed: began.elapsed(),
        longest: latency.longest(),
    };
    let partial = std::mem::take(&mut *partial.lock().expect("no one panics while adding a problem"));
    // Nobody may be reading standard error any more; the exit status says enough then.
    let problems: String = partial.iter().map(|problem| format!("hitters: {problem}\n")).collect();
    let _ = io::stderr().write_all(format!("{problems}{summary}\n").as_bytes());
    Ok(Outcome { summary, partial, strict: settings.strict })
}

fn open_sink(name: Option<&str>) -> Result<Box<dyn Sink>, UnknownSink> {
    let on_terminal = io::stdout().is_terminal();
    let name = name.unwrap_or(sink::default_name(on_terminal));
    sink::open(name, Box::new(io::stdout()), if on_terminal { Terminal::stdout() } else { None })
}

/// Opens the store for the windows that are kept. Tables of a part of the keys would have no true ranks.
fn open_store(dir: &Path, retention: Retention, count: &CountSettings, part: &Part) -> Result<Writer, StoreError> {
    let finest = count.keep.unwrap_or_default();
    let writer = Writer::open_part(dir, finest, part)?.with_retention(retention);
    let made_again = || {
        // Nobody may be reading standard error.
        let _ =
            writeln!(io::stderr(), "hitters: the SQLite tables in {} were damaged and are made again", dir.display());
    };
    if part.is_whole() { writer.with_tables(count.k, made_again) } else { Ok(writer) }
}

/// Which keys are counted in this process.
fn part(start: &Start, seed: u64) -> Part {
    match start {
        Start::Cluster { workers, process, sockets } => {
            Part { number: *process as u32, of: sockets.len() as u32, workers: *workers as u32, seed }
        }
        _ => Part::WHOLE,
    }
}

/// Starts the thread that writes the store. It holds `news` to its end, so that the run does not end before it.
fn start_keeping(
    writer: Writer,
    workers: usize,
    news: SyncSender<News>,
    live: Option<Arc<Live>>,
) -> Result<SyncSender<Kept>, RunError> {
    keep(writer, workers, news, live).map_err(|error| RunError::Worker(error.to_string()))
}

/// Starts to serve what the job will know and store.
fn serve(
    door: Door,
    job: &JobSettings,
    store: Option<&(PathBuf, Retention)>,
    part: &Part,
    meters: &Arc<Meters>,
) -> Result<(Arc<Live>, Server), RunError> {
    let shortest = job.count.windows.lengths.iter().copied().min().unwrap_or(1);
    let knows = match () {
        () if part.number > 0 => Knows::Elsewhere,
        () if job.sketch.is_some() => Knows::Open,
        () => Knows::Closed,
    };
    let live = Live::new(shortest, knows, meters.clone());
    let live = Arc::new(if part.is_whole() { live } else { live.holding_stored() });
    let store = store.map(|(dir, _)| Store::open(dir, SERVED_MEMORY)).transpose()?;
    let server = door.serve(History::of_job(live.clone(), store))?;
    Ok((live, server))
}

fn create_rejects(path: &Path) -> Result<Rejects, RunError> {
    Rejects::create(path).map_err(|error| RunError::Rejects { path: path.display().to_string(), error })
}

/// Where the workers of this process belong, and the seed of the key hashes: its own, or the cluster's once it is
/// complete. A cluster goes on with the seed of what it has stored, so that each key stays where it is.
fn members(
    cluster: Option<(ClusterSettings, Hello)>,
    workers: usize,
    stored: Option<&Part>,
) -> Result<(Start, u64), ClusterError> {
    let Some((settings, hello)) = cluster else {
        death::end_with_workers(Vec::new());
        return Ok((Start::Alone(workers), seed()));
    };
    let joined = cluster::join(&settings, &hello)?;
    death::end_with_workers(joined.addresses);
    let start = Start::Cluster { workers, process: settings.process, sockets: joined.sockets };
    Ok((start, stored.map_or(joined.seed, |part| part.seed)))
}

/// A seed for key hashes that nobody can foresee, so that nobody can choose keys that collide.
fn seed() -> u64 {
    // Without a source of randomness, a fixed seed still gives correct results.
    getrandom::u64().unwrap_or(0)
}

/// Starts the workers on a thread of their own, which ends when they do.
fn spawn(
    start_at: Start,
    settings: JobSettings,
    shared: Shared,
    news: SyncSender<News>,
    keep: Option<SyncSender<Kept>>,
) -> Result<JoinHandle<Result<(), String>>, RunError> {
    let workers = match start_at {
        Start::Alone(workers) | Start::Bytes(workers) | Start::Cluster { workers, .. } => workers,
    };
    let work = move |worker: &mut Worker| {
        let number = worker.index() % workers;
        let keep = keep.clone().map(|keep| (number, keep));
        let tell = Tell { news: news.clone(), meters: shared.meters.clone(), latency: shared.latency.clone(), keep };
        let mut intake = Intake::new(&shared, number, news.clone());
        let news = news.clone();
        // When nobody listens any more, the run is over.
        let give = move |ranking| drop(news.send(News::Ranking(ranking)));
        worker::run(worker, &settings, &mut intake, give, tell);
    };
    let workers = std::thread::Builder::new().name("workers".into()).spawn(move || start(start_at, work));
    workers.map_err(|error| RunError::Worker(error.to_string()))
}

/// Writes rankings as they come, until the workers are done; how many windows closed, or `None` when the reader of the
/// output has gone. Then the process may end, except `in_cluster`, where the others still count on it, and with a store or
/// a server.
fn write(
    rankings: &Receiver<News>,
    sink: &mut dyn Sink,
    live: Option<&Live>,
    snapshot: impl Fn() -> Snapshot,
    latency: &Latency,
    in_cluster: bool,
) -> Result<Option<u64>, RunError> {
    let mut progress = Progress::on_stderr();
    let (mut windows, mut reader_gone) = (0, false);
    loop {
        let written = match rankings.recv_timeout(PROGRESS) {
            Ok(News::Failed(error)) => return Err(error),
            Ok(News::Ranking(ranking)) => {
                let ranking = Arc::new(ranking);
                if let Some(live) = live {
                    live.take(ranking.clone());
                }
                let written = if reader_gone { Ok(()) } else { sink.write(&ranking) };
                if ranking.state == State::Final {
                    windows += 1;
                    latency.closed(ranking.window.end);
                }
                written
            }
            Err(RecvTimeoutError::Timeout) => {
                progress.show(&snapshot());
                Ok(())
            }
            Err(RecvTimeoutError::Disconnected) => {
                progress.finish();
                let finished = if reader_gone { Ok(()) } else { sink.finish() };
                return match finished {
                    Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(RunError::Output(error)),
                    _ => Ok(Some(windows)),
                };
            }
        };
        match written {
            Ok(()) => {}
            Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(RunError::Output(error)),
            Err(_) if in_cluster => reader_gone = true,
            Err(_) => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_of_one_process_hashes_with_a_seed_of_its_own() {
        let seeds: std::collections::BTreeSet<u64> = (0..8).map(|_| seed()).collect();
        assert_eq!(seeds.len(), 8);
    }
}
