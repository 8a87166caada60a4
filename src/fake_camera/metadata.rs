//! What the camera itself says of motion: a track of ONVIF metadata beside pictures and sound (ONVIF Streaming Specification,
//! 5.2.1.1), in step with who walks through its scene. Pure.
//!
//! Its moments are of 1970, as those of many cameras that were never told the time.

use std::time::Duration;

use super::fault::Faults;
use super::rtp::Sender;
use super::scene::{Scene, walks};

/// The dynamic payload type that the SDP names.
pub(crate) const PAYLOAD_TYPE: u8 = 107;

/// As the SDP names it.
pub(crate) const ENCODING_NAME: &str = "vnd.onvif.metadata";

/// Between two messages without news: where in the picture nothing is.
const PERIOD: Duration = Duration::from_secs(1);

/// Between two messages that are garbage.
const GARBAGE_PERIOD: Duration = Duration::from_millis(50);

/// A message that no camera sends.
const HUGE: usize = 10 * 1024 * 1024;

/// A piece of a message that has no end, at each look.
const PIECE: usize = 64 * 1024;

/// What one client's session is told.
pub(crate) struct Words {
    scene: Scene,
    number: u16,
    sender: Sender,
    /// What was told last.
    told: Option<bool>,
    /// The camera's time of the last message, and of the last look.
    last: Option<Duration>,
    looked: Duration,
}

impl Words {
    /// What the camera `number` says of its scene; `random` as for [`Sender::new`].
    pub(crate) fn new(scene: Scene, number: u16, random: [u8; 10]) -> Self {
        let sender = Sender::new(PAYLOAD_TYPE, random);
        Self { scene, number, sender, told: None, last: None, looked: Duration::ZERO }
    }

    pub(crate) fn sender(&self) -> &Sender {
        &self.sender
    }

    /// The packets of what is to be said at that time of the camera's. `stamp`: from a time in 90 kHz ticks to the one that is
    /// sent.
    pub(crate) fn due(&mut self, now: Duration, faults: &Faults, stamp: impl Fn(i64) -> i64) -> Vec<Vec<u8>> {
        let before = std::mem::replace(&mut self.looked, now);
        let ticks = stamp(i64::try_from(now.as_micros() * 9 / 100).unwrap_or(i64::MAX));
        if faults.drones(now) {
            // The same timestamp, and no marker: it goes on for ever.
            return self.sender.pieces(0, &vec![b'x'; PIECE]);
        }
        let since = self.last.map(|last| now.saturating_sub(last));
        if faults.mumbles(now) {
            if since.is_some_and(|since| since < GARBAGE_PERIOD) {
                return Vec::new();
            }
            self.last = Some(now);
            return self.sender.message(ticks, &garbage(now));
        }
        let mut packets = Vec::new();
        if faults.shouts(before, now) {
            let mut huge = b"<NotificationMessage>".to_vec();
            huge.resize(HUGE, b'<');
            packets.extend(self.sender.message(ticks, &huge));
        }
        let somebody = walks(self.scene, self.number)
            .take_while(|walk| walk.start <= now)
            .last()
            .is_some_and(|walk| now < walk.end);
        let text = if self.told != Some(somebody) {
            let operation = if self.told.is_none() { "Initialized" } else { "Changed" };
            motion(operation, somebody)
        } else if since.is_none_or(|since| since >= PERIOD) {
            nothing()
        } else {
            return packets;
        };
        (self.told, self.last) = (Some(somebody), Some(now));
        packets.extend(self.sender.message(ticks, text.as_bytes()));
        packets
    }

    /// The RTP timestamp of a time in 90 kHz ticks.
    pub(crate) fn timestamp(&self, media: i64) -> u32 {
        self.sender.timestamp(media)
    }
}

fn document(content: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<tt:MetadataStream xmlns:tt=\"http://www.onvif.org/ver10/schema\" \
         xmlns:wsnt=\"http://docs.oasis-open.org/wsn/b-2\" xmlns:tns1=\"http://www.onvif.org/ver10/topics\">{content}\
         </tt:MetadataStream>"
    )
}

