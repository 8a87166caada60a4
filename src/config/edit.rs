//! Edits of the file's text that keep every comment and every line they are not about. Pure.
//!
//! Pieces of the text are replaced at the places that the parser names; the rest is not printed anew. Each result is parsed
//! again and compared with what was wanted, so a file written in an unforeseen way is refused, never damaged.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use toml_edit::{Document, Item, Key, Table, TableLike, Value};

use crate::config::camera::presentable_name;
use crate::config::settings::{CameraUrl, Credentials};
use crate::units::CameraId;

/// Why a text was not edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It cannot be read as it is.
    #[error("the configuration is not TOML: {0}; mend it by hand first")]
    NotToml(String),
    /// There is one already.
    #[error("the configuration already has a camera {0}; choose another id")]
    Taken(CameraId),
    /// There is nothing to change.
    #[error("the configuration has no {0}")]
    Missing(String),
    /// It is written in a way that this program does not write.
    #[error("{0} is written in a form that only a person can edit; change it in the file")]
    Form(String),
}

/// A camera to be written into the file.
#[derive(Debug, Clone)]
pub struct NewCamera<'a> {
    /// As announced; what cannot be shown is left out.
    pub name: &'a str,
    /// The main stream.
    pub url: &'a CameraUrl,
    /// The small stream.
    pub detect_url: Option<&'a CameraUrl>,
    /// Who signs in.
    pub sign_in: SignIn<'a>,
}

/// How a new camera's password is written.
#[derive(Debug, Clone)]
pub enum SignIn<'a> {
    /// The camera asks for none.
    None,
    /// The password stands in the file itself.
    Here(&'a Credentials),
    /// The password stands in a file of its own.
    InFile {
        /// The user name.
        username: &'a str,
        /// The file with the password; must be UTF-8.
        password_file: &'a Path,
    },
}

/// Writes a section for a camera at the end.
///
/// # Errors
/// [`EditError::Taken`] if there is one of this id; the text is as it was.
pub fn add_camera(text: &str, id: &CameraId, camera: &NewCamera<'_>) -> Result<String, EditError> {
    let document = parse(text)?;
    if find(document.as_table(), &["cameras", id.as_str()]).is_some() {
        return Err(EditError::Taken(id.clone()));
    }
    let url = camera.url.to_string();
    let detect_url = camera.detect_url.map(ToString::to_string);
    let name = presentable_name(camera.name);
    let mut lines = Vec::new();
    lines.extend(name.as_deref().map(|name| ("name", name)));
    lines.push(("url", &url));
    lines.extend(detect_url.as_deref().map(|url| ("detect_url", url)));
    match &camera.sign_in {
        SignIn::None => {}
        SignIn::Here(credentials) => {
            lines.push(("username", &credentials.username));
            lines.push(("password", credentials.password.expose()));
        }
        SignIn::InFile { username, password_file } => {
            let file = password_file.to_str().ok_or_else(|| EditError::Form("password_file".to_owned()))?;
            lines.extend([("username", *username), ("password_file", file)]);
        }
    }
    let end_of_line = end_of_line(text);
    let mut section = format!("[cameras.{id}]{end_of_line}");
    let mut added = Flat::new();
    for (key, value) in lines {
        let value = printed(&Value::from(value));
        section.extend([key, " = ", &value, end_of_line]);
        added.insert(["cameras", id.as_str(), key].map(str::to_owned).to_vec(), value);
    }
    let new = spliced(text, vec![new_section(text, text.len(), &section)]);
    verified(text, new, &format!("cameras.{id}"), |mut flat| {
        flat.extend(added);
        flat
    })
}

/// Gives a key a value: in place of its old one, or on a new line of its section, or in a new section.
///
/// # Errors
/// [`EditError::Form`] where the key is a section, or where its section is written on one line.
pub fn set(text: &str, key: &[&str], value: impl Into<Value>) -> Result<String, EditError> {
    let form = || EditError::Form(key.join("."));
    let document = parse(text)?;
    let value = printed(&value.into());
    let splice = match find(document.as_table(), key) {
        Some((_, Item::Value(old))) => (old.span().ok_or_else(form)?, value.clone()),
        Some(_) => return Err(form()),
        None => insertion(text, document.as_table(), key, &value).ok_or_else(form)?,
    };
    verified(text, spliced(text, vec![splice]), &key.join("."), |mut flat| {
        flat.insert(key.iter().map(|part| (*part).to_owned()).collect(), value);
        flat
    })
}

