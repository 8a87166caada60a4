//! What one camera's looks mean, in the household's time: model, trigger and the event that is being told.

use bytes::Bytes;
use tokio::time::Instant;

use crate::config::settings::Motion;
use crate::detect::event::MotionEvent;
use crate::detect::grid::Shape;
use crate::detect::model::Model;
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
}

impl<R: FnMut() -> [u8; 8], O: FnMut(MotionEvent)> Watcher<R, O> {
    pub(super) fn new(camera: CameraId, settings: Motion, random: R, out: O) -> Self {
        Self {
            camera,
            settings,
            random,
            out,
            timeline: Timeline::default(),
            model: None,
            trigger: Trigger::new(),
            told: None,
            last_look: None,
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

    /// Returns the event that this look's picture shows best.
    pub(super) fn look(&mut self, shape: Shape, cells: &[u16], at_us: i64) -> Option<EventId> {
        if self.model.as_ref().is_none_or(|(known, _)| *known != shape) {
            self.end();
            self.model = Some((shape, Model::new(shape.cols(), shape.rows(), &self.settings)));
        }
        let (_, model) = self.model.as_mut()?;
        let seen = model.look(cells, at_us);
        self.last_look = Some(Instant::now());
        let update = self.trigger.see(&seen, &mut self.random)?;
        self.tell(&update);
        update.is_peak.then_some(update.id)
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
            thumbnail: None,
            preview: None,
        };
        self.told = Some(event.clone());
        (self.out)(event);
    }
}
