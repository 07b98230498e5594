//! What is valid: the options of `run`, checked once, in their own units.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hitters_dataflows::count::open::CountSettings;
use hitters_dataflows::job::JobSettings;
use hitters_dataflows::sketch::{AnySketch, Plan, PlanError, SKETCHES, Size, named};
use hitters_dataflows::window::{MAX_LENGTHS, Windows};
use hitters_inputs::feed::FeedSettings;
use hitters_inputs::format::Wanted;
use hitters_inputs::source::{FindError, find};
use hitters_inputs::time::TimeFormat;
use jiff::SignedDuration;

use crate::cli::RunArgs;
use crate::cluster::{self, ClusterError, ClusterSettings, Hello, Secret};
use crate::store::error::StoreError;
use crate::store::part::Part;
use crate::store::reader;
use crate::store::retain::Retention;
use crate::{machine, quantity};

/// The most rows a window can have.
pub const MAX_K: usize = 100_000;

/// The most summaries that one window may be made of.
const MAX_SPAN: i64 = 128;
/// How far one input may be read ahead of another at least, in milliseconds.
const AHEAD: i64 = 60_000;
/// How often early results come out at most.
const OFTENEST: Duration = Duration::from_millis(50);
/// Memory of a worker's sketch of a window, where nothing else is said.
const SKETCH_MEMORY: usize = 1 << 20;
/// And for each of k keys, where that is more.
const SKETCH_MEMORY_A_KEY: usize = 512;
/// What random choices of sketches are drawn from: always the same, so that a run repeats.
const SKETCH_SEED: u64 = 0;

/// An option's value is of no use.
#[derive(Debug, thiserror::Error)]
#[error("{option}: {why}")]
pub struct WrongOption {
    /// The option as typed.
    pub option: &'static str,
    /// What is wrong, and what would do.
    pub why: String,
}

