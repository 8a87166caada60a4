//! What the daemon and a decoder process say to each other over a pipe. Pure: bytes in, messages out.
//!
//! Each side takes the other for hostile: every length has a bound, and what does not parse ends the conversation. A
//! message is a header (`HW`, version, kind, body length as four bytes), then the body; integers are little-endian.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::camera::packet::VideoCodec;
use crate::detect::grid::Shape;
use crate::detect::sandbox::Level;

const VERSION: u8 = 4;
const HEADER: usize = 8;

/// The largest access unit that is decoded, in bytes.
pub const MAX_UNIT: usize = 8 << 20;
/// The most parameter sets, in bytes.
pub const MAX_SETS: usize = 64 << 10;
/// The largest JPEG, in bytes.
pub const MAX_JPEG: usize = 4 << 20;
/// The longest sentence, in bytes.
pub const MAX_SENTENCE: usize = 400;

/// Why a message is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// Not this program, or another version of it.
    #[error("the other end of the pipe does not speak version {VERSION} of the decoder protocol")]
    Header,
    /// A kind that this side does not take.
    #[error("a message of kind {0} does not belong here")]
    Kind(u8),
    /// Too long for its kind.
    #[error("a message of kind {kind} has {bytes} bytes, which is more than it may have")]
    TooLong {
        /// The kind.
        kind: u8,
        /// The length that was announced.
        bytes: u32,
    },
    /// A body that is not what its kind should be.
    #[error("a message of kind {0} cannot be read")]
    Body(u8),
}

/// What the daemon asks of a decoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A stream begins: forget the one before.
    Parameters {
        /// How it is coded.
        codec: VideoCodec,
        /// Annex B; empty with JPEG.
        sets: Bytes,
    },
    /// Decode this. Answered by at most one [`Reply::Look`] for each picture that comes out, then one [`Reply::Done`].
    Unit {
        /// Presentation time in microseconds, on the daemon's timeline.
        pts_us: i64,
        /// Whether decoding can begin here.
        is_key: bool,
        /// Whether parts are known to be lost.
        damaged: bool,
        /// A key frame to be decoded by itself and looked at in any case; what comes after it must not build on it.
        alone: bool,
        /// Annex B, on key frames with the parameter sets first; or one JPEG.
        data: Bytes,
    },
    /// Make a JPEG. Answered by one [`Reply::Jpeg`].
    Picture {
        /// Comes back with the answer.
        tag: u32,
        /// Which picture.
        which: Which,
        /// In pixels.
        max_width: u16,
    },
    /// Keep a small copy of the look at this time, or of the nearest that is still at hand, for a film. Not answered.
    Film(i64),
    /// Make one JPEG of the film, its pictures one below the other, and begin a new one. Answered by one [`Reply::Jpeg`].
    EndFilm {
        /// Comes back with the answer.
        tag: u32,
    },
}

/// Which picture to make a JPEG of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The newest whole one.
    Newest,
    /// The look at this time, or the nearest that is still at hand.
    Look(i64),
}

/// What a decoder answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It has started. Comes first, unasked, before it has read anything, and only then.
    Ready(Level),
    /// A picture to look at.
    Look {
        /// Its presentation time, as it came with its unit.
        pts_us: i64,
        /// Damaged: `cells` is empty.
        corrupt: bool,
        /// How it is divided.
        shape: Shape,
        /// Block means as [`Shape::block_means`] makes them.
        cells: Vec<u16>,
    },
    /// A unit was dealt with.
    Done {
        /// Pictures that came out.
        pictures: u8,
    },
    /// The picture that was asked for; empty if there is none.
    Jpeg {
        /// As asked.
        tag: u32,
        /// A whole JPEG file.
        data: Bytes,
    },
    /// It cannot go on, in words for the log.
    Failed(String),
}

/// A message of either direction.
pub trait Message: Sized {
    /// Appends it, header included.
    fn put(&self, out: &mut BytesMut);
    /// The largest body of this kind; `None` if the kind does not belong to this direction.
    fn limit(kind: u8) -> Option<usize>;
    /// Reads a body, whose length was checked.
    fn read(kind: u8, body: Bytes) -> Result<Self, ProtocolError>;
}

