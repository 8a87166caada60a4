//! The session against a camera made of a script, under paused time.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::*;
use crate::camera::onvif::{Moves, Said};
use crate::camera::packet::{Absence, CameraMotion, Heard, StreamParameters, Turn, VideoCodec, VideoParameters};
use crate::units::{MediaTicks, SimulatedClock, UtcMicros};

/// What the scripted camera does next.
#[derive(Clone)]
enum Step {
    Picture { is_key: bool },
    Says(Moves),
    Mishear,
    Skip,
    Pass(Duration),
    Lose(CameraError),
}

const START: UtcMicros = UtcMicros(1_700_000_000_000_000);
const KEY: Step = Step::Picture { is_key: true };
const DELTA: Step = Step::Picture { is_key: false };

/// One entry per connection; when none is left it stays silent.
struct Scripted {
    clock: SimulatedClock,
    asked: Arc<Mutex<Vec<Duration>>>,
    connections: VecDeque<Result<Vec<Step>, CameraError>>,
    parameters: Arc<StreamParameters>,
}

struct Play {
    clock: SimulatedClock,
    steps: VecDeque<Step>,
    parameters: Arc<StreamParameters>,
    n: i64,
    passes: Option<Instant>,
    tells_motion: bool,
}

impl Source for Scripted {
    type Frames = Play;

    async fn ask(&mut self) -> Result<(), CameraError> {
        tokio::task::yield_now().await; // so that whoever watches the status sees each
        self.asked.lock().expect("no panic").push(self.clock.clock().monotonic().0);
        match self.connections.front() {
            None => std::future::pending().await,
            Some(Err(_)) => Err(self.connections.pop_front().and_then(Result::err).expect("just seen")),
            Some(Ok(_)) => Ok(()),
        }
    }

    async fn play(&mut self) -> Result<Play, CameraError> {
        tokio::task::yield_now().await;
        let steps = self.connections.pop_front().and_then(Result::ok).expect("asked before");
        let tells_motion = steps.iter().any(|step| matches!(step, Step::Says(_)));
        let (clock, parameters) = (self.clock.clone(), Arc::clone(&self.parameters));
        Ok(Play { clock, steps: steps.into(), parameters, n: 0, passes: None, tells_motion })
    }
}

impl Frames for Play {
    async fn next(&mut self) -> Result<Item, Trouble> {
        tokio::task::yield_now().await;
        loop {
            match self.steps.front().cloned() {
                None => std::future::pending().await,
                Some(Step::Pass(length)) => {
                    let until = *self.passes.get_or_insert_with(|| Instant::now() + length);
                    tokio::time::sleep_until(until).await;
                    self.passes = None;
                    self.clock.advance(length);
                    self.steps.pop_front();
                }
                Some(Step::Skip) => {
                    self.steps.pop_front();
                    return Err(Trouble::Skipped("garbage".to_owned()));
                }
                Some(Step::Says(moves)) => {
                    self.steps.pop_front();
                    return Ok(Item::Said(vec![Said { who: "the only detector".to_owned(), moves }]));
                }
                Some(Step::Mishear) => {
                    self.steps.pop_front();
                    return Ok(Item::Misheard);
                }
                Some(Step::Lose(error)) => return Err(Trouble::Lost(error)),
                Some(Step::Picture { is_key }) => {
                    self.steps.pop_front();
                    self.n += 1;
                    return Ok(Item::Frame(Frame {
                        track: Track::Video,
                        parameters: Some(Arc::clone(&self.parameters)),
                        pts: MediaTicks { ticks: self.n * 6000, rate: NonZeroU32::new(90_000).expect("not 0") },
                        is_key,
                        lost: 0,
                        data: Bytes::from_static(b"picture"),
                    }));
                }
            }
        }
    }

    fn tells_motion(&self) -> bool {
        self.tells_motion
    }

    async fn end(self) {}
}

fn parameters() -> Arc<StreamParameters> {
    Arc::new(StreamParameters {
        video: VideoParameters {
            codec: VideoCodec::H264,
            rfc6381: "avc1.42C01F".to_owned(),
            width: 64,
            height: 48,
            sample_entry: Bytes::new(),
            parameter_sets: Bytes::new(),
        },
        audio: None,
    })
}

struct Seen {
    packets: Vec<Packet>,
    absences: Vec<Absence>,
    /// In seconds since the start.
    motion: Vec<(Heard, Turn, f64)>,
    statuses: Vec<(Link, Option<CameraError>)>,
    last: StreamStatus,
    asked: usize,
}

/// Runs the script until the camera has been silent for a while.
async fn run_script(connections: Vec<Result<Vec<Step>, CameraError>>, length: Duration) -> Seen {
    run_hurried(connections, length, &[]).await
}

