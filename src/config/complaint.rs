//! What is wrong with a configuration, said so that the household can mend it.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;

/// One thing in the file that is wrong, or odd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Line in the file, from 1.
    pub line: usize,
    /// Character in that line, from 1.
    pub column: usize,
    /// The full key, as `cameras.front-door.motion.sensitivity`; empty where the file is not even TOML.
    pub key: String,
    /// What is wrong and how to mend it. Never holds a password.
    pub sentence: String,
}

/// `line:column: key: sentence`, for whoever puts the file's name in front of it.
impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.sentence)
    }
}

/// Takes complaints and notes while one text is being read.
pub(super) struct Log<'t> {
    text: &'t str,
    complaints: RefCell<Vec<Complaint>>,
    notes: RefCell<Vec<Complaint>>,
}

impl<'t> Log<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, complaints: RefCell::default(), notes: RefCell::default() }
    }

    /// The file cannot be used because of this.
    pub(super) fn complain(&self, at: Option<Range<usize>>, key: String, sentence: impl Into<String>) {
        self.complaints.borrow_mut().push(self.place(at, key, sentence.into()));
    }

    /// The file can be used, but this is likely a mistake.
    pub(super) fn note(&self, at: Option<Range<usize>>, key: String, sentence: impl Into<String>) {
        self.notes.borrow_mut().push(self.place(at, key, sentence.into()));
    }

    fn place(&self, at: Option<Range<usize>>, key: String, sentence: String) -> Complaint {
        let (line, column) = line_and_column(self.text, at.map_or(0, |at| at.start));
        Complaint { line, column, key, sentence }
    }

    /// All complaints and all notes, each in the order of the file.
    pub(super) fn into_both(self) -> (Vec<Complaint>, Vec<Complaint>) {
        let sorted = |taken: RefCell<Vec<Complaint>>| {
            let mut taken = taken.into_inner();
            taken.sort_by_key(|complaint| (complaint.line, complaint.column));
            taken
        };
        (sorted(self.complaints), sorted(self.notes))
    }
}

/// Both from 1; an offset beyond the end or within a character counts as the place before it.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let boundary = (0..=offset.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let before = &text[..boundary];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// What the owner wrote, shortened and without control characters, in quotation marks.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 40;
    if text.chars().count() <= LONGEST {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(LONGEST).collect();
    format!("{:?}", start + "…")
}

/// The known word that is most like `word`, and whether it is so near that it must have been meant.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<(&'k str, bool)> {
    let word: String = word.chars().take(60).collect::<String>().to_lowercase().replace('-', "_");
    let distance = |known: &str| strsim::damerau_levenshtein(&word, &known.replace('-', "_"));
    let best = known.iter().copied().min_by(|a, b| {
        distance(a)
            .cmp(&distance(b))
            .then_with(|| strsim::jaro_winkler(&word, b).total_cmp(&strsim::jaro_winkler(&word, a)))
    })?;
    Some((best, distance(best) <= 1 + best.chars().count() / 4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_place_is_counted_in_lines_and_characters() {
        let text = "a = 1\nname = \"Küche\" x";
        assert_eq!(line_and_column(text, 0), (1, 1));
        assert_eq!(line_and_column(text, text.find('x').expect("an x")), (2, 16));
        assert_eq!(line_and_column(text, 999), (2, 17));
        assert_eq!(line_and_column("", 0), (1, 1));
    }

    #[test]
    fn the_nearest_known_word_is_found() {
        let known = ["path", "keep_free", "segment_seconds", "sync_seconds"];
        assert_eq!(nearest("segment-second", &known), Some(("segment_seconds", true)));
        assert_eq!(nearest("Path", &known), Some(("path", true)));
        assert_eq!(nearest("colour", &known).map(|found| found.1), Some(false));
        assert_eq!(nearest("x", &[]), None);
    }

    proptest! {
        #[test]
        fn any_offset_has_a_place(text in "\\PC{0,20}(\n\\PC{0,20}){0,3}", offset in 0usize..120) {
            let (line, column) = line_and_column(&text, offset);
            prop_assert!(line >= 1 && line <= text.matches('\n').count() + 1 && column >= 1);
        }
    }
}
