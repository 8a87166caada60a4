//! `hearthwatch check`: reads the index and every file's boxes, tells what does not fit, and mends it if asked to.
//!
//! Looking changes nothing and works beside a daemon; mending takes the daemon's lock. No file that holds footage is ever
//! removed or changed, but for the torn end of a `.part`, which plays in no player.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use crate::app::daemon::INDEX;
use crate::app::{Failure, cli, random};
use crate::config;
use crate::disk::{self, Footage, FoundKind, StorageError};
use crate::index::adoption::RecordedUntil;
use crate::index::check::{self, Contents};
use crate::index::finding::Finding;
use crate::index::{self, OpenError, ReadError, Readers, WriterThread, adoption, segments};
use crate::record::reader;
use crate::record::recover::{self, Outcome};
use crate::record::segment::{ClosedSegment, GapCause};
use crate::units::{CameraId, Clock, InstallationId, UtcSpan};

/// Beside a daemon, what is wrong must be so this often: rows follow their files, and files their rows, a moment later.
const LOOKS: u32 = 4;
/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Rows that are written in one transaction.
const AT_ONCE: usize = 500;

/// What one look saw.
#[derive(Debug, Default)]
struct Look {
    rows: usize,
    files: usize,
    findings: Vec<Finding>,
}

/// What became of a finding.
#[derive(Debug)]
struct Told {
    finding: Finding,
    is_mended: bool,
    /// Why it could not be mended, if that says more than the finding.
    why: Option<String>,
}

/// Runs the command. Whatever is left wrong is a failure.
pub(crate) fn run(options: &cli::Check, clock: &Clock) -> Result<(), Failure> {
    let settings = config::load(&options.config.config).map_err(|error| Failure::Usage(error.to_string()))?;
    let path = &settings.storage.path;
    let (look, told) = if options.repair {
        repair(path, clock)?
    } else {
        let look = look_beside(path)?;
        let told = look.findings.iter().cloned().map(|finding| Told { finding, is_mended: false, why: None }).collect();
        (look, told)
    };
    let left = told.iter().filter(|told| !told.is_mended).count();
    if options.json {
        println!("{}", as_json(&look, &told));
    } else {
        for Told { finding, is_mended, why } in &told {
            let mended = if *is_mended { "mended: " } else { "" };
            let why = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            println!("{mended}{finding}{why}");
        }
        println!("{} segments in the index, {} files on the disk", look.rows, look.files);
    }
    match (left, options.repair) {
        (0, _) => Ok(()),
        (_, false) => Err(anyhow!(
            "{left} found wrong; stop the daemon and run `hearthwatch check --repair`, which mends what can be mended and \
             removes no footage"
        )
        .into()),
        (_, true) => Err(anyhow!("{left} found wrong that cannot be mended here; each says what it is").into()),
    }
}

fn as_json(look: &Look, told: &[Told]) -> serde_json::Value {
    let findings: Vec<_> = told
        .iter()
        .map(|Told { finding, is_mended, why }| {
            serde_json::json!({
                "kind": finding.kind(),
                "camera": finding.camera(),
                "path": finding.path(),
                "sentence": finding.to_string(),
                "mended": is_mended,
                "why": why,
            })
        })
        .collect();
    serde_json::json!({ "segments": look.rows, "files": look.files, "findings": findings })
}

/// Looks without the lock. Beside a daemon only what is wrong in look after look counts.
fn look_beside(path: &Path) -> Result<Look, Failure> {
    let is_recording = Footage::is_in_use(path)?;
    let footage = Footage::open_beside(path)?;
    let mut look = look(&footage, is_recording)?;
    for _ in 1..LOOKS {
        // A daemon that was started since the first look counts as well.
        if look.findings.is_empty() || !Footage::is_in_use(path)? {
            break;
        }
        std::thread::sleep(PAUSE);
        let again = self::look(&footage, true)?;
        look.findings.retain(|finding| again.findings.contains(finding));
    }
    Ok(look)
}

