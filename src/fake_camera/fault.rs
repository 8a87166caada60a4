//! What goes wrong with a fake camera, and when: the grammar of `--fault`. Pure.
//!
//! Faults are separated by commas. Times count from the camera's start and are written as `500ms`, `20s`, `1.5m` or `1h`:
//!
//! | fault | what happens |
//! | --- | --- |
//! | `stall@20s:5s` | connections stand, but no picture is sent for 5 s, and then first a key frame |
//! | `drop@20s`, `drop@20s:10s` | every connection ends; for 10 s none is taken |
//! | `garbage@20s:2s` | for 2 s RTP packets carry random bytes |
//! | `cseq@20s:2s` | players get an answer to a question they never asked; for 2 s every answer has a wrong `CSeq` |
//! | `jump@20s:+1h`, `jump@20s:-90s` | RTP timestamps jump |
//! | `wrap@20s` | RTP timestamps pass 2³² |
//! | `b-frames` | pictures are sent in another order than they are shown |
//! | `resolution@20s:640x360` | pictures of the main stream have another size from then on |
//! | `loss:5%` | that part of the UDP datagrams is lost |
//! | `rtcp-silent` | no sender reports |
//! | `mute` | what it says itself of motion may not be set up, though it is described |
//! | `sulk` | whoever set that up may not play |
//! | `mumble@20s:5s` | for 5 s what it says itself of motion is garbage |
//! | `shout@20s` | it says something of 10 MB |
//! | `drone@20s:5s` | for 5 s it says something without an end |
//! | `basic` | every second connection is asked for its password in clear text, and not by digest |
//!
//! A camera that loops a file sends it in its own order and size.

use std::str::FromStr;
use std::time::Duration;

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    Stall(Window),
    Drop(Window),
    Garbage(Window),
    CSeq(Window),
    Jump { at: Duration, micros: i64 },
    Wrap { at: Duration },
    BFrames,
    Resolution { at: Duration, size: (u32, u32) },
    Loss { part: f64 },
    RtcpSilent,
    Mute,
    Sulk,
    Mumble(Window),
    Shout { at: Duration },
    Drone(Window),
    Basic,
}

/// From when and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    at: Duration,
    length: Duration,
}

impl Window {
    fn holds(self, now: Duration) -> bool {
        now.checked_sub(self.at).is_some_and(|since| since < self.length)
    }
}

/// Everything that goes wrong with one camera; nothing by default.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Faults(Vec<Fault>);

/// A text that is no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseFaultError {
    /// None of the names.
    #[error(
        "{0:?} is no fault; there are stall@20s:5s, drop@20s:10s, garbage@20s:2s, cseq@20s:2s, jump@20s:-1h, wrap@20s, \
         b-frames, resolution@20s:640x360, loss:5%, rtcp-silent, mute, sulk, mumble@20s:5s, shout@20s, drone@20s:5s and basic"
    )]
    Unknown(String),
    /// A name, but not what belongs to it.
    #[error("{given:?} is written as {example}")]
    Written {
        /// As it was typed.
        given: String,
        /// One that is right.
        example: &'static str,
    },
}

/// What happens to a connection at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// It ends.
    Drop,
    /// An answer is sent that nobody asked for.
    StrayAnswer,
}

impl Faults {
    /// Whether no picture is sent now.
    pub(crate) fn stalls(&self, now: Duration) -> bool {
        self.0.iter().any(|fault| matches!(fault, Fault::Stall(window) if window.holds(now)))
    }

    /// Whether connections end as soon as they are taken.
    pub(crate) fn is_away(&self, now: Duration) -> bool {
        self.0.iter().any(|fault| matches!(fault, Fault::Drop(window) if window.holds(now)))
    }

    /// Whether packets carry random bytes now.
    pub(crate) fn is_garbage(&self, now: Duration) -> bool {
        self.0.iter().any(|fault| matches!(fault, Fault::Garbage(window) if window.holds(now)))
    }

