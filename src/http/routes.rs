//! What can be asked: one line a route in [`ROUTES`].

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CONTENT_LENGTH, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::time::timeout;

use super::answer::{Asked, Reply, lines};
use super::deadline::Deadline;
use super::limits::{LONGEST_URI, MOST_WINDOWS};
use super::look;
use super::media::Media;
use super::parameters::{Kind, Parameter, Parameters, key_of_path};
use super::refusal::Refusal;
use super::seen;
use super::site::Site;
use super::top;
use crate::settings::{self, MAX_K};

/// A path that can be asked.
pub struct Route {
    /// The path; `{key}` stands for any text.
    pub path: &'static str,
    /// What it answers, in one sentence.
    pub about: &'static str,
    /// What can be said about the question.
    pub parameters: &'static [Parameter],
    /// What comes back.
    pub form: Form,
    /// Whether it needs no token.
    pub is_public: bool,
    answer: fn(&Site, &Asked) -> Result<Reply, Refusal>,
}

/// What comes back of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Rows, worked out on the blocking pool, in the form that `Accept` prefers.
    Rows,
    /// Something small of this type, at once.
    Always(&'static str),
}

const START: Parameter = Parameter {
    name: "start",
    about: "Where the interval starts: RFC 3339, a date, an epoch, now, or a time before now such as -2h; by default the first window.",
    kind: Kind::Time,
};
const END: Parameter = Parameter {
    name: "end",
    about: "Where it ends, without that moment itself; by default the end of the last window.",
    kind: Kind::Time,
};
const EVERY: Parameter = Parameter {
    name: "every",
    about: "A series: an answer for each stretch of this length, such as 1h.",
    kind: Kind::Duration,
};
const OWN: Parameter = Parameter {
    name: "own",
    about: "Only the keys that this process holds; its peers are not asked.",
    kind: Kind::Flag,
};
/// How many rows.
const CUT: Parameter = Parameter {
    name: "cut",
    about: "Among processes of a running cluster: all of them have stored the windows that end by then, in milliseconds since the Unix epoch.",
    kind: Kind::Millis,
};
pub(super) const COUNTS: Parameter = Parameter {
    name: "counts",
    about: "Among processes of a cluster: what the key counts in each answer, so that its rank among the keys of this one is known.",
    kind: Kind::Counts,
};
pub(super) const K: Parameter =
    Parameter { name: "k", about: "Rows of each answer.", kind: Kind::Number(10, MAX_K as u64) };
/// How many windows.
pub(super) const LIMIT: Parameter = Parameter {
    name: "limit",
    about: "So many windows at most, the latest ones.",
    kind: Kind::Number(1000, MOST_WINDOWS),
};

/// Every route.
pub const ROUTES: &[Route] = &[
    Route {
        path: "/v1/topk",
        about: "The k most frequent keys of an interval.",
        parameters: &[
            K,
            START,
            END,
            EVERY,
            Parameter {
                name: "prefix",
                about: "Only keys that start with this; \\xNN stands for a byte.",
                kind: Kind::Key,
            },
            Parameter {
                name: "match",
                about: "Only keys in which this regular expression is found.",
                kind: Kind::Pattern,
            },
            Parameter {
                name: "compare",
                about: "The keys that changed most against the interval of the same length before.",
                kind: Kind::Flag,
            },
            OWN,
            CUT,
        ],
        form: Form::Rows,
        is_public: false,
        answer: top::topk,
    },
    Route {
        path: "/v1/key/{key}",
        about: "The count and rank of one key over time; \\xNN stands for a byte.",
        parameters: &[START, END, EVERY, OWN, CUT, COUNTS],
        form: Form::Rows,
        is_public: false,
        answer: top::key,
    },
    Route {
        path: "/v1/windows",
        about: "The windows that are kept, and those that are open.",
        parameters: &[
            Parameter {
                name: "level",
                about: "Windows of this length, such as 1m, 1h or 1d; by default the shortest that are kept.",
                kind: Kind::Word,
            },
            START,
            END,
            LIMIT,
            OWN,
            CUT,
        ],
        form: Form::Rows,
        is_public: false,
        answer: look::windows,
    },
    Route {
        path: "/v1/live",
        about: "Among processes of a running cluster: until when all windows are stored, and the rankings of those after.",
        parameters: &[
            Parameter {
                name: "after",
                about: "The rankings of windows that end after this, in milliseconds since the Unix epoch; none by default.",
                kind: Kind::Millis,
            },
            Parameter { name: "before", about: "And start before this.", kind: Kind::Millis },
            OWN,
        ],
        form: Form::Rows,
        is_public: false,
        answer: seen::live,
    },
    Route {
        path: "/v1/health",
        about: "Whether answers can be given: status 200 and {\"status\":\"ok\"}.",
        parameters: &[],
        form: Form::Always("application/json"),
        is_public: true,
        answer: look::health,
    },
    Route {
        path: "/metrics",
        about: "Requests, durations and sizes for Prometheus (OpenMetrics text).",
        parameters: &[],
        form: Form::Always(look::OPEN_METRICS),
        is_public: false,
        answer: look::metrics,
    },
    Route {
        path: "/openapi.json",
        about: "This description (OpenAPI 3.1).",
        parameters: &[],
        form: Form::Always("application/json"),
        is_public: true,
        answer: look::openapi,
    },
    Route {
        path: "/",
        about: "A page for people.",
        parameters: &[],
        form: Form::Always("text/html; charset=utf-8"),
        is_public: true,
        answer: look::page,
    },
];

