//! The sound of a stream that plays: handed on as it came, or repacked first where no file holds it as it comes.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use retina::client::Stream;
use retina::codec::{AudioFrame, ParametersRef};

use crate::camera::packet::{AudioParameters, StreamParameters, Track};
use crate::camera::session::parameters;
use crate::camera::session::rtsp::ticks;
use crate::camera::session::source::Frame;
use crate::camera::sound::{self, Law, Repacker};

/// A track of sound that can be filed.
pub(crate) struct Audio {
    track: usize,
    parameters: AudioParameters,
    repacker: Option<Repacker>,
    /// Not yet taken.
    ready: VecDeque<Frame>,
}

impl Audio {
    /// `None` if the track is no sound, or none that can be filed. `track`: its number in the session.
    pub(crate) fn of(track: usize, stream: &Stream) -> Option<Self> {
        let Some(ParametersRef::Audio(described)) = stream.parameters() else { return None };
        let law = Law::of_encoding(stream.encoding_name()).filter(|_| described.channels().get() == 1);
        let parameters = match law {
            Some(_) => sound::parameters(described.clock_rate())?,
            None => parameters::audio(described)?,
        };
        Some(Self { track, parameters, repacker: law.map(Repacker::new), ready: VecDeque::new() })
    }

    pub(crate) fn track(&self) -> usize {
        self.track
    }

    pub(crate) fn parameters(&self) -> AudioParameters {
        self.parameters.clone()
    }

    /// Takes what came; `stream` is what the whole stream is, once that is known.
    pub(crate) fn push(&mut self, frame: &AudioFrame, stream: Option<&Arc<StreamParameters>>) {
        let made =
            |pts, lost, data| Frame { track: Track::Audio, parameters: stream.cloned(), pts, is_key: true, lost, data };
        let (pts, lost) = (ticks(frame.timestamp()), frame.loss().into());
        let ready = &mut self.ready;
        match &mut self.repacker {
            None => ready.push_back(made(pts, lost, Bytes::copy_from_slice(frame.data()))),
            Some(repacker) => {
                repacker
                    .push(pts, frame.data(), lost, |block| ready.push_back(made(block.pts, block.lost, block.data)));
            }
        }
    }

    /// The next frame that is ready, in order.
    pub(crate) fn pop(&mut self) -> Option<Frame> {
        self.ready.pop_front()
    }
}
