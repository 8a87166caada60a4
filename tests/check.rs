//! `hearthwatch check` against storage folders with every kind of damage.

#![expect(clippy::disallowed_methods, reason = "a test damages files where they are")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use bytes::Bytes;
use hearthwatch::camera::packet::{StreamParameters, Track, VideoCodec, VideoParameters};
use hearthwatch::detect::event::MotionEvent;
use hearthwatch::disk::{EventPicture, Footage, Found, FoundKind};
use hearthwatch::index::{self, WriterThread, audit, events, gaps, segments};
use hearthwatch::record::fmp4::{self, Provenance, Sample, TrackRun};
use hearthwatch::record::reader;
use hearthwatch::record::recover::{self, Outcome};
use hearthwatch::record::segment::{ClosedSegment, GapCause};
use hearthwatch::units::{ByteLen, CameraId, EventId, InstallationId, SegmentId, UtcMicros, UtcSpan};
use mp4_atom::{Avc1, Avcc, Encode, Visual};
use rusqlite::Connection;
use serde_json::Value;

const HEARTHWATCH: &str = env!("CARGO_BIN_EXE_hearthwatch");
const START: UtcMicros = UtcMicros(1_700_000_000_000_000);
const CAMERAS: [&str; 3] = ["porch", "nursery", "garden"];
/// Segments of each camera.
const SEGMENTS: u8 = 4;
/// Fragments of each segment, of a second each.
const FRAGMENTS: u32 = 5;
const ROUNDS: u64 = 40;

/// `SplitMix64`: the same damage for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("small")
    }

    fn take<T>(&mut self, from: &mut Vec<T>) -> T {
        let at = self.below(from.len());
        from.swap_remove(at)
    }
}

fn camera(name: &str) -> CameraId {
    name.parse().expect("an id")
}

fn installation() -> InstallationId {
    InstallationId::from_random([1; 16])
}

fn parameters() -> Arc<StreamParameters> {
    let mut avc1 = Vec::new();
    Avc1 {
        visual: Visual { width: 320, height: 180, ..Visual::default() },
        avcc: Avcc::new(&[0x67, 77, 0, 31], &[0x68, 1]).expect("long enough"),
        ..Avc1::default()
    }
    .encode(&mut avc1)
    .expect("encodes");
    Arc::new(StreamParameters {
        video: VideoParameters {
            codec: VideoCodec::H264,
            rfc6381: "avc1.4d001f".to_owned(),
            width: 320,
            height: 180,
            sample_entry: avc1.into(),
            parameter_sets: Bytes::new(),
        },
        audio: None,
    })
}

/// A segment's bytes, as the recorder writes them.
fn film(provenance: Option<&Provenance>) -> Vec<u8> {
    let mut bytes = fmp4::init_segment(&parameters(), provenance);
    for n in 0..FRAGMENTS {
        let samples: Vec<_> = (0..10_u8)
            .map(|m| Sample {
                duration: 9000,
                composition_offset: 0,
                is_key: m == 0,
                data: Bytes::from(vec![m; 100 + usize::from(m)]),
            })
            .collect();
        let run = TrackRun { track: Track::Video, base_decode_ticks: u64::from(n) * 90_000, samples: &samples };
        bytes.extend(fmp4::fragment(n + 1, &[run]));
    }
    bytes
}

fn provenance(name: &str, n: u8) -> Provenance {
    let start = START.plus(std::time::Duration::from_secs(u64::from(n) * 5));
    let segment = SegmentId::from_random([name.as_bytes()[0], name.as_bytes()[1], n, 0, 0, 0, 0, 1]);
    Provenance { camera: camera(name), installation: installation(), segment, start }
}

/// A storage folder with three cameras' footage, an event each, and an audit log.
struct Store {
    dir: tempfile::TempDir,
}

