//! The decoder process: whether it starts, what it decodes, and how far it is shut in.

use crate::app::doctor::Finding;
use crate::detect::trial::{self, Trial};

const ABOUT: &str = "decoder";

/// Starts one, asks it, and lets it end.
pub(super) async fn look() -> Vec<Finding> {
    match std::env::current_exe() {
        Ok(exe) => judge(trial::run(&exe).await),
        Err(error) => vec![Finding::wrong(ABOUT, format!("this program's own file cannot be found: {error}"))],
    }
}

fn judge(trial: Result<Trial, String>) -> Vec<Finding> {
    let Trial { level, missing } = match trial {
        Ok(trial) => trial,
        Err(why) => {
            return vec![Finding::wrong(ABOUT, format!("motion cannot be looked for: the decoder process {why}"))];
        }
    };
    let decodes = match missing {
        None => Finding::fine(ABOUT, "H.264, H.265 and Motion JPEG can be decoded"),
        Some(why) => Finding::wrong(ABOUT, format!("motion cannot be looked for: {why}")),
    };
    let confined = if level.is_full() {
        Finding::fine(ABOUT, format!("each decoder process is {level}"))
    } else {
        let more = "a newer kernel would do better, as Raspberry Pi OS bookworm's and Debian 12's do";
        Finding::note(ABOUT, format!("each decoder process is {level}; {more}"))
    };
    vec![decodes, confined]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::Weight;
    use crate::detect::sandbox::Level;

    #[test]
    fn what_is_missing_is_wrong_and_a_weak_sandbox_is_told() {
        let weights = |seccomp, missing: Option<&str>| {
            let trial = Trial { level: Level { seccomp, landlock: 3 }, missing: missing.map(str::to_owned) };
            judge(Ok(trial)).into_iter().map(|finding| finding.weight).collect::<Vec<_>>()
        };
        assert_eq!(weights(true, None), [Weight::Fine, Weight::Fine]);
        assert_eq!(weights(false, None), [Weight::Fine, Weight::Note]);
        assert_eq!(weights(true, Some("the installed libavcodec cannot decode H.265")), [Weight::Wrong, Weight::Fine]);
        assert_eq!(judge(Err("did not start".into()))[0].weight, Weight::Wrong);
    }
}