/// Takes the next whole message off the front of `buffer`; `None` if more bytes are needed.
pub fn take<M: Message>(buffer: &mut BytesMut) -> Result<Option<M>, ProtocolError> {
    let Some((kind, length)) = header::<M>(buffer)? else { return Ok(None) };
    if buffer.len() < HEADER + length {
        return Ok(None);
    }
    buffer.advance(HEADER);
    M::read(kind, buffer.split_to(length).freeze()).map(Some)
}

/// How many bytes the message at the front needs in all, once its header is there.
pub fn needed<M: Message>(buffer: &[u8]) -> Result<usize, ProtocolError> {
    Ok(header::<M>(buffer)?.map_or(HEADER, |(_, length)| HEADER + length))
}

fn header<M: Message>(buffer: &[u8]) -> Result<Option<(u8, usize)>, ProtocolError> {
    let Some([h, w, version, kind, length @ ..]) = buffer.first_chunk::<HEADER>() else { return Ok(None) };
    if [*h, *w, *version] != [b'H', b'W', VERSION] {
        return Err(ProtocolError::Header);
    }
    let limit = M::limit(*kind).ok_or(ProtocolError::Kind(*kind))?;
    let bytes = u32::from_le_bytes(*length);
    match usize::try_from(bytes) {
        Ok(length) if length <= limit => Ok(Some((*kind, length))),
        _ => Err(ProtocolError::TooLong { kind: *kind, bytes }),
    }
}

fn put_message(out: &mut BytesMut, kind: u8, length: usize, body: impl FnOnce(&mut BytesMut)) {
    out.reserve(HEADER + length);
    out.put_slice(&[b'H', b'W', VERSION, kind]);
    out.put_u32_le(u32::try_from(length).unwrap_or(u32::MAX));
    body(out);
}

const PARAMETERS: u8 = 1;
const UNIT: u8 = 2;
const PICTURE: u8 = 3;
const FILM: u8 = 4;
const END_FILM: u8 = 5;
const READY: u8 = 64;
const LOOK: u8 = 65;
const DONE: u8 = 66;
const JPEG: u8 = 67;
const FAILED: u8 = 68;

/// Presentation time and flags.
const UNIT_HEAD: usize = 9;
/// Presentation time, flags, width, height, cell.
const LOOK_HEAD: usize = 15;
const MAX_CELLS: usize = (Shape::MAX_SIDE * Shape::MAX_SIDE) as usize;

impl Message for Request {
    fn put(&self, out: &mut BytesMut) {
        match self {
            Self::Parameters { codec, sets } => put_message(out, PARAMETERS, 1 + sets.len(), |out| {
                out.put_u8(match codec {
                    VideoCodec::H264 => 0,
                    VideoCodec::H265 => 1,
                    VideoCodec::Jpeg => 2,
                });
                out.put_slice(sets);
            }),
            Self::Unit { pts_us, is_key, damaged, alone, data } => {
                put_message(out, UNIT, UNIT_HEAD + data.len(), |out| {
                    out.put_i64_le(*pts_us);
                    out.put_u8(u8::from(*is_key) | u8::from(*damaged) << 1 | u8::from(*alone) << 2);
                    out.put_slice(data);
                });
            }
            Self::Picture { tag, which, max_width } => put_message(out, PICTURE, 15, |out| {
                out.put_u32_le(*tag);
                let (is_look, at_us) = match which {
                    Which::Newest => (0, 0),
                    Which::Look(at_us) => (1, *at_us),
                };
                out.put_u8(is_look);
                out.put_i64_le(at_us);
                out.put_u16_le(*max_width);
            }),
            Self::Film(at_us) => put_message(out, FILM, 8, |out| out.put_i64_le(*at_us)),
            Self::EndFilm { tag } => put_message(out, END_FILM, 4, |out| out.put_u32_le(*tag)),
        }
    }

    fn limit(kind: u8) -> Option<usize> {
        match kind {
            PARAMETERS => Some(1 + MAX_SETS),
            UNIT => Some(UNIT_HEAD + MAX_UNIT),
            PICTURE => Some(15),
            FILM => Some(8),
            END_FILM => Some(4),
            _ => None,
        }
    }

