//! From frames to the fragments of segments. Pure.
//!
//! Cameras give no decode times, only presentation times, which B-frames shuffle. A fragment's frames, sorted by presentation
//! time, *are* its decode times, and signed composition offsets say the rest: so a fragment spans the same time decoded as
//! presented, and no guess about reordering is written into a file. For that a fragment may end only where every frame before
//! is presented before every frame after; one frame more is held back than
//! the stream was seen to shuffle, and the earliest of those is the end of what goes before.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::camera::packet::{StreamParameters, Track};
use crate::record::fmp4::{self, Sample, TrackRun, VIDEO_TIMESCALE};
use crate::record::timeline::Placed;
use crate::units::Monotonic;

/// Groups of pictures shorter than this share a fragment.
const SHORT_US: i64 = 500_000;
/// What is held back at most, whatever the timestamps say.
const MOST_FRAMES: usize = 600;
const MOST_BYTES: usize = 8 << 20;
/// The most reordering that H.264 and H.265 allow.
const MOST_DEPTH: usize = 16;
/// How long the end of a segment waits for the sound that belongs to it.
const SOUND_LATE: Duration = Duration::from_millis(500);
/// How long a picture is shown if none was before and none comes after.
const LONE_US: i64 = 100_000;

/// A packet with its place.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Pictures or sound.
    pub track: Track,
    /// When it is presented.
    pub at: Placed,
    /// When it arrived.
    pub received: Monotonic,
    /// Whether decoding can begin here.
    pub is_key: bool,
    /// Starts a segment, whose parameters these are. Only for a key frame of video.
    pub begins: Option<Arc<StreamParameters>>,
    /// MP4 form.
    pub data: Bytes,
}

/// A fragment, ready to be written.
#[derive(Debug, Clone)]
pub struct Fragment {
    /// Set on the first of a segment.
    pub begins: Option<Arc<StreamParameters>>,
    /// Whether it is the last of its segment.
    pub is_last: bool,
    /// When its first picture is presented; of the first of a segment: the file's zero.
    pub start: Placed,
    /// When the next picture is presented; without pictures, where the last one with pictures ended.
    pub end: Placed,
    /// When the first and the last of its pictures arrived; `None` if it has none.
    pub arrived: Option<(Monotonic, Monotonic)>,
    /// Counts from 1 within the segment.
    pub sequence: u32,
    /// Decode time of the first picture, in ticks of 1/90,000 s since the file's zero.
    pub video_base: u64,
    /// The pictures, in decode order.
    pub video: Vec<Sample>,
    /// Decode time of the first sound, in ticks of its rate since the file's zero.
    pub audio_base: u64,
    /// The sound.
    pub audio: Vec<Sample>,
}

impl Fragment {
    /// What stands before its data in the file.
    pub fn head(&self) -> Vec<u8> {
        fmp4::fragment_head(
            self.sequence,
            &[
                TrackRun { track: Track::Video, base_decode_ticks: self.video_base, samples: &self.video },
                TrackRun { track: Track::Audio, base_decode_ticks: self.audio_base, samples: &self.audio },
            ],
        )
    }

    /// Its data, in the order of the file.
    pub fn data(&self) -> impl Iterator<Item = &[u8]> {
        self.video.iter().chain(&self.audio).map(|sample| &sample.data[..])
    }
}

/// Frames that wait to become a fragment. Bounded.
#[derive(Debug, Default)]
pub struct Fragmenter {
    video: VecDeque<Frame>,
    audio: VecDeque<Frame>,
    bytes: usize,
    /// How many frames were seen to come before one that is presented before them.
    depth: usize,
    /// Presentation times of the newest frames, queued or not.
    recent: VecDeque<Placed>,
    segment: Option<Segment>,
    /// The last picture's duration.
    step_us: Option<i64>,
    /// Of the frames from each place on, when the first is presented; found anew by each [`Self::pop`], in the same memory.
    earliest_from: Vec<Placed>,
    /// Where a fragment may end; likewise.
    safe: Vec<usize>,
}

/// The segment whose fragments are being made.
#[derive(Debug, Clone, Copy)]
struct Segment {
    zero: Placed,
    end: Placed,
    sequence: u32,
    next_video: i64,
    next_audio: i64,
    audio_rate: Option<u32>,
    has_sound: bool,
}

impl Fragmenter {
    /// Takes a frame in decode order. Nothing may come before the first frame that begins a segment.
    pub fn push(&mut self, frame: Frame) {
        self.bytes += frame.data.len();
        match frame.track {
            Track::Audio => {
                // Sound goes along with pictures; while none come, the newest of it is kept.
                if self.audio.len() == MOST_FRAMES / 2
                    && let Some(oldest) = self.audio.pop_front()
                {
                    self.bytes -= oldest.data.len();
                }
                self.audio.push_back(frame);
            }
            Track::Video => {
                let before = self.recent.iter().filter(|at| **at > frame.at).count();
                self.depth = self.depth.max(before);
                if self.recent.len() == MOST_DEPTH {
                    self.recent.pop_front();
                }
                self.recent.push_back(frame.at);
                self.video.push_back(frame);
            }
        }
    }

