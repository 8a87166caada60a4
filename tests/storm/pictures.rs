//! Making clips with a number in every picture, and reading the numbers back.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use ffmpeg_next as ffmpeg;
use hearthwatch::fake_camera::{Picture, watermark};

pub(crate) const WIDTH: usize = 320;
pub(crate) const HEIGHT: usize = 180;
/// Pictures a second.
pub(crate) const RATE: usize = 20;
/// Pictures in a clip.
const LENGTH: usize = RATE * 10;

/// Writes ten seconds with this number: nothing moves but for three seconds in which somebody passes.
pub(crate) fn make_clip(path: &Path, number: u16) {
    let size = format!("{WIDTH}x{HEIGHT}");
    let (rate, group) = (RATE.to_string(), RATE.to_string());
    let mut encoder = Command::new("ffmpeg")
        .args([
            "-nostdin", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", &size, "-r", &rate, "-i",
            "-",
        ])
        .args([
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-tune",
            "zerolatency",
            "-crf",
            "24",
            "-bf",
            "0",
            "-g",
            &group,
        ])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("ffmpeg runs");
    let mut pipe = encoder.stdin.take().expect("a pipe");
    for n in 0..LENGTH {
        let mut picture = Picture::new(WIDTH, HEIGHT);
        for column in 0..WIDTH / 20 {
            picture.fill(column * 20, 0, 20, HEIGHT, 60 + u8::try_from(column).expect("few") * 4);
        }
        if (5 * RATE..8 * RATE).contains(&n) {
            picture.fill((n - 5 * RATE) * 4, 50, 24, 60, 200);
        }
        watermark::paint(&mut picture, number);
        for plane in &picture.planes {
            pipe.write_all(&plane.data).expect("ffmpeg reads");
        }
    }
    drop(pipe);
    assert!(encoder.wait().expect("ffmpeg ends").success(), "a clip");
}

/// The number of each picture in a file, as far as it can be decoded; `None` for pictures without a readable one.
pub(crate) fn numbers(path: &Path) -> Vec<Option<u16>> {
    let mut found = Vec::new();
    let _ = decode(path, &mut found);
    found
}

fn decode(path: &Path, found: &mut Vec<Option<u16>>) -> Result<(), ffmpeg::Error> {
    ffmpeg::log::set_level(ffmpeg::log::Level::Quiet);
    let mut input = ffmpeg::format::input(path)?;
    let stream = input.streams().best(ffmpeg::media::Type::Video).ok_or(ffmpeg::Error::StreamNotFound)?;
    let track = stream.index();
    let mut decoder = ffmpeg::codec::Context::from_parameters(stream.parameters())?.decoder().video()?;
    let mut frame = ffmpeg::frame::Video::empty();
    let mut take = |decoder: &mut ffmpeg::decoder::Video| {
        while decoder.receive_frame(&mut frame).is_ok() {
            let (width, height) = (frame.width() as usize, frame.height() as usize);
            found.push(watermark::read(frame.data(0), width, height, frame.stride(0)));
        }
    };
    for (stream, packet) in input.packets() {
        if stream.index() == track && decoder.send_packet(&packet).is_ok() {
            take(&mut decoder);
        }
    }
    decoder.send_eof()?;
    take(&mut decoder);
    Ok(())
}
