//! Holds the list of all texts against what templates, Rust and modules say, and translations against the list.

#![expect(clippy::disallowed_methods, reason = "a test reads the sources")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::language::{ENGLISH, Files, Language, SCRIPTS, Text, grouped, source};

/// A text that is said somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Used {
    text: Text,
    is_html: bool,
    by_module: bool,
    file: String,
}

/// By their English; what depends on a number, by its plural.
fn used() -> BTreeMap<String, Used> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut used = BTreeMap::new();
    for (folder, extension) in [("src/web", "rs"), ("src/app", "rs"), ("templates", "html"), ("static", "js")] {
        for path in files(&root.join(folder), extension) {
            let code = std::fs::read_to_string(&path).expect("a source");
            let code = code.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            let file = path.strip_prefix(root).expect("below").display().to_string();
            let mut add = |english: String, text: Text, is_html: bool| {
                let by_module = extension == "js";
                let known = used.entry(english).or_insert_with(|| Used {
                    text: text.clone(),
                    is_html,
                    by_module,
                    file: file.clone(),
                });
                assert_eq!(
                    (&known.text, known.is_html),
                    (&text, is_html),
                    "{file} and {} say it in two ways",
                    known.file
                );
                known.by_module |= by_module;
            };
            if extension == "html" {
                for (english, filter) in filtered(code) {
                    add(english.clone(), Text::Plain(english), filter == "say_html");
                }
            } else {
                for name in [
                    "say",
                    "say_with",
                    "key",
                    "unavailable",
                    "Refusal::Bad",
                    "Refusal::Forbidden",
                    "Refusal::Unavailable",
                ] {
                    for english in called(code, name).filter_map(|rest| Some(literal(rest)?.0)) {
                        add(english.clone(), Text::Plain(english), false);
                    }
                }
            }
            for (one, other) in called(code, "many").filter_map(two_forms) {
                let forms = HashMap::from([("one".to_owned(), one), ("other".to_owned(), other.clone())]);
                add(other, Text::Forms(forms), false);
            }
        }
    }
    used
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What follows each call of a function.
fn called<'a>(code: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let call = format!("{name}(");
    let starts: Vec<_> = code.match_indices(&call).map(|(at, _)| (at, at + call.len())).collect();
    let is_whole = |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '#'));
    starts.into_iter().filter(move |(at, _)| is_whole(*at)).map(|(_, after)| code[after..].trim_start())
}

