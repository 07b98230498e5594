//! A question as it reached us, and an answer as it leaves.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::{HeaderName, HeaderValue, Request, Response};
use axum::response::IntoResponse;

use super::deadline::Deadline;
use super::media::Media;
use super::parameters::Parameters;

/// Whether all rows and counts are true, as a header.
const EXACT: HeaderName = HeaderName::from_static("hitters-exact");
/// Whether a part of the interval could not be looked at, as a header.
const PARTIAL: HeaderName = HeaderName::from_static("hitters-partial");

/// A question.
pub struct Asked {
    /// Its parameters.
    pub parameters: Parameters,
    /// The key that its path names.
    pub key: Vec<u8>,
    /// The form of the answer.
    pub media: Media,
    /// Whether it is for this process alone, and not for its peers.
    pub own: bool,
    /// When it was asked, in milliseconds since the Unix epoch.
    pub now: i64,
    pub(super) deadline: Arc<Deadline>,
}

impl Asked {
    /// A question for how far windows go, with no window in its answer.
    pub(super) fn about_windows(&self) -> Asked {
        Asked { key: Vec::new(), ..self.with(Parameters::of_limit(0)) }
    }

    /// The same question, with other parameters.
    pub(super) fn with(&self, parameters: Parameters) -> Asked {
        let Asked { media, own, now, ref key, ref deadline, .. } = *self;
        Asked { parameters, key: key.clone(), media, own, now, deadline: deadline.clone() }
    }
}

/// An answer.
pub struct Reply {
    content_type: &'static str,
    body: Vec<u8>,
    /// Whether it is exact, and whether partial; `None` where that means nothing.
    trust: Option<(bool, bool)>,
    /// Whether another `Accept` may get another form.
    varies: bool,
}

impl Reply {
    /// Something of one form.
    pub(super) fn new(content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Reply { content_type, body: body.into(), trust: None, varies: false }
    }

    /// Rows in the form that was asked for.
    pub(super) fn rows(media: Media, body: Vec<u8>, trust: Option<(bool, bool)>) -> Self {
        Reply { content_type: media.name(), body, trust, varies: true }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.varies {
            headers.insert(VARY, HeaderValue::from_static("accept"));
        }
        let word = |holds: bool| HeaderValue::from_static(if holds { "true" } else { "false" });
        if let Some((exact, partial)) = self.trust {
            headers.insert(EXACT, word(exact));
            headers.insert(PARTIAL, word(partial));
        }
        response
    }
}

/// The lines of a header.
pub(super) fn lines(request: &Request<Body>, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    request.headers().get_all(name).into_iter().map(HeaderValue::as_bytes)
}
