//! The events of one block, in columns, and the records that gave none.

use rapidhash::v3::{RapidSecrets, rapidhash_v3_micro_inline};

/// The longest record that is read, in bytes. A longer one is rejected as [`Reason::TooLong`].
pub const MAX_RECORD: usize = 1 << 20;

/// How many bytes a record can have with its newline, `\n` or `\r\n`. What has not ended by then is too long and goes on
/// to the next newline, quoted or not, so that a quote that nothing closes costs no more than that.
pub const MAX_RECORD_LINE: usize = MAX_RECORD + 2;

/// The longest key that is counted, in bytes. A longer one is rejected as [`Reason::TooLong`].
pub const MAX_KEY: usize = 64 << 10;

/// Why a record gave no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The bytes are not a record of the format.
    Malformed,
    /// A field that was asked for is not in the record.
    MissingField,
    /// The time field is there and cannot be read as a time.
    BadTime,
    /// The weight field is there and is not a whole number from 0 to 2^64 - 1.
    BadWeight,
    /// The window of the record's time was past the allowed lateness.
    Late,
    /// The record's time is further ahead of the clock than allowed.
    Future,
    /// The record is over [`MAX_RECORD`] or its key over [`MAX_KEY`].
    TooLong,
}

impl Reason {
    /// All reasons, in the order in which reports list them.
    pub const ALL: [Reason; 7] = [
        Reason::Malformed,
        Reason::MissingField,
        Reason::BadTime,
        Reason::BadWeight,
        Reason::Late,
        Reason::Future,
        Reason::TooLong,
    ];

    /// The reason in the words of reports and of the rejects file.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Malformed => "malformed",
            Reason::MissingField => "missing field",
            Reason::BadTime => "bad time",
            Reason::BadWeight => "bad weight",
            Reason::Late => "late",
            Reason::Future => "future",
            Reason::TooLong => "too long",
        }
    }
}

/// A record that gave no event, or an event that came too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Where the record starts, in bytes from the start of its block.
    pub at: u32,
    /// Why.
    pub why: Reason,
}

/// One event, borrowed from its [`Events`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Event time in milliseconds since the Unix epoch.
    pub time: i64,
    /// How much the event adds to its key's count.
    pub weight: u64,
    /// The seeded hash of `key`.
    pub hash: u64,
    /// What is counted: any bytes.
    pub key: &'a [u8],
    /// Where the event's record starts, in bytes from the start of its block.
    pub at: u32,
}

/// The events of one block in columns, in the order of their records, beside the records that were rejected.
#[derive(Debug)]
pub struct Events {
    times: Vec<i64>,
    weights: Vec<u64>,
    hashes: Vec<u64>,
    records: Vec<u32>,
    ends: Vec<u32>,
    keys: Vec<u8>,
    rejected: Vec<Rejected>,
    secrets: RapidSecrets,
    arrival: i64,
    latest: i64,
}

impl Events {
    /// An empty batch whose key hashes use `seed`; all workers and processes of a run share one seed.
    pub fn new(seed: u64) -> Self {
        Events {
            times: Vec::new(),
            weights: Vec::new(),
            hashes: Vec::new(),
            records: Vec::new(),
            ends: Vec::new(),
            keys: Vec::new(),
            rejected: Vec::new(),
            secrets: RapidSecrets::seed(seed),
            arrival: 0,
            latest: i64::MAX,
        }
    }

    /// Empties the batch for a new block: records without a time field happen at `arrival`, and those after `latest`
    /// are rejected as [`Reason::Future`] (both in milliseconds since the Unix epoch).
    pub fn begin(&mut self, arrival: i64, latest: i64) {
        self.times.clear();
        self.weights.clear();
        self.hashes.clear();
        self.records.clear();
        self.ends.clear();
        self.keys.clear();
        self.rejected.clear();
        self.arrival = arrival;
        self.latest = latest;
    }

    /// The time given to records that carry none.
    pub fn arrival(&self) -> i64 {
        self.arrival
    }

    /// Adds the event of the record that starts at `at`, or rejects it when its time is beyond the latest accepted
    /// one or its key is over [`MAX_KEY`]. Amortized O(key length).
    #[inline]
    pub fn push(&mut self, at: usize, time: i64, weight: u64, key: &[u8]) {
        if time > self.latest {
            return self.reject(at, Reason::Future);
        }
        if key.len() > MAX_KEY {
            return self.reject(at, Reason::TooLong);
        }
        self.times.push(time);
        self.weights.push(weight);
        self.hashes.push(rapidhash_v3_micro_inline::<true, false>(key, &self.secrets));
        self.records.push(at as u32);
        self.keys.extend_from_slice(key);
        self.ends.push(self.keys.len() as u32);
    }

    /// Notes that the record that starts at `at` gave no event.
    #[cold]
    pub fn reject(&mut self, at: usize, why: Reason) {
        self.rejected.push(Rejected { at: at as u32, why });
    }

    /// The records that gave no event, in the order in which they were found.
    pub fn rejected(&self) -> &[Rejected] {
        &self.rejected
    }

    /// The number of events.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Where the record of the `number`-th event starts, in bytes from the start of its block.
    ///
    /// # Panics
    /// When there are not that many events.
    pub fn record_of(&self, number: usize) -> u32 {
        self.records[number]
    }

    /// The highest event time, if there is an event. O(events).
    pub fn latest_time(&self) -> Option<i64> {
        self.times.iter().copied().max()
    }

    /// The events in the order of their records.
    pub fn iter(&self) -> impl Iterator<Item = Event<'_>> {
        let mut from = 0;
        let columns = self.times.iter().zip(&self.weights).zip(&self.hashes).zip(&self.records).zip(&self.ends);
        columns.map(move |((((&time, &weight), &hash), &at), &end)| {
            let key = &self.keys[from..end as usize];
            from = end as usize;
            Event { time, weight, hash, key, at }
        })
    }
}