/// A literal at the start, as Rust and modules write it, and what follows.
fn literal(code: &str) -> Option<(String, &str)> {
    let code = code.strip_prefix('"')?;
    let mut text = String::new();
    let mut characters = code.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((text, &code[at + 1..])),
            '\\' => match characters.next()?.1 {
                '\n' => {
                    let rest = characters.as_str().trim_start();
                    let (more, behind) = literal(&format!("\"{rest}")).map(|(more, behind)| (more, behind.len()))?;
                    return Some((text + &more, &code[code.len() - behind..]));
                }
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
    None
}

/// The two texts of a call whose number comes first.
fn two_forms(call: &str) -> Option<(String, String)> {
    let (number, _) = call.split_once('"')?;
    if number.contains([';', '{']) {
        return None;
    }
    let (one, rest) = literal(&call[number.len()..])?;
    let (other, _) = literal(rest.trim_start().strip_prefix(',')?.trim_start())?;
    Some((one, other))
}

/// Texts in a template, with the filter that says them.
fn filtered(template: &str) -> Vec<(String, &'static str)> {
    let mut found = Vec::new();
    for (at, _) in template.match_indices("{{ \"") {
        let (text, rest) = literal(&template[at + 3..]).expect("a whole literal");
        let filter = ["say_html", "say"]
            .into_iter()
            .find(|name| rest.strip_prefix('|').is_some_and(|rest| rest.starts_with(name)));
        found.push((text, filter.expect("a text of a template is said by a filter")));
    }
    found
}

/// The named places of a text.
fn places(text: &str) -> BTreeSet<String> {
    let inner = text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
    inner
        .filter(|name| !name.is_empty() && name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_'))
        .map(str::to_owned)
        .collect()
}

/// The tags of a text, however often.
fn tags(text: &str) -> Vec<String> {
    let mut tags: Vec<_> =
        text.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default().to_owned()).collect();
    tags.sort();
    tags
}

#[test]
fn the_list_holds_every_text_that_is_said_and_no_other() {
    let used = used();
    let listed = grouped(&source(ENGLISH)).expect("the list can be read");
    let by_english: BTreeMap<_, _> = listed.iter().map(|(group, english, text)| (english, (group, text))).collect();
    assert_eq!(by_english.len(), listed.len(), "a text is listed in two groups");
    let mut complaints: Vec<String> = Vec::new();
    for (english, used) in &used {
        let line = match &used.text {
            Text::Plain(_) => format!("{english:?} = {english:?}"),
            Text::Forms(forms) => format!("{english:?} = {{ one = {:?}, other = {english:?} }}", forms["one"]),
        };
        match by_english.get(english) {
            None => complaints.push(format!("missing, for {}:\n{line}", used.file)),
            Some((_, text)) if **text != used.text => complaints.push(format!("listed differently:\n{line}")),
            Some((group, _)) if used.by_module != (*group == SCRIPTS) => {
                complaints.push(format!("what modules say, and nothing else, is in [{SCRIPTS}]:\n{line}"));
            }
            Some(_) => {}
        }
    }
    for english in by_english.keys().filter(|english| !used.contains_key(**english)) {
        complaints.push(format!("said nowhere: {english:?}"));
    }
    assert!(complaints.is_empty(), "templates/texts/{ENGLISH}:\n{}", complaints.join("\n"));
    for (english, used) in &used {
        assert!(used.is_html || !english.contains('<'), "{english}: markup is for say_html alone");
        assert!(!used.is_html || !english.contains('&'), "{english}: what is HTML stands here as it is");
    }
}

#[test]
fn translations_keep_to_the_list() {
    let used = used();
    for file in Files::iter().filter(|file| file != ENGLISH) {
        let code = file.strip_suffix(".toml").expect("a translation is a .toml file");
        let texts = grouped(&source(&file)).expect("it can be read");
        assert!(Language::new(code, &source(&file)).is_ok(), "{file}");
        let mut missing = used.len();
        for (group, english, text) in &texts {
            let known = used.get(english).unwrap_or_else(|| panic!("{file}: nothing says {english:?}"));
            assert_eq!(known.by_module, group == SCRIPTS, "{file}: {english:?} is in the wrong group");
            missing -= 1;
            let forms: Vec<_> = match (&known.text, text) {
                (Text::Plain(_), Text::Plain(text)) => vec![text],
                (Text::Forms(_), Text::Forms(forms)) => {
                    let is_category =
                        |name: &String| ["zero", "one", "two", "few", "many", "other"].contains(&name.as_str());
                    assert!(forms.contains_key("other") && forms.keys().all(is_category), "{file}: {english:?}");
                    forms.values().collect()
                }
                _ => panic!("{file}: {english:?} has other forms in English"),
            };
            for form in forms {
                let (wanted, found) = (places(english), places(form));
                // A form for one or two may do without the number.
                let is_whole = found.is_subset(&wanted) && wanted.difference(&found).all(|place| place == "count");
                assert!(is_whole, "{file}: the places of {form:?} are not those of {english:?}");
                assert!(!known.is_html || !form.contains('&'), "{file}: {form:?} is HTML, and stands there as it is");
                assert_eq!(tags(form), tags(english), "{file}: the markup of {form:?} is not that of {english:?}");
            }
        }
        println!("{file}: {missing} of {} texts are not translated", used.len());
    }
}

#[test]
fn texts_are_found_however_they_are_written() {
    let code = "say(\n    \"a \\\"b\\\" \\\n     c\",\n) many(rows.len(), \"one\", \"{count}\") this.say(\"not this\") essay(\"nor this\") say(words)";
    assert_eq!(called(code, "say").filter_map(|rest| Some(literal(rest)?.0)).collect::<Vec<_>>(), ["a \"b\" c"]);
    assert_eq!(called(code, "many").filter_map(two_forms).collect::<Vec<_>>(), [("one".into(), "{count}".into())]);
    assert_eq!(
        filtered("<p>{{ \"a\"|say }}{{ name }}{{ \"<b>\"|say_html }}</p>"),
        [("a".into(), "say"), ("<b>".into(), "say_html")]
    );
    assert_eq!(places("{a} {b_c} {\"d\"} {}"), BTreeSet::from(["a".into(), "b_c".into()]));
}
