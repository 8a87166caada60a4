//! Changes of the file by this program: read, edited, checked and written, one change at a time.

use std::cell::RefCell;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::config::load::{LoadError, check_text, text};
use crate::config::settings::Settings;
use crate::config::write::{WriteError, write_atomically};

/// Why the file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReviseError {
    /// As it is, there is nothing to go by.
    #[error("the configuration cannot be read")]
    Load(#[source] LoadError),
    /// As it would be, the recorder would not start with it.
    #[error("the configuration was left as it is, for it would be wrong then")]
    Wrong(#[source] LoadError),
    /// See [`WriteError`].
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Changes the file at `path` to the text that `edit` makes of its settings and its text, and gives back what else `edit` said;
/// `None` leaves the file.
///
/// What another thread changes meanwhile waits and sees this change; a person's editor does not. Blocking.
///
/// # Errors
/// [`ReviseError`], or what `edit` says; the file is as it was then.
pub fn revise<T, E: From<ReviseError>>(
    path: &Path,
    edit: impl FnOnce(&Settings, String) -> Result<Option<(String, T)>, E>,
) -> Result<Option<T>, E> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let checked = |text: &str| check_text(path, text, &RefCell::default());
    let before = text(path).map_err(ReviseError::Load)?;
    let settings = checked(&before).map_err(ReviseError::Load)?.settings;
    let Some((after, said)) = edit(&settings, before)? else { return Ok(None) };
    checked(&after).map_err(ReviseError::Wrong)?;
    write_atomically(path, &after).map_err(ReviseError::Write)?;
    Ok(Some(said))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{edit, load};

    fn written(content: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.toml");
        std::fs::write(&path, content).expect("a file");
        (folder, path)
    }

    fn port(path: &Path, port: u32) -> anyhow::Result<Option<u32>> {
        revise(path, |_, text| {
            let text = edit::set(&text, &["web", "listen"], format!("127.0.0.1:{port}").as_str())?;
            Ok(Some((text, port)))
        })
    }

    #[test]
    fn a_change_that_would_keep_the_recorder_from_starting_is_not_written() {
        let (_folder, path) = written("[web]\nlisten = \"127.0.0.1:1\" # mine\n");
        assert_eq!(port(&path, 2).expect("changed"), Some(2));
        let error = port(&path, 99_999).expect_err("no such port");
        assert!(format!("{error:#}").contains("would be wrong then"), "{error:#}");
        assert_eq!(text(&path).expect("a text"), "[web]\nlisten = \"127.0.0.1:2\" # mine\n");
        let same: anyhow::Result<Option<()>> = revise(&path, |_, _| Ok(None));
        assert!(same.expect("read").is_none());
    }

    #[test]
    fn changes_at_the_same_time_are_all_kept() {
        let (_folder, path) = written("");
        std::thread::scope(|scope| {
            for number in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    let id = format!("camera-{number}").parse().expect("an id");
                    let url = format!("rtsp://192.168.1.{number}/").parse().expect("a URL");
                    let sign_in = edit::SignIn::None;
                    let camera = edit::NewCamera { name: "Camera", url: &url, detect_url: None, sign_in };
                    let added: anyhow::Result<Option<()>> =
                        revise(path, |_, text| Ok(Some((edit::add_camera(&text, &id, &camera)?, ()))));
                    assert!(added.expect("added").is_some());
                });
            }
        });
        assert_eq!(load(&path).expect("settings").cameras.len(), 8);
    }
}
