//! The translations that are there, and which of them a browser's reader wants.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::http::{HeaderMap, header};
use icu_locale_core::Locale;
use icu_plurals::{PluralCategory, PluralRules};
use rust_embed::RustEmbed;
use toml_edit::{DocumentMut, Item, TableLike};

/// The list of all texts; a translation lies beside it.
pub(crate) const ENGLISH: &str = "en.toml";
/// The group of texts that modules say.
pub(crate) const SCRIPTS: &str = "scripts";
/// More of a header than any browser sends is not read.
const LONGEST_HEADER: usize = 512;
const MOST_LANGUAGES: usize = 32;

#[derive(RustEmbed)]
#[folder = "templates/texts/"]
pub(crate) struct Files;

/// One translation.
pub(crate) struct Language {
    /// As `de` or `pt-BR`; the name of its file.
    pub(crate) code: String,
    /// For modules: an object from the English text to this language's, safe within a `<script>` element.
    pub(crate) scripts: String,
    texts: HashMap<String, Text>,
    locale: Locale,
}

/// One text in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Text {
    Plain(String),
    /// By the names of Unicode's plural categories: `one`, `few`, `other` …
    Forms(HashMap<String, String>),
}

static LANGUAGES: LazyLock<Vec<Language>> = LazyLock::new(|| {
    let mut languages = Vec::new();
    for file in Files::iter().filter(|file| file != ENGLISH) {
        match file.strip_suffix(".toml").map(|code| Language::new(code, &source(&file))) {
            Some(Ok(language)) => languages.push(language),
            Some(Err(why)) => tracing::error!(file = %file, %why, "this translation cannot be read"),
            None => {}
        }
    }
    #[cfg(debug_assertions)]
    languages.extend(marked());
    languages
});

/// What [`marked`] is called, as in other programs.
#[cfg(debug_assertions)]
pub(crate) const MARKED: &str = "en-XA";

/// English with every text in ⟦brackets⟧: what stands outside of them on a page is not in the list. While developing, ask for it
/// as `en-XA`.
#[cfg(debug_assertions)]
fn marked() -> Option<Language> {
    let mark = |text: &str| format!("⟦{text}⟧");
    let mut texts = grouped(&source(ENGLISH)).ok()?;
    for (_, _, text) in &mut texts {
        match text {
            Text::Plain(plain) => *plain = mark(plain),
            Text::Forms(forms) => forms.values_mut().for_each(|form| *form = mark(form)),
        }
    }
    Language::of(MARKED, texts).ok()
}

/// A file as it was embedded.
pub(crate) fn source(file: &str) -> String {
    Files::get(file).map(|file| String::from_utf8_lossy(&file.data).into_owned()).unwrap_or_default()
}

/// Every text of a file, in its order: group, English, translation.
pub(crate) fn grouped(source: &str) -> Result<Vec<(String, String, Text)>, String> {
    let document: DocumentMut = source.parse().map_err(|error| format!("{error}"))?;
    let mut texts = Vec::new();
    for (group, table) in document.iter() {
        let table = table.as_table_like().ok_or_else(|| format!("{group} is no group of texts"))?;
        for (english, text) in table.iter() {
            texts.push((
                group.to_owned(),
                english.to_owned(),
                text_of(text).ok_or_else(|| format!("{english}: no text"))?,
            ));
        }
    }
    Ok(texts)
}

fn text_of(item: &Item) -> Option<Text> {
    match item.as_str() {
        Some(plain) => Some(Text::Plain(plain.to_owned())),
        None => item.as_table_like().and_then(forms_of).map(Text::Forms),
    }
}

fn forms_of(table: &dyn TableLike) -> Option<HashMap<String, String>> {
    table.iter().map(|(category, form)| Some((category.to_owned(), form.as_str()?.to_owned()))).collect()
}

impl Language {
    /// A translation from its file. What is missing in it is said in English.
    pub(crate) fn new(code: &str, source: &str) -> Result<Self, String> {
        Self::of(code, grouped(source)?)
    }

    fn of(code: &str, texts: Vec<(String, String, Text)>) -> Result<Self, String> {
        let locale: Locale = code.parse().map_err(|error| format!("{code} is no language: {error}"))?;
        let mut scripts = serde_json::Map::new();
        for (_, english, text) in texts.iter().filter(|(group, ..)| group == SCRIPTS) {
            let value = match text {
                Text::Plain(plain) => serde_json::json!(plain),
                Text::Forms(forms) => serde_json::json!(forms),
            };
            scripts.insert(english.clone(), value);
        }
        // No `</script>` and no `<!--` within the element that holds it.
        let scripts = serde_json::Value::Object(scripts).to_string().replace('<', "\\u003c");
        let texts = texts.into_iter().map(|(_, english, text)| (english, text)).collect();
        Ok(Self { code: code.to_owned(), scripts, texts, locale })
    }