    /// Whether answers have a wrong `CSeq` now.
    pub(crate) fn confuses_answers(&self, now: Duration) -> bool {
        self.0.iter().any(|fault| matches!(fault, Fault::CSeq(window) if window.holds(now)))
    }

    /// What happens to connections first after `now`, and when.
    pub(crate) fn next_event(&self, now: Duration) -> Option<(Duration, Event)> {
        let events = self.0.iter().filter_map(|fault| match fault {
            Fault::Drop(window) => Some((window.at, Event::Drop)),
            Fault::CSeq(window) => Some((window.at, Event::StrayAnswer)),
            _ => None,
        });
        events.filter(|(at, _)| *at > now).min_by_key(|(at, _)| *at)
    }

    /// What a presentation time (90 kHz) is sent as.
    pub(crate) fn sent_as(&self, pts: i64) -> i64 {
        let jumps = self.0.iter().filter_map(|fault| match fault {
            Fault::Jump { at, micros } if pts >= ticks(*at) => Some(micros * 9 / 100),
            _ => None,
        });
        jumps.fold(pts, i64::wrapping_add)
    }

    /// What is added to presentation times so that they pass 2³² when told to.
    pub(crate) fn timestamp_offset(&self) -> Option<u32> {
        self.0.iter().find_map(|fault| match fault {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "timestamps wrap at 32 bits")]
            Fault::Wrap { at } => Some((ticks(*at) as u32).wrapping_neg()),
            _ => None,
        })
    }

    /// Whether pictures are shuffled.
    pub(crate) fn b_frames(&self) -> bool {
        self.0.contains(&Fault::BFrames)
    }

    /// The sizes that follow the first one, each with its moment, in order.
    pub(crate) fn sizes(&self) -> Vec<(Duration, (u32, u32))> {
        let mut sizes: Vec<_> = self
            .0
            .iter()
            .filter_map(|fault| match fault {
                Fault::Resolution { at, size } => Some((*at, *size)),
                _ => None,
            })
            .collect();
        sizes.sort_by_key(|(at, _)| *at);
        sizes
    }

    /// Whether a datagram is lost; `random` is any 16 bits.
    pub(crate) fn loses(&self, random: u16) -> bool {
        self.0.iter().any(|fault| matches!(fault, Fault::Loss { part } if f64::from(random) < part * 65_536.0))
    }

    /// Whether the connection that was asked for a password after so many others is asked in clear text.
    pub(crate) fn asks_in_clear_text(&self, others: usize) -> bool {
        !others.is_multiple_of(2) && self.0.contains(&Fault::Basic)
    }

    /// Whether its metadata may not be set up.
    pub(crate) fn is_mute(&self) -> bool {
        self.0.contains(&Fault::Mute)
    }

    /// Whether nothing is played to whoever set its metadata up.
    pub(crate) fn sulks(&self) -> bool {
        self.0.contains(&Fault::Sulk)
    }

    /// Whether its metadata is garbage now.
    pub(crate) fn mumbles(&self, now: Duration) -> bool {
        self.0.iter().any(|fault| matches!(fault, Fault::Mumble(window) if window.holds(now)))
    }

    /// Whether a huge message is due since the last look.
    pub(crate) fn shouts(&self, before: Duration, now: Duration) -> bool {
        self.0.iter().any(|fault| matches!(fault, Fault::Shout { at } if before < *at && *at <= now))
    }

    /// Whether a message without an end goes on now.
    pub(crate) fn drones(&self, now: Duration) -> bool {
        self.0.iter().any(|fault| matches!(fault, Fault::Drone(window) if window.holds(now)))
    }

    /// Whether there are no sender reports.
    pub(crate) fn is_rtcp_silent(&self) -> bool {
        self.0.contains(&Fault::RtcpSilent)
    }
}

