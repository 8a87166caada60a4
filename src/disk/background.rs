//! What each camera usually shows: a small file per camera that lets motion detection go on after a restart. Its content says
//! itself whose it is and whether it is whole; here it is only bytes.

use std::io::{self, Read as _, Write as _};
use std::path::Path;

use crate::disk::{Footage, layout};
use crate::units::CameraId;

/// The largest that is read or written.
const MAX_LEN: u64 = 1 << 20;

impl Footage {
    /// Keeps it; replaces the one before.
    pub fn write_background(&self, camera: &CameraId, content: &[u8]) -> io::Result<()> {
        let folder = self.folder().make(Path::new(layout::BACKGROUNDS), &mut Vec::new())?;
        let (name, temporary) = (layout::background_name(camera), format!("{camera}.new"));
        folder.remove(&temporary)?;
        let mut file = folder.create(&temporary)?;
        let written = file.write_all(content).and_then(|()| file.sync_data());
        // No folder sync: what a power cut takes is learnt again.
        match written.and_then(|()| folder.rename_over(&temporary, &name)) {
            Ok(()) => Ok(()),
            Err(error) => {
                // Best effort: the error that matters is the one at hand, and the next try removes it as well.
                let _ = folder.remove(&temporary);
                Err(error)
            }
        }
    }

    /// What was kept; `None` if nothing was.
    pub fn read_background(&self, camera: &CameraId) -> io::Result<Option<Vec<u8>>> {
        let path = Path::new(layout::BACKGROUNDS).join(layout::background_name(camera));
        let file = match self.open_file(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut content = Vec::new();
        file.take(MAX_LEN + 1).read_to_end(&mut content)?;
        if content.len() as u64 > MAX_LEN {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is too large", path.display())));
        }
        Ok(Some(content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::InstallationId;

    #[test]
    fn each_camera_gets_back_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let footage = Footage::open(folder.path(), InstallationId::from_random([1; 16])).expect("opened");
        let camera = |name: &str| name.parse::<CameraId>().expect("an id");
        assert_eq!(footage.read_background(&camera("porch")).expect("nothing yet"), None);
        footage.write_background(&camera("porch"), b"one").expect("written");
        footage.write_background(&camera("porch"), b"two").expect("written over");
        assert_eq!(footage.read_background(&camera("porch")).expect("read").as_deref(), Some(&b"two"[..]));
        assert_eq!(footage.read_background(&camera("nursery")).expect("nothing"), None);
        std::fs::write(folder.path().join("backgrounds/nursery.background"), vec![0; (1 << 20) + 1]).expect("made");
        assert!(footage.read_background(&camera("nursery")).is_err());
    }
}
