//! Recorded pictures looked through once more, with several settings at once: decoding is what costs, the model is cheap.

use std::path::Path;
use std::sync::Arc;

use crate::config::settings::Motion;
use crate::detect::looking::{Answer, Coding, Feed, FeedError, Looked, Sight, Unit};
use crate::detect::trigger::Update;
use crate::units::{UtcMicros, UtcSpan};

/// A decoder process of its own, and what each of the settings makes of what it decodes. The process is killed when this is
/// dropped.
#[derive(Debug)]
pub struct Replay {
    feed: Feed,
    eyes: Vec<(Sight, Vec<UtcSpan>)>,
}

impl Replay {
    /// Starts `exe decoder`, which lets everything else on the machine go first. Must be called by a thread that stays (a
    /// runtime's worker, not one of its blocking pool): the kernel kills the process when that thread ends.
    pub fn start(exe: &Path, settings: Vec<Motion>) -> std::io::Result<Self> {
        let feed = Feed::start(exe)?;
        feed.yield_to_others();
        Ok(Self { feed, eyes: settings.into_iter().map(|settings| (Sight::new(settings), Vec::new())).collect() })
    }

    /// Takes the next picture, which follows the one before; its time is that of the wall. Not to be called again once it was
    /// cancelled or failed.
    pub async fn give(&mut self, coding: &Arc<Coding>, unit: Unit) -> Result<(), FeedError> {
        let answers = self.feed.give(coding, unit).await?;
        self.take(answers).await;
        Ok(())
    }

    /// The end of the stretch: what would have been events, for each of the settings in their order. The next picture follows
    /// none of those before, and nothing of what was usual in them is known any more.
    pub async fn end(&mut self) -> Result<Vec<Vec<UtcSpan>>, FeedError> {
        let answers = self.feed.rest().await?;
        self.take(answers).await;
        self.feed.interrupt();
        let end = |(sight, found): &mut (Sight, Vec<UtcSpan>)| {
            found.extend(sight.forget().as_ref().and_then(span));
            std::mem::take(found)
        };
        Ok(self.eyes.iter_mut().map(end).collect())
    }

    async fn take(&mut self, answers: Vec<Answer>) {
        for answer in answers {
            match answer {
                Answer::Decoded(_) => {}
                Answer::Damaged => self.eyes.iter_mut().for_each(|(sight, _)| sight.hold()),
                Answer::Look { at_us, shape, cells } => {
                    for (sight, found) in &mut self.eyes {
                        let Looked { ended, update, .. } = sight.look(shape, &cells, at_us);
                        found.extend(ended.as_ref().and_then(span));
                        found.extend(update.as_ref().and_then(span));
                    }
                    // Live detection and the pages share this thread.
                    tokio::task::yield_now().await;
                }
            }
        }
    }
}

/// Of an event that is over.
fn span(update: &Update) -> Option<UtcSpan> {
    UtcSpan::new(UtcMicros(update.start_us), UtcMicros(update.end_us?))
}