/// In ticks of 1/90,000 s.
fn ticks(time: Duration) -> i64 {
    i64::try_from(time.as_micros() * 9 / 100).unwrap_or(i64::MAX)
}

impl FromStr for Faults {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Self, ParseFaultError> {
        text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(fault).collect::<Result<_, _>>().map(Self)
    }
}

fn fault(text: &str) -> Result<Fault, ParseFaultError> {
    let name = text.split(['@', ':']).next().unwrap_or_default();
    let example = match name {
        "stall" => "stall@20s:5s",
        "drop" => "drop@20s or drop@20s:10s",
        "garbage" => "garbage@20s:2s",
        "cseq" => "cseq@20s:2s",
        "jump" => "jump@20s:+1h or jump@20s:-90s",
        "wrap" => "wrap@20s",
        "b-frames" => "b-frames",
        "resolution" => "resolution@20s:640x360, with even numbers from 320x180 to 3840x2160",
        "loss" => "loss:5%, at most 100%",
        "rtcp-silent" => "rtcp-silent",
        "mute" => "mute",
        "sulk" => "sulk",
        "mumble" => "mumble@20s:5s",
        "shout" => "shout@20s",
        "drone" => "drone@20s:5s",
        "basic" => "basic",
        _ => return Err(ParseFaultError::Unknown(text.to_owned())),
    };
    read(name, &text[name.len()..]).ok_or_else(|| ParseFaultError::Written { given: text.to_owned(), example })
}

/// What follows a name is `@moment`, `@moment:more`, `:more` or nothing.
fn read(name: &str, rest: &str) -> Option<Fault> {
    if let Some(part) = rest.strip_prefix(':') {
        let percent: f64 = part.strip_suffix('%')?.parse().ok()?;
        return (name == "loss" && (0.0..=100.0).contains(&percent)).then_some(Fault::Loss { part: percent / 100.0 });
    }
    let Some(times) = rest.strip_prefix('@') else {
        return match (name, rest) {
            ("b-frames", "") => Some(Fault::BFrames),
            ("rtcp-silent", "") => Some(Fault::RtcpSilent),
            ("mute", "") => Some(Fault::Mute),
            ("sulk", "") => Some(Fault::Sulk),
            ("basic", "") => Some(Fault::Basic),
            _ => None,
        };
    };
    let (at, more) = times.split_once(':').map_or((times, None), |(at, more)| (at, Some(more)));
    let at = length(at)?;
    let window = || Some(Window { at, length: length(more?)? });
    match name {
        "stall" => window().map(Fault::Stall),
        "garbage" => window().map(Fault::Garbage),
        "cseq" => window().map(Fault::CSeq),
        "mumble" => window().map(Fault::Mumble),
        "drone" => window().map(Fault::Drone),
        "shout" => more.is_none().then_some(Fault::Shout { at }),
        "drop" => match more {
            None => Some(Fault::Drop(Window { at, length: Duration::ZERO })),
            Some(_) => window().map(Fault::Drop),
        },
        "jump" => {
            let (sign, by) = more.and_then(|by| Some((by.get(..1)?, by.get(1..)?)))?;
            let by = i64::try_from(length(by)?.as_micros()).ok()?;
            match sign {
                "+" => Some(Fault::Jump { at, micros: by }),
                "-" => Some(Fault::Jump { at, micros: -by }),
                _ => None,
            }
        }
        "wrap" => more.is_none().then_some(Fault::Wrap { at }),
        "resolution" => {
            let (width, height) = more?.split_once('x')?;
            let size = (width.parse().ok()?, height.parse().ok()?);
            super::is_possible(size).then_some(Fault::Resolution { at, size })
        }
        _ => None,
    }
}