impl Store {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Self { dir };
        let config = format!(
            "[storage]\npath = \"{}\"\n[web]\nlisten = \"127.0.0.1:0\"\ntls = \"off\"\n",
            store.path().display()
        );
        fs::write(store.config(), config).expect("written");
        let footage = store.footage();
        for name in CAMERAS {
            for n in 0..SEGMENTS {
                let provenance = provenance(name, n);
                Store::close(&footage, name, provenance.start, &film(Some(&provenance)));
            }
        }
        let adopted: Vec<_> = recover::adopt(&footage, |_| false).collect();
        let events: Vec<_> = (0_u8..).zip(CAMERAS).map(|(n, name)| event(name, n)).collect();
        for event in &events {
            footage
                .write_picture(&event.camera, event.id, EventPicture::Thumbnail, &[0xff, 0xd8, 0xff, 0xd9])
                .expect("written");
        }
        store
            .writer()
            .write_here(|tx| {
                for outcome in adopted {
                    let Outcome::Adopted(segment) = outcome else { panic!("{outcome:?}") };
                    assert!(segments::insert(tx, &segment)?);
                }
                events.iter().try_for_each(|event| events::upsert(tx, event).map(drop))?;
                for n in 0..5 {
                    audit::append(tx, &look(n))?;
                }
                Ok(())
            })
            .expect("written");
        drop(footage);
        store.released();
        store
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("storage")
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("config.toml")
    }

    fn database(&self) -> PathBuf {
        self.path().join("hearthwatch.db")
    }

    /// Waits until nobody holds the folder's lock: a process that another test starts holds every open file for a moment.
    fn released(&self) {
        while Footage::is_in_use(&self.path()).expect("a storage folder") {
            std::thread::yield_now();
        }
    }

    fn footage(&self) -> Footage {
        Footage::open(&self.path(), installation()).expect("opens")
    }

    fn writer(&self) -> WriterThread {
        index::open(&self.database()).expect("opens").0
    }

    /// A closed file without a row; returns its path relative to the storage folder.
    fn close(footage: &Footage, folder: &str, start: UtcMicros, bytes: &[u8]) -> PathBuf {
        let mut part = footage.create_part(&camera(folder), start).expect("made");
        part.append(bytes).expect("appended");
        part.close().expect("closed").0
    }

    /// Every row, by path.
    fn rows(&self) -> BTreeMap<PathBuf, ClosedSegment> {
        let mut rows = BTreeMap::new();
        let conn = Connection::open(self.database()).expect("opens");
        segments::each(&conn, |row| drop(rows.insert(row.path.clone(), row))).expect("read");
        rows
    }

    fn sql(&self, sql: &str) {
        Connection::open(self.database()).expect("opens").execute_batch(sql).expect(sql);
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(HEARTHWATCH)
            .arg("check")
            .args(arguments)
            .arg("--config")
            .arg(self.config())
            .output()
            .expect("it runs")
    }

    /// What `check` says: the exit code must fit.
    fn check(&self) -> Report {
        Report::new(&self.run(&["--json"]))
    }

    fn repair(&self) -> Report {
        Report::new(&self.run(&["--json", "--repair"]))
    }
}

#[derive(Debug)]
struct Report {
    findings: Vec<Finding>,
    said: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    kind: String,
    path: Option<PathBuf>,
    is_mended: bool,
}

impl Report {
    fn new(output: &Output) -> Self {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON; {said}"));
        let findings: Vec<_> = json["findings"].as_array().expect("a list").iter().map(finding).collect();
        let is_clean = findings.iter().all(|finding| finding.is_mended);
        assert_eq!(output.status.code(), Some(i32::from(!is_clean)), "{findings:?} {said}");
        Self { findings, said }
    }

    fn kinds(&self) -> Vec<&str> {
        self.findings.iter().map(|finding| finding.kind.as_str()).collect()
    }

    fn left(&self) -> BTreeSet<(String, Option<PathBuf>)> {
        let left = self.findings.iter().filter(|finding| !finding.is_mended);
        left.map(|finding| (finding.kind.clone(), finding.path.clone())).collect()
    }
}

fn finding(json: &Value) -> Finding {
    let sentence = json["sentence"].as_str().expect("a sentence");
    assert!(sentence.len() > 20 && !sentence.contains('\n'), "{sentence:?}");
    Finding {
        kind: json["kind"].as_str().expect("a name").to_owned(),
        path: json["path"].as_str().map(PathBuf::from),
        is_mended: json["mended"].as_bool().expect("yes or no"),
    }
}

