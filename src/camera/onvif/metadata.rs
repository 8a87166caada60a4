//! What a message of a camera's metadata track says of motion (ONVIF Streaming Specification, 5.2.1.1; ONVIF Core, 9: events).
//! Pure.
//!
//! Cameras name motion in several ways, and prefixes of namespaces are any they like: topics are held against the names below
//! without them. Moments in a message are not read: they are by the camera's clock, and many stand in 1970.

use crate::camera::onvif::xml::{self, Element, LONGEST};

/// The most things that one message says.
const MOST: usize = 64;
/// The longest name of who says something, in characters.
const LONGEST_NAME: usize = 200;
/// Without this word a message says nothing: most are about where in the picture something is.
const WORD: &[u8] = b"NotificationMessage";

/// One thing that a message says of motion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Which of the camera's detectors says it, and of what: only to be compared. At most 200 characters.
    pub who: String,
    /// Whether something moves, by that detector.
    pub moves: Moves,
}

/// Whether something moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moves {
    /// Yes.
    Something,
    /// No, or there is no such detector any more.
    Nothing,
}

/// What the message says of motion, in its order; nothing if it says nothing, or cannot be understood.
pub fn read(message: &[u8]) -> Vec<Said> {
    // Some cameras send a string with its end.
    let message = message.trim_ascii_end();
    let message = &message[..message.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)];
    if message.len() > LONGEST || !message.windows(WORD.len()).any(|window| window == WORD) {
        return Vec::new();
    }
    let Ok(root) = xml::read(message) else { return Vec::new() };
    let events = root.all("MetadataStream").flat_map(|stream| stream.all("Event"));
    events.flat_map(|event| event.all("NotificationMessage")).filter_map(said).take(MOST).collect()
}

fn said(notification: &Element) -> Option<Said> {
    let topic: Vec<&str> = notification.text_of(&["Topic"])?.split('/').map(local).collect();
    let message = notification.find(&["Message", "Message"])?;
    let who = || {
        let items = ["Source", "Key"].into_iter().flat_map(|part| items(message, part));
        let names = topic.iter().copied().chain(items.flat_map(|(name, value)| [name, value]));
        names.flat_map(|name| ["/", name]).flat_map(str::chars).take(LONGEST_NAME).collect()
    };
    if !is_motion(&topic) {
        return None;
    }
    if message.attribute("PropertyOperation") == Some("Deleted") {
        return Some(Said { who: who(), moves: Moves::Nothing });
    }
    let moves = items(message, "Data").find_map(|(name, value)| {
        const NAMES: [&str; 4] = ["IsMotion", "State", "Motion", "Active"];
        if !NAMES.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return None;
        }
        match value.trim() {
            "1" => Some(Moves::Something),
            "0" => Some(Moves::Nothing),
            word if word.eq_ignore_ascii_case("true") => Some(Moves::Something),
            word if word.eq_ignore_ascii_case("false") => Some(Moves::Nothing),
            _ => None,
        }
    });
    Some(Said { who: who(), moves: moves? })
}

/// Whether a topic, by its names without prefixes, tells when something moves.
fn is_motion(topic: &[&str]) -> bool {
    matches!(
        topic,
        // ONVIF's own.
        ["VideoSource", "MotionAlarm"]
            | ["RuleEngine", "CellMotionDetector" | "MotionRegionDetector", "Motion"]
            // Axis: the detector of old firmware, the one that could be installed then, and the one of today.
            | ["VideoAnalytics", "MotionDetection"]
            | ["RuleEngine", "VMD3", _]
            | ["CameraApplicationPlatform", "VMD", _]
            // Hanwha, by camera; some name the area behind it.
            | ["VideoSource", "MotionDetection", ..]
            | ["VideoAnalytics", "MotionDetection", _]
    )
}

/// A name without its namespace's prefix.
fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local).trim()
}