/// At most a thousand hours, so that no sum of times overflows.
fn length(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let scale = match &text[digits.len()..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => return None,
    };
    let seconds = digits.parse::<f64>().ok()? * scale;
    (0.0..=3_600_000.0).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn faults(text: &str) -> Faults {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn each_fault_is_read_and_holds_when_it_says() {
        let all = faults(
            "stall@20s:5s, drop@40s:10s,drop@100s,garbage@1m:500ms,cseq@70s:2s,jump@80s:-1h,jump@90s:+90s,b-frames,\
             resolution@2m:640x360,resolution@1.5m:320x180,rtcp-silent,loss:5%,basic,mute,sulk,mumble@3s:1s,shout@5s,drone@6s:1s",
        );
        assert_eq!([19, 20, 24, 25].map(|at| all.stalls(s(at))), [false, true, true, false]);
        assert_eq!([39, 40, 49, 50, 100].map(|at| all.is_away(s(at))), [false, true, true, false, false]);
        assert_eq!([59, 60, 61].map(|at| all.is_garbage(s(at))), [false, true, false]);
        assert_eq!([69, 71, 72].map(|at| all.confuses_answers(s(at))), [false, true, false]);
        assert_eq!(all.next_event(s(0)), Some((s(40), Event::Drop)));
        assert_eq!(all.next_event(s(40)), Some((s(70), Event::StrayAnswer)));
        assert_eq!(all.next_event(s(100)), None);
        let second = 90_000;
        let sent = [79, 80, 89, 90].map(|at| all.sent_as(at * second) / second - at);
        assert_eq!(sent, [0, -3600, -3600, -3510]);
        assert_eq!(all.sizes(), [(s(90), (320, 180)), (s(120), (640, 360))]);
        assert!(all.b_frames() && all.is_rtcp_silent() && all.is_mute() && all.sulks());
        assert_eq!([2, 3, 4].map(|at| all.mumbles(s(at))), [false, true, false]);
        assert_eq!([5, 6, 7].map(|at| all.drones(s(at))), [false, true, false]);
        assert_eq!([(3, 4), (4, 5), (5, 6)].map(|(from, to)| all.shouts(s(from), s(to))), [false, true, false]);
        assert_eq!([0, 1, 2, 3].map(|others| all.asks_in_clear_text(others)), [false, true, false, true]);
        assert!(!faults("").asks_in_clear_text(1));
        let lost = (0..=u16::MAX).filter(|random| all.loses(*random)).count();
        assert_eq!(lost, 65_536 * 5 / 100 + 1);
        assert_eq!(faults(""), Faults::default());
    }

    #[test]
    fn timestamps_wrap_when_told_to() {
        let offset = faults("wrap@20s").timestamp_offset().expect("told");
        assert_eq!(1_800_000_u32.wrapping_add(offset), 0);
        assert_eq!(faults("drop@1s").timestamp_offset(), None);
    }

    #[test]
    fn what_is_wrong_is_said_with_an_example() {
        let said = |text: &str| text.parse::<Faults>().expect_err(text).to_string();
        assert!(said("explode").contains("\"explode\" is no fault; there are stall@20s:5s"), "{}", said("explode"));
        for (text, example) in [
            ("stall@20s", "stall@20s:5s"),
            ("stall@20:5", "stall@20s:5s"),
            ("jump@20s:1h", "jump@20s:+1h"),
            ("loss:101%", "loss:5%"),
            ("resolution@2s:641x360", "even numbers"),
            ("b-frames@2s", "b-frames"),
            ("wrap@2s:3s", "wrap@20s"),
            ("basic@2s", "basic"),
            ("drop@-1s", "drop@20s"),
            ("cseq@1e300h:1s", "cseq@20s:2s"),
        ] {
            assert!(said(text).contains(example) && said(text).contains(text), "{}", said(text));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[a-z@:,0-9.%x+µ-]{0,40}", now in any::<u32>(), pts in any::<i64>()) {
            if let Ok(faults) = text.parse::<Faults>() {
                faults.sent_as(pts);
                faults.next_event(Duration::from_millis(now.into()));
            }
        }
    }
}