    /// When the oldest frame that is not yet in a fragment arrived.
    pub fn oldest(&self) -> Option<Monotonic> {
        let first = |queue: &VecDeque<Frame>| queue.front().map(|frame| frame.received);
        first(&self.video).into_iter().chain(first(&self.audio)).min()
    }

    /// The next fragment that is complete: a group of pictures, or what is older than `pace` and can be ended. Everything that
    /// arrived until `heard` was pushed: while frames wait somewhere before, it is behind `now`. Call it until there is none.
    pub fn pop(&mut self, now: Monotonic, heard: Monotonic, pace: Duration) -> Option<Fragment> {
        let count = self.video.len();
        let limit = self.segment_border();
        self.find_safe_borders();
        let is_full = self.bytes > MOST_BYTES || count + self.audio.len() > MOST_FRAMES;
        if limit < count
            && (self.safe.contains(&limit) || is_full)
            && (is_full || self.has_sound_until(self.earliest(limit), heard, limit))
        {
            return Some(self.emit(limit, self.earliest(limit), true));
        }
        let first = self.video.front()?.at;
        let at_key = |j: &usize| self.video[*j].is_key && self.video[*j].at.0.saturating_sub(first.0) >= SHORT_US;
        let within = || self.safe.iter().copied().filter(|j| *j < limit);
        let border = within().find(at_key).or_else(|| {
            let is_old = |frame: &Frame| now.since(frame.received) >= pace;
            (is_full || is_old(&self.video[0])).then(|| within().next_back()).flatten()
        });
        // Timestamps that can't be parted anywhere must not fill the memory.
        let forced = || (is_full && limit > 1).then_some(limit - 1);
        if let Some(border) = border.or_else(forced) {
            return Some(self.emit(border, self.earliest(border), false));
        }
        None
    }

    /// Everything, with a guess for the last picture's duration; the segment may go on. For when nothing comes any more.
    pub fn flush(&mut self) -> Vec<Fragment> {
        self.drain(None, false)
    }

    /// Everything, and the segment ends: at `end`, if it is known when the next picture is presented.
    pub fn finish(&mut self, end: Option<Placed>) -> Vec<Fragment> {
        let fragments = self.drain(end, true);
        let depth = self.depth;
        *self = Self { depth, ..Self::default() };
        fragments
    }

    fn drain(&mut self, end: Option<Placed>, is_last: bool) -> Vec<Fragment> {
        let mut fragments = Vec::new();
        while self.segment_border() < self.video.len() {
            let border = self.segment_border();
            fragments.push(self.emit(border, self.earliest(border), true));
        }
        if self.video.is_empty() && self.audio.is_empty() {
            return fragments;
        }
        let newest = self.video.iter().map(|frame| frame.at).max();
        let guess_us = match self.video.len() {
            0 | 1 => self.step_us.unwrap_or(LONE_US),
            count => {
                let mut at: Vec<_> = self.video.iter().map(|frame| frame.at.0).collect();
                at.sort_unstable();
                at[count - 1].saturating_sub(at[count - 2]).clamp(1, 1_000_000)
            }
        };
        let guess = newest.map(|newest| Placed(newest.0.saturating_add(guess_us)));
        let end = match (end, newest) {
            (Some(end), Some(newest)) if end > newest => end,
            _ => guess.or(self.segment.map(|segment| segment.end)).unwrap_or_default(),
        };
        fragments.push(self.emit(self.video.len(), end, is_last));
        fragments
    }

    /// The place of the next segment's first frame, or the queue's length.
    fn segment_border(&self) -> usize {
        let begins = self.video.iter().enumerate().skip(1).find(|(_, frame)| frame.begins.is_some());
        begins.map_or(self.video.len(), |(j, _)| j)
    }

    /// The places that everything before is presented before, and that no frame to come can be presented before.
    fn find_safe_borders(&mut self) {
        // So many frames are all presented after the border, and a frame that comes now is presented before fewer of them.
        let held = self.depth + 1;
        self.earliest_from.clear();
        self.earliest_from.extend(self.video.iter().map(|frame| frame.at));
        for j in (1..self.earliest_from.len()).rev() {
            self.earliest_from[j - 1] = self.earliest_from[j - 1].min(self.earliest_from[j]);
        }
        self.safe.clear();
        let mut latest_before = Placed(i64::MIN);
        for ((j, frame), earliest) in self.video.iter().enumerate().zip(&self.earliest_from) {
            if j > 0 && latest_before < *earliest && self.video.len() - j >= held {
                self.safe.push(j);
            }
            latest_before = latest_before.max(frame.at);
        }
    }

    /// When the first of the frames from that place on is presented.
    fn earliest(&self, border: usize) -> Placed {
        self.video.iter().skip(border).map(|frame| frame.at).min().unwrap_or_default()
    }

    fn has_sound_until(&self, end: Placed, heard: Monotonic, border: usize) -> bool {
        let expected = self.segment.is_some_and(|segment| segment.has_sound) || !self.audio.is_empty();
        !expected
            || self.audio.back().is_some_and(|frame| frame.at >= end)
            || heard.since(self.video[border].received) >= SOUND_LATE
    }