fn event(name: &str, n: u8) -> MotionEvent {
    MotionEvent {
        id: EventId::from_random([n; 8]),
        camera: camera(name),
        start: START,
        end: Some(UtcMicros(START.0 + 2_000_000)),
        peak: 0.1,
        zones: Vec::new(),
        why: None,
        thumbnail: Some(Bytes::from_static(&[0xff, 0xd8, 0xff, 0xd9])),
        preview: None,
    }
}

fn look(n: i64) -> audit::Entry {
    audit::Entry {
        at: UtcMicros(START.0 + n),
        user: None,
        user_name: "anna".to_owned(),
        action: "clip".to_owned(),
        camera: Some(camera("porch")),
        span: None,
        address: None,
        detail: String::new(),
    }
}

/// Damage that was done: to which file, what may be said of it, and whether that can be mended.
struct Damage {
    path: Option<PathBuf>,
    kinds: &'static [&'static str],
}

/// What is told and stays.
const FOR_PEOPLE: [&str; 7] =
    ["damaged_file", "foreign_file", "unmarked_file", "swapped_thumbnail", "broken_audit", "twin", "between_cameras"];

fn swap(store: &Path, a: &Path, b: &Path) {
    let (a, b, aside) = (store.join(a), store.join(b), store.join("aside"));
    fs::rename(&a, &aside).and_then(|()| fs::rename(&b, &a)).and_then(|()| fs::rename(&aside, &b)).expect("renamed");
}

/// Where the top level's boxes begin, from `moov` on.
fn borders(bytes: &[u8]) -> Vec<usize> {
    let file = reader::read(bytes, bytes.len() as u64).expect("reads");
    let fragments = file.fragments.iter().flat_map(|it| [it.range.start, it.range.start + it.moof_len]);
    fragments.map(|at| usize::try_from(at).expect("small")).collect()
}

/// One kind of damage after the other. `whole` are rows that nothing happened to yet.
fn damage(kind: u64, store: &Store, random: &mut Random, whole: &mut Vec<ClosedSegment>) -> Vec<Damage> {
    let footage = store.footage();
    let root = store.path();
    let fresh = |name: &str, random: &mut Random| Provenance {
        segment: SegmentId::from_random(random.next().to_be_bytes()),
        ..provenance(name, 100 + u8::try_from(random.below(100)).expect("small"))
    };
    let one = |path: PathBuf, kinds| vec![Damage { path: Some(path), kinds }];
    match kind {
        0 => {
            let path = random.take(whole).path;
            fs::remove_file(root.join(&path)).expect("removed");
            one(path, &["dangling_row"])
        }
        1 => {
            let path = random.take(whole).path;
            let bytes = fs::read(root.join(&path)).expect("read");
            fs::write(root.join(&path), &bytes[..random.below(bytes.len())]).expect("written");
            one(path, &["torn_file", "wrong_row", "damaged_file"])
        }
        2 => {
            let path = random.take(whole).path;
            let mut bytes = fs::read(root.join(&path)).expect("read");
            let borders = borders(&bytes);
            let at = borders[random.below(borders.len())] + random.below(8);
            bytes[at] ^= 1 << random.below(8);
            fs::write(root.join(&path), bytes).expect("written");
            one(path, &["torn_file", "damaged_file"])
        }
        3 => {
            let a = random.take(whole);
            let at = whole.iter().position(|b| b.camera != a.camera).expect("another camera");
            let b = whole.swap_remove(at);
            swap(&root, &a.path, &b.path);
            [a, b].map(|row| Damage { path: Some(row.path), kinds: &["between_cameras"] }).into()
        }
        4 => {
            let a = random.take(whole);
            let Some(at) = whole.iter().position(|b| b.camera == a.camera) else { return Vec::new() };
            let b = whole.swap_remove(at);
            swap(&root, &a.path, &b.path);
            [a, b].map(|row| Damage { path: Some(row.path), kinds: &["swapped_file"] }).into()
        }
        5 => {
            let row = random.take(whole);
            let stray = ClosedSegment {
                id: SegmentId::from_random(random.next().to_be_bytes()),
                path: row.path.with_file_name(format!("stray-{}.mp4", random.next())),
                ..row
            };
            store.writer().write_here(|tx| segments::insert(tx, &stray)).expect("written");
            one(stray.path, &["dangling_row"])
        }
        6 => {
            let provenance = fresh("garden", random);
            one(Store::close(&footage, "garden", provenance.start, &film(Some(&provenance))), &["orphan_file"])
        }
        7 => {
            let row = random.take(whole);
            let path = row.path.with_file_name(format!("copy-{}.mp4", random.next()));
            fs::copy(root.join(&row.path), root.join(&path)).expect("copied");
            one(path, &["twin"])
        }
        8 => {
            let foreign = Provenance { installation: InstallationId::from_random([9; 16]), ..fresh("porch", random) };
            one(Store::close(&footage, "porch", foreign.start, &film(Some(&foreign))), &["foreign_file"])
        }
        9 => one(Store::close(&footage, "porch", fresh("porch", random).start, &film(None)), &["unmarked_file"]),
        10 => {
            let provenance = fresh("porch", random);
            let bytes = film(Some(&provenance));
            let mut part = footage.create_part(&camera("porch"), provenance.start).expect("made");
            let first = borders(&bytes)[2];
            part.append(&bytes[..first + random.below(bytes.len() - first)]).expect("appended");
            one(part.path(), &["unfinished_file"])
        }
        11 => {
            let path = random.take(whole).path;
            let edit = ["size_bytes = size_bytes + 1", "pictures = 1", "end_us = end_us + 60000000", "width = 640"];
            let edit = edit[random.below(edit.len())];
            store.sql(&format!("UPDATE segments SET {edit} WHERE path = '{}'", path.display()));
            one(path, &["wrong_row"])
        }
        12 => {
            footage.remove_pictures(&camera("porch"), EventId::from_random([0; 8])).expect("removed");
            vec![Damage { path: None, kinds: &["missing_thumbnail"] }]
        }
        13 => {
            let path = |n: u8, name| format!("thumbnails/{name}/{}.jpg", EventId::from_random([n; 8]));
            swap(&root, Path::new(&path(1, "nursery")), Path::new(&path(2, "garden")));
            (0..2).map(|_| Damage { path: None, kinds: &["swapped_thumbnail"] }).collect()
        }
        _ => {
            let edit = ["user_name = 'nobody'", "camera = NULL", "at_us = 0"][random.below(3)];
            store.sql(&format!(
                "DROP TRIGGER audit_is_not_changed; UPDATE audit SET {edit} WHERE seq = {};
                 CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
                 BEGIN SELECT RAISE (ABORT, 'the audit log is only appended to'); END;",
                1 + random.below(5)
            ));
            vec![Damage { path: None, kinds: &["broken_audit"] }]
        }
    }
}

