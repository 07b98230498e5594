//! The HTTP API over a store or a running job: questions of [`query`](crate::query), asked by URL.
//!
//! [`server`] takes connections and stops gracefully; [`access`] decides who may ask; [`routes`] is the table of what can
//! be asked, which the router, the OpenAPI document and the checks of [`parameters`] are made of. An [`answer`] goes out as
//! [`media`] have it: JSON with all that is known of the answer, or bare rows. What cannot be answered is a [`refusal`]: a
//! status and one sentence. In a cluster, [`peers`] are asked for what they hold.
//!
//! Everything runs on threads of its own, beside the workers of a job. Questions run on the blocking pool, so many at a
//! time as [`limits`] say.

pub mod access;
pub mod answer;
pub mod command;
mod deadline;
pub mod limits;
mod look;
pub mod media;
mod metrics;
mod openapi;
pub mod parameters;
pub mod peers;
pub mod refusal;
mod respond;
pub mod routes;
mod seen;
pub mod server;
pub mod site;
mod told;
mod top;
