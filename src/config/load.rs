//! The file on disk, read and checked.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::config::complaint::Complaint;
use crate::config::file::{Checked, LARGEST_FILE, check};
use crate::config::settings::Settings;

/// The largest password file that is read, in bytes.
const LARGEST_SECRET: usize = 4096;

/// Why there are no settings. Prints a sentence, or one line for each complaint.
#[derive(Debug)]
pub enum LoadError {
    /// No such file.
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It is there but cannot be read.
    Unreadable {
        /// What was tried.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It was read, and this is wrong with it.
    Complaints {
        /// Which file.
        path: PathBuf,
        /// At least one, in the order of the file.
        complaints: Vec<Complaint>,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { path } => {
                let path = path.display();
                write!(f, "there is no configuration at {path}; copy config.example.toml there, or say --config FILE")
            }
            Self::Unreadable { path, source } => {
                let path = path.display();
                write!(
                    f,
                    "the configuration {path} cannot be read: {source}; make it readable for the user that runs hearthwatch"
                )
            }
            Self::Complaints { path, complaints } => {
                for (index, complaint) in complaints.iter().enumerate() {
                    let line_break = if index == 0 { "" } else { "\n" };
                    write!(f, "{line_break}{}:{complaint}", path.display())?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            Self::Missing { .. } | Self::Complaints { .. } => None,
        }
    }
}

/// The settings in this file. Blocking; notes are left out, [`read`] has them.
///
/// # Errors
/// See [`LoadError`]: a caller prints it and exits with 2, or keeps the settings it has.
pub fn load(path: &Path) -> Result<Settings, LoadError> {
    read(path).map(|checked| checked.settings)
}

/// The settings in this file, with what is odd about it. Blocking.
///
/// # Errors
/// As [`load`].
pub fn read(path: &Path) -> Result<Checked, LoadError> {
    read_noting_secrets(path, &RefCell::default())
}

/// The file's text, for an edit of it. Blocking.
///
/// # Errors
/// As [`load`], but the text is not checked.
pub fn text(path: &Path) -> Result<String, LoadError> {
    let bytes = read_at_most(path, LARGEST_FILE + 1).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => LoadError::Missing { path: path.to_owned() },
        _ => LoadError::Unreadable { path: path.to_owned(), source },
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let readable = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        let sentence = "this line is not UTF-8; save the file as UTF-8".to_owned();
        let line = readable.matches('\n').count() + 1;
        let complaints = vec![Complaint { line, column: 1, key: String::new(), sentence }];
        LoadError::Complaints { path: path.to_owned(), complaints }
    })
}

/// As [`read`]; adds to `asked` each password file that was asked for, whether it could be read or not.
pub(super) fn read_noting_secrets(path: &Path, asked: &RefCell<BTreeSet<PathBuf>>) -> Result<Checked, LoadError> {
    check_text(path, &text(path)?, asked)
}

/// As [`read_noting_secrets`], of what the file at `path` says or would say.
pub(super) fn check_text(path: &Path, text: &str, asked: &RefCell<BTreeSet<PathBuf>>) -> Result<Checked, LoadError> {
    let folder = folder_of(path);
    let secret = |file: &Path| {
        let file = folder.join(file);
        let content = read_secret(&file);
        asked.borrow_mut().insert(file);
        content
    };
    check(text, secret).map_err(|complaints| LoadError::Complaints { path: path.to_owned(), complaints })
}

/// The folder that holds `path`, as a path that can be opened.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn read_secret(path: &Path) -> io::Result<String> {
    let bytes = read_at_most(path, LARGEST_SECRET + 1)?;
    if bytes.len() > LARGEST_SECRET {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too large for a password"));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

#[expect(clippy::disallowed_methods, reason = "this is where configuration files are opened")]
fn read_at_most(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn written(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.toml");
        fs::write(&path, content).expect("a file");
        (folder, path)
    }

    #[test]
    fn a_missing_file_says_where_it_should_be() {
        let error = load(Path::new("/nowhere/config.toml")).expect_err("no such file");
        assert_eq!(
            error.to_string(),
            "there is no configuration at /nowhere/config.toml; copy config.example.toml there, or say --config FILE"
        );
    }

    #[test]
    fn complaints_are_printed_one_a_line_with_file_line_and_column() {
        let (_folder, path) = written(b"[storage]\nkeep_fre = \"10%\"\nsync_seconds = 0\n");
        let printed = load(&path).expect_err("complaints").to_string();
        let path = path.display();
        assert_eq!(
            printed,
            format!(
                "{path}:2:1: storage.keep_fre: there is no such key; did you mean \"keep_free\"?\n\
                 {path}:3:16: storage.sync_seconds: this must be a number from 1 to 60 seconds; 0 is not"
            )
        );
    }

    #[test]
    fn a_folder_or_a_foreign_encoding_is_refused_with_a_sentence() {
        let (folder, path) = written(b"[web]\n# K\xfcche\n");
        let printed = load(&path).expect_err("latin-1").to_string();
        assert!(printed.ends_with("config.toml:2:1: this line is not UTF-8; save the file as UTF-8"), "{printed}");
        assert!(matches!(load(folder.path()), Err(LoadError::Unreadable { .. })));
    }

    #[test]
    fn a_password_file_lies_beside_the_configuration() {
        let (folder, path) =
            written(b"[cameras.a]\nurl = \"rtsp://10.0.0.2/\"\nusername = \"viewer\"\npassword_file = \"secret\"\n");
        let printed = load(&path).expect_err("no such file").to_string();
        assert!(printed.contains("cameras.a.password_file: the file secret cannot be read"), "{printed}");
        fs::write(folder.path().join("secret"), "hunter2\r\n").expect("a file");
        let settings = load(&path).expect("settings");
        let camera = settings.cameras.values().next().expect("a camera");
        assert_eq!(camera.credentials.as_ref().expect("credentials").password.expose(), "hunter2");
        fs::write(folder.path().join("secret"), "x".repeat(5000)).expect("a file");
        assert!(load(&path).expect_err("too large").to_string().contains("too large for a password"));
    }
}