fn motion(operation: &str, somebody: bool) -> String {
    document(&format!(
        "<tt:Event><wsnt:NotificationMessage><wsnt:Topic \
         Dialect=\"http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet\">tns1:RuleEngine/CellMotionDetector/Motion\
         </wsnt:Topic><wsnt:Message><tt:Message UtcTime=\"1970-01-01T00:00:00Z\" PropertyOperation=\"{operation}\"><tt:Source>\
         <tt:SimpleItem Name=\"VideoSourceConfigurationToken\" Value=\"main\"/><tt:SimpleItem Name=\"Rule\" \
         Value=\"MyMotionDetectorRule\"/></tt:Source><tt:Data><tt:SimpleItem Name=\"IsMotion\" Value=\"{somebody}\"/></tt:Data>\
         </tt:Message></wsnt:Message></wsnt:NotificationMessage></tt:Event>"
    ))
}

fn nothing() -> String {
    document("<tt:VideoAnalytics><tt:Frame UtcTime=\"1970-01-01T00:00:00Z\"/></tt:VideoAnalytics>")
}

/// By turns torn, nested without an end, not XML at all, and lies with a bomb in them.
fn garbage(now: Duration) -> Vec<u8> {
    let text = motion("Changed", true);
    match now.as_millis() / GARBAGE_PERIOD.as_millis() % 4 {
        0 => text.as_bytes()[..text.len() / 2].to_vec(),
        1 => format!("<NotificationMessage>{}", "<a>".repeat(50_000)).into_bytes(),
        2 => (0..=255).cycle().take(9_000).collect(),
        _ => format!("<!DOCTYPE x [<!ENTITY a \"{text}\"><!ENTITY b \"&a;&a;\">]><x>&b;</x>").into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_camera::rtp;

    fn said(words: &mut Words, ms: u64, faults: &str) -> Option<String> {
        let faults: Faults = faults.parse().expect("faults");
        let packets = words.due(Duration::from_millis(ms), &faults, |ticks| ticks);
        let (last, rest) = packets.split_last()?;
        assert!(rest.iter().all(|packet| packet[1] >> 7 == 0) && last[1] >> 7 == 1, "the marker ends the message");
        let bytes: Vec<u8> = packets.into_iter().flat_map(|mut packet| rtp::payload(&mut packet).to_vec()).collect();
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn it_says_when_somebody_comes_and_goes_and_now_and_then_that_there_is_nothing_new() {
        let mut words = Words::new(Scene::Walker, 0, [3; 10]);
        let first = said(&mut words, 7_500, "").expect("the state at the beginning");
        assert!(first.contains("Initialized") && first.contains("Value=\"false\""), "{first}");
        assert_eq!(said(&mut words, 7_900, ""), None);
        let begin = said(&mut words, 8_000, "").expect("somebody walks from 8 to 13 s");
        assert!(begin.contains("Changed") && begin.contains("Value=\"true\""), "{begin}");
        let between = said(&mut words, 9_000, "").expect("a second passed");
        assert!(!between.contains("NotificationMessage"), "{between}");
        let end = said(&mut words, 13_000, "").expect("gone");
        assert!(end.contains("Changed") && end.contains("Value=\"false\""), "{end}");
    }

    #[test]
    fn what_goes_wrong_goes_wrong_on_the_wire() {
        let mut words = Words::new(Scene::Empty, 0, [3; 10]);
        for ms in [20_000, 20_050, 20_100, 20_150] {
            assert!(said(&mut words, ms, "mumble@20s:1s").is_some_and(|text| text.len() > 300));
        }
        let faults = "shout@30s";
        assert!(said(&mut words, 29_990, faults).is_some_and(|text| text.len() < 2_000));
        let packets = words.due(Duration::from_secs(31), &faults.parse().expect("faults"), |ticks| ticks);
        assert!(packets.iter().map(Vec::len).sum::<usize>() > HUGE);
        let drone: Faults = "drone@40s:1s".parse().expect("faults");
        let packets = words.due(Duration::from_secs(40), &drone, |ticks| ticks);
        assert!(packets.iter().all(|packet| packet[1] >> 7 == 0));
    }
}