/// Reads everything once.
fn look(footage: &Footage, is_recording: bool) -> Result<Look, Failure> {
    let mut look = Look::default();
    match read_index(&footage.path().join(INDEX), footage.installation())? {
        Ok(contents) => {
            look.rows = contents.rows.len();
            look.findings.extend(contents.faults.iter().cloned());
            look_at_files(footage, Some(&contents), is_recording, &mut look);
            look_at_pictures(footage, &contents, &mut look.findings);
        }
        Err(finding) => {
            look.findings.push(finding);
            look_at_files(footage, None, is_recording, &mut look);
        }
    }
    Ok(look)
}

/// The outer error ends the command, the inner one is a finding.
fn read_index(path: &Path, footage: InstallationId) -> Result<Result<Contents, Finding>, Failure> {
    if !path.try_exists().with_context(|| format!("{} cannot be looked at", path.display()))? {
        return Ok(Err(Finding::MissingIndex { path: path.to_owned() }));
    }
    let readers = match Readers::open(path) {
        Ok(readers) => readers,
        Err(error) if is_unreadable(&error) => {
            return Ok(Err(Finding::UnreadableIndex { path: path.to_owned(), why: error.to_string() }));
        }
        Err(error) => return Err(error.into()),
    };
    match readers.read_blocking(|conn| check::contents(conn, footage)) {
        Ok(contents) => Ok(Ok(contents)),
        Err(ReadError::Sqlite(error)) if check::is_damage(&error) => {
            Ok(Err(Finding::DamagedIndex { why: error.to_string() }))
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether what lies there is no database of this program, as opposed to one that can't be reached now.
fn is_unreadable(error: &OpenError) -> bool {
    match error {
        OpenError::Foreign { .. } => true,
        OpenError::Sqlite { source, .. } => source.sqlite_error_code().is_some() && check::is_damage(source),
        _ => false,
    }
}

/// Without an index every file would be an orphan: that is said once, by the index's own finding.
fn look_at_files(footage: &Footage, contents: Option<&Contents>, is_recording: bool, look: &mut Look) {
    let mut seen = HashSet::new();
    for found in footage.walk() {
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                let path = Path::new("footage").to_owned();
                look.findings.push(Finding::UnreadableFile { path, why: error.to_string() });
                continue;
            }
        };
        if found.kind == FoundKind::Part && is_recording {
            continue;
        }
        look.files += 1;
        seen.insert(found.path.clone());
        if contents.is_some_and(|contents| contents.garbage.contains(&found.path)) {
            continue;
        }
        let row = contents.and_then(|contents| contents.rows.get(&found.path));
        match footage.open_file(&found.path) {
            // Removed or renamed since the folder was read; if that leaves a row behind, the row tells.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                seen.remove(&found.path);
            }
            Err(error) => {
                look.findings.push(Finding::UnreadableFile { path: found.path, why: error.to_string() });
            }
            Ok(file) => {
                let read = reader::read(&file, found.size.0);
                let wrong = check::file(row, &found, read.as_ref(), footage.installation());
                let is_told = |finding: &Finding| contents.is_some() || !matches!(finding, Finding::OrphanFile { .. });
                look.findings.extend(wrong.into_iter().filter(is_told));
            }
        }
    }
    let unseen = contents.into_iter().flat_map(|contents| &contents.rows).filter(|(path, _)| !seen.contains(*path));
    let mut dangling: Vec<_> = unseen
        .filter_map(|(path, row)| match footage.open_file(path) {
            Ok(_) => None, // it came back: renamed into place since the walk
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Some(Finding::DanglingRow { row: Box::new(row.clone()) })
            }
            Err(error) => Some(Finding::UnreadableFile { path: path.clone(), why: error.to_string() }),
        })
        .collect();
    dangling.sort_by(|a, b| a.path().cmp(&b.path()));
    look.findings.extend(dangling);
}