    /// A text; English, if this translation lacks it.
    pub(crate) fn plain(&'static self, english: &'static str) -> &'static str {
        match self.texts.get(english) {
            Some(Text::Plain(text)) => text,
            _ => english,
        }
    }

    /// The form that a number asks for, of a text that is named by its English plural.
    pub(crate) fn form(&'static self, count: u64, other: &str) -> Option<&'static str> {
        let Some(Text::Forms(forms)) = self.texts.get(other) else { return None };
        let rules = PluralRules::try_new_cardinal((&self.locale).into()).ok()?;
        let category = match rules.category_for(count) {
            PluralCategory::Zero => "zero",
            PluralCategory::One => "one",
            PluralCategory::Two => "two",
            PluralCategory::Few => "few",
            PluralCategory::Many => "many",
            PluralCategory::Other => "other",
        };
        forms.get(category).or_else(|| forms.get("other")).map(String::as_str)
    }
}

/// The best of the translations for what a browser says of its reader; `None` is English.
pub(crate) fn wanted(headers: &HeaderMap) -> Option<&'static Language> {
    headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).and_then(best)
}

/// The same of the header's value.
pub(crate) fn best(accepted: &str) -> Option<&'static Language> {
    let codes: Vec<&'static str> = LANGUAGES.iter().map(|language| language.code.as_str()).collect();
    best_of(accepted, &codes).and_then(|at| LANGUAGES.get(at))
}

/// Which of the codes; `None` if English is as welcome, or if nothing fits.
fn best_of(accepted: &str, codes: &[&str]) -> Option<usize> {
    if accepted.len() > LONGEST_HEADER {
        return None;
    }
    let mut wishes: Vec<(&str, f32)> = accepted.split(',').take(MOST_LANGUAGES).filter_map(wish).collect();
    // Stable: of equals, the first.
    wishes.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    for (wish, _) in wishes {
        let is_it = |code: &&str| code.eq_ignore_ascii_case(wish);
        if let Some(at) = codes.iter().position(is_it) {
            return Some(at);
        }
        let language = wish.split('-').next().unwrap_or_default();
        if language.eq_ignore_ascii_case("en") || wish == "*" {
            return None;
        }
        // What is spoken elsewhere is still understood: `de` serves `de-AT`, and `pt-BR` serves `pt`.
        let is_kin = |code: &&str| code.split('-').next().is_some_and(|code| code.eq_ignore_ascii_case(language));
        if let Some(at) = codes.iter().position(is_kin) {
            return Some(at);
        }
    }
    None
}

/// A language and how much it is wanted; `None` for what is not wanted at all, or is no language.
fn wish(range: &str) -> Option<(&str, f32)> {
    let mut parts = range.split(';');
    let code = parts.next()?.trim();
    let quality = parts.find_map(|part| part.trim().strip_prefix("q="));
    let quality: f32 = quality.map_or(Some(1.0), |quality| quality.parse().ok())?;
    (!code.is_empty() && quality > 0.0 && quality <= 1.0).then_some((code, quality))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_reader_gets_the_best_language_that_is_there() {
        let codes = ["de", "pt-BR"];
        for (accepted, expected) in [
            ("de", Some(0)),
            ("DE-at,en;q=0.5", Some(0)),
            ("fr, de;q=0.4, pt;q=0.6", Some(1)),
            ("pt-PT", Some(1)),
            ("en-GB, de;q=0.9", None),
            ("de;q=0.1, en;q=0.9", None),
            ("de;q=0, *", None),
            ("de;q=2", None),
            ("de;q=NaN", None),
            ("", None),
            ("fr,it", None),
            (";q=1,,;", None),
        ] {
            assert_eq!(best_of(accepted, &codes), expected, "{accepted}");
        }
        assert_eq!(best_of(&"de,".repeat(1_000), &codes), None, "no browser says so much");
    }

    #[test]
    fn numbers_take_the_form_that_their_language_wants() {
        let source = "[people]\n\"{count} seconds\" = { one = \"{count} secunda\", few = \"{count} secunde\", other = \"{count} de secunde\" }\n\"Kept\" = \"P\"";
        let romanian: &'static Language = Box::leak(Box::new(Language::new("ro", source).expect("a language")));
        for (count, form) in [(1, "{count} secunda"), (2, "{count} secunde"), (20, "{count} de secunde")] {
            assert_eq!(romanian.form(count, "{count} seconds"), Some(form), "{count}");
        }
        assert_eq!(romanian.form(1, "{count} days"), None, "then it is said in English");
        assert_eq!((romanian.plain("Kept"), romanian.plain("New")), ("P", "New"));
    }

    #[test]
    fn what_modules_say_cannot_end_the_element_that_holds_it() {
        let language = Language::new("de", "[scripts]\n\"Kept.\" = \"</script><!--\"").expect("a language");
        assert_eq!(language.scripts, r#"{"Kept.":"\u003c/script>\u003c!--"}"#);
        assert!(Language::new("not a language", "").is_err() && Language::new("de", "Kept = 1").is_err());
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_harm(accepted in "[a-zA-Z*;,=q0-9. -]{0,600}") {
            prop_assert!(best_of(&accepted, &["de", "fr"]).is_none_or(|at| at < 2));
        }
    }
}
