//! What the tests of this module share: a household that may be changed under a proof, and film to cut.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;

use crate::access::{
    Gate, Records, RecordsError, Right, Rights, Role, SessionKind, SessionRow, ShareRow, Token, TokenHash, Viewable,
};
use crate::camera::packet::{AudioParameters, Packet, StreamParameters, Track, VideoCodec, VideoParameters};
use crate::disk::Footage;
use crate::index::{Readers, WriterThread, segments};
use crate::media::Recording;
use crate::record::fmp4::{self, Provenance, Sample, TrackRun};
use crate::record::open::OpenSegments;
use crate::record::reader;
use crate::record::segment::ClosedSegment;
use crate::units::{CameraId, Clock, InstallationId, MediaTicks, Monotonic, SegmentId, UserId, UtcMicros, UtcSpan};

/// One user who may do everything with every camera, until that is taken.
#[derive(Default)]
pub(crate) struct Household {
    revoked: AtomicBool,
}

impl Household {
    pub(crate) fn revoke(&self) {
        self.revoked.store(true, Ordering::SeqCst);
    }

    pub(crate) fn proof(self: &Arc<Self>, camera: &str, right: Right) -> Viewable<CameraId> {
        let gate = Gate::new(Arc::clone(self) as Arc<dyn Records>, Clock::system());
        let viewer = gate.who(&Token::from_random([1; 32])).expect("signed in");
        gate.viewable(&viewer, &id(camera), right).expect("permitted")
    }
}

impl Records for Household {
    fn session(&self, _: &TokenHash, _: UtcMicros) -> Result<Option<SessionRow>, RecordsError> {
        let row = SessionRow {
            user: UserId(1),
            name: "anna".to_owned(),
            role: Role::Member,
            expires: UtcMicros(i64::MAX),
            kind: SessionKind::Cookie,
        };
        Ok(Some(row))
    }

    fn rights(&self, _: UserId, _: &CameraId, _: UtcMicros) -> Result<Rights, RecordsError> {
        let yes = !self.revoked.load(Ordering::SeqCst);
        Ok(Rights { live: yes, history: yes, export: yes, delete: yes })
    }

    fn cameras(&self, _: UserId, _: UtcMicros) -> Result<Vec<(CameraId, Rights)>, RecordsError> {
        Ok(Vec::new())
    }

    fn share(&self, _: &TokenHash, _: UtcMicros) -> Result<Option<ShareRow>, RecordsError> {
        Ok(None)
    }

    fn is_paused(&self, _: &CameraId) -> Result<bool, RecordsError> {
        Ok(false)
    }
}

pub(crate) fn id(camera: &str) -> CameraId {
    camera.parse().expect("an id")
}

/// What a camera sent, as the recorder got it: decode times and all.
#[derive(Clone)]
pub(crate) struct Film {
    pub(crate) parameters: Arc<StreamParameters>,
    /// Decode time and sample, from 0.
    pub(crate) video: Vec<(u64, Sample)>,
    pub(crate) audio: Vec<(u64, Sample)>,
}

/// One encoding at a time: the machine that runs the tests is small.
static ENCODER: Mutex<()> = Mutex::new(());

