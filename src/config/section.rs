//! One table of the file while it is being read: typed values out, complaints into the log, unknown keys found at the end.

use std::io;
use std::ops::Range;
use std::path::Path;

use toml_edit::{Item, Key, TableLike, Value};

use crate::config::complaint::{Log, nearest, quoted};

/// How a password file is read; given, so that checking touches no disk.
pub(super) type Secrets<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

/// What is wrong with one value, and where in it.
pub(super) struct Fault {
    /// The part of the value; `None` is the whole.
    pub(super) at: Option<Range<usize>>,
    /// What is wrong and how to mend it.
    pub(super) sentence: String,
}

impl<S: Into<String>> From<S> for Fault {
    fn from(sentence: S) -> Self {
        Self { at: None, sentence: sentence.into() }
    }
}

/// A table, or the place where one could stand. [`Section::end`] is called when everything known was asked for.
pub(super) struct Section<'a> {
    log: &'a Log<'a>,
    path: String,
    header: Option<Range<usize>>,
    table: Option<&'a dyn TableLike>,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// The whole document.
    pub(super) fn root(log: &'a Log<'a>, table: &'a dyn TableLike) -> Self {
        Self { log, path: String::new(), header: None, table: Some(table), known: Vec::new() }
    }

    /// Whether something stands under this key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// The table under this key; an empty one if there is none.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'a> {
        self.known.push(key);
        let entry = self.table.and_then(|table| table.get_key_value(key));
        self.table_of(key, entry)
    }

    /// Every entry of a table whose keys are names that the household chose.
    pub(super) fn named_sections(&mut self, key: &'static str) -> Vec<(&'a Key, Section<'a>)> {
        let section = self.section(key);
        let Some(table) = section.table else { return Vec::new() };
        let entries = table.iter().filter_map(|(name, _)| table.get_key_value(name));
        entries.map(|(name, item)| (name, section.table_of(name.get(), Some((name, item))))).collect()
    }

    fn table_of(&self, key: &str, entry: Option<(&'a Key, &'a Item)>) -> Section<'a> {
        let path = self.full(key);
        let mut table = None;
        let mut header = None;
        if let Some((key, item)) = entry {
            header = key.span();
            table = item.as_table_like();
            if table.is_none() {
                let sentence = format!("here must stand a section [{path}]; here stands {}", a_kind(item));
                self.log.complain(key.span(), path.clone(), sentence);
            } else if let Some(span) = item.as_table().filter(|table| !table.is_implicit()).and_then(|_| item.span()) {
                header = Some(span);
            }
        }
        Section { log: self.log, path, header, table, known: Vec::new() }
    }

    /// The value under this key as `read` understands it; `None` if there is none, or if it was complained about.
    pub(super) fn value<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&'a Value) -> Result<T, Fault>,
    ) -> Option<T> {
        self.known.push(key);
        let (name, item) = self.table?.get_key_value(key)?;
        let Some(value) = item.as_value() else {
            let sentence = format!("this is a single value, not {}; write it as {} = …", a_kind(item), key);
            self.log.complain(name.span(), self.full(key), sentence);
            return None;
        };
        match read(value) {
            Ok(read) => Some(read),
            Err(fault) => {
                self.log.complain(fault.at.or_else(|| value.span()), self.full(key), fault.sentence);
                None
            }
        }
    }

    /// Something is wrong with this key, or with its absence.
    pub(super) fn complain(&self, key: &str, sentence: impl Into<String>) {
        self.log.complain(self.place(key), self.full(key), sentence);
    }

    /// Something is odd about this key.
    pub(super) fn note(&self, key: &str, sentence: impl Into<String>) {
        self.log.note(self.place(key), self.full(key), sentence);
    }

    /// Something is wrong with the section as a whole, or with its name.
    pub(super) fn complain_of_all(&self, sentence: impl Into<String>) {
        self.log.complain(self.header.clone(), self.path.clone(), sentence);
    }

    fn place(&self, key: &str) -> Option<Range<usize>> {
        let entry = self.table.and_then(|table| table.get_key_value(key));
        entry.and_then(|(key, item)| item.span().or_else(|| key.span())).or_else(|| self.header.clone())
    }

    fn full(&self, key: &str) -> String {
        let key = Key::new(key);
        let key = key.display_repr();
        if self.path.is_empty() { key.into_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Complains of every key that was not asked for.
    ///
    /// `elsewhere` holds keys that people put here, with the section where they belong; one that begins with a dot lies
    /// within this section.
    pub(super) fn end(&self, elsewhere: &[(&str, &str)]) {
        let Some(table) = self.table else { return };
        for (name, _) in table.iter().filter(|(name, _)| !self.known.contains(name)) {
            let at = table.key(name).and_then(Key::span);
            let moved = elsewhere.iter().find(|(key, _)| *key == name);
            let sentence = match (moved, nearest(name, &self.known)) {
                (Some((_, section)), _) => {
                    let within = if section.starts_with('.') { &self.path } else { "" };
                    format!("this key belongs in the section [{within}{section}]; move it there")
                }
                (None, Some((near, true))) => format!("there is no such key; did you mean {near:?}?"),
                (None, Some((near, false))) => {
                    format!("there is no such key, the nearest is {near:?}; known here: {}", self.known.join(", "))
                }
                (None, None) => "there is no such key; take it out".to_owned(),
            };
            self.log.complain(at, self.full(name), sentence);
        }
    }
}

fn a_kind(item: &Item) -> &'static str {
    match item {
        Item::None => "nothing",
        Item::Value(value) => kind(value),
        Item::Table(_) => "a section",
        Item::ArrayOfTables(_) => "a section in double brackets [[…]]",
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text in quotation marks",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::InlineTable(_) => "a table",
    }
}