    fn read(kind: u8, mut body: Bytes) -> Result<Self, ProtocolError> {
        let bad = ProtocolError::Body(kind);
        match kind {
            PARAMETERS if !body.is_empty() => {
                let codec = match body.get_u8() {
                    0 => VideoCodec::H264,
                    1 => VideoCodec::H265,
                    2 => VideoCodec::Jpeg,
                    _ => return Err(bad),
                };
                Ok(Self::Parameters { codec, sets: body })
            }
            UNIT if body.len() > UNIT_HEAD => {
                let (pts_us, flags) = (body.get_i64_le(), body.get_u8());
                if flags > 7 {
                    return Err(bad);
                }
                let [is_key, damaged, alone] = [1, 2, 4].map(|flag| flags & flag != 0);
                Ok(Self::Unit { pts_us, is_key, damaged, alone, data: body })
            }
            PICTURE if body.len() == 15 => {
                let (tag, is_look, at_us, max_width) =
                    (body.get_u32_le(), body.get_u8(), body.get_i64_le(), body.get_u16_le());
                let which = match is_look {
                    0 => Which::Newest,
                    1 => Which::Look(at_us),
                    _ => return Err(bad),
                };
                Ok(Self::Picture { tag, which, max_width })
            }
            FILM if body.len() == 8 => Ok(Self::Film(body.get_i64_le())),
            END_FILM if body.len() == 4 => Ok(Self::EndFilm { tag: body.get_u32_le() }),
            _ => Err(bad),
        }
    }
}

impl Message for Reply {
    fn put(&self, out: &mut BytesMut) {
        match self {
            Self::Ready(level) => put_message(out, READY, 2, |out| {
                out.put_u8(u8::from(level.seccomp));
                out.put_u8(level.landlock);
            }),
            Self::Look { pts_us, corrupt, shape, cells } => {
                put_message(out, LOOK, LOOK_HEAD + 2 * cells.len(), |out| {
                    out.put_i64_le(*pts_us);
                    out.put_u8(u8::from(*corrupt));
                    for side in [shape.width, shape.height, shape.cell] {
                        out.put_u16_le(u16::try_from(side).unwrap_or(u16::MAX));
                    }
                    // At once, not one by one: this is most of what a decoder says.
                    let head = out.len();
                    out.resize(head + 2 * cells.len(), 0);
                    for (bytes, cell) in out[head..].chunks_exact_mut(2).zip(cells) {
                        bytes.copy_from_slice(&cell.to_le_bytes());
                    }
                });
            }
            Self::Done { pictures } => put_message(out, DONE, 1, |out| out.put_u8(*pictures)),
            Self::Jpeg { tag, data } => put_message(out, JPEG, 4 + data.len(), |out| {
                out.put_u32_le(*tag);
                out.put_slice(data);
            }),
            Self::Failed(sentence) => {
                let end =
                    (0..=sentence.len().min(MAX_SENTENCE)).rfind(|end| sentence.is_char_boundary(*end)).unwrap_or(0);
                put_message(out, FAILED, end, |out| out.put_slice(&sentence.as_bytes()[..end]));
            }
        }
    }

    fn limit(kind: u8) -> Option<usize> {
        match kind {
            READY => Some(2),
            LOOK => Some(LOOK_HEAD + 2 * MAX_CELLS),
            DONE => Some(1),
            JPEG => Some(4 + MAX_JPEG),
            FAILED => Some(MAX_SENTENCE),
            _ => None,
        }
    }

