//! The words of the pages, in the reader's language.
//!
//! Code and templates say what they mean in English, and that English is the key to the same text in other languages
//! (`templates/texts/*.toml`, embedded in the binary). `en.toml` lists every text; tests hold it against what templates, Rust
//! and modules really say. The language is the request's: its task carries it, so that a word deep in a page needs no
//! thread through every function above it. Outside of a request, everything is English.

mod language;
mod said;
#[cfg(test)]
mod used;

use std::fmt::Display;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

pub(crate) use language::{Language, best, wanted};
pub(crate) use said::{fill, filters};

tokio::task_local! {
    static READERS: Option<&'static Language>;
}

/// The outermost layer: whatever answers a request says it in the reader's language.
pub(crate) async fn in_the_readers_language(request: Request, next: Next) -> Response {
    for_reader(wanted(request.headers()), next.run(request)).await
}

/// The language of this task's reader; `None` is English.
pub(crate) fn readers() -> Option<&'static Language> {
    READERS.try_with(|language| *language).ok().flatten()
}

/// The same as the page's own language, for its `lang`.
pub(crate) fn code() -> &'static str {
    readers().map_or("en", |language| &language.code)
}

/// What modules need for saying their texts in the reader's language, as JSON; in English they need nothing.
pub(crate) fn for_scripts() -> Option<&'static str> {
    readers().map(|language| language.scripts.as_str())
}

/// Runs what goes on saying something once the request itself is answered, as a stream does.
pub(crate) fn for_reader<F: Future>(language: Option<&'static Language>, answer: F) -> impl Future<Output = F::Output> {
    READERS.scope(language, answer)
}

/// The same for what is said at once.
pub(crate) fn said_in<T>(language: Option<&'static Language>, say: impl FnOnce() -> T) -> T {
    READERS.sync_scope(language, say)
}

/// Marks a text that is said elsewhere, so that it is found for the list of all texts.
pub(crate) const fn key(english: &'static str) -> &'static str {
    english
}

/// A text in the reader's language.
pub(crate) fn say(english: &'static str) -> &'static str {
    readers().map_or(english, |language| language.plain(english))
}

/// The same with values in its named places: `{name}`.
pub(crate) fn say_with(english: &'static str, places: &[(&str, &dyn Display)]) -> String {
    said::fill(say(english), places)
}

/// A text that depends on a number, which stands at `{count}`. The language may have more forms than English's two.
pub(crate) fn many(count: u64, one: &'static str, other: &'static str) -> String {
    said::fill(form(count, one, other), &[("count", &count)])
}

fn form(count: u64, one: &'static str, other: &'static str) -> &'static str {
    let english = if count == 1 { one } else { other };
    readers().map_or(english, |language| language.form(count, other).unwrap_or(english))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_reader_everything_is_english() {
        assert_eq!(say("Sign in"), "Sign in");
        assert_eq!(say_with("{camera} shows nothing.", &[("camera", &"Porch")]), "Porch shows nothing.");
        assert_eq!(many(1, "{count} second", "{count} seconds"), "1 second");
        assert_eq!(many(2, "{count} second", "{count} seconds"), "2 seconds");
    }

    #[test]
    fn a_value_with_braces_stays_a_value() {
        let places: [(&str, &dyn Display); 2] = [("expected", &"{found}"), ("found", &"{count}")];
        let said = said::fill("Expected {expected}, but {found} answered. {other}", &places);
        assert_eq!(said, "Expected {found}, but {count} answered. {other}");
        assert_eq!(said::fill("{", &places), "{");
    }
}
