//! Every way to say no, with its status and its one sentence.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::access::Denied;
use crate::web::texts::{key, many, say};

/// Why a request is not answered with what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 401.
    NotSignedIn,
    /// 401, at signing in: one sentence for a wrong name and a wrong password.
    WrongPassword,
    /// 404: it does not exist, or the caller may not see it; nobody learns which.
    NotFound,
    /// 400, with what is wrong.
    Bad(&'static str),
    /// 403, with why.
    Forbidden(&'static str),
    /// 429, with the seconds to wait.
    TooMany(u64),
    /// 503, with what is missing.
    Unavailable(&'static str),
}

impl Refusal {
    /// The status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NotSignedIn | Self::WrongPassword => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The sentence, in the reader's language. What the cases hold is its English.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::NotSignedIn => say("sign in first").into(),
            Self::WrongPassword => say("the name or the password is wrong").into(),
            Self::NotFound => say("there is no such thing").into(),
            Self::Bad(why) | Self::Forbidden(why) | Self::Unavailable(why) => say(why).into(),
            Self::TooMany(seconds) => many(
                *seconds,
                "too many attempts: wait {count} second, then try again",
                "too many attempts: wait {count} seconds, then try again",
            ),
        }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NotSignedIn => Self::NotSignedIn,
            Denied::NotYours => Self::NotFound,
            Denied::Paused => Self::Unavailable(key("somebody in the household switched this camera off")),
            Denied::Unavailable(error) => {
                tracing::error!(%error, "refused a request because the gate could not be asked");
                Self::Unavailable(key("the recorder's database does not answer; try again in a moment"))
            }
        }
    }
}

/// As JSON, and as itself among the extensions, so that a page's frame can say it in HTML instead.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(json!({ "error": self.sentence() }))).into_response();
        if let Self::TooMany(seconds) = self {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// A file or a query failed on our side: the log learns why, the caller that it did.
pub(crate) fn unavailable(what: &'static str) -> impl FnOnce(&dyn std::fmt::Display) -> Refusal {
    move |error| {
        tracing::error!(%error, "{what}");
        Refusal::Unavailable(what)
    }
}
