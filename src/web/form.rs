//! What a form of our own pages sent.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;

use crate::units::Secret;
use crate::web::refusal::Refusal;

/// The fields of one form, in their order.
pub(crate) struct Form(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let headers = request.headers().clone();
        let body = Bytes::from_request(request, state).await;
        Self::read(&headers, &body.map_err(|_| Refusal::Bad("this form is larger than any of ours"))?)
    }
}

impl Form {
    /// Reads a form's body; anything but a form is refused.
    fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_form =
            media_type.split(';').next().is_some_and(|name| name.trim() == "application/x-www-form-urlencoded");
        // A button alone sends no fields, and some programs then say no type either.
        if !is_form && !body.is_empty() {
            return Err(Refusal::Bad("send application/x-www-form-urlencoded"));
        }
        Ok(Self(url::form_urlencoded::parse(body).into_owned().collect()))
    }

    /// The first value of a field; empty if it was not sent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Every value of a field.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a box was ticked.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// A password.
    pub(crate) fn secret(&self, name: &str) -> Secret {
        Secret::new(self.get(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_a_form_is_a_form() {
        let with = |media_type| HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]);
        let form = Form::read(&with("application/x-www-form-urlencoded; charset=utf-8"), b"a=1&b=x+y%26&a=2").ok();
        let form = form.expect("a form");
        assert_eq!((form.get("a"), form.get("b"), form.get("c")), ("1", "x y&", ""));
        assert!(form.has("b") && !form.has("c"));
        assert_eq!(form.all("a").collect::<Vec<_>>(), ["1", "2"]);
        for other in ["text/plain", "application/json", "multipart/form-data; boundary=x"] {
            assert!(Form::read(&with(other), b"a=1").is_err(), "{other}");
        }
        assert!(Form::read(&HeaderMap::new(), b"").is_ok());
    }
}
