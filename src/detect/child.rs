//! The decoder process: `hearthwatch decoder`, started by the daemon for one camera, speaking only through its pipes.
//!
//! It holds no file, no key and no other camera's pictures, and before it reads its first byte it gives up the means to get
//! any ([`sandbox`]). It ends when its stdin ends.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::process::ExitCode;

use bytes::{Bytes, BytesMut};
use ffmpeg_next::Packet;

use crate::detect::decoder::{self, Decoder, Pace, Picture, Unit};
use crate::detect::grid::Shape;
use crate::detect::jpeg::{self, Film};
use crate::detect::protocol::{self, MAX_JPEG, Message, Reply, Request, Which};
use crate::detect::sandbox::{self, Layer, Level, Probe};

/// Looks kept for a thumbnail; each holds on to a picture of the decoder's. As many as are told before the daemon hears of the
/// first of them, see [`HELD_BACK`] …
const KEPT_LOOKS: usize = 3;
/// … and so many of pictures that take megabytes each: in a burst, a thumbnail may be from two looks later.
const KEPT_LARGE_LOOKS: usize = 1;
const LARGE_PIXELS: u32 = 1_000_000;

/// Runs until the daemon closes the pipe; what could not be done is said to the daemon, not decided here.
pub fn main() -> ExitCode {
    decoder::prepare();
    let level = match sandbox::enter() {
        Ok(level) => level,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    match converse(level, &mut Pipe(rustix::stdio::stdin()), &mut Pipe(rustix::stdio::stdout())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the decoder process ends: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does, instead of decoding, something that a hijacked decoder would do, and says on stdout whether it could. `only` tries
/// it behind one layer of the sandbox alone.
///
/// Nothing that comes through the pipe leads here: it takes an argument on the command line, and stdin is never read.
pub fn probe(probe: Probe, only: Option<Layer>) -> ExitCode {
    decoder::prepare();
    sandbox::run_probe(probe, only)
}

/// One end of a pipe as it is. What the standard library puts around it looks for line ends, and writes twice.
struct Pipe(BorrowedFd<'static>);

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(self.0, buffer)?)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(self.0, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct Child {
    decoder: Option<Decoder>,
    pace: Pace,
    kept: Kept,
    film: Film,
}

/// From the pipe at once, at least.
const READ: usize = 32 << 10;
/// Answers wait for the requests that have come already, up to so many bytes: each word wakes the daemon up.
const HELD_BACK: usize = 48 << 10;

/// Says how far it is confined, then answers each [`Request`] that comes until there are no more. Whatever the pictures do
/// to the decoder is an answer too; an error means that a pipe broke or that the other end is not the daemon.
pub fn converse(level: Level, input: &mut impl Read, output: &mut impl Write) -> io::Result<()> {
    let (mut incoming, mut outgoing) = (BytesMut::new(), BytesMut::new());
    Reply::Ready(level).put(&mut outgoing);
    let mut child = Child::default();
    loop {
        let request = protocol::take(&mut incoming).map_err(io::Error::other)?;
        if request.is_none() || outgoing.len() > HELD_BACK {
            output.write_all(&outgoing)?;
            output.flush()?;
            outgoing.clear();
        }
        let Some(request) = request else {
            if receive(input, &mut incoming)? == 0 {
                return Ok(());
            }
            continue;
        };
        if let Err(error) = child.answer(request, &mut outgoing) {
            Reply::Failed(error.to_string()).put(&mut outgoing);
            output.write_all(&outgoing)?;
            return output.flush();
        }
    }
}

/// Reads on, at least a byte; 0 at the end of input.
fn receive(input: &mut impl Read, buffer: &mut BytesMut) -> io::Result<usize> {
    let needed = protocol::needed::<Request>(buffer).map_err(io::Error::other)?;
    let have = buffer.len();
    buffer.resize(needed.max(have + READ), 0);
    let read = loop {
        match input.read(&mut buffer[have..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read,
        }
    };
    buffer.truncate(have + read.as_ref().map_or(0, |read| *read));
    read
}

impl Child {
    fn answer(&mut self, request: Request, out: &mut BytesMut) -> Result<(), decoder::DecoderError> {
        match request {
            Request::Parameters { codec, .. } => {
                *self = Self { decoder: Some(Decoder::new(codec)?), ..Self::default() };
            }
            Request::Unit { pts_us, is_key, damaged, alone, data } => {
                let mut pictures = 0_u8;
                if let Some(decoder) = &mut self.decoder {
                    let unit = Unit { pts_us, is_key, damaged };
                    if alone {
                        decoder.send_alone(&mut Packet::copy(&data), unit)?;
                        self.pace = Pace::default();
                    } else {
                        decoder.send(&mut Packet::copy(&data), unit)?;
                    }
                    while let Some(picture) = decoder.receive()? {
                        pictures = pictures.saturating_add(1);
                        let is_look = alone || self.pace.takes(picture.pts_us);
                        let is_whole = is_look && tell_look(&picture, out);
                        self.kept.take(picture, is_whole);
                    }
                    if alone {
                        decoder.flush();
                    }
                }
                Reply::Done { pictures }.put(out);
            }
            Request::Picture { tag, which, max_width } => {
                let picture = match which {
                    Which::Newest => self.kept.newest(),
                    Which::Look(at_us) => self.kept.nearest(at_us).or(self.kept.newest()),
                };
                let jpeg = picture.map_or(Ok(Vec::new()), |picture| jpeg::jpeg(picture, u32::from(max_width)))?;
                answer_jpeg(tag, jpeg, out);
            }
            Request::Film(at_us) => {
                if let Some(picture) = self.kept.nearest(at_us) {
                    self.film.offer(picture)?;
                }
            }
            Request::EndFilm { tag } => {
                let film = std::mem::take(&mut self.film);
                answer_jpeg(tag, film.end()?.unwrap_or_default(), out);
            }
        }
        Ok(())
    }
}

/// The pictures that may be asked for.
#[derive(Default)]
struct Kept {
    /// The newest that are not damaged, by age.
    looks: VecDeque<Picture>,
    /// What is shown while there is no such look: the newest picture, whatever it is.
    other: Option<Picture>,
}

impl Kept {
    fn take(&mut self, picture: Picture, is_whole_look: bool) {
        if is_whole_look {
            let is_large = picture.width().saturating_mul(picture.height()) > LARGE_PIXELS;
            let most = if is_large { KEPT_LARGE_LOOKS } else { KEPT_LOOKS };
            while self.looks.len() >= most {
                self.looks.pop_front();
            }
            self.looks.push_back(picture);
            self.other = None;
        } else if self.looks.is_empty() {
            self.other = Some(picture);
        }
    }

    fn newest(&self) -> Option<&Picture> {
        self.looks.back().or(self.other.as_ref())
    }

    /// The look that is nearest to that time.
    fn nearest(&self, at_us: i64) -> Option<&Picture> {
        self.looks.iter().min_by_key(|look| look.pts_us.abs_diff(at_us))
    }
}

fn answer_jpeg(tag: u32, jpeg: Vec<u8>, out: &mut BytesMut) {
    let data = if jpeg.len() > MAX_JPEG { Bytes::new() } else { jpeg.into() };
    Reply::Jpeg { tag, data }.put(out);
}

/// Tells what is seen in it; whether something is, and nothing of it is damaged.
fn tell_look(picture: &Picture, out: &mut BytesMut) -> bool {
    let Some(shape) = Shape::of(picture.width(), picture.height()) else { return false };
    let mut cells = Vec::new();
    let (luma, stride) = picture.luma();
    let corrupt = picture.corrupt || shape.block_means(luma, stride, &mut cells).is_none();
    Reply::Look { pts_us: picture.pts_us, corrupt, shape, cells }.put(out);
    !corrupt
}
