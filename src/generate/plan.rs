//! What to generate, checked.

use jiff::SignedDuration;

use super::GenerateArgs;
use super::encoding::{ENCODINGS, Encoding};

/// The most keys there can be: as many as nine-digit ids.
pub const MAX_KEYS: u64 = 1_000_000_000;

/// 0001-01-01T00:00:00Z, in milliseconds since the Unix epoch.
const FIRST: i64 = -62_135_596_800_000;
/// 9999-12-31T00:00:00Z, likewise.
const LAST: i64 = 253_402_214_400_000;

/// Valid arguments; times in milliseconds.
#[derive(Clone, Copy)]
pub struct Plan {
    /// How many events.
    pub events: u64,
    /// How many different keys there may be, from 1 to [`MAX_KEYS`].
    pub keys: u64,
    /// Zipf exponent, at least 0.
    pub skew: f64,
    /// When the events begin, since the Unix epoch.
    pub start: i64,
    /// What they are spread over, at least 1.
    pub span: u64,
    /// Each is moved back by less than this; at most `span`.
    pub jitter: u64,
    /// The part that is moved back further, from 0 to 1.
    pub late: f64,
    /// Whether hot keys are replaced.
    pub drift: bool,
    /// Whether there are bursts.
    pub burst: bool,
    /// What all choices follow from.
    pub seed: u64,
    /// How events are written.
    pub encoding: &'static Encoding,
}

/// Why arguments are not valid.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum PlanError {
    /// No keys, or more than there are ids.
    #[error("--keys {0} is out of bounds; give 1 to {MAX_KEYS}")]
    Keys(u64),
    /// An exponent that no distribution has.
    #[error("--skew {0} is out of bounds; give 0 (uniform) or more, 1 is typical of popularity")]
    Skew(f64),
    /// A part of the events below none or above all.
    #[error("--late {0} is out of bounds; give 0% to 100%")]
    Late(f64),
    /// No time to spread events over.
    #[error("--span is shorter than a millisecond; give for example 3h")]
    Span,
    /// Events would be before the start.
    #[error("--jitter is negative or longer than --span; give 0s up to the span")]
    Jitter,
    /// Event times without a text in every format.
    #[error("--start and --span leave the years 0001 to 9999; start later or shorten the span")]
    Years,
    /// No such format.
    #[error("there is no generated format \"{name}\"; choose one of: {known}")]
    Format {
        /// The name that was given.
        name: String,
        /// The names that there are.
        known: String,
    },
}

impl Plan {
    /// Checks arguments. Parts of a millisecond are dropped.
    ///
    /// # Errors
    /// [`PlanError`], for the first argument that is out of bounds.
    pub fn check(args: &GenerateArgs) -> Result<Self, PlanError> {
        let plan = Plan {
            events: args.events,
            keys: args.keys,
            skew: args.skew,
            start: args.start.as_millisecond(),
            span: milliseconds(args.span).filter(|&span| span > 0).ok_or(PlanError::Span)?,
            jitter: milliseconds(args.jitter).ok_or(PlanError::Jitter)?,
            late: args.late,
            drift: args.drift,
            burst: args.burst,
            seed: args.seed,
            encoding: encoding(&args.format)?,
        };
        plan.in_bounds()
    }

    fn in_bounds(self) -> Result<Self, PlanError> {
        let end = self.start.checked_add_unsigned(self.span);
        match self {
            _ if !(1..=MAX_KEYS).contains(&self.keys) => Err(PlanError::Keys(self.keys)),
            _ if !(0.0..f64::INFINITY).contains(&self.skew) => Err(PlanError::Skew(self.skew)),
            _ if !(0.0..=1.0).contains(&self.late) => Err(PlanError::Late(self.late)),
            _ if self.jitter > self.span => Err(PlanError::Jitter),
            _ if self.start < FIRST || end.is_none_or(|end| end > LAST) => Err(PlanError::Years),
            plan => Ok(plan),
        }
    }
}

/// Whole milliseconds; `None` when negative.
fn milliseconds(duration: SignedDuration) -> Option<u64> {
    u64::try_from(duration.as_millis()).ok()
}

fn encoding(name: &str) -> Result<&'static Encoding, PlanError> {
    ENCODINGS.iter().find(|encoding| encoding.name == name).ok_or_else(|| PlanError::Format {
        name: name.into(),
        known: ENCODINGS.iter().map(|encoding| encoding.name).collect::<Vec<_>>().join(" "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl Fn(&mut GenerateArgs)) -> Option<String> {
        let mut args = GenerateArgs::default();
        change(&mut args);
        Plan::check(&args).err().map(|refusal| refusal.to_string())
    }

    #[test]
    fn out_of_bounds() {
        assert_eq!(refused(|_| ()), None);
        assert_eq!(refused(|args| args.events = 0), None);
        let keys = "--keys 0 is out of bounds; give 1 to 1000000000";
        assert_eq!(refused(|args| args.keys = 0).as_deref(), Some(keys));
        assert!(refused(|args| args.keys = MAX_KEYS + 1).is_some());
        for skew in [-0.1, f64::NAN, f64::INFINITY] {
            assert!(refused(|args| args.skew = skew).is_some(), "{skew}");
        }
        for late in [-0.1, f64::NAN, 1.1] {
            assert!(refused(|args| args.late = late).is_some(), "{late}");
        }
        assert!(refused(|args| args.span = SignedDuration::ZERO).is_some());
        assert!(refused(|args| args.span = SignedDuration::MAX).is_some());
        assert!(refused(|args| args.jitter = SignedDuration::MIN).is_some());
        assert!(refused(|args| args.jitter = args.span + SignedDuration::from_millis(1)).is_some());
        assert!(refused(|args| args.start = jiff::Timestamp::MIN).is_some());
        assert!(refused(|args| args.start = jiff::Timestamp::MAX).is_some());
        let format = "there is no generated format \"xml\"; choose one of: csv ndjson combined lines";
        assert_eq!(refused(|args| args.format = "xml".into()).as_deref(), Some(format));
    }
}
