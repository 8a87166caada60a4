//! Texts with values in their places, and the filters by which templates say them.

use std::fmt::{self, Display, Formatter};

use askama::filters::{Html, HtmlSafe, escape};

/// Puts each value at its place, all at once: what a value says is never taken for a place.
pub(crate) fn fill(text: &str, places: &[(&str, &dyn Display)]) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let place = after.split_once('}').and_then(|(name, behind)| {
            let (_, value) = places.iter().find(|(known, _)| *known == name)?;
            Some((value, behind))
        });
        if let Some((value, behind)) = place {
            filled.push_str(&value.to_string());
            rest = behind;
        } else {
            filled.push('{');
            rest = after;
        }
    }
    filled + rest
}

/// A text and what stands in its places, to be escaped as a whole by the template.
pub(crate) struct Words(Said);

/// The same where the text itself is HTML (`<kbd>`, `<strong>`): its values were escaped when they were put in.
pub(crate) struct Markup(Said);

struct Said {
    text: &'static str,
    places: Vec<(&'static str, String)>,
}

impl Display for Said {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let places: Vec<(&str, &dyn Display)> = self.places.iter().map(|(name, value)| (*name, value as _)).collect();
        f.write_str(&fill(self.text, &places))
    }
}

impl Display for Words {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Display for Markup {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl HtmlSafe for Markup {}

/// What can get one more value.
pub(crate) trait Sentence {
    /// With the value in its place.
    type With;
    fn with(self, place: &'static str, value: &dyn Display) -> Self::With;
}

impl Sentence for &'static str {
    type With = Words;
    fn with(self, place: &'static str, value: &dyn Display) -> Words {
        Words(Said { text: self, places: Vec::new() }).with(place, value)
    }
}

impl Sentence for Words {
    type With = Self;
    fn with(mut self, place: &'static str, value: &dyn Display) -> Self {
        self.0.places.push((place, value.to_string()));
        self
    }
}

impl Sentence for Markup {
    type With = Self;
    fn with(self, place: &'static str, value: &dyn Display) -> Self {
        match escape(value, Html) {
            Ok(escaped) => self.with_html(place, &escaped),
            Err(never) => match never {},
        }
    }
}

impl Markup {
    fn with_html(mut self, place: &'static str, value: &dyn Display) -> Self {
        self.0.places.push((place, value.to_string()));
        self
    }
}

/// For templates: `{{ "Remove {name}"|say|with("name", name) }}`.
#[expect(
    unreachable_pub,
    clippy::inline_always,
    clippy::trivially_copy_pass_by_ref,
    clippy::unnecessary_wraps,
    clippy::unused_self,
    reason = "`filter_fn` asks for a `Result` and for references, and makes a public method of each filter"
)]
pub(crate) mod filters {
    use std::fmt::Display;

    use askama::{Result, Values};

    use super::{Markup, Said, Sentence};

    /// A text in the reader's language.
    #[askama::filter_fn]
    pub(crate) fn say(english: &'static str, _: &dyn Values) -> Result<&'static str> {
        Ok(crate::web::texts::say(english))
    }

    /// A text that is HTML. Values are escaped.
    #[askama::filter_fn]
    pub(crate) fn say_html(english: &'static str, _: &dyn Values) -> Result<Markup> {
        Ok(Markup(Said { text: crate::web::texts::say(english), places: Vec::new() }))
    }

    /// A text for a number of things.
    #[askama::filter_fn]
    pub(crate) fn many(count: &usize, _: &dyn Values, one: &'static str, other: &'static str) -> Result<String> {
        Ok(crate::web::texts::many(u64::try_from(*count).unwrap_or(u64::MAX), one, other))
    }

    /// With a value in its place.
    #[askama::filter_fn]
    pub(crate) fn with<S: Sentence, V: Display>(
        sentence: S,
        _: &dyn Values,
        place: &'static str,
        value: V,
    ) -> Result<S::With> {
        Ok(sentence.with(place, &value))
    }

    /// With a value that is HTML of our own, as a `<time>` element is.
    #[askama::filter_fn]
    pub(crate) fn with_html<V: Display>(
        sentence: Markup,
        _: &dyn Values,
        place: &'static str,
        value: V,
    ) -> Result<Markup> {
        Ok(sentence.with_html(place, &value))
    }
}
