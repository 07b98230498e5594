//! Which fields are wanted of every record, and how their values become an event.

use super::FormatError;
use crate::event::{Events, Reason};
use crate::time::TimeFormat;

/// What the user asks of every record, in the words of the command line.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The fields that make the key; `None` for the format's own.
    pub key: Option<Vec<String>>,
    /// The field that holds the event time; `None` for the format's own, else the time of arrival.
    pub time: Option<String>,
    /// How the time field is written; `None` for the format's own, else [`TimeFormat::Auto`].
    pub time_format: Option<TimeFormat>,
    /// The field that holds the weight; `None` for a weight of 1.
    pub weight: Option<String>,
    /// The pattern of the `regex` format.
    pub pattern: Option<String>,
    /// The columns of a `csv` or `tsv` input that has no header line.
    pub columns: Option<Vec<String>>,
}

/// The fields to find in every record of one input, in one list: the key's parts, then time, then weight.
#[derive(Clone, Debug)]
pub struct Extract {
    fields: Vec<String>,
    parts: usize,
    time: Option<usize>,
    time_format: TimeFormat,
    weight: Option<usize>,
}

/// How many records are given together at most.
pub(crate) const GROUP: usize = 64;

/// A record whose values were all found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'b, const N: usize> {
    /// Where it starts in its block.
    pub(crate) at: u32,
    /// Its values, in the order of [`Extract::fields`].
    pub(crate) values: [&'b [u8]; N],
}

/// Fields that hold the time where the format has none of its own and the user named none.
const TIME_FIELDS: [&str; 4] = ["ts", "time", "timestamp", "@timestamp"];

impl Extract {
    /// Settles the fields of one input. `own_key` and `own_time` are the format's own, for when the user names none.
    ///
    /// # Errors
    /// [`FormatError::NoKey`] when the user names no key and the format has none of its own.
    pub fn new(
        wanted: &Wanted,
        format: &'static str,
        own_key: Option<&str>,
        own_time: Option<(&str, TimeFormat)>,
    ) -> Result<Self, FormatError> {
        let own_key = own_key.map(|k| vec![k.to_string()]);
        let mut fields = wanted.key.clone().or(own_key).ok_or(FormatError::NoKey { format, present: String::new() })?;
        let parts = fields.len();
        let own_format = match (&wanted.time, &own_time) {
            (None, Some((_, format))) => format.clone(),
            (Some(name), Some((own, format))) if name == own => format.clone(),
            _ => TimeFormat::Auto,
        };
        let mut add = |field: String| {
            fields.push(field);
            fields.len() - 1
        };
        let time = wanted.time.clone().or(own_time.map(|(name, _)| name.to_string())).map(&mut add);
        let weight = wanted.weight.clone().map(&mut add);
        let time_format = wanted.time_format.clone().unwrap_or(own_format);
        Ok(Extract { fields, parts, time, time_format, weight })
    }

    /// As [`Extract::new`] for a format that has no fields of its own but can tell from its header or first record
    /// which fields are `present`: the key is then the field `key`, and the time the first of `ts`, `time`,
    /// `timestamp` and `@timestamp` that there is. When nothing is present, as in an empty input, the key is `key` and
    /// there is no time.
    ///
    /// # Errors
    /// [`FormatError::NoKey`] when the user names no key and there is no field `key`.
    pub fn by_presence(wanted: &Wanted, format: &'static str, present: &[String]) -> Result<Self, FormatError> {
        let has = |field: &&str| present.iter().any(|p| p == field);
        let key = Some("key").filter(|key| present.is_empty() || has(key));
        let time = TIME_FIELDS.into_iter().find(has).map(|f| (f, TimeFormat::Auto));
        if wanted.key.is_none() && key.is_none() {
            return Err(FormatError::NoKey { format, present: format!("; the fields are: {}", listing(present)) });
        }
        Extract::new(wanted, format, key, time)
    }

    /// The fields to find, in the order in which [`Extract::give`] takes their values.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }

    /// Where each of [`Extract::fields`] is in `names`; the first place counts when a name is there twice.
    ///
    /// # Errors
    /// [`FormatError::NoField`] when one of them is not in `names`.
    pub fn positions(&self, names: &[String]) -> Result<Vec<usize>, FormatError> {
        let position = |field: &String| {
            let missing = || FormatError::NoField { field: field.clone(), present: listing(names) };
            names.iter().position(|name| name == field).ok_or_else(missing)
        };
        self.fields.iter().map(position).collect()
    }

    /// Whether records carry no time and happen when they arrive.
    pub fn arrival(&self) -> bool {
        self.time.is_none()
    }

    /// Turns the values of one record, in the order of [`Extract::fields`], into an event, or rejects the record: `at`
    /// is where it starts in its block.
    #[inline(always)]
    pub fn give(&self, at: usize, values: &[Option<&[u8]>], out: &mut Events) {
        if let Err(why) = self.try_give(at, values, out) {
            out.reject(at, why);
        }
    }