#[test]
fn a_whole_storage_folder_has_nothing_wrong() {
    let store = Store::new();
    assert_eq!(store.check().kinds(), [""; 0]);
    assert_eq!(store.repair().kinds(), [""; 0]);
    let output = store.run(&[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said, "12 segments in the index, 12 files on the disk\n");
}

#[test]
fn every_damage_is_told_and_what_can_be_mended_is() {
    let (mut told, mut mended) = (BTreeMap::<String, u32>::new(), 0);
    for seed in 0..ROUNDS {
        let mut random = Random(seed);
        let store = Store::new();
        let mut whole: Vec<_> = store.rows().into_values().collect();
        let mut kinds: Vec<u64> = (0..15).collect();
        let mut done = Vec::new();
        for _ in 0..=random.below(4) {
            let kind = random.take(&mut kinds);
            done.extend(damage(kind, &store, &mut random, &mut whole));
            store.released();
        }

        let before = store.check();
        assert_eq!(before.findings.len(), done.len(), "seed {seed}: {before:?}");
        let mut for_people = BTreeSet::new();
        for damage in &done {
            let spell = |kind: &'static str| match kind {
                "twin" => "orphan_file",
                "between_cameras" => "swapped_file",
                kind => kind,
            };
            let spelled: Vec<_> = damage.kinds.iter().map(|kind| spell(kind)).collect();
            let is_it = |finding: &&Finding| spelled.contains(&finding.kind.as_str()) && finding.path == damage.path;
            let found = before.findings.iter().find(is_it);
            let found =
                found.unwrap_or_else(|| panic!("seed {seed}: no {:?} at {:?}: {before:?}", damage.kinds, damage.path));
            *told.entry(found.kind.clone()).or_default() += 1;
            let stays = [found.kind.as_str(), damage.kinds[0]].iter().any(|kind| FOR_PEOPLE.contains(kind));
            if stays {
                for_people.insert((found.kind.clone(), found.path.clone()));
            } else {
                mended += 1;
            }
        }

        let files = hash_of_files(&store.path());
        let repaired = store.repair();
        assert_eq!(repaired.left(), for_people, "seed {seed}: {repaired:?}");
        let after = store.check();
        assert_eq!(after.left(), for_people, "seed {seed}: clean but for what people must do");
        for (path, bytes) in files {
            let is_kept = fs::read(&path).ok() == Some(bytes);
            assert!(is_kept || path.extension().is_some_and(|it| it == "part"), "seed {seed}: {path:?} was changed");
        }
        for row in store.rows().into_values() {
            assert!(!for_people.contains(&("orphan_file".to_owned(), Some(row.path.clone()))), "seed {seed}: {row:?}");
        }
    }
    println!("{ROUNDS} rounds, told: {told:?}; mended: {mended}");
}

