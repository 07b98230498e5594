//! `hitters query`.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use regex::bytes::Regex;

use super::answer::{Effort, Query, QueryError, Trust, answer};
use super::follow::Follow;
use super::interval::{between, series};
use super::keep::Keep;
use super::moment;
use super::movers::movers;
use super::show;
use crate::quantity::{self, Bytes};
use crate::settings::{self, MAX_K, WrongOption};
use crate::sink::key::key_bytes;
use crate::sink::{self, SINKS, UnknownSink};
use crate::store::error::StoreError;
use crate::store::reader::Store;

/// The most intervals of a series.
const MOST_STEPS: i64 = 1_000_000;

/// What to ask.
#[derive(Clone, Debug, clap::Args)]
pub struct QueryArgs {
    /// The directory that `hitters run --store` wrote
    #[arg(long, value_name = "DIR")]
    pub store: PathBuf,
    /// Rows, up to 100,000
    #[arg(short, value_name = "K", default_value_t = 10)]
    pub k: usize,
    /// Where the interval starts: RFC 3339, a date, an epoch, now, or a time before now such as -2h [default: the first window]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// Where it ends, without that moment itself [default: the end of the last window]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<String>,
    /// A series: an answer for each stretch of this length
    #[arg(long, value_name = "DURATION")]
    pub every: Option<String>,
    /// The count and rank of this key instead of the top k; \xNN stands for a byte
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// The keys that changed most against the interval of the same length before
    #[arg(long, conflicts_with_all = ["key", "every"])]
    pub compare: bool,
    /// Only keys that start with this; \xNN stands for a byte
    #[arg(long, value_name = "TEXT", conflicts_with = "key")]
    pub prefix: Option<String>,
    /// Only keys in which this regular expression is found
    #[arg(long = "match", value_name = "REGEX", conflicts_with = "key")]
    pub pattern: Option<String>,
    /// How results are written [default: table on a terminal, else ndjson]
    #[arg(short, long, value_parser = SINKS.iter().map(|s| s.name).collect::<Vec<_>>())]
    pub output: Option<String>,
    /// Tell on standard error what each answer took
    #[arg(long)]
    pub stats: bool,
    /// Memory for segments that were read
    #[arg(long, value_name = "BYTES", default_value = "1GiB", value_parser = quantity::bytes)]
    pub memory: Bytes,
}

