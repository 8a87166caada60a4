//! Why something was taken for motion, and why something was not, in words. Pure.

use crate::detect::counters::Dismissed;
use crate::detect::why::{How, Place, Reason, Why};
use crate::units::UtcMicros;
use crate::web::texts::{say, say_with};
use crate::web::words::{self, Show};

/// One thing that was not taken for motion, as the cameras page says it. `when` is a `<time>` element of our own.
pub(crate) struct DismissedInWords {
    pub(crate) when: String,
    pub(crate) what: String,
}

/// Newest first.
pub(crate) fn dismissed(newest_last: &[Dismissed], now: UtcMicros) -> Vec<DismissedInWords> {
    let in_words = |dismissed: &Dismissed| DismissedInWords {
        when: words::time(dismissed.at, Show::Full, now),
        what: match dismissed.reason {
            Reason::Scene | Reason::Damaged => reason(dismissed.reason).to_owned(),
            _ => format!("{}, {}", where_in(&dismissed.place), reason(dismissed.reason)),
        },
    };
    newest_last.iter().rev().map(in_words).collect()
}

/// A sentence for an event's page.
pub(crate) fn event(why: &Why, zones: &[String]) -> String {
    let what = match why.how {
        How::Moved => say_with("Something moved, {speed}", &[("speed", &speed(why.speed))]),
        How::Grew => say("Something came toward the camera").to_owned(),
    };
    let zones = match zones {
        [] => String::new(),
        zones => say_with(", through {zones}", &[("zones", &words::zones(zones, say(" and ")))]),
    };
    say_with(
        "{what}{zones}. It was largest {where}: {width} of the width and {height} of the height of the picture.",
        &[
            ("what", &what),
            ("zones", &zones),
            ("where", &where_in(&why.place)),
            ("width", &part(why.place.0[2])),
            ("height", &part(why.place.0[3])),
        ],
    )
}

/// Slower than this, in widths of the picture a second, nobody would call it going.
const HARDLY: f32 = 0.02;

fn speed(widths_a_second: f32) -> String {
    if widths_a_second.is_nan() {
        say("at a speed that is not known").to_owned()
    } else if widths_a_second < HARDLY {
        say("hardly from its place").to_owned()
    } else {
        say_with("at up to {part} of the picture's width a second", &[("part", &part(widths_a_second))])
    }
}

fn part(part: f32) -> String {
    format!("{:.0} %", (part * 100.0).clamp(0.0, 999.0))
}

/// In which ninth of the picture.
fn where_in(place: &Place) -> &'static str {
    let [left, top, width, height] = place.0;
    let third = |middle: f32| match middle {
        first if first < 1.0 / 3.0 => 0,
        last if last > 2.0 / 3.0 => 2,
        _ => 1,
    };
    match (third(top + height / 2.0), third(left + width / 2.0)) {
        (0, 0) => say("at the upper left"),
        (0, 1) => say("at the top"),
        (0, _) => say("at the upper right"),
        (1, 0) => say("at the left"),
        (1, 1) => say("in the middle"),
        (1, _) => say("at the right"),
        (_, 0) => say("at the lower left"),
        (_, 1) => say("at the bottom"),
        _ => say("at the lower right"),
    }
}

fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Light => say("only the light changed"),
        Reason::Scene => say("the whole picture changed at once: a lamp, the infrared switch, or the camera was moved"),
        Reason::Masked => say("it was in a mask"),
        Reason::Clutter => say("it did not stand out from rain, snow, insects or leaves"),
        Reason::Wavering => say("it moved but went nowhere, as leaves and webs do"),
        Reason::Small => say("it was too small at this sensitivity"),
        Reason::Damaged => say("the picture was damaged on its way"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_says_what_was_seen_where() {
        let why = Why { how: How::Moved, place: Place([0.05, 0.7, 0.1, 0.3]), speed: 0.12 };
        let said = event(&why, &["path".to_owned()]);
        assert_eq!(
            said,
            "Something moved, at up to 12 % of the picture's width a second, through path. It was largest at the lower \
             left: 10 % of the width and 30 % of the height of the picture."
        );
        let grew = Why { how: How::Grew, speed: f32::NAN, ..why };
        assert!(event(&grew, &[]).starts_with("Something came toward the camera. It was"));
        assert!(event(&Why { speed: f32::NAN, ..why }, &[]).contains("not known"));
    }

    #[test]
    fn the_newest_that_was_dismissed_comes_first() {
        let at = |at, reason| Dismissed { at: UtcMicros(at), reason, place: Place([0.4, 0.4, 0.1, 0.1]) };
        let said = dismissed(&[at(1_000_000, Reason::Light), at(2_000_000, Reason::Scene)], UtcMicros(3_000_000));
        assert!(said[0].what.starts_with("the whole picture"));
        assert_eq!(said[1].what, "in the middle, only the light changed");
    }
}