/// Film made by FFmpeg with these arguments for its encoder; `None`, with a printed word, where there is no FFmpeg.
pub(crate) fn film(source: &str, arguments: &str) -> Option<Film> {
    let _turn = ENCODER.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("film.mp4");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-threads", "1", "-f", "lavfi", "-i", source])
        .args(arguments.split_whitespace())
        .args(["-video_track_timescale", "90000"])
        .args(["-movflags", "frag_keyframe+empty_moov+default_base_moof+negative_cts_offsets"])
        .arg(&path)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: no ffmpeg that can do {arguments}");
        return None;
    }
    let bytes = Bytes::from(read(&path));
    let file = reader::read(&bytes[..], bytes.len() as u64).expect("readable");
    let samples = |track| {
        let mut samples = Vec::new();
        for run in file.runs(track) {
            let mut at = run.base_decode_ticks;
            for sample in &run.samples {
                let start = usize::try_from(sample.offset).expect("small");
                samples.push((
                    at,
                    Sample {
                        duration: sample.duration,
                        composition_offset: sample.composition_offset,
                        is_key: sample.is_key,
                        data: bytes.slice(start..start + sample.size as usize),
                    },
                ));
                at += u64::from(sample.duration);
            }
        }
        samples
    };
    let codec = if arguments.contains("libx265") { VideoCodec::H265 } else { VideoCodec::H264 };
    let video = VideoParameters {
        codec,
        rfc6381: "avc1.42c01f".to_owned(),
        width: file.video.width,
        height: file.video.height,
        sample_entry: file.video.sample_entry.clone(),
        parameter_sets: Bytes::new(),
    };
    let audio = file.audio.as_ref().map(|audio| AudioParameters {
        rfc6381: "mp4a.40.2".to_owned(),
        packet_samples: 1024,
        sample_rate: audio.timescale,
        sample_entry: audio.sample_entry.clone(),
    });
    let parameters = Arc::new(StreamParameters { video, audio });
    Some(Film { parameters, video: samples(Track::Video), audio: samples(Track::Audio) })
}

impl Film {
    /// As the camera session hands the pictures on.
    pub(crate) fn packets(&self, session: u64) -> Vec<Packet> {
        let packet = |(decode, sample): &(u64, Sample)| Packet {
            parameters: Arc::clone(&self.parameters),
            session,
            track: Track::Video,
            pts: MediaTicks {
                ticks: i64::try_from(*decode).expect("small") + i64::from(sample.composition_offset),
                rate: 90_000.try_into().expect("not zero"),
            },
            received: UtcMicros::EPOCH,
            received_monotonic: Monotonic::default(),
            is_key: sample.is_key,
            lost_before: 0,
            data: sample.data.clone(),
        };
        self.video.iter().map(packet).collect()
    }

    /// A segment file of the pictures `from..to` (the first a key frame) and the sound that goes with them: a fragment for
    /// each group of pictures. With the length of its pictures in ticks.
    pub(crate) fn segment(&self, from: usize, to: usize, provenance: Option<&Provenance>) -> (Vec<u8>, u64) {
        let mut bytes = fmp4::init_segment(&self.parameters, provenance);
        let pictures = &self.video[from..to];
        let zero = pictures[0].0;
        let end = self.video.get(to).map_or(u64::MAX, |next| next.0);
        let rate = u64::from(self.parameters.audio.as_ref().map_or(1, |audio| audio.sample_rate));
        let mut sounds = self.audio.iter().filter(|(at, _)| at * 90_000 / rate >= zero).peekable();
        let mut sequence = 0;
        let mut at = 0;
        while at < pictures.len() {
            let len = 1 + pictures[at + 1..].iter().take_while(|(_, sample)| !sample.is_key).count();
            let group = &pictures[at..at + len];
            let until = pictures.get(at + len).map_or(end, |next| next.0);
            let mut sound = Vec::new();
            while let Some(next) = sounds.next_if(|(at, _)| at * 90_000 / rate < until) {
                sound.push(next.clone());
            }
            let strip =
                |samples: &[(u64, Sample)]| samples.iter().map(|(_, sample)| sample.clone()).collect::<Vec<_>>();
            let (group_samples, sound_samples) = (strip(group), strip(&sound));
            let video = TrackRun { track: Track::Video, base_decode_ticks: group[0].0 - zero, samples: &group_samples };
            let audio = TrackRun {
                track: Track::Audio,
                base_decode_ticks: sound.first().map_or(0, |(at, _)| at - zero * rate / 90_000),
                samples: &sound_samples,
            };
            sequence += 1;
            bytes.extend(fmp4::fragment(sequence, &[video, audio]));
            at += len;
        }
        let length = pictures.iter().map(|(_, sample)| u64::from(sample.duration)).sum();
        (bytes, length)
    }
}