/// The sentence for a value of the wrong kind; it does not repeat the value, which may be a password.
pub(super) fn wrong_kind(value: &Value, wanted: &str, example: &str) -> Fault {
    format!("this must be {wanted}, as {example}; here stands {}", kind(value)).into()
}

/// A text without control characters.
pub(super) fn text<'v>(value: &'v Value, example: &str) -> Result<&'v str, Fault> {
    let text = value.as_str().ok_or_else(|| wrong_kind(value, "a text in quotation marks", example))?;
    if text.chars().any(char::is_control) {
        return Err("this text holds a control character; write it on one line and without \\-sequences".into());
    }
    Ok(text)
}

/// `true` or `false`.
pub(super) fn flag(value: &Value) -> Result<bool, Fault> {
    value.as_bool().ok_or_else(|| match value.as_str() {
        Some("true" | "false") => "write true or false without quotation marks".into(),
        _ => wrong_kind(value, "true or false", "true"),
    })
}

/// A number, whole or not, within `range`.
pub(super) fn number(value: &Value, range: std::ops::RangeInclusive<f64>, unit: &str) -> Result<f64, Fault> {
    let (low, high) = (range.start(), range.end());
    let wanted = format!("a number from {low} to {high}{unit}");
    #[expect(clippy::cast_precision_loss, reason = "what is so large is out of range anyway")]
    let number = value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64));
    match number {
        Some(number) if range.contains(&number) => Ok(number),
        Some(number) => Err(format!("this must be {wanted}; {number} is not").into()),
        None if value.as_str().is_some_and(|text| text.trim().parse::<f64>().is_ok()) => {
            Err(format!("this must be {wanted}; write it without quotation marks").into())
        }
        None => Err(wrong_kind(value, &wanted, &low.to_string())),
    }
}

/// One of a few words.
pub(super) fn one_of<T: Copy>(value: &Value, words: &[(&str, T)]) -> Result<T, Fault> {
    let listed = words.iter().map(|(word, _)| format!("{word:?}")).collect::<Vec<_>>().join(", ");
    let text = value.as_str().ok_or_else(|| wrong_kind(value, "one of the texts", &listed))?;
    words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let guess = match nearest(text, &known) {
            Some((near, true)) => format!("; did you mean {near:?}?"),
            _ => String::new(),
        };
        format!("this must be one of {listed}; {} is none of them{guess}", quoted(text)).into()
    })
}