    fn emit(&mut self, border: usize, end: Placed, is_last: bool) -> Fragment {
        let frames: Vec<Frame> = self.video.drain(..border).collect();
        let begins = frames.first().and_then(|frame| frame.begins.clone());
        let first = frames.iter().map(|frame| frame.at).min();
        let mut segment = if let (None, Some(segment)) = (&begins, self.segment) {
            segment
        } else {
            let zero = first.unwrap_or(end).max(self.segment.map_or(Placed(i64::MIN), |previous| previous.end));
            let audio = begins.as_ref().and_then(|begins| begins.audio.as_ref());
            Segment {
                zero,
                end: zero,
                sequence: 0,
                next_video: 0,
                next_audio: 0,
                audio_rate: audio.map(|audio| audio.sample_rate),
                has_sound: false,
            }
        };
        segment.sequence = segment.sequence.saturating_add(1);
        let start = if begins.is_some() { segment.zero } else { first.unwrap_or(segment.end) };
        segment.end = end.max(segment.end);
        let (video_base, video) = segment.video(&frames);
        let (audio_base, audio) = segment.audio(&mut self.audio, is_last);
        segment.has_sound |= !audio.is_empty();
        self.bytes = self.video.iter().chain(&self.audio).map(|frame| frame.data.len()).sum();
        if let Some(last) = video.last() {
            self.step_us = Some(i64::from(last.duration) * 100 / 9);
        }
        self.segment = Some(segment);
        Fragment {
            begins,
            is_last,
            start,
            end: segment.end,
            arrived: frames.first().zip(frames.last()).map(|(first, last)| (first.received, last.received)),
            sequence: segment.sequence,
            video_base,
            video,
            audio_base,
            audio,
        }
    }
}

impl Segment {
    fn video(&mut self, frames: &[Frame]) -> (u64, Vec<Sample>) {
        let ticks = |at: Placed| ticks_between(self.zero, at, VIDEO_TIMESCALE);
        let mut decode: Vec<i64> = frames.iter().map(|frame| ticks(frame.at)).collect();
        decode.sort_unstable();
        let mut least = self.next_video;
        for time in &mut decode {
            *time = least.max(*time);
            least = time.saturating_add(1);
        }
        if frames.is_empty() {
            return (unsigned(self.next_video), Vec::new());
        }
        decode.push(least.max(ticks(self.end)));
        self.next_video = decode[frames.len()];
        let samples = frames.iter().zip(decode.windows(2)).map(|(frame, times)| Sample {
            duration: duration(times[0], times[1]),
            composition_offset: offset(ticks(frame.at), times[0]),
            is_key: frame.is_key,
            data: frame.data.clone(),
        });
        (unsigned(decode[0]), samples.collect())
    }

    /// The sound before the end of the pictures. The last of it stays if it is not known how long it is.
    fn audio(&mut self, queue: &mut VecDeque<Frame>, is_last: bool) -> (u64, Vec<Sample>) {
        let Some(rate) = self.audio_rate else {
            queue.clear();
            return (0, Vec::new());
        };
        let mut base = None;
        let mut samples: Vec<Sample> = Vec::new();
        while queue.front().is_some_and(|frame| frame.at < self.end) && (is_last || queue.len() > 1) {
            let Some(frame) = queue.pop_front() else { break };
            let start = ticks_between(self.zero, frame.at, rate);
            if start < 0 {
                // Sound of the segment before that came when that was closed.
                continue;
            }
            let start = start.max(self.next_audio);
            let guess = samples.last().map_or(1024, |sample| i64::from(sample.duration));
            let next = queue.front().map_or(start + guess, |next| ticks_between(self.zero, next.at, rate));
            self.next_audio = next.max(start + 1);
            base.get_or_insert(start);
            samples.push(Sample {
                duration: duration(start, self.next_audio),
                composition_offset: 0,
                is_key: true,
                data: frame.data,
            });
        }
        (unsigned(base.unwrap_or(self.next_audio)), samples)
    }
}

/// From one time to another, in ticks, rounded to the nearest; saturates.
fn ticks_between(from: Placed, to: Placed, rate: u32) -> i64 {
    let ticks = (i128::from(to.0) - i128::from(from.0)) * i128::from(rate);
    // Far from overflow in i128; far moments are clamped so that sums of them stay within i64.
    let ticks = (ticks + 500_000).div_euclid(1_000_000).clamp(i128::from(i64::MIN / 4), i128::from(i64::MAX / 4));
    i64::try_from(ticks).unwrap_or_default()
}

fn duration(from: i64, to: i64) -> u32 {
    u32::try_from(to.saturating_sub(from)).unwrap_or(u32::MAX)
}

fn offset(presented: i64, decoded: i64) -> i32 {
    let offset = presented.saturating_sub(decoded).clamp(i64::from(i32::MIN), i64::from(i32::MAX));
    i32::try_from(offset).unwrap_or_default()
}

fn unsigned(ticks: i64) -> u64 {
    u64::try_from(ticks).unwrap_or(0)
}

#[cfg(test)]
mod tests;