#[expect(clippy::disallowed_methods, reason = "a test reads what it made")]
pub(crate) fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("a file")
}

/// A storage folder, and what is recorded in it.
pub(crate) struct Storage {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) footage: Footage,
    pub(crate) household: Arc<Household>,
    pub(crate) readers: Readers,
    pub(crate) open: OpenSegments,
    index: Mutex<WriterThread>,
}

impl Storage {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let footage = Footage::open(folder.path(), InstallationId::from_random([7; 16])).expect("a storage folder");
        let (thread, _, readers) = crate::index::open(&folder.path().join("test.db")).expect("a database");
        let index = Mutex::new(thread);
        Self { folder, footage, household: Arc::default(), readers, open: OpenSegments::default(), index }
    }

    /// Changes the index.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T>) -> T {
        self.index.lock().expect("one test").write_here(change).expect("written")
    }

    /// Makes a recording a row.
    pub(crate) fn list(&self, recording: &Recording) {
        let Recording { id, camera, span, path, size, codecs, width, height, .. } = recording.clone();
        let row = ClosedSegment { id, camera, span, path, size, pictures: 1, codecs, width, height };
        assert!(self.write(|tx| segments::insert(tx, &row)));
    }

    /// Records pictures `from..to` of the film as a segment that starts at `start`.
    pub(crate) fn record(&self, camera: &str, film: &Film, from: usize, to: usize, start: UtcMicros) -> Recording {
        let segment = SegmentId::from_random(start.0.to_be_bytes());
        let provenance = Provenance { camera: id(camera), installation: self.footage.installation(), segment, start };
        let (bytes, ticks) = film.segment(from, to, Some(&provenance));
        let mut part = self.footage.create_part(&id(camera), start).expect("a part file");
        part.append(&bytes).expect("appended");
        let (path, size) = part.close().expect("closed");
        Recording {
            id: segment,
            camera: id(camera),
            span: UtcSpan::starting_at(start, Duration::from_micros(ticks * 100 / 9)),
            path,
            size,
            codecs: film.parameters.video.rfc6381.clone(),
            width: film.parameters.video.width,
            height: film.parameters.video.height,
            is_open: false,
        }
    }

    /// Keeps bytes beside the footage, for a player to open.
    pub(crate) fn keep(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        path
    }
}

/// What a player shows: each picture's time in microseconds and the digest of its pixels. Complaints of that level (`warning`,
/// `error`) end the test.
pub(crate) fn shown(path: &Path, level: &str) -> Vec<(i64, String)> {
    let output = Command::new("ffmpeg")
        .args(["-v", level, "-threads", "1", "-i"])
        .arg(path)
        .args(["-an", "-fps_mode", "passthrough", "-enc_time_base", "1:1000000", "-f", "framemd5", "-"])
        .output()
        .expect("ffmpeg");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "ffmpeg {}: {complaints}", path.display());
    let text = String::from_utf8(output.stdout).expect("text");
    let frame = |line: &str| {
        let fields: Vec<_> = line.split(',').map(str::trim).collect();
        (fields[2].parse().expect("a time"), fields[5].to_owned())
    };
    text.lines().filter(|line| !line.starts_with('#')).map(frame).collect()
}

/// What `ffprobe` says about a file, as `key=value` lines; everything it complains about ends the test.
pub(crate) fn ffprobe(path: &Path, arguments: &str) -> String {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-of", "default=noprint_wrappers=1"])
        .args(arguments.split_whitespace())
        .arg(path)
        .output()
        .expect("ffprobe beside ffmpeg");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "ffprobe {}: {complaints}", path.display());
    String::from_utf8(output.stdout).expect("text")
}

/// Decodes the whole file; any complaint ends the test.
pub(crate) fn decode_all(path: &Path) {
    let output = Command::new("ffmpeg")
        .args(["-v", "warning", "-threads", "1", "-i"])
        .arg(path)
        .args(["-f", "null", "-"])
        .output()
        .expect("ffmpeg");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "ffmpeg {}: {complaints}", path.display());
}