/// Why what was typed cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// An option's value is of no use.
    #[error(transparent)]
    Option(#[from] WrongOption),
    /// An input that is not there.
    #[error(transparent)]
    Find(#[from] FindError),
    /// A cluster that cannot be.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A store that cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A checked `run`.
pub struct Settings {
    /// The inputs that there are.
    pub inputs: Vec<String>,
    /// How they are read.
    pub feed: FeedSettings,
    /// What is computed.
    pub job: JobSettings,
    /// The lengths that events are judged by, as typed.
    pub lengths: Vec<String>,
    /// Worker threads.
    pub workers: usize,
    /// The other processes, if there are any, and what all must agree on.
    pub cluster: Option<(ClusterSettings, Hello)>,
    /// The sink's name, if one was chosen.
    pub output: Option<String>,
    /// The directory that keeps history, and for how long.
    pub store: Option<(PathBuf, Retention)>,
    /// Which keys are in that directory already, if it is a store.
    pub stored: Option<Part>,
    /// Where to serve results over HTTP, and where the other processes do.
    pub listen: Option<(String, Vec<String>)>,
    /// The file for rejected records.
    pub rejects: Option<PathBuf>,
    /// Whether rejected records make the run a failure.
    pub strict: bool,
}

impl Settings {
    /// Checks what was typed, finds the inputs and settles every default.
    ///
    /// # Errors
    /// [`SettingsError`] for the first thing that is not valid.
    pub fn check(args: &RunArgs) -> Result<Self, SettingsError> {
        let workers = args.workers.unwrap_or_else(machine::cores);
        ensure("-w", (1..=1024).contains(&workers), "give 1 to 1024 workers")?;
        ensure("-k", args.k <= MAX_K, "give 0 to 100000 rows")?;
        let early = match args.early.as_str() {
            "off" => None,
            typed => Some(duration("--early", typed)?),
        };
        let too_often = early.is_some_and(|early| early < OFTENEST);
        ensure("--early", !too_often, "results come out every 50ms at most; give that or more, or off")?;
        let memory = args.memory.unwrap_or_else(|| machine::memory() / 2);
        let (windows, spans) = windows(args)?;
        let most_ahead = most_ahead(&windows, &spans);
        let store = store(args)?;
        let stored = args.store.as_deref().map(reader::part).transpose()?.flatten();
        let count = CountSettings {
            k: args.k,
            keep: args.store.is_some().then(|| windows.lengths.iter().copied().min()).flatten(),
            windows,
            // An eighth is left to counts on their way between workers.
            memory: memory / workers / 8 * 7,
            spill_dir: args.spill_dir.clone().unwrap_or_else(std::env::temp_dir),
        };
        let exact = args.mode != "approx";
        let wants_sketch = !exact || (args.mode == "both" && early.is_some());
        let sketch = wants_sketch.then(|| sketch(args, workers * args.processes)).transpose()?;
        let job = JobSettings { count, exact, sketch, spans, early: early.unwrap_or(Duration::from_secs(5)) };
        Ok(Settings {
            inputs: find(&args.inputs)?,
            feed: feed(args, workers, most_ahead)?,
            job,
            lengths: args.every.clone().map_or_else(|| args.window.clone(), |every| vec![every]),
            workers,
            cluster: cluster(args, workers, stored.as_ref())?,
            output: args.output.clone(),
            store,
            stored,
            listen: listen(args)?,
            rejects: args.rejects.clone(),
            strict: args.strict,
        })
    }
}

/// The windows that are counted, and how many of them in a row each window of the result is.
fn windows(args: &RunArgs) -> Result<(Windows, Vec<i64>), SettingsError> {
    let mut lengths = Vec::new();
    for typed in &args.window {
        let length = millis(duration("--window", typed)?);
        ensure("--window", length > 0, "a window is 1ms long at least")?;
        ensure("--window", !lengths.contains(&length), "one length is given twice")?;
        lengths.push(length);
    }
    ensure("--window", (1..=MAX_LENGTHS).contains(&lengths.len()), "give 1 to 128 lengths")?;
    let mut spans = vec![1];
    if let Some(typed) = &args.every {
        let every = millis(duration("--every", typed)?);
        ensure("--every", args.mode == "approx", "windows that overlap are merged from summaries; give --mode approx")?;
        ensure("--every", every > 0, "a window every 1ms at most")?;
        let divides = lengths.iter().all(|length| length % every == 0);
        ensure("--every", divides, "a window is made of whole steps; give a length that divides each --window")?;
        spans = lengths.iter().map(|length| length / every).collect();
        let few = spans.iter().all(|&span| span <= MAX_SPAN);
        ensure("--every", few, &format!("give steps of which at most {MAX_SPAN} make a window"))?;
        lengths = vec![every];
    }
    let windows = Windows {
        lengths,
        out_of_orderness: millis(duration("--out-of-orderness", &args.out_of_orderness)?),
        allowed_lateness: millis(duration("--allowed-lateness", &args.allowed_lateness)?),
    };
    Ok((windows, spans))
}

/// How far one input may be read ahead of another: about two windows of each length are open then.
fn most_ahead(windows: &Windows, spans: &[i64]) -> i64 {
    let longest = |lengths: &[i64]| lengths.iter().copied().max().unwrap_or(1);
    let window = longest(&windows.lengths).saturating_mul(longest(spans));
    window.saturating_add(windows.out_of_orderness).max(AHEAD)
}

fn store(args: &RunArgs) -> Result<Option<(PathBuf, Retention)>, SettingsError> {
    let retain = args.retain.as_deref().map(Retention::parse).transpose();
    let retain = retain.map_err(|why| WrongOption { option: "--retain", why })?;
    let Some(dir) = args.store.clone() else {
        ensure("--retain", retain.is_none(), "there is nothing to keep without --store")?;
        return Ok(None);
    };
    ensure("--store", args.mode != "approx", "history is made of exact counts; give --mode both or exact")?;
    Ok(Some((dir, retain.unwrap_or_default())))
}

fn listen(args: &RunArgs) -> Result<Option<(String, Vec<String>)>, WrongOption> {
    let Some(listen) = args.listen.clone() else {
        ensure("--peers", args.peers.is_empty(), "nobody asks this process without --listen")?;
        return Ok(None);
    };
    let knows = args.process == 0 || args.store.is_some();
    ensure("--listen", knows, "results come from process 0; listen there, or give --store to every process")?;
    ensure("--listen", args.every.is_none(), "windows that overlap do not add up to intervals; leave --every out")?;
    ensure("--peers", args.peers.is_empty() || args.store.is_some(), "what peers have is history; give --store")?;
    Ok(Some((listen, args.peers.clone())))
}

/// The sketch that each worker's of a window begins as, when there are so many workers in all processes.
fn sketch(args: &RunArgs, workers: usize) -> Result<AnySketch, SettingsError> {
    ensure("--epsilon", args.epsilon.is_none_or(inside), "give more than 0 and less than 1")?;
    ensure("--delta", inside(args.delta), "give more than 0 and less than 1")?;
    let unknown = || WrongOption { option: "--sketch", why: format!("there is no \"{}\"", args.sketch) };
    let entry = named(&args.sketch).ok_or_else(unknown)?;
    if !entry.merges {
        let mergeable: Vec<&str> = SKETCHES.iter().filter(|other| other.merges).map(|other| other.name).collect();
        let why = |when: &str, instead: &str| {
            format!(
                "{} cannot be merged, which {when} takes; give {instead}, or one of: {}",
                entry.name,
                mergeable.join(" ")
            )
        };
        ensure("--sketch", workers == 1, &why("more than one worker", "-w 1 and no -n"))?;
        let revises = args.mode == "approx" && !duration("--allowed-lateness", &args.allowed_lateness)?.is_zero();
        ensure("--sketch", args.every.is_none(), &why("--every", "no --every"))?;
        ensure("--sketch", !revises, &why("--allowed-lateness with --mode approx", "--mode both"))?;
    }
    let plan = |size| Plan { size, delta: args.delta, k: args.k, seed: SKETCH_SEED };
    let default = SKETCH_MEMORY.max(args.k * SKETCH_MEMORY_A_KEY);
    let (option, made) = match (args.epsilon, args.sketch_memory) {
        (Some(epsilon), _) => ("--epsilon", entry.make(&plan(Size::Epsilon(epsilon)))),
        (None, Some(memory)) => ("--sketch-memory", entry.make(&plan(Size::Memory(memory)))),
        (None, None) => match entry.make(&plan(Size::Memory(default))) {
            Err(PlanError::Memory { enough, .. }) => ("-k", entry.make(&plan(Size::Memory(enough)))),
            made => ("-k", made),
        },
    };
    Ok(made.map_err(|why| WrongOption { option, why: why.to_string() })?)
}

/// Whether a part is more than nothing and less than all.
fn inside(part: f64) -> bool {
    part > 0.0 && part < 1.0
}

fn feed(args: &RunArgs, workers: usize, most_ahead: i64) -> Result<FeedSettings, SettingsError> {
    let time_format = args.time_format.as_deref().map(TimeFormat::named).transpose();
    ensure("--block-size", (1..=1 << 30).contains(&args.block_size), "give 1 byte to 1GiB")?;
    Ok(FeedSettings {
        format: args.format.clone(),
        wanted: Wanted {
            key: args.key.clone(),
            time: args.time.clone(),
            time_format: time_format.map_err(|why| WrongOption { option: "--time-format", why })?,
            weight: args.weight.clone(),
            pattern: args.pattern.clone(),
            columns: args.columns.clone(),
        },
        block_size: args.block_size,
        max_future: duration("--max-future", &args.max_future)?,
        idle_timeout: duration("--idle-timeout", &args.idle_timeout)?,
        most_ahead,
        places: args.rejects.is_some(),
        workers,
        arrival: now(),
        clock: now,
        began: Instant::now(),
    })
}

fn cluster(
    args: &RunArgs,
    workers: usize,
    stored: Option<&Part>,
) -> Result<Option<(ClusterSettings, Hello)>, SettingsError> {
    ensure("-n", args.processes > 0, "give 1 process at least")?;
    if args.processes == 1 {
        ensure("-p", args.process == 0, "there is one process, number 0; tell how many there are with -n")?;
        return Ok(None);
    }
    let addresses = match &args.hostfile {
        Some(path) => cluster::read_hostfile(path, args.processes)?,
        None => cluster::local_addresses(args.processes),
    };
    let secret = std::env::var("HITTERS_CLUSTER_SECRET").ok();
    let secret = Secret::from_env_or_file(secret, args.secret_file.as_deref())?;
    let patience = duration("--join-timeout", &args.join_timeout)?;
    let settings = ClusterSettings { patience, ..ClusterSettings::new(args.process, addresses, secret) };
    let list = |list: &Option<Vec<String>>| list.as_ref().map_or("none".into(), |list| list.join(","));
    let none = |value: &Option<String>| value.clone().unwrap_or("none".into());
    let facts = [
        ("-w", workers.to_string()),
        ("-k", args.k.to_string()),
        ("--key", list(&args.key)),
        ("--weight", none(&args.weight)),
        ("--window", args.window.join(",")),
        ("--every", none(&args.every)),
        ("--store", args.store.as_ref().map_or("none".into(), |_| stored.map_or("new".into(), Part::division))),
        ("--early", args.early.clone()),
        ("--mode", args.mode.clone()),
        ("--out-of-orderness", args.out_of_orderness.clone()),
        ("--allowed-lateness", args.allowed_lateness.clone()),
        ("--sketch-memory", args.sketch_memory.map_or("none".into(), |bytes| bytes.to_string())),
        ("--epsilon", args.epsilon.map_or("none".into(), |part| part.to_string())),
        ("--delta", args.delta.to_string()),
        ("--sketch", args.sketch.clone()),
        ("codec", if cfg!(feature = "abomonation") { "abomonation" } else { "columnar" }.into()),
    ];
    let facts = facts.map(|(name, value)| (name.to_string(), value)).to_vec();
    Ok(Some((settings, Hello { version: env!("CARGO_PKG_VERSION").into(), facts })))
}

fn ensure(option: &'static str, holds: bool, why: &str) -> Result<(), WrongOption> {
    if holds { Ok(()) } else { Err(WrongOption { option, why: why.into() }) }
}

fn duration(option: &'static str, typed: &str) -> Result<Duration, WrongOption> {
    let duration: SignedDuration = quantity::duration(typed).map_err(|why| WrongOption { option, why })?;
    Ok(duration.unsigned_abs())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Now, in milliseconds since the Unix epoch; 0 before it.
pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}