fn hash_of_files(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut files, mut folders) = (Vec::new(), vec![root.join("footage")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push((path.clone(), fs::read(path).expect("readable")));
            }
        }
    }
    files
}

#[test]
fn a_row_whose_file_is_gone_becomes_a_gap() {
    let store = Store::new();
    let rows = store.rows();
    let row = rows.values().find(|row| row.camera.as_str() == "porch").expect("a row");
    fs::remove_file(store.path().join(&row.path)).expect("removed");
    assert_eq!(store.repair().kinds(), ["dangling_row"]);
    let conn = Connection::open(store.database()).expect("opens");
    let gaps = gaps::between(&conn, &row.camera, row.span).expect("read");
    assert_eq!(gaps.iter().map(|gap| (gap.span, gap.cause)).collect::<Vec<_>>(), [(row.span, GapCause::DiskError)]);
    assert_eq!(index::garbage::pending(&conn, 10).expect("read"), [], "a file that comes back must not be removed");
}

#[test]
fn re_indexing_from_files_alone_gives_the_same_rows() {
    let store = Store::new();
    let rows = store.rows();
    assert_eq!(rows.len(), CAMERAS.len() * usize::from(SEGMENTS));
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(store.path().join(format!("hearthwatch.db{suffix}")));
    }
    assert_eq!(store.check().kinds(), ["missing_index"]);
    assert!(!store.database().exists(), "looking makes no database");
    assert_eq!(store.repair().left(), BTreeSet::new());
    assert_eq!(store.rows(), rows);
    assert_eq!(store.check().kinds(), [""; 0]);
}

#[test]
fn a_broken_index_is_moved_aside_and_never_removed() {
    let rubbish = b"these are no pages of a database, but something else altogether".repeat(100);
    let store = Store::new();
    let rows = store.rows();
    fs::write(store.database(), &rubbish).expect("written");
    assert_eq!(store.check().kinds(), ["unreadable_index"]);
    let repaired = store.repair();
    assert_eq!(repaired.left(), BTreeSet::new());
    assert!(repaired.said.contains("hearthwatch user add"), "{}", repaired.said);
    assert_eq!(store.rows(), rows);
    let aside = fs::read_dir(store.path()).expect("readable").map(|entry| entry.expect("readable").path());
    let aside =
        aside.filter(|path| path.to_string_lossy().contains(".broken-")).map(|path| fs::read(path).expect("read"));
    assert_eq!(aside.collect::<Vec<_>>(), [rubbish]);
}

#[test]
fn swapped_files_stay_out_of_a_new_index_until_somebody_puts_them_back() {
    let store = Store::new();
    let rows = store.rows();
    let of = |name: &str| rows.values().find(|row| row.camera.as_str() == name).expect("a row").path.clone();
    let (porch, nursery) = (of("porch"), of("nursery"));
    swap(&store.path(), &porch, &nursery);
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(store.path().join(format!("hearthwatch.db{suffix}")));
    }
    let swapped: BTreeSet<_> =
        [&porch, &nursery].map(|path| ("swapped_file".to_owned(), Some(PathBuf::clone(path)))).into();
    assert_eq!(store.repair().left(), swapped);
    let new = store.rows();
    assert!(!new.contains_key(&porch) && !new.contains_key(&nursery));
    assert_eq!(new.len(), rows.len() - 2);
    swap(&store.path(), &porch, &nursery);
    assert_eq!(store.repair().left(), BTreeSet::new());
    assert_eq!(store.rows(), rows);
}