/// Takes a key out with its line, or a section with its sub-sections. Comments on lines of their own stay.
///
/// # Errors
/// [`EditError::Missing`] if there is none.
pub fn remove(text: &str, key: &[&str]) -> Result<String, EditError> {
    let form = || EditError::Form(key.join("."));
    let document = parse(text)?;
    let (name, item) = find(document.as_table(), key).ok_or_else(|| EditError::Missing(key.join(".")))?;
    let mut pieces = Vec::new();
    match item {
        Item::Value(value) => pieces.push(name.span().ok_or_else(form)?.start..value.span().ok_or_else(form)?.end),
        Item::Table(table) => {
            section_lines(table, &mut pieces);
            if table.is_dotted() {
                dotted_lines(table, &mut pieces);
            }
        }
        Item::None | Item::ArrayOfTables(_) => return Err(form()),
    }
    let mut splices = Vec::new();
    for piece in pieces {
        let lines = line_start(text, piece.start)..line_end(text, piece.end);
        let before = text[lines.start..piece.start].trim_start();
        // A dotted key's first part may stand before the piece; anything else there is not ours.
        if !before.is_empty() && !before.ends_with('.') {
            return Err(form());
        }
        splices.push((lines, String::new()));
    }
    verified(text, spliced(text, splices), &key.join("."), |mut flat| {
        flat.retain(|path, _| !path.iter().map(String::as_str).take(key.len()).eq(key.iter().copied()));
        flat
    })
}

/// Gives a camera another id, in all its sections. Its footage is not renamed by this.
///
/// # Errors
/// [`EditError::Missing`] and [`EditError::Taken`].
pub fn rename_camera(text: &str, from: &CameraId, to: &CameraId) -> Result<String, EditError> {
    let whole = format!("cameras.{from}");
    let document = parse(text)?;
    if find(document.as_table(), &["cameras", to.as_str()]).is_some() {
        return Err(EditError::Taken(to.clone()));
    }
    let (name, item) = find(document.as_table(), &["cameras", from.as_str()])
        .ok_or_else(|| EditError::Missing(format!("camera {from}")))?;
    let mut headers = Vec::new();
    if let Item::Table(table) = item {
        headers_within(table, &mut headers);
    }
    let mut splices = Vec::new();
    for header in headers {
        let line = parse(&text[header.clone()])?;
        let id = find(line.as_table(), &["cameras", from.as_str()]).and_then(|(key, _)| key.span());
        let id = id.ok_or_else(|| EditError::Form(whole.clone()))?;
        splices.push((header.start + id.start..header.start + id.end, to.to_string()));
    }
    if splices.is_empty() {
        splices.push((name.span().ok_or_else(|| EditError::Form(whole.clone()))?, to.to_string()));
    }
    verified(text, spliced(text, splices), &whole, |flat| {
        let renamed = |mut path: Vec<String>| {
            if path.len() > 1 && path[0] == "cameras" && path[1] == from.as_str() {
                path[1] = to.to_string();
            }
            path
        };
        flat.into_iter().map(|(path, value)| (renamed(path), value)).collect()
    })
}

/// Every value by its full key, as written.
type Flat = BTreeMap<Vec<String>, String>;
/// A piece of the text and what comes in its place.
type Splice = (Range<usize>, String);

fn parse(text: &str) -> Result<Document<&str>, EditError> {
    Document::parse(text).map_err(|error| EditError::NotToml(error.message().replace('\n', ", ")))
}

fn printed(value: &Value) -> String {
    value.clone().decorated("", "").to_string()
}

/// The new text, if its values are those of the old one after `wanted`.
fn verified(old: &str, new: String, key: &str, wanted: impl FnOnce(Flat) -> Flat) -> Result<String, EditError> {
    let flat = |text: &str| {
        let mut values = Flat::new();
        flatten(text, parse(text)?.as_table(), &mut Vec::new(), &mut values);
        Ok::<_, EditError>(values)
    };
    match flat(&new) {
        Ok(values) if values == wanted(flat(old)?) => Ok(new),
        _ => Err(EditError::Form(key.to_owned())),
    }
}

fn flatten(text: &str, table: &dyn TableLike, path: &mut Vec<String>, values: &mut Flat) {
    for (name, item) in table.iter() {
        path.push(name.to_owned());
        if let Some(table) = item.as_table_like() {
            flatten(text, table, path, values);
        } else {
            let written = item.span().and_then(|span| text.get(span)).unwrap_or_default();
            values.insert(path.clone(), written.to_owned());
        }
        path.pop();
    }
}

fn find<'d>(table: &'d dyn TableLike, key: &[&str]) -> Option<(&'d Key, &'d Item)> {
    let (first, rest) = key.split_first()?;
    let (name, item) = table.get_key_value(first)?;
    if rest.is_empty() { Some((name, item)) } else { find(item.as_table_like()?, rest) }
}