    fn read(kind: u8, mut body: Bytes) -> Result<Self, ProtocolError> {
        let bad = ProtocolError::Body(kind);
        match kind {
            READY if body.len() == 2 => {
                let seccomp = match body.get_u8() {
                    0 => false,
                    1 => true,
                    _ => return Err(bad),
                };
                Ok(Self::Ready(Level { seccomp, landlock: body.get_u8() }))
            }
            LOOK if body.len() >= LOOK_HEAD => {
                let (pts_us, flags) = (body.get_i64_le(), body.get_u8());
                let [width, height, cell] = [(); 3].map(|()| u32::from(body.get_u16_le()));
                let shape = Shape::of(width, height).filter(|shape| shape.cell == cell).ok_or(bad)?;
                let corrupt = flags == 1;
                let expected = if corrupt { 0 } else { shape.cells() };
                if flags > 1 || body.len() != 2 * expected {
                    return Err(bad);
                }
                let cells = body.chunks_exact(2).map(|cell| u16::from_le_bytes([cell[0], cell[1]])).collect();
                Ok(Self::Look { pts_us, corrupt, shape, cells })
            }
            DONE if body.len() == 1 => Ok(Self::Done { pictures: body.get_u8() }),
            JPEG if body.len() >= 4 => {
                let tag = body.get_u32_le();
                // Others will be shown this: it must at least begin and end as a JPEG does.
                let is_jpeg = body.starts_with(&[0xff, 0xd8, 0xff]) && body.ends_with(&[0xff, 0xd9]);
                if !is_jpeg && !body.is_empty() {
                    return Err(bad);
                }
                Ok(Self::Jpeg { tag, data: body })
            }
            FAILED => {
                let text = std::str::from_utf8(&body).map_err(|_| bad)?;
                Ok(Self::Failed(text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()))
            }
            _ => Err(bad),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn there_and_back<M: Message + PartialEq + std::fmt::Debug>(message: &M) {
        let mut buffer = BytesMut::new();
        message.put(&mut buffer);
        for cut in 0..buffer.len() {
            let mut part = BytesMut::from(&buffer[..cut]);
            assert_eq!(take::<M>(&mut part).expect("a good beginning"), None);
        }
        assert_eq!(needed::<M>(&buffer), Ok(buffer.len()));
        buffer.put_u8(b'H');
        assert_eq!(take::<M>(&mut buffer).expect("a whole message").as_ref(), Some(message));
        assert_eq!(&buffer[..], b"H");
    }

    #[test]
    fn a_message_arrives_as_it_was_sent() {
        let shape = Shape::of(64, 64).expect("large enough");
        there_and_back(&Request::Parameters { codec: VideoCodec::H265, sets: Bytes::from_static(b"sets") });
        for alone in [false, true] {
            let data = Bytes::from_static(b"x");
            there_and_back(&Request::Unit { pts_us: -7, is_key: true, damaged: true, alone, data });
        }
        there_and_back(&Request::Picture { tag: 3, which: Which::Look(9), max_width: 640 });
        there_and_back(&Request::Film(-9));
        there_and_back(&Request::EndFilm { tag: 4 });
        there_and_back(&Reply::Ready(Level { seccomp: true, landlock: 7 }));
        there_and_back(&Reply::Look { pts_us: 5, corrupt: true, shape, cells: Vec::new() });
        there_and_back(&Reply::Look { pts_us: 5, corrupt: false, shape, cells: vec![77; shape.cells()] });
        there_and_back(&Reply::Done { pictures: 2 });
        there_and_back(&Reply::Jpeg { tag: 1, data: Bytes::from_static(&[0xff, 0xd8, 0xff, 0, 0xff, 0xd9]) });
        there_and_back(&Reply::Failed("no".to_owned()));
    }

    #[test]
    fn a_length_beyond_its_bound_is_refused_before_it_is_waited_for() {
        let mut announced = BytesMut::from(&[b'H', b'W', VERSION, JPEG, 0, 0, 0, 0x7f][..]);
        assert!(matches!(take::<Reply>(&mut announced), Err(ProtocolError::TooLong { .. })));
        let mut request = BytesMut::from(&[b'H', b'W', VERSION, UNIT, 0, 0, 0, 0][..]);
        assert_eq!(take::<Reply>(&mut request), Err(ProtocolError::Kind(UNIT)));
        assert_eq!(take::<Reply>(&mut BytesMut::from(&b"GET / HTTP"[..])), Err(ProtocolError::Header));
    }

    #[test]
    fn a_long_sentence_is_cut_at_a_character() {
        let mut buffer = BytesMut::new();
        Reply::Failed("é".repeat(300)).put(&mut buffer);
        assert_eq!(take(&mut buffer), Ok(Some(Reply::Failed("é".repeat(200)))));
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(kind in any::<u8>(), length in 0_u32..100, body in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut bytes = BytesMut::from(&[b'H', b'W', VERSION, kind][..]);
            bytes.put_u32_le(length);
            bytes.put_slice(&body);
            let _ = take::<Request>(&mut bytes.clone());
            let _ = take::<Reply>(&mut bytes);
        }
    }
}