/// Why a query cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryCommandError {
    /// An option's value is of no use.
    #[error(transparent)]
    Option(#[from] WrongOption),
    /// The question or the store.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// There is no such output.
    #[error(transparent)]
    Sink(#[from] UnknownSink),
    /// Results cannot be written.
    #[error("results cannot be written")]
    Output(#[from] io::Error),
}

impl From<StoreError> for QueryCommandError {
    fn from(error: StoreError) -> Self {
        QueryError::from(error).into()
    }
}

/// Answers what was asked, on standard output; how far it can be trusted is said on standard error. Status 2 when a part
/// of an interval could not be looked at.
///
/// # Errors
/// [`QueryCommandError`] when the question makes no sense or the store cannot be read.
pub fn run(args: &QueryArgs) -> Result<ExitCode, QueryCommandError> {
    if args.k > MAX_K {
        return Err(wrong("-k", "give 0 to 100000 rows".into()));
    }
    let keep = Keep {
        prefix: args.prefix.as_deref().map(key_bytes),
        pattern: args
            .pattern
            .as_deref()
            .map(Regex::new)
            .transpose()
            .map_err(|why| wrong("--match", why.to_string()))?,
    };
    let store = Store::open(&args.store, args.memory as u64)?;
    let (from, to) = interval(args, &store)?;
    let steps = steps(args, from, to)?;
    let output = args.output.as_deref().unwrap_or(sink::default_name(io::stdout().is_terminal()));
    let missing: Vec<String> = store.catalog()?.part().missing().into_iter().collect();
    let mut said = Said { stats: args.stats, ..Said::default() };
    if let Some(key) = &args.key {
        let key = key_bytes(key);
        let follow = Follow::new(&store, &key)?;
        let mut rows = steps.map(|(from, to)| follow.during(from, to)).collect::<Result<Vec<_>, _>>()?;
        for row in rows.iter_mut().filter(|_| !missing.is_empty()) {
            row.trust.lacks(&missing);
            row.rank = None;
        }
        rows.iter().for_each(|row| said.hear(&row.trust, &row.effort));
        show::followed(output, &key, &rows, &mut io::stdout().lock())?;
    } else if args.compare {
        let mut movers = movers(&store, &Query { from, to, k: args.k, keep })?;
        movers.trust.lacks(&missing);
        said.hear(&movers.trust, &movers.effort);
        show::moved(output, &movers, &mut io::stdout().lock())?;
    } else {
        let mut sink = sink::open(output, Box::new(io::stdout()), None)?;
        for (from, to) in steps {
            let mut answer = answer(&store, &Query { from, to, k: args.k, keep: keep.clone() })?;
            if answer.trust.lacks(&missing) {
                answer.doubt_all();
            }
            said.hear(&answer.trust, &answer.effort);
            sink.write(&answer.into_ranking())?;
        }
        sink.finish()?;
    }
    // Nobody may be reading standard error any more; the exit status says enough then.
    let _ = io::stderr().write_all(said.text().as_bytes());
    Ok(if said.partial > 0 { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// The interval as typed, or else all that is stored.
fn interval(args: &QueryArgs, store: &Store) -> Result<(i64, i64), QueryCommandError> {
    let now = settings::now();
    let (from, to) = (moment::typed("--from", &args.from, now)?, moment::typed("--to", &args.to, now)?);
    Ok(between(from, to, store.catalog()?.span())?)
}

/// The intervals of a series, the last of which may be shorter; without one, the whole.
fn steps(args: &QueryArgs, from: i64, to: i64) -> Result<impl Iterator<Item = (i64, i64)>, QueryCommandError> {
    let every = args.every.as_deref().map(quantity::millis).transpose().map_err(|why| wrong("--every", why))?;
    let too_many = "that makes more than 1,000,000 answers; give a longer one, or a shorter interval";
    series(from, to, every, MOST_STEPS).ok_or_else(|| wrong("--every", too_many.into()))
}

fn wrong(option: &'static str, why: String) -> QueryCommandError {
    WrongOption { option, why }.into()
}

/// What is said of answers on standard error.
#[derive(Default)]
struct Said {
    stats: bool,
    lines: String,
    answers: usize,
    exact: usize,
    partial: usize,
}

impl Said {
    fn hear(&mut self, trust: &Trust, effort: &Effort) {
        self.answers += 1;
        self.exact += usize::from(trust.exact);
        self.partial += usize::from(trust.is_partial());
        for missing in &trust.missing {
            self.lines += &format!("hitters: partial: {missing}\n");
        }
        for damaged in &trust.damaged {
            self.lines +=
                &format!("hitters: {damaged} is damaged and was left out; `hitters store verify` finds all that is\n");
        }
        if self.stats {
            let ([plus, minus, cuts], work) = (effort.segments, effort.work);
            self.lines += &format!(
                "segments {plus} added, {minus} taken away, {cuts} cut; stripes {} of {}; entries {}; bytes {}; {:.3} ms\n",
                work.opened_stripes,
                work.stripes,
                work.entries,
                work.bytes,
                effort.elapsed.as_secs_f64() * 1e3,
            );
        }
    }

    fn text(&self) -> String {
        let verdict = match (self.answers, self.exact) {
            (answers, exact) if answers == exact => "exact".into(),
            (1, _) if self.partial > 0 => "partial: bounds hold only for what is there".into(),
            (1, _) => "not exact: true counts are between low and high".into(),
            (answers, exact) => {
                format!("{exact} of {answers} answers are exact; of the others, true counts are between low and high")
            }
        };
        format!("{}{verdict}\n", self.lines)
    }
}
