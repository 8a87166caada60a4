//! What the household could set differently in a camera, from what its streams turned out to be.

use std::time::Duration;

use crate::camera::status::{Link, StreamStatus};
use crate::web::texts::{say, say_with};

/// Live pictures and clips begin at a key frame: longer than this from one to the next and people wait.
const KEY_FRAMES: Duration = Duration::from_millis(3_500);
/// Motion is looked for in no more detail than this; in pixels.
const PLENTY: u64 = 1280 * 720;
/// Motion is looked at about five times a second, and all pictures have to be decoded for it.
const PLENTY_A_SECOND: f32 = 16.0;
/// With fewer, whoever is there for a second is in too few of them to be told from rain; with four, nobody is lost that is found
/// with five.
const LEAST_A_SECOND: f32 = 3.5;

/// A sentence or two for each thing worth changing. `small` is the stream for motion, where there is one of its own.
pub(crate) fn tips(main: &StreamStatus, small: Option<&StreamStatus>, looks_for_motion: bool) -> Vec<String> {
    let mut tips = Vec::new();
    for (status, name) in [(Some(main), say("main")), (small, say("small"))] {
        let interval =
            status.filter(|status| status.link == Link::Streaming).and_then(|status| status.key_frame_interval);
        if let Some(interval) = interval.filter(|interval| *interval > KEY_FRAMES) {
            let seconds = interval.as_secs_f32().round();
            tips.push(say_with(
                "Its {name} stream has a whole picture only every {seconds} seconds, so live pictures start late. Set the \
                 key frame interval (some cameras say I-frame or GOP) to 2 seconds or less.",
                &[("name", &name), ("seconds", &seconds)],
            ));
        }
    }
    let looked_at = small.unwrap_or(main);
    let Some(parameters) = looked_at.parameters.as_ref().filter(|_| looks_for_motion) else { return tips };
    let is_large = u64::from(parameters.video.width) * u64::from(parameters.video.height) > PLENTY;
    match small {
        None if is_large => tips.push(
            say(
                "Motion is looked for in its large stream, which costs much work. If the camera has a small stream, name it \
                 as detect_url; 640 × 360 is plenty.",
            )
            .into(),
        ),
        Some(_) if is_large => tips.push(
            say("Its small stream is larger than motion needs, which costs work. Set it to about 640 × 360 in the camera.")
                .into(),
        ),
        _ => {}
    }
    // While it begins, how many there are is not known yet.
    let is_known = looked_at.link == Link::Streaming && looked_at.key_frame_interval.is_some();
    if is_known && looked_at.pictures_per_second < LEAST_A_SECOND {
        tips.push(say_with(
            "Its {name} stream has fewer than 4 pictures a second, so motion detection misses whoever passes quickly. Set it \
             to 5 to 10 in the camera.",
            &[("name", &say(if small.is_some() { "small" } else { "main" }))],
        ));
    }
    if small.is_some() && looked_at.pictures_per_second > PLENTY_A_SECOND {
        tips.push(say_with(
            "Its small stream has {count} pictures a second; 5 to 10 are enough for motion, and cost less work.",
            &[("count", &looked_at.pictures_per_second.round())],
        ));
    }
    tips
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing;
    use crate::units::UtcMicros;

    fn streaming(width: u32, height: u32, rate: f32, key_frames_s: u64) -> StreamStatus {
        let mut parameters = (*testing::video_parameters()).clone();
        (parameters.video.width, parameters.video.height) = (width, height);
        StreamStatus {
            link: Link::Streaming,
            parameters: Some(parameters.into()),
            pictures_per_second: rate,
            key_frame_interval: Some(Duration::from_secs(key_frames_s)),
            ..StreamStatus::new(UtcMicros(0))
        }
    }

    #[test]
    fn a_camera_that_is_set_well_gets_no_tips() {
        let (main, small) = (streaming(2560, 1440, 25.0, 2), streaming(640, 360, 10.0, 1));
        assert_eq!(tips(&main, Some(&small), true), Vec::<String>::new());
        assert_eq!(tips(&streaming(1280, 720, 25.0, 2), None, true), Vec::<String>::new());
        assert_eq!(tips(&main, None, false), Vec::<String>::new());
        assert_eq!(tips(&StreamStatus::new(UtcMicros(0)), None, true), Vec::<String>::new());
    }

    #[test]
    fn each_thing_worth_changing_is_said_once() {
        let (main, small) = (streaming(2560, 1440, 25.0, 10), streaming(1920, 1080, 25.0, 2));
        let said = tips(&main, Some(&small), true);
        assert_eq!(said.len(), 3);
        assert!(said[0].contains("main stream") && said[0].contains("every 10 seconds"));
        assert!(said[1].contains("640 × 360") && said[2].contains("25 pictures a second"));
        assert!(tips(&main, None, true)[1].contains("detect_url"));
        let slow = streaming(640, 360, 2.0, 2);
        let said = tips(&main, Some(&slow), true);
        assert_eq!(said.len(), 2);
        assert!(said[1].contains("small stream has fewer than 4 pictures a second"));
        let begins = StreamStatus { key_frame_interval: None, ..slow };
        assert_eq!(tips(&main, Some(&begins), true).len(), 1);
    }
}
