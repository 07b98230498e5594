//! Questions to a store: the k most frequent keys of any interval, exactly.
//!
//! [`answer`](mod@answer) is the question, [`plan`] chooses the segments whose sums and differences make the interval, [`scan`] goes
//! through as little of them as an exact answer needs, and [`collect`] keeps what is asked for. [`movers`](mod@movers) compares two
//! intervals, [`follow`] follows one key; [`command`] is the command line. [`history`] is all that there is to ask: a store,
//! and with it, or alone, what a running job knows that is not stored ([`live`]), put together by `combine`.
//!
//! Why the answer is exact: the total of a key is the sum of its counts in the segments of the plan, less those of the
//! segments taken away, all of them full counts. A stripe of ids is left out only when the sum of the ceilings of its
//! blocks is below the k-th total found, so nothing in it can be among the k best. (Pruning by ranges of ids and their
//! ceilings: Mallia, Suel and Tonellotto, *Faster Learned Sparse Retrieval with Block-Max Pruning*, SIGIR 2024. That
//! exact answers cannot always be fast: Chan et al., *Linear-Space Data Structures for Range Mode Query*, STACS 2012.)

pub mod answer;
pub mod collect;
mod combine;
pub mod command;
pub mod follow;
pub mod history;
pub mod interval;
pub mod keep;
pub mod live;
pub mod merge;
pub mod moment;
pub mod movers;
pub mod plan;
pub mod scan;
pub mod show;
pub mod sources;

pub use answer::{Answer, Query, QueryError, answer};
pub use follow::Follow;
pub use movers::movers;
