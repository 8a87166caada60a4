//! Writes the file so that a power cut leaves either the old text or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::config::load::folder_of;

/// Why the file was not written, or not for good: then either text is there after a power cut, never a mixture.
#[derive(Debug, thiserror::Error)]
#[error(
    "the configuration {path} could not be written: {source}; make its folder writable for the user that runs hearthwatch, or edit the file by hand"
)]
pub struct WriteError {
    path: String,
    source: io::Error,
}

/// Replaces the text of the file at `path` at once and for good. Blocking.
///
/// Mode and owner stay as they were, the owner as far as this process may set it; a new file is readable by its owner alone. A
/// symbolic link stays, and the file that it leads to is replaced.
pub(super) fn write_atomically(path: &Path, text: &str) -> Result<(), WriteError> {
    replace_file(path, text).map_err(|source| WriteError { path: path.display().to_string(), source })
}

/// As [`write_atomically`], for any file that must be there whole or not at all.
pub(crate) fn replace_file(path: &Path, text: &str) -> io::Result<()> {
    let path = match path.canonicalize() {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    let folder = folder_of(&path);
    let (mut file, temporary) = create_beside(&path)?;
    let written = (|| {
        if let Ok(old) = fs::metadata(&path) {
            // Whoever may not give files away keeps the group at least, if that is allowed.
            if fchown(&file, Some(old.uid()), Some(old.gid())).is_err() {
                let _ = fchown(&file, None, Some(old.gid()));
            }
            file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o777))?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    })();
    if written.is_err() {
        // The error that counts is the first one.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    sync_folder(folder)
}

fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_string_lossy();
    loop {
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_file_name(format!(".{name}.{}-{count}.tmp", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary) {
            Ok(file) => return Ok((file, temporary)),
            // Left over from a process of the same number that lost its power.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the configuration's own folder")]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn text(path: &Path) -> String {
        io::read_to_string(OpenOptions::new().read(true).open(path).expect("a file")).expect("a text")
    }

    #[test]
    fn mode_and_links_stay_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("real")).expect("a folder");
        let real = folder.path().join("real/config.toml");
        fs::write(&real, "old").expect("a file");
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("a mode");
        let link = folder.path().join("config.toml");
        symlink("real/config.toml", &link).expect("a link");
        write_atomically(&link, "new").expect("written");
        assert_eq!(text(&real), "new");
        assert_eq!(fs::metadata(&real).expect("a file").mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
        assert_eq!(names(folder.path()), ["config.toml", "real"]);
        assert_eq!(names(&folder.path().join("real")), ["config.toml"]);
    }

    #[test]
    fn a_new_file_is_for_its_owner_alone_and_a_failed_one_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.toml");
        write_atomically(&path, "[web]\n").expect("written");
        assert_eq!(fs::metadata(&path).expect("a file").mode() & 0o777, 0o600);
        fs::create_dir(folder.path().join("taken")).expect("a folder");
        let error = write_atomically(&folder.path().join("taken"), "x").expect_err("a folder is in the way");
        assert!(error.to_string().contains("could not be written"), "{error}");
        assert_eq!(names(folder.path()), ["config.toml", "taken"]);
        assert!(write_atomically(Path::new("/nowhere/config.toml"), "x").is_err());
    }
}
