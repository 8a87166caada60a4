//! Hearthwatch: a home video recorder that keeps the household's footage in the house.
//!
//! This page is the architecture: a bird's eye view, the code map, what must stay true, and the lives of a packet and of a
//! request. What a household needs to know is in the README.
//!
//! # Bird's eye view
//!
//! ```text
//! camera ──Packet──▶ record ──ClosedSegment──▶ index ──rows──▶ media ──bytes──▶ web
//!    ├────Packet──▶ detect ──MotionEvent─────▶ index
//!    └────Packet──▶ media::live (a ring with the last group of pictures)
//! ```
//!
//! One process, one binary. A session per camera stream talks RTSP and yields packets: access units as the camera sent them,
//! never decoded (telephone sound alone is packed anew, as FLAC, without losing a bit). Each packet goes three ways at once, and none of the three waits for another:
//!
//! * **record** appends it to a fragmented MP4 file, one file a minute. No transcoding; the file alone is enough.
//! * **detect** hands it to a decoder *process* (this binary again, one per camera, stripped of what it could misuse), gets
//!   back block means of the picture's brightness, and decides what moves.
//! * **live** keeps the last group of pictures in memory, so that a viewer's first picture is there at once.
//!
//! Files are the truth, SQLite is their index, and only `media` turns either into pictures: for a proof that the viewer may
//! see that camera now.
//!
//! # Code map
//!
//! In this order; a module uses only modules above it (`tests/architecture.rs`).
//!
//! | module | holds |
//! | --- | --- |
//! | [`units`] | ids, moments, spans, ticks, sizes, secrets, the clock |
//! | [`config`] | the file as written → checked settings or all complaints at once; hot reload; edits that keep comments |
//! | [`access`] | who may see what: roles, rights, tokens, passwords, the gate and its proof type. Pure |
//! | [`disk`] | the footage folder: layout, `.part` → sync → rename → sync folder, space, marker file |
//! | [`camera`] | discovery, identity, ONVIF, the session state machine and its RTSP source, telephone sound, packets |
//! | [`record`] | where a segment ends, fragmented MP4 written and read, the recording stage, recovery |
//! | [`detect`] | the decoder process and its protocol, the model of the picture, the trigger |
//! | [`index`] | SQLite: schema, migrations, one writer, read-only readers |
//! | [`media`] | everything that yields pictures: live, clips, HLS, thumbnails, small pictures of a day. Every public function takes the gate's proof |
//! | [`web`] | routes as a table, extractors, pages, JSON, headers, TLS |
//! | [`fake_camera`] | a simulated RTSP camera, for the demo and the tests. Uses only `units`: it is an honest opposite number |
//! | [`app`] | commands, the doctor, wiring, supervision; the only place that starts tasks and threads |
//!
//! # Invariants
//!
//! * Before a password is sent and before a picture is handed on, whoever answers was held against what is pinned of the
//!   camera (`camera::identity`); an address, a name or an announcement is never evidence enough.
//! * A picture is filed under the camera whose session delivered it: the camera's id travels beside the channel it came
//!   from, and is written into the file. Whoever opens a file compares that id with the one in the proof.
//! * `access::Viewable` is made by the gate alone, and the gate asks SQLite each time. No right is held in memory.
//! * Only a file that was synced and renamed, its folder synced too, becomes a row. Nothing without a row is deleted.
//! * A storage folder without its marker gets not a byte. What was recorded into before is noted outside of it, so that an
//!   empty mount point is no first start; files and index are written through handles on the folder that was opened.
//! * Recording waits for nobody: what it hands on goes through queues that never block it.
//! * libavcodec decodes what cameras send in the decoder process alone, never in the daemon.
//! * What a camera itself says of motion (its ONVIF metadata) is shown beside our events: it makes none, changes none, and keeps no
//!   footage; whatever is wrong with that track costs no picture.
//! * Time comes from [`units::Clock`], randomness from parameters; tasks and threads start in [`app`].
//!
//! # The life of a packet
//!
//! `camera::session` receives it from the RTSP source, stamps it with both clocks and calls the sink that `app` built: the
//! recording thread's queue (`try_send`), the decoder's queue (`try_send`; detection skips, never queues without bound),
//! the ring. Sessions and detection of all cameras share one thread, for a packet's work is small and waking for it is not
//! (`app::common_thread`). The recording thread turns packets into samples (`record::fragmenter`), decides whether a segment ends
//! (`record::cutter`), appends a fragment for each group of pictures or second, syncs every `sync_seconds` and publishes how
//! far the open file may be read. A closed segment goes to the index feed, which makes it a row; if the database is busy the
//! rows wait there, not the recording. A disk that fails or fills ends the segment with what is whole of it, and the next key
//! frame is tried again; a disk that goes away ends the daemon's life on it (`app::daemon`), and the next one begins when it is
//! back. After a crash `record::recover` cuts torn tails and adopts what has no row.
//!
//! # The life of a request
//!
//! Host and peer address are checked first, then the route table's audience: its extractor reads the session's token, asks
//! the gate for a `Viewable` and answers 401 or 404 before the handler runs. A handler narrows that proof to a segment, an
//! event or a clip of the same camera, and hands it to `media`. The audit row is written before the first byte goes out, and
//! a stream asks the gate again every second until it ends.

pub mod units;

pub mod config;

pub mod access;

pub mod disk;

pub mod camera;

pub mod record;

pub mod detect;

pub mod index;

pub mod media;

pub mod web;

pub mod fake_camera;

pub mod app;
