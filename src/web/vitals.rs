//! How a camera's line does, in words: whole pictures, loss, reconnects, missing time, and by what it is known. Pure.

use std::time::Duration;

use crate::camera::identity::Evidence;
use crate::camera::status::{Link, StreamStatus};
use crate::record::segment::GapCause;
use crate::web::board::CameraCounters;
use crate::web::texts::{many, say, say_with};
use crate::web::words;

/// One thing that is known, under its name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Vital {
    pub(crate) name: &'static str,
    pub(crate) words: String,
}

/// What was measured and counted since the recorder started.
pub(crate) fn vitals(status: &StreamStatus, counters: &CameraCounters) -> Vec<Vital> {
    let mut vitals = Vec::new();
    let interval = status.key_frame_interval.filter(|_| status.link == Link::Streaming);
    if let Some(interval) = interval {
        let words = say_with("every {seconds} seconds", &[("seconds", &format!("{:.1}", interval.as_secs_f32()))]);
        vitals.push(Vital { name: say("Whole pictures"), words });
    }
    let reconnects = match status.reconnects {
        0 => say("never interrupted").to_owned(),
        count => many(count, "interrupted once", "{count} times interrupted"),
    };
    vitals.push(Vital { name: say("Connection"), words: reconnects });
    let lost = match status.lost_packets {
        0 => say("nothing").to_owned(),
        count => many(count, "one packet", "{count} packets"),
    };
    vitals.push(Vital { name: say("Lost on the network"), words: lost });
    vitals.push(Vital { name: say("Not recorded"), words: missing(counters) });
    vitals
}

/// How much time is missing since the recorder started, and mostly why.
fn missing(counters: &CameraCounters) -> String {
    let lost = GapCause::ALL.map(|cause| (counters.lost_us(cause), cause));
    let whole: u64 = lost.iter().map(|(lost, _)| lost).sum();
    let most = lost.into_iter().max_by_key(|(lost, _)| *lost).filter(|(lost, _)| *lost > 0);
    match most {
        None => say("nothing").to_owned(),
        Some((_, cause)) => {
            let length = words::length(Duration::from_micros(whole).max(Duration::from_secs(1)));
            say_with("{length}, mostly because {cause}", &[("length", &length), ("cause", &words::cause(cause))])
        }
    }
}

/// By what a camera is told from any other, without saying it: what is pinned is nobody's to copy from a page.
pub(crate) fn known_by(evidence: &Evidence) -> String {
    let names = [
        (evidence.mac.is_some(), say("its network card")),
        (evidence.uuid.is_some(), say("its ONVIF name")),
        (evidence.serial.is_some(), say("its serial number")),
        (evidence.txt.is_some(), say("what it announces of itself")),
    ];
    let names: Vec<_> = names.into_iter().filter(|(is_known, _)| *is_known).map(|(_, name)| name).collect();
    match names.split_last() {
        None => say("only by what its streams look like").to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => say_with("{others} and {last}", &[("others", &others.join(", ")), ("last", last)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::UtcMicros;

    #[test]
    fn a_line_that_does_well_is_told_from_one_that_does_not() {
        let words = |status: &StreamStatus, counters: &CameraCounters| {
            vitals(status, counters)
                .into_iter()
                .map(|vital| format!("{}: {}", vital.name, vital.words))
                .collect::<Vec<_>>()
        };
        let counters = CameraCounters::default();
        let status = StreamStatus {
            link: Link::Streaming,
            key_frame_interval: Some(Duration::from_millis(2_040)),
            ..StreamStatus::new(UtcMicros(0))
        };
        assert_eq!(
            words(&status, &counters),
            [
                "Whole pictures: every 2.0 seconds",
                "Connection: never interrupted",
                "Lost on the network: nothing",
                "Not recorded: nothing"
            ]
        );
        counters.add_lost(GapCause::CameraStalled, Duration::from_secs(100));
        counters.add_lost(GapCause::PacketLoss, Duration::from_secs(20));
        let status = StreamStatus { reconnects: 3, lost_packets: 1, ..StreamStatus::new(UtcMicros(0)) };
        assert_eq!(
            words(&status, &counters),
            [
                "Connection: 3 times interrupted",
                "Lost on the network: one packet",
                "Not recorded: 2 minutes, mostly because the camera sent no pictures"
            ]
        );
    }

    #[test]
    fn a_camera_is_known_by_what_is_pinned_of_it_and_nothing_of_that_is_told() {
        assert_eq!(known_by(&Evidence::default()), "only by what its streams look like");
        let one = Evidence { serial: Some("4711".into()), ..Evidence::default() };
        assert_eq!(known_by(&one), say("its serial number"));
        let two = Evidence { uuid: Some("abc".into()), txt: Some("id=9".into()), ..one };
        assert_eq!(known_by(&two), "its ONVIF name, its serial number and what it announces of itself");
    }
}
