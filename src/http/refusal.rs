//! What a client is told when there is no answer.

use axum::body::Body;
use axum::http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;

use crate::query::QueryError;
use crate::store::error::StoreError;

/// A status and one sentence, sent as JSON: `{"error":"k: give 0 to 100000 rows","parameter":"k"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// What is wrong, and what would do.
    pub error: String,
    /// Which parameter is to blame, if one is.
    pub parameter: Option<&'static str>,
    header: Option<(HeaderName, &'static str)>,
}

#[derive(Serialize)]
struct Said<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'static str>,
}

impl Refusal {
    /// A refusal with no more than its sentence.
    pub fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Refusal { status, error: error.into(), parameter: None, header: None }
    }

    fn with(self, name: HeaderName, value: &'static str) -> Self {
        Refusal { header: Some((name, value)), ..self }
    }

    /// 400 for a parameter's value.
    pub fn parameter(name: &'static str, why: impl std::fmt::Display) -> Self {
        let error = format!("{name}: {why}");
        Refusal { parameter: Some(name), ..Refusal::new(StatusCode::BAD_REQUEST, error) }
    }

    /// 401.
    pub fn unknown_client() -> Self {
        let why = "a token is needed: send the header Authorization: Bearer TOKEN with the one in HITTERS_TOKEN";
        Refusal::new(StatusCode::UNAUTHORIZED, why).with(WWW_AUTHENTICATE, "Bearer")
    }

    /// 404 for a path.
    pub fn no_such_path() -> Self {
        Refusal::new(StatusCode::NOT_FOUND, "there is nothing at this path; /openapi.json lists all paths")
    }

    /// 405.
    pub fn wrong_method() -> Self {
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this can only be read; use GET or HEAD").with(ALLOW, "GET, HEAD")
    }

    /// 413. What follows on the connection cannot be told from the body, so it is closed.
    pub fn has_body() -> Self {
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "requests have no body here; put parameters into the URL")
            .with(CONNECTION, "close")
    }

    /// 503 for as long as others are being answered.
    pub fn busy() -> Self {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many questions at a time; ask again in a second")
            .with(RETRY_AFTER, "1")
    }

    /// 502 when a peer answers about other intervals.
    pub fn out_of_step() -> Self {
        let why = "another process of the cluster answers about other times; run the same version in all of them";
        Refusal::new(StatusCode::BAD_GATEWAY, why)
    }

    /// 504.
    pub fn too_slow() -> Self {
        let why = "the answer takes too long; ask for a shorter interval, fewer answers, or no match";
        Refusal::new(StatusCode::GATEWAY_TIMEOUT, why)
    }

    /// 500 for work that broke off.
    pub fn broken() -> Self {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be worked out; the server's log says why")
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        // The paths of the server are for its log alone.
        eprintln!("hitters: {error}");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the store cannot be read; the server's log says why")
    }
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Store(StoreError::Sums) => Refusal::new(StatusCode::BAD_REQUEST, StoreError::Sums.to_string()),
            QueryError::Store(error) => error.into(),
            QueryError::Reversed { .. } => Refusal::parameter("end", error),
            QueryError::NoStore => Refusal::parameter("compare", error),
            QueryError::Restless => Refusal::busy(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        let said = Said { error: &self.error, parameter: self.parameter };
        // Strings always have a JSON form.
        let body = serde_json::to_vec(&said).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some((name, value)) = self.header {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