    /// Turns records whose values are all there into events, in order, or rejects them: as [`Extract::give`], faster for
    /// many. No value may be longer than [`crate::event::MAX_KEY`].
    #[inline(always)]
    pub(crate) fn give_all<const N: usize>(&self, mut records: &[Found<'_, N>], out: &mut Events) {
        while !records.is_empty() {
            let given = if self.parts == 1 { self.give_plain(records, out) } else { 0 };
            records = &records[given..];
            if let [record, rest @ ..] = records {
                self.give(record.at as usize, &record.values.map(Some), out);
                records = rest;
            }
        }
    }

    /// Gives records up to the first that is to be rejected, and says how many.
    ///
    /// Each step is done for all of them before the next: what a step waits for is then waited for by many at once.
    #[inline(always)]
    fn give_plain<const N: usize>(&self, records: &[Found<'_, N>], out: &mut Events) -> usize {
        let mut times = [out.arrival(); GROUP];
        let mut given = self.times(records, &mut times, out);
        let mut weights = Vec::new();
        if let Some(i) = self.weight {
            weights.extend(records[..given].iter().map_while(|record| whole_number(record.values[i])));
            given = weights.len();
        }
        out.push_all(&times[..given], &weights, records[..given].iter().map(|record| (record.at, record.values[0])));
        given
    }

    /// Reads the times of records up to the first that is to be rejected, and says how many; they are those of arrival
    /// unless a field holds them.
    #[inline(always)]
    fn times<const N: usize>(&self, records: &[Found<'_, N>], times: &mut [i64; GROUP], out: &mut Events) -> usize {
        let Some(i) = self.time else { return if times[0] <= out.latest() { records.len().min(GROUP) } else { 0 } };
        let (mut first, latest) = (*out.last_time(), out.latest());
        let mut read = 0;
        for (time, record) in times.iter_mut().zip(records) {
            match self.time_format.parse_after(record.values[i], &mut first) {
                Some(at) if at <= latest => *time = at,
                _ => break,
            }
            read += 1;
        }
        *out.last_time() = first;
        read
    }

    /// As [`Extract::give`], but leaves it to the caller to reject the record. The parts of a composite key are joined
    /// by commas; a part that holds a comma or a quote is quoted as in CSV, so that different keys stay different.
    ///
    /// # Errors
    /// The reason for which the record gives no event.
    #[inline(always)]
    pub fn try_give(&self, at: usize, values: &[Option<&[u8]>], out: &mut Events) -> Result<(), Reason> {
        let (time, weight) = self.time_and_weight(values, out)?;
        match values[..self.parts] {
            [key] => out.push(at, time, weight, key.ok_or(Reason::MissingField)?),
            ref parts => out.push(at, time, weight, &composite(parts).ok_or(Reason::MissingField)?),
        }
        Ok(())
    }

    #[inline(always)]
    fn time_and_weight(&self, values: &[Option<&[u8]>], out: &mut Events) -> Result<(i64, u64), Reason> {
        let time = match self.time {
            None => out.arrival(),
            Some(i) => {
                let text = values[i].ok_or(Reason::MissingField)?;
                self.time_format.parse_after(text, out.last_time()).ok_or(Reason::BadTime)?
            }
        };
        let weight = match self.weight {
            None => 1,
            Some(i) => whole_number(values[i].ok_or(Reason::MissingField)?).ok_or(Reason::BadWeight)?,
        };
        Ok((time, weight))
    }
}

/// Field names as an error shows them: the first twenty, without control characters.
fn listing(names: &[String]) -> String {
    let shown = |name: &String| name.chars().filter(|c| !c.is_control()).take(60).collect::<String>();
    let mut list = names.iter().take(20).map(shown).collect::<Vec<_>>().join(", ");
    if names.len() > 20 {
        list.push_str(&format!(" and {} more", names.len() - 20));
    }
    list
}

/// The parts of a composite key in one: joined by commas, quoted as in CSV where a part needs it.
fn composite(parts: &[Option<&[u8]>]) -> Option<Vec<u8>> {
    let mut key = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        let part = (*part)?;
        if i > 0 {
            key.push(b',');
        }
        if memchr::memchr3(b',', b'"', b'\n', part).is_none() {
            key.extend_from_slice(part);
        } else {
            key.push(b'"');
            for &byte in part {
                key.extend(std::iter::repeat_n(byte, 1 + usize::from(byte == b'"')));
            }
            key.push(b'"');
        }
    }
    Some(key)
}

/// Reads a whole number from 0 to 2^64 - 1, digits only.
fn whole_number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |n, &byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        n.checked_mul(10)?.checked_add(u64::from(digit))
    })
}