/// Which route a response came from, for the metrics.
#[derive(Clone, Copy)]
struct Came(&'static str);

/// All routes of a site.
pub(super) fn router(site: Arc<Site>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let answer = move |State(site), request| serve(site, route, request);
        match route.path.strip_suffix("{key}") {
            // The empty key, and any other.
            Some(before) => {
                router = router.route(before, get(answer)).route(&format!("{before}{{*key}}"), get(answer));
            }
            None => router = router.route(route.path, get(answer)),
        }
    }
    router
        .fallback(|| async { Refusal::no_such_path() })
        .method_not_allowed_fallback(|| async { Refusal::wrong_method() })
        .layer(from_fn_with_state(site.clone(), admit))
        .with_state(site)
}

/// Lets a request in or not, and notes what came of it.
async fn admit(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response<Body> {
    let began = Instant::now();
    let mut response = match check(&site, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let route = response.extensions().get().map_or("none", |Came(route)| *route);
    site.metrics.note(route, response.status(), began.elapsed());
    response
}

fn check(site: &Site, request: &Request) -> Result<(), Refusal> {
    let uri = request.uri();
    let is_public = ROUTES.iter().any(|route| route.is_public && route.path == uri.path());
    site.access.check(uri, request.headers(), is_public)?;
    let length = uri.path().len() + uri.query().map_or(0, str::len);
    if length > LONGEST_URI {
        let why = format!("the path and query are {length} bytes long; {LONGEST_URI} are the most");
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, why));
    }
    let has_body = lines(request, TRANSFER_ENCODING).next().is_some()
        || lines(request, CONTENT_LENGTH).any(|length| length != b"0");
    if has_body { Err(Refusal::has_body()) } else { Ok(()) }
}

fn serve(site: Arc<Site>, route: &'static Route, request: Request) -> impl Future<Output = Response<Body>> + Send {
    let asked = ask(&site, route, &request);
    async move {
        let replied = match (asked, route.form) {
            (Err(refusal), _) => Err(refusal),
            (Ok(asked), Form::Always(_)) => (route.answer)(&site, &asked),
            (Ok(asked), Form::Rows) => work(site, route, asked).await,
        };
        let mut response = replied.into_response();
        response.extensions_mut().insert(Came(route.path));
        response
    }
}

fn ask(site: &Site, route: &'static Route, request: &Request) -> Result<Asked, Refusal> {
    let parameters = Parameters::read(request.uri().query().unwrap_or_default(), route.parameters)?;
    let media = match route.form {
        Form::Rows => Media::accepted(lines(request, ACCEPT))?,
        Form::Always(_) => Media::Json,
    };
    let before_key = route.path.strip_suffix("{key}");
    let key = before_key.and_then(|before| request.uri().path().strip_prefix(before)).map(key_of_path);
    let deadline = Deadline::after(site.limits.wait + site.limits.time);
    let own = parameters.flag("own")?;
    Ok(Asked { parameters, key: key.unwrap_or_default(), media, own, now: settings::now(), deadline })
}

/// Answers on the blocking pool, when it is this question's turn. The permit is kept until the work ends, also when nobody
/// waits for it any more.
async fn work(site: Arc<Site>, route: &'static Route, asked: Asked) -> Result<Reply, Refusal> {
    let turns = if asked.own { &site.running_for_peers } else { &site.running };
    let turn = timeout(site.limits.wait, turns.clone().acquire_owned()).await;
    let Ok(Ok(permit)) = turn else { return Err(Refusal::busy()) };
    let (time, _waiting) = (site.limits.time, asked.deadline.waiting());
    let worked = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        asked.deadline.check()?;
        (route.answer)(&site, &asked)
    });
    match timeout(time, worked).await {
        Ok(Ok(replied)) => replied,
        Ok(Err(_)) => Err(Refusal::broken()),
        Err(_) => Err(Refusal::too_slow()),
    }
}