#[test]
fn beside_a_daemon_it_only_looks_and_a_file_that_grows_is_fine() {
    let store = Store::new();
    let daemon = store.footage();
    let provenance = provenance("porch", 50);
    let mut part = daemon.create_part(&camera("porch"), provenance.start).expect("made");
    part.append(&film(Some(&provenance))[..3000]).expect("appended");
    assert_eq!(store.check().kinds(), [""; 0]);
    let refused = store.run(&["--repair"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("stop it to repair"), "{said}");
    drop((part, daemon));
    store.released();
    assert_eq!(store.check().kinds(), ["unfinished_file"], "nobody writes it any more");
    assert_eq!(store.repair().left(), BTreeSet::new());
    assert_eq!(store.rows().len(), 13);
}

#[test]
fn a_storage_folder_that_is_not_there_is_not_made() {
    let store = Store::new();
    fs::rename(store.path(), store.dir.path().join("elsewhere")).expect("renamed");
    for arguments in [&["--json"][..], &["--repair"]] {
        let output = store.run(arguments);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("is its disk mounted?"), "{said}");
        assert!(!store.path().exists());
    }
}

/// Not every byte of a box tells: who holds a file against its row notices what changes identity, order, size or time.
#[test]
fn a_flipped_bit_in_what_holds_a_file_together_is_noticed() {
    let provenance = provenance("porch", 0);
    let bytes = film(Some(&provenance));
    let path = PathBuf::from("footage/porch/2023-11-14/22-13-20.000Z.mp4");
    let found = Found { camera: camera("porch"), path, size: ByteLen(bytes.len() as u64), kind: FoundKind::Segment };
    let row = ClosedSegment {
        id: provenance.segment,
        camera: camera("porch"),
        span: UtcSpan::new(START, UtcMicros(START.0 + i64::from(FRAGMENTS) * 1_000_000)).expect("in order"),
        path: found.path.clone(),
        size: found.size,
        pictures: FRAGMENTS * 10,
        codecs: "avc1.4d001f".to_owned(),
        width: 320,
        height: 180,
    };
    let is_noticed = |bytes: &[u8]| {
        let read = reader::read(bytes, bytes.len() as u64);
        !index::check::file(Some(&row), &found, read.as_ref(), installation()).is_empty()
    };
    assert!(!is_noticed(&bytes));
    let file = reader::read(&*bytes, bytes.len() as u64).expect("reads");
    let is_payload = |at: u64| {
        let of = file.fragments.iter().find(|fragment| fragment.range.contains(&at));
        of.is_some_and(|fragment| at >= fragment.range.start + fragment.moof_len + 8)
    };
    let ftyp = u64::from(u32::from_be_bytes(bytes[..4].try_into().expect("four bytes")));
    let moov = file.init.end;
    let headers: Vec<_> = borders(&bytes).into_iter().map(|at| at as u64..at as u64 + 8).collect();
    let (mut flipped, mut noticed, mut by_box) = (0_u32, 0_u32, BTreeMap::<&str, (u32, u32)>::new());
    for at in (0..bytes.len() as u64).filter(|at| !is_payload(*at)) {
        let name = match at {
            at if at < ftyp => "ftyp",
            at if at < ftyp + 24 + 34 + 5 => "uuid",
            at if at < moov => "moov",
            _ => "moof and mdat header",
        };
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[usize::try_from(at).expect("small")] ^= 1 << bit;
            let is_noticed = is_noticed(&bytes);
            let of_box = by_box.entry(name).or_default();
            *of_box = (of_box.0 + u32::from(is_noticed), of_box.1 + 1);
            (flipped, noticed) = (flipped + 1, noticed + u32::from(is_noticed));
            let is_header = headers.iter().any(|header| header.contains(&at));
            assert!(is_noticed || (name != "uuid" && !is_header), "byte {at} of {name}, bit {bit}");
        }
    }
    println!("{noticed} of {flipped} flipped bits outside the pictures are noticed: {by_box:?}");
}