/// The same; after so long each, the camera is seen to take new connections.
async fn run_hurried(connections: Vec<Result<Vec<Step>, CameraError>>, length: Duration, seen: &[Duration]) -> Seen {
    let simulated = SimulatedClock::new(START);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let source = Scripted {
        clock: simulated.clone(),
        asked: Arc::clone(&asked),
        connections: connections.into(),
        parameters: parameters(),
    };
    let clock = simulated.clock();
    let (status, mut watched) = watch::channel(StreamStatus::new(clock.now()));
    let stop = CancellationToken::new();
    let delivered = Mutex::new(Vec::new());
    let (hurry, hurried) = watch::channel(0);
    let driver = Driver {
        camera: "porch".parse().expect("an id"),
        host: "192.168.1.20:554".to_owned(),
        clock,
        stop: stop.clone(),
        status,
        sink: |delivery| delivered.lock().expect("no panic").push(delivery),
        random: || 1.0,
        hurry: hurried,
        machine: Machine::new(),
        opened: 0,
        skipped: 0,
    };
    let statuses = async {
        let mut seen = Vec::new();
        while watched.changed().await.is_ok() {
            let status = watched.borrow_and_update();
            let now = (status.link.clone(), status.error.clone());
            if seen.last() != Some(&now) {
                seen.push(now);
            }
        }
        (seen, watched.borrow().clone())
    };
    let stopper = async {
        let began = Instant::now();
        for at in seen {
            tokio::time::sleep_until(began + *at).await;
            hurry.send_modify(|times| *times += 1);
        }
        tokio::time::sleep_until(began + length).await;
        stop.cancel();
    };
    let ((), (statuses, last), ()) = tokio::join!(driver.run(source), statuses, stopper);
    let asked = asked.lock().expect("no panic").len();
    let (mut packets, mut absences, mut motion) = (Vec::new(), Vec::new(), Vec::new());
    for delivery in delivered.into_inner().expect("no panic") {
        match delivery {
            Delivery::Packet(packet) => packets.push(packet),
            Delivery::Absent(absent) => absences.push(absent.why),
            Delivery::CameraMotion(CameraMotion { what, turn, at }) => {
                motion.push((what, turn, at.since(START).as_secs_f64()));
            }
        }
    }
    Seen { packets, absences, motion, statuses, last, asked }
}

fn names(seen: &Seen) -> Vec<&'static str> {
    let mut names: Vec<_> = seen.statuses.iter().map(|(link, _)| link.name()).collect();
    names.dedup();
    names
}