fn look_at_pictures(footage: &Footage, contents: &Contents, findings: &mut Vec<Finding>) {
    for (camera, event, picture) in &contents.pictures {
        let (camera, event, picture) = (camera.clone(), *event, *picture);
        match footage.read_picture(&camera, event, picture) {
            Ok(_) => {}
            Err(error) => findings.push(match error.kind() {
                io::ErrorKind::NotFound => Finding::MissingPicture { camera, event, picture },
                io::ErrorKind::InvalidData => Finding::SwappedPicture { camera, event, picture },
                _ => {
                    let path = disk::picture_path(&camera, event, picture);
                    Finding::UnreadableFile { path, why: error.to_string() }
                }
            }),
        }
    }
}

/// Mends what can be mended, then looks again: what was found before and is not found any more is mended.
fn repair(path: &Path, clock: &Clock) -> Result<(Look, Vec<Told>), Failure> {
    // A folder that is not there must not be made, so it is looked at first.
    drop(Footage::open_beside(path)?);
    let footage = match Footage::open(path, InstallationId::from_random(random::bytes())) {
        Err(StorageError::InUse { .. }) => {
            return Err(anyhow!(
                "the daemon records into {}; stop it to repair, or leave out --repair to look only",
                path.display()
            )
            .into());
        }
        opened => opened?,
    };
    let index = footage.path().join(INDEX);
    let before = look(&footage, false)?;
    let has = |kind: &[&str]| before.findings.iter().any(|finding| kind.contains(&finding.kind()));
    if has(&["missing_index", "unreadable_index"]) {
        move_aside(&index, clock)?;
    }
    if has(&["foreign_index"]) {
        // Rows of this footage must not get into another folder's index.
        return Ok((Look::default(), told(before.findings, &[], &HashMap::new(), true)));
    }
    let (mut writer, _, readers) = index::open(&index)?;
    if has(&["damaged_index"]) {
        // Mends what is wrong between a table and what it is found by; anything else stays a finding.
        if let Err(error) = writer.write_here(check::rebuild) {
            tracing::warn!(%error, "the index cannot be rebuilt");
        }
    }
    let Ok(contents) = read_index(&index, footage.installation())? else {
        return Ok((Look::default(), told(before.findings, &[], &HashMap::new(), true)));
    };
    let now = look(&footage, false)?;
    let lost = forget(&mut writer, &now.findings, &contents)?;
    let reasons = adopt(&mut writer, &readers, &footage)?;
    note_gaps(&mut writer, &lost)?;
    let after = look(&footage, false)?;
    let told = told(before.findings, &after.findings, &reasons, false);
    Ok((after, told))
}

/// First what was wrong before, then what is only told now (what an index that was missing could not tell).
fn told(before: Vec<Finding>, after: &[Finding], reasons: &HashMap<PathBuf, String>, nothing_done: bool) -> Vec<Told> {
    let why = |finding: &Finding| finding.path().and_then(|path| reasons.get(path)).cloned();
    let new: Vec<_> = after.iter().filter(|finding| !before.contains(finding)).cloned().collect();
    before
        .into_iter()
        .map(|finding| (nothing_done || after.contains(&finding), finding))
        .chain(new.into_iter().map(|finding| (true, finding)))
        .map(|(is_left, finding)| Told { is_mended: !is_left, why: why(&finding).filter(|_| is_left), finding })
        .collect()
}