/// Where a key goes that is not there yet, and the text of it; `None` if it cannot be written there.
fn insertion(text: &str, root: &Table, key: &[&str], value: &str) -> Option<Splice> {
    let mut holder = root;
    let mut depth = 0;
    while let Some(item) = holder.get(key.get(depth)?) {
        holder = item.as_table()?;
        depth += 1;
    }
    let end_of_line = end_of_line(text);
    let rest: Vec<_> = key[depth..].iter().map(|part| Key::new(*part).display_repr().into_owned()).collect();
    if holder.is_dotted() {
        // As its neighbours are written: with the first parts of the key on each line.
        let neighbour = holder.iter().filter(|(_, item)| item.is_value()).last()?;
        let start = holder.key(neighbour.0)?.span()?.start;
        let prefix = &text[line_start(text, start)..start];
        let line = format!("{prefix}{} = {value}{end_of_line}", rest.join("."));
        return Some(new_line(text, neighbour.1.span()?.end, &line));
    }
    if rest.len() == 1 && !holder.is_implicit() && depth > 0 {
        let mut own = Vec::new();
        own_values(holder, &mut own);
        let last = own.iter().map(|piece| piece.end).max().or_else(|| holder.span().map(|span| span.end))?;
        return Some(new_line(text, last, &format!("{} = {value}{end_of_line}", rest[0])));
    }
    let (leaf, section) = key.split_last()?;
    if section.is_empty() {
        return None;
    }
    let header: Vec<_> = section.iter().map(|part| Key::new(*part).display_repr().into_owned()).collect();
    let leaf = Key::new(*leaf);
    let section = format!("[{}]{end_of_line}{} = {value}{end_of_line}", header.join("."), leaf.display_repr());
    let mut pieces = Vec::new();
    headers_within(holder, &mut pieces);
    all_values(holder, &mut pieces);
    let last = pieces.iter().map(|piece| piece.end).max().filter(|_| depth > 0);
    Some(new_section(text, last.map_or(text.len(), |last| line_end(text, last)), &section))
}

/// A line after the line of `after`.
fn new_line(text: &str, after: usize, line: &str) -> Splice {
    let at = line_end(text, after);
    let unended = !text[..at].ends_with('\n');
    (at..at, if unended { format!("{}{line}", end_of_line(text)) } else { line.to_owned() })
}

/// A section at the beginning of a line, or at the end, set off by empty lines.
fn new_section(text: &str, at: usize, section: &str) -> Splice {
    let end_of_line = end_of_line(text);
    let before = &text[..at];
    let gap = match before.trim_end_matches([' ', '\t', '\r']) {
        "" => "",
        before if before.ends_with("\n\n") || before.ends_with("\n\r\n") => "",
        before if before.ends_with('\n') => end_of_line,
        _ => &end_of_line.repeat(2),
    };
    let gap_after = if text[at..].starts_with(['\r', '\n']) || at == text.len() { "" } else { end_of_line };
    (at..at, format!("{gap}{section}{gap_after}"))
}

/// The values that stand directly below a section's header, dotted ones included.
fn own_values(table: &Table, pieces: &mut Vec<Range<usize>>) {
    for (_, item) in table {
        match item {
            Item::Value(value) => pieces.extend(value.span()),
            Item::Table(table) if table.is_dotted() => own_values(table, pieces),
            _ => {}
        }
    }
}

fn all_values(table: &Table, pieces: &mut Vec<Range<usize>>) {
    own_values(table, pieces);
    for table in table.iter().filter_map(|(_, item)| item.as_table()) {
        all_values(table, pieces);
    }
}

fn headers_within(table: &Table, headers: &mut Vec<Range<usize>>) {
    if !table.is_implicit() && !table.is_dotted() {
        headers.extend(table.span());
    }
    for table in table.iter().filter_map(|(_, item)| item.as_table()) {
        headers_within(table, headers);
    }
}

/// For a section and each below it: from its header to its last value.
fn section_lines(table: &Table, pieces: &mut Vec<Range<usize>>) {
    if !table.is_implicit()
        && !table.is_dotted()
        && let Some(header) = table.span()
    {
        let mut own = Vec::new();
        own_values(table, &mut own);
        pieces.push(header.start..own.iter().map(|piece| piece.end).max().unwrap_or(header.end));
    }
    for table in table.iter().filter_map(|(_, item)| item.as_table()) {
        section_lines(table, pieces);
    }
}

/// For each value of a dotted table: its key and itself.
fn dotted_lines(table: &Table, pieces: &mut Vec<Range<usize>>) {
    for (key, item) in table.iter().filter_map(|(key, _)| table.get_key_value(key)) {
        match item {
            Item::Table(table) if table.is_dotted() => dotted_lines(table, pieces),
            Item::Value(value) => {
                pieces.extend(key.span().zip(value.span()).map(|(key, value)| key.start..value.end));
            }
            _ => {}
        }
    }
}

fn spliced(text: &str, mut splices: Vec<Splice>) -> String {
    splices.sort_by_key(|(piece, _)| piece.start);
    let mut new = String::with_capacity(text.len());
    let mut copied = 0;
    for (piece, instead) in splices {
        new += &text[copied..piece.start.max(copied)];
        new += &instead;
        copied = piece.end.max(copied);
    }
    new + &text[copied..]
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Behind the line break that ends the line of `at`.
fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |newline| at + newline + 1)
}

fn end_of_line(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}