#[tokio::test(start_paused = true)]
async fn pictures_are_handed_on_from_the_first_key_frame() {
    let script = vec![DELTA, DELTA, KEY, DELTA, DELTA];
    let seen = run_script(vec![Ok(script)], Duration::from_secs(5)).await;
    assert_eq!(seen.packets.iter().map(|p| p.is_key).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(seen.packets[0].lost_before, 0);
    assert_eq!(seen.last.link, Link::Streaming);
    assert_eq!(seen.last.last_picture, Some(seen.packets[2].received));
    assert!(seen.last.parameters.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_understood_is_skipped_to_the_next_key_frame_in_the_same_session() {
    let script = vec![KEY, DELTA, Step::Skip, DELTA, Step::Skip, DELTA, KEY, DELTA];
    let seen = run_script(vec![Ok(script)], Duration::from_secs(5)).await;
    let packets: Vec<_> = seen.packets.iter().map(|p| (p.is_key, p.lost_before, p.session)).collect();
    assert_eq!(packets, [(true, 0, 0), (false, 0, 0), (true, 2, 0), (false, 0, 0)]);
    assert_eq!((seen.asked, seen.last.lost_packets), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_made_again_and_counts_as_another_session() {
    let script = vec![KEY, Step::Lose(CameraError::Ended)];
    let seen =
        run_script(vec![Ok(script.clone()), Err(CameraError::Ended), Ok(vec![KEY])], Duration::from_secs(9)).await;
    assert_eq!(seen.packets.iter().map(|p| p.session).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(seen.last.reconnects, 1);
    assert_eq!(seen.last.error, None);
    assert_eq!(seen.absences, [Absence::Unreachable, Absence::Unreachable]);
    assert_eq!(
        names(&seen),
        [
            "connecting",
            "verifying",
            "streaming",
            "waiting",
            "connecting",
            "waiting",
            "connecting",
            "verifying",
            "streaming"
        ]
    );
    let told = seen.statuses.iter().any(|(_, error)| *error == Some(CameraError::Ended));
    assert!(told, "{:?}", seen.statuses);
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_stops_sending_is_asked_again_after_ten_seconds() {
    let script = vec![KEY, Step::Pass(Duration::from_secs(9)), DELTA];
    let seen = run_script(vec![Ok(script), Ok(vec![KEY])], Duration::from_secs(25)).await;
    assert_eq!(seen.packets.iter().map(|p| p.session).collect::<Vec<_>>(), [0, 0, 1]);
    let told = seen.statuses.iter().filter_map(|(_, error)| error.clone());
    assert_eq!(told.collect::<Vec<_>>().first(), Some(&CameraError::Stalled { after: Duration::from_secs(10) }));
    assert_eq!(seen.absences.first(), Some(&Absence::Stalled));
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_takes_new_connections_is_given_three_seconds_on_the_old_one() {
    let ms = Duration::from_millis;
    let late = vec![KEY, Step::Pass(ms(2500)), DELTA, Step::Pass(ms(2500)), DELTA, Step::Pass(ms(20_000))];
    let seen = run_hurried(vec![Ok(late)], ms(7500), &[ms(1500), ms(4000)]).await;
    assert_eq!(seen.packets.iter().map(|p| p.session).collect::<Vec<_>>(), [0, 0, 0], "late is not lost");
    assert_eq!((seen.absences.len(), seen.asked), (0, 1));
    let gone = vec![KEY, Step::Pass(ms(20_000))];
    let seen = run_hurried(vec![Ok(gone), Ok(vec![KEY])], ms(6000), &[ms(1500)]).await;
    assert_eq!(seen.packets.iter().map(|p| p.session).collect::<Vec<_>>(), [0, 1]);
    let told = seen.statuses.iter().filter_map(|(_, error)| error.clone());
    assert_eq!(told.collect::<Vec<_>>().first(), Some(&CameraError::Stalled { after: Duration::from_secs(3) }));
}

#[tokio::test(start_paused = true)]
async fn a_camera_without_key_frames_is_connected_anew_and_told() {
    let script = [KEY, Step::Skip].into_iter().chain((0..70).flat_map(|_| [Step::Pass(Duration::from_secs(1)), DELTA]));
    let seen = run_script(vec![Ok(script.collect()), Ok(vec![KEY])], Duration::from_secs(65)).await;
    assert_eq!(seen.packets.iter().map(|p| p.session).collect::<Vec<_>>(), [0, 1]);
    let told = seen.statuses.iter().find_map(|(_, error)| error.clone());
    assert_eq!(told, Some(CameraError::NoKeyFrame { after: Duration::from_secs(60) }));
    assert_eq!(seen.absences, [Absence::BadStream]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_camera_is_given_up_and_asked_again() {
    let seen = run_script(vec![], Duration::from_secs(60)).await;
    assert!(seen.packets.is_empty());
    // 10 s each, with waits of 1, 2, 4 and 8 s between.
    assert_eq!(seen.asked, 5);
    let silent = CameraError::Silent { host: "192.168.1.20:554".to_owned(), after: Duration::from_secs(10) };
    assert_eq!(seen.last.error, Some(silent));
}

#[tokio::test(start_paused = true)]
async fn a_refused_password_is_not_hammered() {
    let refused = || Err(CameraError::WrongPassword);
    let seen = run_script((0..9).map(|_| refused()).collect(), Duration::from_secs(600)).await;
    assert_eq!(seen.asked, 4);
    assert_eq!(seen.last.error, Some(CameraError::WrongPassword));
    assert_eq!(seen.absences[..4], [Absence::WrongPassword; 4]);
}

#[tokio::test(start_paused = true)]
async fn rates_are_told_each_second_and_not_per_packet() {
    let mut script = vec![KEY];
    for _ in 0..100 {
        script.extend([Step::Pass(Duration::from_millis(100)), DELTA]);
    }
    let simulated = run_script(vec![Ok(script)], Duration::from_secs(10)).await;
    let (rate, kbit) = (simulated.last.pictures_per_second, simulated.last.kbit_s);
    assert!((9.0..=11.0).contains(&rate), "{rate}");
    assert!((0.5..=0.6).contains(&kbit), "{kbit}");
}

#[tokio::test(start_paused = true)]
async fn what_a_camera_itself_says_of_motion_is_told_with_its_times_and_ends_with_the_session() {
    const YES: Step = Step::Says(Moves::Something);
    const NO: Step = Step::Says(Moves::Nothing);
    use Heard::{Motion, Track};
    use Turn::{Begins, Ends};
    let pass = |s| Step::Pass(Duration::from_secs(s));
    // The script's clock stands still within a pause: the picture of a second before YES is the one with which it is looked.
    let silence = [DELTA, pass(8), DELTA, pass(1), DELTA];
    let script =
        [&[KEY, pass(2), YES, pass(3), NO, pass(2), YES, pass(1), NO], &silence[..], &[YES, pass(4), DELTA]].concat();
    let second = vec![KEY, NO, pass(3), YES, pass(2), Step::Mishear, DELTA, pass(8)];
    let lost = |mut script: Vec<Step>| {
        script.push(Step::Lose(CameraError::Ended));
        script
    };
    let seen = run_script(vec![Ok(lost(script)), Ok(lost(second)), Ok(vec![KEY])], Duration::from_secs(60)).await;
    let expected = [
        (Track, Begins, 0.0),
        (Motion, Begins, 2.0),
        // It fell silent for two seconds in between: that is one motion.
        (Motion, Ends, 8.0),
        (Motion, Begins, 17.0),
        (Motion, Ends, 21.0),
        (Track, Ends, 21.0),
        (Track, Begins, 21.0),
        (Motion, Begins, 24.0),
        (Motion, Ends, 26.0),
        (Track, Ends, 34.0),
    ];
    assert_eq!(seen.motion, expected, "the clock stands still while nothing is connected; the third has no such track");
    assert_eq!(seen.packets.len(), 8, "pictures come as ever");
}