/// Out of the way of a new index, with what SQLite keeps beside it. Nothing is removed: people have no other home.
fn move_aside(index: &Path, clock: &Clock) -> Result<(), Failure> {
    let now = clock.now().to_timestamp().unwrap_or_default().strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
    let beside = |suffix: &str| {
        let mut name = index.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    for suffix in ["", "-wal", "-shm"] {
        let (from, to) = (beside(suffix), beside(&format!(".broken-{now}{suffix}")));
        match std::fs::rename(&from, &to) {
            Ok(()) if suffix.is_empty() => tracing::warn!(
                "the broken index is now {}; people, rights and the audit log were in it and have no other home: put a copy \
                 of the index back, or add people with `hearthwatch user add`",
                to.display()
            ),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("{} cannot be renamed", from.display()))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Takes out the rows that their files contradict, so that the files can be taken in anew; says which recorded time may be
/// lost with them.
fn forget(
    writer: &mut WriterThread,
    findings: &[Finding],
    contents: &Contents,
) -> Result<Vec<(CameraId, UtcSpan)>, Failure> {
    let (mut ids, mut pictures, mut lost) = (Vec::new(), Vec::new(), Vec::new());
    for finding in findings {
        let row = finding.path().and_then(|path| contents.rows.get(path));
        match (finding, row) {
            (Finding::DanglingRow { .. } | Finding::TornFile { .. }, Some(row)) => {
                ids.push(row.id);
                lost.push((row.camera.clone(), row.span));
            }
            // When a file and its row differ about the time, either may be wrong, so a person has to look.
            (Finding::WrongRow { what, .. }, Some(row)) if *what != check::START => ids.push(row.id),
            // Within one camera the file says where it belongs. Between two, nobody but a person may move it.
            (Finding::SwappedFile { camera, says, .. }, Some(row)) if camera == says => ids.push(row.id),
            (Finding::MissingPicture { event, picture, .. }, _) => pictures.push((*event, *picture)),
            _ => {}
        }
    }
    writer.write_here(|tx| {
        ids.iter().try_for_each(|id| segments::forget(tx, *id).map(drop))?;
        pictures.iter().try_for_each(|(event, picture)| index::events::forget_picture(tx, *event, *picture))
    })?;
    Ok(lost)
}

/// Takes in every file that has no row; says why where that could not be.
fn adopt(writer: &mut WriterThread, readers: &Readers, footage: &Footage) -> Result<HashMap<PathBuf, String>, Failure> {
    let contents = readers.read_blocking(|conn| check::contents(conn, footage.installation()))?;
    let mut until = readers.read_blocking(RecordedUntil::read)?;
    let mut outcomes =
        recover::adopt(footage, |path| contents.rows.contains_key(path) || contents.garbage.contains(path));
    let mut reasons = HashMap::new();
    loop {
        let some: Vec<_> = outcomes.by_ref().take(AT_ONCE).collect();
        if some.is_empty() {
            return Ok(reasons);
        }
        let mut adopted = Vec::new();
        for outcome in some {
            match outcome {
                Outcome::Adopted(segment) => {
                    let before = until.before(&segment);
                    adopted.push((segment, before));
                }
                Outcome::Removed(path) => tracing::info!(path = %path.display(), "held no picture and was removed"),
                Outcome::Left { path, why } => drop(reasons.insert(path, why)),
            }
        }
        let twins = writer.write_here(|tx| insert(tx, adopted))?;
        reasons
            .extend(twins.into_iter().map(|path| (path, "the index has this segment already, in another file".into())));
    }
}

/// Returns the files whose segment is in already.
fn insert(
    tx: &rusqlite::Transaction<'_>,
    segments: Vec<(ClosedSegment, Option<UtcSpan>)>,
) -> rusqlite::Result<Vec<PathBuf>> {
    let mut twins = Vec::new();
    for (segment, before) in segments {
        if !adoption::enter(tx, &segment, before)? {
            twins.push(segment.path);
        }
    }
    Ok(twins)
}

/// Lists what is in no file any more.
fn note_gaps(writer: &mut WriterThread, lost: &[(CameraId, UtcSpan)]) -> Result<(), Failure> {
    writer.write_here(|tx| {
        lost.iter().try_for_each(|(camera, span)| adoption::list(tx, camera, *span, GapCause::DiskError))
    })?;
    Ok(())
}
