use futures_util::StreamExt as _;
use proptest::prelude::*;

use super::*;
use crate::media::testing::{Film, Storage, ffprobe, film, id, shown};
use crate::record::segment::OpenSegment;
use crate::units::UtcMicros;

const ZERO: UtcMicros = UtcMicros(1_700_000_000_000_000);

fn at(ms: u64) -> UtcMicros {
    ZERO.plus(Duration::from_millis(ms))
}

fn span(from_ms: u64, to_ms: u64) -> UtcSpan {
    UtcSpan::new(at(from_ms), at(to_ms)).expect("ordered")
}

fn recording(from_ms: u64, to_ms: u64) -> Recording {
    Recording {
        id: SegmentId::from_random(from_ms.to_be_bytes()),
        camera: id("porch"),
        span: span(from_ms, to_ms),
        path: "footage/porch/x.mp4".into(),
        size: ByteLen(1000),
        codecs: "avc1.4d401f".to_owned(),
        width: 640,
        height: 360,
        is_open: false,
    }
}

/// Fetches a playlist and everything it names, as a player does, into the storage folder.
async fn fetch(storage: &Storage, span: UtcSpan) -> std::path::PathBuf {
    let proof = storage.household.proof("porch", Right::History);
    let text = playlist(&proof, span, &storage.readers, &storage.open).await.expect("a playlist");
    let mut local = String::new();
    for line in text.lines() {
        let uri = line.strip_prefix("#EXT-X-MAP:URI=\"").map_or(line, |rest| rest.trim_end_matches('"'));
        let (name, query) = uri.split_once('?').unwrap_or((uri, ""));
        let number = |key: &str| {
            query.split('&').find_map(|part| part.strip_prefix(key)).map(|value| value.parse().expect("a number"))
        };
        match VodFile::from_name(name) {
            Some(VodFile::Init(id)) => {
                let bytes = init(&proof, id, &storage.readers, &storage.footage, &storage.open).await.expect("an init");
                storage.keep(name, &bytes);
            }
            Some(VodFile::Segment(id)) => {
                let query = SegmentQuery { at_us: number("at_us=").expect("a place"), until: number("until=") };
                let file = segment(&proof, id, query, &storage.readers, &storage.footage, &storage.open).await;
                let file = file.expect("a segment");
                let chunks: Vec<_> = file.stream(0..file.len()).collect().await;
                let bytes: Vec<u8> = chunks.into_iter().flat_map(|chunk| chunk.expect("readable")).collect();
                storage.keep(name, &bytes);
            }
            _ => {}
        }
        local.push_str(&line.replace(query, "").replace('?', ""));
        local.push('\n');
    }
    storage.keep("index.m3u8", local.as_bytes())
}

fn record(storage: &Storage, film: &Film, from: usize, to: usize, start_ms: u64) {
    storage.list(&storage.record("porch", film, from, to, at(start_ms)));
}

#[tokio::test]
async fn a_playlist_plays_like_one_film() {
    let source = "testsrc=size=160x120:rate=10:duration=8[out0];sine=frequency=500:sample_rate=16000:duration=8[out1]";
    let Some(film) = film(source, "-c:v libx264 -bf 2 -g 10 -c:a aac -b:a 32k") else { return };
    let storage = Storage::new();
    record(&storage, &film, 0, 30, 0);
    record(&storage, &film, 30, 50, 3000);
    // The last one is still being written, and only its first second is known to be on disk.
    let last = storage.record("porch", &film, 50, 80, at(5000));
    let (bytes, _) = film.segment(50, 60, None);
    let (init, _) = film.segment(50, 51, None);
    let init_len = crate::record::reader::read(&init[..], init.len() as u64).expect("readable").init.end;
    let file = crate::media::testing::read(&storage.folder.path().join(&last.path));
    let own_init = crate::record::reader::read(&file[..], file.len() as u64).expect("readable").init.end;
    let synced = ByteLen(bytes.len() as u64 - init_len + own_init);
    let Recording { id, camera, path, codecs, width, height, .. } = last.clone();
    let open = OpenSegment { id, camera, span: span(5000, 6000), path, synced, codecs, width, height };
    storage.open.set(open);

    let path = fetch(&storage, span(1000, 60_000)).await;
    // FFmpeg warns of each further init section, because it uses the first one only.
    let pictures = shown(&path, "error");
    assert_eq!(pictures.len(), 60);
    let times: Vec<_> = pictures.iter().map(|(at, _)| (at - pictures[0].0 + 500) / 1000).collect();
    assert_eq!(times, (0..60).map(|n| n * 100).collect::<Vec<_>>());
    let told = ffprobe(&path, "-show_entries format=duration");
    assert_eq!(told.trim(), "duration=6.000000");
    // Once it is closed, an address from before still means the same bytes.
    storage.list(&last);
    let proof = storage.household.proof("porch", Right::History);
    let query = SegmentQuery { at_us: 5_000_000, until: Some(synced.0) };
    let file = segment(&proof, last.id, query, &storage.readers, &storage.footage, &storage.open).await;
    assert_eq!(file.expect("a segment").len(), synced.0 - own_init);
}