/// Names and values of the simple items in a part of a message.
fn items<'a>(message: &'a Element, part: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let all = message.all(part).flat_map(|part| part.all("SimpleItem"));
    all.filter_map(|item| Some((item.attribute("Name")?, item.attribute("Value")?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Moves::{Nothing, Something};
    use proptest::prelude::*;

    /// As a camera sends it, around the topic and what stands in its message.
    fn message(topic: &str, operation: &str, content: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<tt:MetadataStream xmlns:tt=\"http://www.onvif.org/ver10/schema\" \
             xmlns:wsnt=\"http://docs.oasis-open.org/wsn/b-2\" xmlns:tns1=\"http://www.onvif.org/ver10/topics\"><tt:Event>\
             <wsnt:NotificationMessage><wsnt:Topic Dialect=\"http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet\">\
             {topic}</wsnt:Topic><wsnt:Message><tt:Message UtcTime=\"1970-01-01T00:00:07Z\" \
             PropertyOperation=\"{operation}\">{content}</tt:Message></wsnt:Message></wsnt:NotificationMessage></tt:Event>\
             </tt:MetadataStream>"
        )
    }

    fn data(name: &str, value: &str) -> String {
        format!("<tt:Data><tt:SimpleItem Name=\"{name}\" Value=\"{value}\"/></tt:Data>")
    }

    fn moves(message: &str) -> Vec<Moves> {
        read(message.as_bytes()).into_iter().map(|said| said.moves).collect()
    }

    #[test]
    fn each_make_s_way_to_say_it_is_understood() {
        for (topic, name, yes, no) in [
            // Hikvision, Dahua, Reolink, D-Link.
            ("tns1:VideoSource/MotionAlarm", "State", "true", "false"),
            ("tns1:RuleEngine/CellMotionDetector/Motion", "IsMotion", "true", "false"),
            ("tns1:RuleEngine/MotionRegionDetector/Motion", "State", "true", "false"),
            // Axis: three firmwares.
            ("tns1:VideoAnalytics/tnsaxis:MotionDetection", "motion", "1", "0"),
            ("tns1:RuleEngine/tnsaxis:VMD3/vmd3_video_1", "active", "1", "0"),
            ("tnsaxis:CameraApplicationPlatform/VMD/Camera1ProfileANY", "active", "1", "0"),
            // Hanwha.
            ("tns1:VideoAnalytics/tnssamsung:MotionDetection", "State", "true", "false"),
            // Prefixes are anybody's.
            ("x:RuleEngine/y:CellMotionDetector/z:Motion", "IsMotion", "True", "False"),
            (" RuleEngine/CellMotionDetector/Motion ", "IsMotion", "1", "0"),
        ] {
            for operation in ["Initialized", "Changed"] {
                assert_eq!(moves(&message(topic, operation, &data(name, yes))), [Something], "{topic} {operation}");
                assert_eq!(moves(&message(topic, operation, &data(name, no))), [Nothing], "{topic} {operation}");
            }
            assert_eq!(moves(&message(topic, "Deleted", &data(name, yes))), [Nothing], "{topic}");
            assert_eq!(moves(&message(topic, "Deleted", "")), [Nothing], "{topic}");
        }
    }

    #[test]
    fn a_message_as_an_axis_camera_sends_it() {
        // Without a dialect of ONVIF's own, with an address, an empty key, and a topic in its maker's namespace.
        let bytes = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<tt:MetadataStream xmlns:tt=\"http://www.onvif.org/ver10/schema\">\n\
            <tt:Event><wsnt:NotificationMessage xmlns:tns1=\"http://www.onvif.org/ver10/topics\" \
            xmlns:tnsaxis=\"http://www.axis.com/2009/event/topics\" xmlns:wsnt=\"http://docs.oasis-open.org/wsn/b-2\" \
            xmlns:wsa5=\"http://www.w3.org/2005/08/addressing\"><wsnt:Topic \
            Dialect=\"http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple\">tnsaxis:CameraApplicationPlatform/VMD/Camera1Profile1\
            </wsnt:Topic><wsnt:ProducerReference><wsa5:Address>uri://example/ProducerReference</wsa5:Address>\
            </wsnt:ProducerReference><wsnt:Message><tt:Message UtcTime=\"2019-03-12T23:48:28.425164Z\" \
            PropertyOperation=\"Changed\"><tt:Source></tt:Source><tt:Key></tt:Key><tt:Data><tt:SimpleItem Name=\"active\" \
            Value=\"1\"/></tt:Data></tt:Message></wsnt:Message></wsnt:NotificationMessage></tt:Event></tt:MetadataStream>\n";
        let said = Said { who: "/CameraApplicationPlatform/VMD/Camera1Profile1".to_owned(), moves: Something };
        assert_eq!(read(bytes), [said]);
    }

    #[test]
    fn detectors_are_told_apart_by_topic_source_and_key() {
        let source = |token: &str| {
            format!(
                "<tt:Source><tt:SimpleItem Name=\"VideoSourceConfigurationToken\" Value=\"{token}\"/><tt:SimpleItem \
                 Name=\"Rule\" Value=\"MyMotionDetectorRule\"/></tt:Source>{}",
                data("IsMotion", "true")
            )
        };
        let topic = "tns1:RuleEngine/CellMotionDetector/Motion";
        let who = |message: &str| read(message.as_bytes())[0].who.clone();
        let first = who(&message(topic, "Changed", &source("000")));
        assert_eq!(
            first,
            "/RuleEngine/CellMotionDetector/Motion/VideoSourceConfigurationToken/000/Rule/MyMotionDetectorRule"
        );
        assert_eq!(first, who(&message(topic, "Deleted", &source("000"))));
        assert_ne!(first, who(&message(topic, "Changed", &source("001"))));
        assert_ne!(first, who(&message("tns1:RuleEngine/MotionRegionDetector/Motion", "Changed", &source("000"))));
    }

    #[test]
    fn several_things_in_one_message_keep_their_order() {
        let one = message("tns1:VideoSource/MotionAlarm", "Initialized", &data("State", "true"));
        let begin = one.find("<tt:Event>").expect("there");
        let end = one.find("</tt:MetadataStream>").expect("there");
        let event = &one[begin..end];
        let both = format!("{}{event}{}{}", &one[..begin], event.replace("true", "false"), &one[end..]);
        assert_eq!(moves(&both), [Something, Nothing]);
        let many = format!("{}{}{}", &one[..begin], event.repeat(200), &one[end..]);
        assert_eq!(moves(&many).len(), MOST);
        // With the end of a string behind it, and as many namespaces as some cameras declare.
        assert_eq!(moves(&format!("{one}\n\0\0")), [Something]);
        let namespaces = (0..70).map(|n| format!(" xmlns:n{n}=\"urn:{n}\"")).collect::<Vec<_>>().concat();
        assert_eq!(
            moves(&one.replacen("<tt:MetadataStream", &format!("<tt:MetadataStream{namespaces}"), 1)),
            [Something]
        );
    }

    #[test]
    fn what_is_about_something_else_says_nothing() {
        for topic in [
            "tns1:RuleEngine/MyRuleDetector/PeopleDetect",
            "tns1:RuleEngine/TamperDetector/Tamper",
            "tns1:VideoSource/ImageTooDark/ImagingService",
            "tns1:Device/tnsaxis:Sensor/PIR",
            "MotionAlarm",
            "",
            "/",
        ] {
            assert_eq!(moves(&message(topic, "Changed", &data("State", "true"))), [], "{topic}");
        }
        let topic = "tns1:VideoSource/MotionAlarm";
        for content in ["", &data("State", "perhaps"), &data("Window", "1"), "<tt:Data/>"] {
            assert_eq!(moves(&message(topic, "Changed", content)), [], "{content}");
        }
        let frame = "<tt:MetadataStream><tt:VideoAnalytics><tt:Frame UtcTime=\"2026-11-22T10:00:00Z\"><tt:Object \
            ObjectId=\"1\"/></tt:Frame></tt:VideoAnalytics></tt:MetadataStream>";
        assert_eq!(moves(frame), []);
        let cut = message(topic, "Changed", &data("State", "true"));
        assert_eq!(moves(&cut[..cut.len() - 30]), [], "a torn message says nothing");
        assert_eq!(moves(&cut[60..]), []);
        let bomb = format!("<!DOCTYPE x [<!ENTITY a \"aaaa\">]>{cut}");
        assert_eq!(moves(&bomb), []);
        assert_eq!(moves(&format!("{cut}{}", " ".repeat(LONGEST))), [Something], "white space is no length");
        assert_eq!(moves(&format!("{cut}<!--{}-->", "x".repeat(LONGEST))), [], "too long");
    }

    proptest! {
        #[test]
        fn any_bytes_say_something_bounded(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(read(&bytes).is_empty());
        }

        #[test]
        fn any_names_and_values_say_something_bounded(
            topic in "(tns1:)?(VideoSource|RuleEngine)/(MotionAlarm|CellMotionDetector/Motion|[a-z:/]{0,9})",
            operation in "Initialized|Changed|Deleted|[a-z]{0,5}",
            name in "State|IsMotion|[A-Za-z]{0,8}",
            value in "true|false|1|0|[ -;=?-~µ]{0,300}",
            cut in 0..2_000_usize,
        ) {
            let content = format!("<tt:Source><tt:SimpleItem Name=\"{name}\" Value=\"{}\"/></tt:Source>{}",
                value.replace(['"', '&'], ""), data(&name, &value.replace(['"', '&'], "")));
            let whole = message(&topic, &operation, &content);
            let said = read(whole.as_bytes());
            prop_assert!(said.len() <= 1);
            prop_assert!(said.iter().all(|said| said.who.chars().count() <= LONGEST_NAME));
            read(&whole.as_bytes()[..cut.min(whole.len())]);
        }
    }
}
