//! Files the small pictures of one camera beside its footage. Nothing waits for it, and nothing but the small pictures is lost
//! when it fails: then the finger on a bar sees the footage itself, a little later.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::record::fmp4::Provenance;
use crate::record::previews::{self, Preview};
use crate::record::segment::ClosedSegment;
use crate::units::UtcMicros;
use crate::web::SiteParts;

/// Segments that may wait to get their pictures. With more, they get none.
pub(crate) const SEGMENTS: usize = 8;
/// Pictures that may wait between the decoder and here.
pub(crate) const PICTURES: usize = 8;
/// Pictures that wait for their segment to be closed; the longest segment has 360.
const WAITING: usize = 400;
/// A picture of a segment's end may still be in the decoder when the segment is closed.
const LATE: Duration = Duration::from_secs(15);

/// Runs until both ends are gone.
pub(crate) async fn run(
    site: SiteParts,
    mut made: mpsc::Receiver<(UtcMicros, Bytes)>,
    mut closed: mpsc::Receiver<ClosedSegment>,
) {
    let mut desk = Desk::default();
    let (mut makes, mut closes, mut said) = (true, true, false);
    while makes || closes {
        let waits = !desk.segments.is_empty();
        tokio::select! {
            picture = made.recv(), if makes => match picture {
                Some((at, jpeg)) => desk.put(Preview { at, jpeg }),
                None => makes = false,
            },
            segment = closed.recv(), if closes => match segment {
                Some(segment) => desk.segments.push_back(segment),
                None => closes = false,
            },
            () = tokio::time::sleep(LATE), if waits => desk.give_up_waiting(),
        }
        while let Some((segment, pictures)) = desk.next(makes) {
            match write(&site, segment, pictures).await {
                Ok(()) => said = false,
                Err(error) if said => tracing::debug!(%error, "still no small pictures are kept"),
                Err(error) => {
                    tracing::warn!(%error, "small pictures for the day's bar cannot be kept; recording goes on");
                    said = true;
                }
            }
        }
    }
}

/// What waits for its other half. Pure.
#[derive(Default)]
struct Desk {
    pictures: VecDeque<Preview>,
    /// Closed, by time.
    segments: VecDeque<ClosedSegment>,
    /// Nothing is waited for up to here.
    late: Option<UtcMicros>,
}

impl Desk {
    fn put(&mut self, picture: Preview) {
        if self.pictures.len() == WAITING {
            self.pictures.pop_front();
        }
        self.pictures.push_back(picture);
    }

    fn give_up_waiting(&mut self) {
        self.late = self.segments.back().map(|segment| segment.span.end());
    }

    /// The next segment whose pictures are all there, with them; those before it belong to no footage and are dropped.
    fn next(&mut self, more_may_come: bool) -> Option<(ClosedSegment, Vec<Preview>)> {
        let end = self.segments.front()?.span.end();
        let newest = self.pictures.back().map(|picture| picture.at);
        if more_may_come && newest.max(self.late).is_none_or(|up_to| up_to < end) {
            return None;
        }
        let segment = self.segments.pop_front()?;
        let (before, later) = self.pictures.drain(..).partition::<Vec<_>, _>(|picture| picture.at < end);
        self.pictures = later.into();
        let own = before.into_iter().filter(|picture| picture.at >= segment.span.start()).collect();
        Some((segment, own))
    }
}

async fn write(site: &SiteParts, segment: ClosedSegment, pictures: Vec<Preview>) -> std::io::Result<()> {
    let footage = site.footage.clone();
    let written = tokio::task::spawn_blocking(move || {
        let ClosedSegment { camera, id, span, path, .. } = segment;
        let provenance = Provenance { camera, installation: footage.installation(), segment: id, start: span.start() };
        match previews::encode(&provenance, span, &pictures) {
            Some(content) => footage.write_previews(&path, &content),
            None => Ok(()),
        }
    });
    written.await.map_err(std::io::Error::other).and_then(|written| written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing;
    use crate::units::{ByteLen, Clock, SegmentId, UtcSpan};

    const START: UtcMicros = UtcMicros(1_700_000_000_000_000);

    fn at(second: u64) -> UtcMicros {
        START.plus(Duration::from_secs(second))
    }

    fn picture(second: u64) -> Preview {
        Preview { at: at(second), jpeg: Bytes::from_static(&[0xff, 0xd8, 0xff, 0xd9]) }
    }

    fn segment(n: u8) -> ClosedSegment {
        ClosedSegment {
            id: SegmentId::from_random([n; 8]),
            camera: "porch".parse().expect("an id"),
            span: UtcSpan::starting_at(at(u64::from(n) * 60), Duration::from_secs(60)),
            path: format!("footage/porch/2023-11-14/{n:02}.mp4").into(),
            size: ByteLen(1),
            pictures: 1,
            codecs: "avc1".to_owned(),
            width: 1,
            height: 1,
        }
    }

    fn seconds((segment, pictures): (ClosedSegment, Vec<Preview>)) -> (u8, Vec<u64>) {
        (segment.id.to_bytes()[0], pictures.iter().map(|picture| picture.at.since(START).as_secs()).collect())
    }

    #[test]
    fn each_segment_gets_its_own_pictures_once_none_can_be_missing() {
        let mut desk = Desk::default();
        desk.put(picture(5));
        desk.put(picture(55));
        desk.segments.push_back(segment(0));
        assert!(desk.next(true).is_none(), "one of its last seconds may still come");
        desk.put(picture(65));
        assert_eq!(desk.next(true).map(seconds), Some((0, vec![5, 55])));
        desk.segments.push_back(segment(2));
        desk.put(picture(130));
        assert!(desk.next(true).is_none());
        desk.give_up_waiting();
        assert_eq!(desk.next(true).map(seconds), Some((2, vec![130])), "65 was between two segments");
        desk.segments.push_back(segment(3));
        assert_eq!(desk.next(false).map(seconds), Some((3, vec![])), "nobody makes any more");
        for second in 0..1000 {
            desk.put(picture(second));
        }
        assert_eq!(desk.pictures.len(), WAITING);
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_left_out_and_the_next_is_tried() {
        let folder = tempfile::tempdir().expect("a folder");
        let site = testing::site(folder.path(), "", Clock::system());
        std::fs::write(folder.path().join("previews"), "in the way").expect("written");
        let (make, made) = mpsc::channel(8);
        let (close, closed) = mpsc::channel(8);
        let footage = site.footage.clone();
        let filing = run(site, made, closed);
        let feeding = async {
            for (second, n) in [(5, 0), (65, 1)] {
                let Preview { at, jpeg } = picture(second);
                make.send((at, jpeg)).await.expect("taken");
                close.send(segment(n)).await.expect("taken");
                if n == 1 {
                    std::fs::remove_file(folder.path().join("previews")).expect("removed");
                }
                make.send((at.plus(Duration::from_secs(60)), picture(0).jpeg)).await.expect("taken");
                tokio::task::yield_now().await;
            }
            drop((make, close));
        };
        tokio::join!(filing, feeding);
        assert!(footage.open_previews(&segment(1).path).is_ok());
    }
}