#[tokio::test]
async fn another_cameras_segment_does_not_exist() {
    let Some(film) = film("testsrc=size=160x120:rate=10:duration=2", "-c:v libx264 -g 10") else { return };
    let storage = Storage::new();
    let nursery = storage.record("nursery", &film, 0, 20, ZERO);
    storage.list(&nursery);
    let porch = storage.household.proof("porch", Right::History);
    let query = SegmentQuery::default();
    let refused = segment(&porch, nursery.id, query, &storage.readers, &storage.footage, &storage.open).await;
    assert!(refused.expect_err("refused").is_not_found());
    let refused = init(&porch, nursery.id, &storage.readers, &storage.footage, &storage.open).await;
    assert!(refused.expect_err("refused").is_not_found());
    let refused = playlist(&porch, span(0, 2000), &storage.readers, &storage.open).await;
    assert!(refused.expect_err("refused").is_not_found());
    for right in [Right::Live, Right::Export, Right::Delete] {
        let proof = storage.household.proof("nursery", right);
        let refused = segment(&proof, nursery.id, query, &storage.readers, &storage.footage, &storage.open).await;
        assert!(matches!(refused, Err(MediaError::WrongRight(_))));
        assert!(playlist(&proof, span(0, 2000), &storage.readers, &storage.open).await.is_err());
        assert!(init(&proof, nursery.id, &storage.readers, &storage.footage, &storage.open).await.is_err());
    }
}

#[test]
fn a_playlist_says_when_and_where_it_breaks() {
    let mut list =
        [recording(0, 60_000), recording(60_000, 119_500), recording(200_000, 260_000), recording(260_000, 261_000)];
    list[3].width = 1280;
    list[3].is_open = true;
    let text = write_playlist(&list.each_ref(), span(10_500, 400_000)).expect("a playlist");
    let ids: Vec<_> = list.iter().map(|recording| recording.id).collect();
    let expected = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:60\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-INDEPENDENT-SEGMENTS\n\
         #EXT-X-START:TIME-OFFSET=10.500000,PRECISE=YES\n\
         #EXT-X-MAP:URI=\"init-{a}.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z\n#EXTINF:60.000000,\n{a}.m4s?at_us=0\n\
         #EXT-X-MAP:URI=\"init-{b}.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:14:20.000Z\n#EXTINF:59.500000,\n{b}.m4s?at_us=60000000\n\
         #EXT-X-DISCONTINUITY\n\
         #EXT-X-MAP:URI=\"init-{c}.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:16:40.000Z\n#EXTINF:60.000000,\n{c}.m4s?at_us=200000000\n\
         #EXT-X-DISCONTINUITY\n\
         #EXT-X-MAP:URI=\"init-{d}.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:17:40.000Z\n#EXTINF:1.000000,\n{d}.m4s?at_us=260000000&until=1000\n\
         #EXT-X-ENDLIST\n",
        a = ids[0],
        b = ids[1],
        c = ids[2],
        d = ids[3],
    );
    assert_eq!(text, expected);
    assert_eq!(write_playlist(&[], span(0, 1)), None);
}

proptest! {
    #[test]
    fn a_name_is_a_file_of_a_playlist_or_nothing(name in "(index|init-)?[0-9a-f]{15,17}(.mp4|.m4s|.m3u8)?") {
        if let Some(VodFile::Init(id) | VodFile::Segment(id)) = VodFile::from_name(&name) {
            prop_assert!(name.contains(&id.to_string()));
        }
    }
}
