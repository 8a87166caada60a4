//! What one camera's looks mean, in the household's time: model, trigger and the event that is being told.

use bytes::Bytes;
use tokio::time::Instant;

use crate::config::settings::Motion;
use crate::detect::counters::Dismissed;
use crate::detect::event::MotionEvent;
use crate::detect::grid::Shape;
use crate::detect::model::Model;
use crate::detect::saved;
use crate::detect::timeline::Timeline;
use crate::detect::trigger::{Trigger, Update};
use crate::units::{CameraId, EventId, UtcMicros};

/// Two events of one camera that come this close by the wall clock did not really overlap: the clock was adjusted.
const ADJUSTED_US: i64 = 10_000_000;

pub(super) struct Watcher<R, O> {
    camera: CameraId,
    settings: Motion,
    random: R,
    out: O,
    pub(super) timeline: Timeline,
    model: Option<(Shape, Model)>,
    trigger: Trigger,
    /// The newest event, as it was told last.
    told: Option<MotionEvent>,
    last_look: Option<Instant>,
    /// Whether anything in the newest look may yet turn out to be a thing.
    stirs: bool,
    /// What was known before this start; used once.
    before: Option<Vec<u8>>,
    /// When what is known was last handed out to be kept.
    kept_us: Option<i64>,
}

/// How often what is known is handed out to be kept: a power cut costs no more of it.
const KEEP_US: i64 = 5 * 60 * 1_000_000;

impl<R: FnMut() -> [u8; 8], O: FnMut(MotionEvent)> Watcher<R, O> {
    /// `before`: what [`Self::to_keep`] gave before the last stop.
    pub(super) fn new(camera: CameraId, settings: Motion, before: Option<Vec<u8>>, random: R, out: O) -> Self {
        Self {
            camera,
            trigger: Trigger::new(settings.least),
            settings,
            random,
            out,
            timeline: Timeline::default(),
            model: None,
            told: None,
            last_look: None,
            stirs: true,
            before,
            kept_us: None,
        }
    }

    /// When the last look was, if an event goes on.
    pub(super) fn last_look(&self) -> Option<Instant> {
        self.last_look.filter(|_| self.trigger.is_open())
    }

    pub(super) fn hold(&mut self) {
        if let Some((_, model)) = &mut self.model {
            model.hold();
        }
    }

    /// Returns the event that this look's picture shows best; `dismiss` is told what was not taken for motion.
    pub(super) fn look(
        &mut self,
        shape: Shape,
        cells: &[u16],
        at_us: i64,
        mut dismiss: impl FnMut(Dismissed),
    ) -> Option<EventId> {
        if self.model.as_ref().is_none_or(|(known, _)| *known != shape) {
            self.end();
            let mut model = Model::new(shape.cols(), shape.rows(), &self.settings);
            self.recall(&mut model, shape, at_us);
            self.model = Some((shape, model));
            self.kept_us = Some(at_us);
        }
        let (_, model) = self.model.as_mut()?;
        let seen = model.look(cells, at_us);
        for rejected in &seen.rejected {
            let at = self.timeline.wall(rejected.at_us);
            dismiss(Dismissed { at, reason: rejected.reason, place: rejected.place });
        }
        self.last_look = Some(Instant::now());
        self.stirs = seen.stirs;
        let update = self.trigger.see(&seen, &mut self.random)?;
        self.tell(&update);
        update.is_peak.then_some(update.id)
    }

    /// Whether anything in a look may be a thing, or cannot be judged yet; nothing is learnt from it.
    pub(super) fn glance(&mut self, shape: Shape, cells: &[u16]) -> bool {
        let model = self.model.as_mut().filter(|(known, _)| *known == shape);
        model.is_none_or(|(_, model)| model.glance(cells))
    }

    /// Whether anything in the newest look may yet turn out to be a thing.
    pub(super) fn stirs(&self) -> bool {
        self.stirs
    }

    fn recall(&mut self, model: &mut Model, shape: Shape, at_us: i64) {
        let Some(before) = self.before.take() else { return };
        let fit = saved::unpack(&before, &self.camera, shape, self.timeline.wall(at_us));
        match fit.and_then(|known| if model.restore(known, at_us) { Ok(()) } else { Err(saved::Unfit::Damaged) }) {
            Ok(()) => tracing::info!("the camera's usual picture is known from before"),
            Err(why) => tracing::info!(%why, "the camera's usual picture is learnt anew; what was saved is of no use"),
        }
    }

    /// What is known by now, if it is time to keep it.
    pub(super) fn keep_now_and_then(&mut self) -> Option<Vec<u8>> {
        let (_, model) = self.model.as_ref()?;
        let at_us = model.last_us()?;
        if self.kept_us.is_some_and(|kept| at_us.saturating_sub(kept) < KEEP_US) {
            return None;
        }
        self.kept_us = Some(at_us);
        self.to_keep()
    }

    /// What is known by now, to be given to the next [`Self::new`] for this camera.
    pub(super) fn to_keep(&self) -> Option<Vec<u8>> {
        let (shape, model) = self.model.as_ref()?;
        Some(saved::pack(&self.camera, *shape, self.timeline.wall(model.last_us()?), &model.save()?))
    }

    /// A picture of the event came.
    pub(super) fn show(&mut self, event: EventId, jpeg: Bytes) {
        if let Some(told) = self.told.as_ref().filter(|told| told.id == event) {
            (self.out)(MotionEvent { thumbnail: Some(jpeg), ..told.clone() });
        }
    }

    /// The film of the event came.
    pub(super) fn show_film(&mut self, event: EventId, jpeg: Bytes) {
        if let Some(told) = self.told.as_ref().filter(|told| told.id == event) {
            (self.out)(MotionEvent { preview: Some(jpeg), ..told.clone() });
        }
    }

    /// The event that goes on.
    pub(super) fn going_on(&self) -> Option<EventId> {
        self.told.as_ref().filter(|told| told.end.is_none()).map(|told| told.id)
    }

    /// Nothing can be seen any more.
    pub(super) fn end(&mut self) {
        if let Some(update) = self.trigger.end() {
            self.tell(&update);
        }
    }

    fn tell(&mut self, update: &Update) {
        let start = match &self.told {
            Some(told) if told.id == update.id => told.start,
            before => {
                let start = self.timeline.wall(update.start_us);
                let ended = before.as_ref().and_then(|before| before.end).unwrap_or(UtcMicros(i64::MIN));
                if start < ended && ended.offset_from(start) < ADJUSTED_US { ended } else { start }
            }
        };
        let names = self.settings.zones.keys().enumerate();
        let event = MotionEvent {
            id: update.id,
            camera: self.camera.clone(),
            start,
            end: update.end_us.map(|end_us| self.timeline.wall(end_us).max(start)),
            peak: update.peak,
            zones: names.filter(|(n, _)| *n < 64 && update.zones >> n & 1 != 0).map(|(_, name)| name.clone()).collect(),
            why: Some(update.why),
            thumbnail: None,
            preview: None,
        };
        self.told = Some(event.clone());
        (self.out)(event);
    }
}
