//! The household's people: each with rights of their own, and looking all the while.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::StreamExt as _;
use hearthwatch::access::{Rights, Role, Token, password};
use hearthwatch::disk::Footage;
use hearthwatch::index::sessions::{self, SessionKind};
use hearthwatch::index::{self, rights, users};
use hearthwatch::units::{Clock, InstallationId, Secret};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::devices::{name, number};
use crate::network::Network;
use crate::{CAMERAS, Random, pictures};

/// Somebody who is signed in.
pub(crate) struct Person {
    token: String,
    /// The cameras that this person may see, all of them in every way.
    sees: Vec<usize>,
    /// Watches live instead of asking for pictures.
    is_live: bool,
}

/// Everybody, the owner first.
pub(crate) struct People(Vec<Person>);

/// Puts them into the index, before the recorder starts.
pub(crate) fn move_in(storage: &Path, watchers: usize, random: &mut Random) -> People {
    Footage::open(storage, InstallationId::from_random([7; 16])).expect("a storage folder");
    let (thread, writer, readers) = index::open(&storage.join("hearthwatch.db")).expect("an index");
    let thread = std::thread::spawn(move || thread.run());
    let phc = password::hash(&Secret::new("nobody types it"), [3; 16]);
    let now = Clock::system().now();
    let later = now.plus(Duration::from_secs(24 * 3600));
    let mut people = Vec::new();
    for who in 0..=watchers {
        let token = Token::from_random(std::array::from_fn(|_| random.next().to_be_bytes()[0]));
        let sees: Vec<usize> = if who == 0 {
            (0..CAMERAS).collect()
        } else {
            let count = 1 + random.below(5);
            random.shuffled(CAMERAS)[..count].to_vec()
        };
        let (hash, phc, seen) = (token.hash(), phc.clone(), sees.clone());
        let made = writer.write_blocking(move |tx| {
            let role = if who == 0 { Role::Owner } else { Role::Guest };
            let user = users::insert(tx, &format!("person-{who}").parse().expect("a name"), role, &phc)?;
            for camera in seen {
                rights::grant(tx, user, &name(camera).parse().expect("an id"), Rights::ALL)?;
            }
            sessions::insert(tx, &hash, user, now, later, SessionKind::Cookie)
        });
        made.expect("written");
        people.push(Person { token: token.expose(), sees, is_live: who % 6 == 1 });
    }
    drop((writer, readers));
    thread.join().expect("the index is closed");
    People(people)
}

fn agent() -> ureq::Agent {
    let limit = Some(Duration::from_secs(20));
    ureq::Agent::config_builder().http_status_as_error(false).timeout_global(limit).build().into()
}

fn get(agent: &ureq::Agent, origin: &str, token: &str, path: &str) -> (u16, Vec<u8>) {
    let asked = agent.get(format!("{origin}{path}")).header("Cookie", format!("hearthwatch={token}")).call();
    let Ok(mut answer) = asked else { return (0, Vec::new()) };
    let body = answer.body_mut().with_config().limit(64 << 20).read_to_vec().unwrap_or_default();
    (answer.status().as_u16(), body)
}

/// The owner, who only asks how the cameras are.
pub(crate) struct Owner {
    agent: ureq::Agent,
    origin: String,
    token: String,
}

impl Owner {
    pub(crate) fn new(origin: &str, people: &People) -> Self {
        Self { agent: agent(), origin: origin.to_owned(), token: people.0[0].token.clone() }
    }

    pub(crate) fn cameras(&self) -> Value {
        let (_, body) = get(&self.agent, &self.origin, &self.token, "/api/cameras");
        serde_json::from_slice(&body).unwrap_or_default()
    }

    /// How often somebody was refused.
    pub(crate) fn refusals(&self) -> u64 {
        let (_, body) = get(&self.agent, &self.origin, &self.token, "/metrics");
        let text = String::from_utf8(body).expect("UTF-8");
        let lines = text.lines().filter(|line| line.starts_with("hearthwatch_identity_refusals_total{"));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }
}

/// Something that somebody was shown.
struct Shown {
    file: PathBuf,
    camera: usize,
    kind: &'static str,
}

/// Everybody but the owner, looking.
pub(crate) struct Watching {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Shown>>>,
}

/// What they saw.
pub(crate) struct Seen {
    pub(crate) pictures: usize,
    pub(crate) by_kind: String,
}

impl Watching {
    pub(crate) fn start(network: &Network, origin: &str, people: People, folder: &Path) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let shown = folder.join("shown");
        std::fs::create_dir(&shown).expect("a folder");
        let threads = people.0.into_iter().skip(1).enumerate().map(|(who, person)| {
            let looking = Looking {
                person,
                origin: origin.to_owned(),
                shown: shown.clone(),
                who,
                count: AtomicUsize::new(0),
                stop: Arc::clone(&stop),
                random: Random(who as u64 + 1),
            };
            let door = network.door();
            std::thread::spawn(move || {
                door.enter();
                looking.look()
            })
        });
        Self { threads: threads.collect(), stop }
    }

    /// Everything that was shown is decoded: each picture is of the camera that was asked for.
    pub(crate) fn end(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        let mut total = 0;
        for thread in self.threads {
            for shown in thread.join().expect("a viewer did not panic") {
                let numbers = pictures::numbers(&shown.file);
                for found in &numbers {
                    assert_eq!(*found, Some(number(shown.camera)), "{} of {}", shown.kind, name(shown.camera));
                }
                *kinds.entry(shown.kind).or_default() += numbers.len();
                total += numbers.len();
            }
        }
        let by_kind: Vec<_> = kinds.into_iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        Seen { pictures: total, by_kind: by_kind.join(", ") }
    }
}

/// One person's look.
struct Looking {
    person: Person,
    origin: String,
    shown: PathBuf,
    who: usize,
    count: AtomicUsize,
    stop: Arc<AtomicBool>,
    random: Random,
}

impl Looking {
    fn look(mut self) -> Vec<Shown> {
        let agent = agent();
        let mut all = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let sees = self.person.sees.clone();
            let camera = sees[self.random.below(sees.len())];
            if self.person.is_live {
                all.extend(self.live(camera));
            } else {
                all.extend(self.ask(&agent, camera));
            }
            self.forbidden(&agent);
            std::thread::sleep(Duration::from_millis(1000 + self.random.next() % 3000));
        }
        all
    }

    fn keep(&self, camera: usize, kind: &'static str, extension: &str, bytes: &[u8]) -> Shown {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let file = self.shown.join(format!("{}-{count}.{extension}", self.who));
        std::fs::write(&file, bytes).expect("written");
        Shown { file, camera, kind }
    }

    fn ask(&mut self, agent: &ureq::Agent, camera: usize) -> Vec<Shown> {
        let (id, token, origin) = (name(camera), self.person.token.clone(), self.origin.clone());
        let get = |path: &str| get(agent, &origin, &token, path);
        match self.random.below(3) {
            0 => {
                let (status, body) = get(&format!("/api/cameras/{id}/snapshot.jpg"));
                if status == 200 { vec![self.keep(camera, "snapshots", "jpg", &body)] } else { Vec::new() }
            }
            1 => {
                let end = crate::unix_now() - f64::from(u8::try_from(self.random.below(20)).expect("small"));
                let (status, body) = get(&format!("/api/cameras/{id}/clip.mp4?start={}&end={end}", end - 2.0));
                if status == 200 { vec![self.keep(camera, "clip pictures", "mp4", &body)] } else { Vec::new() }
            }
            _ => {
                let (_, body) = get(&format!("/api/events?camera={id}&limit=2"));
                let events: Value = serde_json::from_slice(&body).unwrap_or_default();
                let listed = events.as_array().cloned().unwrap_or_default();
                let thumbnails = listed.iter().filter_map(|event| {
                    assert_eq!(event["camera"], id.as_str(), "an event of a camera that was not asked for");
                    let event = event["id"].as_str()?;
                    let (status, body) = get(&format!("/api/events/{event}/thumbnail.jpg"));
                    (status == 200).then(|| self.keep(camera, "thumbnails", "jpg", &body))
                });
                thumbnails.collect()
            }
        }
    }

    /// A camera that this person may not see answers as one that does not exist.
    fn forbidden(&mut self, agent: &ureq::Agent) {
        let camera = self.random.below(CAMERAS);
        if !self.person.sees.contains(&camera) {
            let path = format!("/api/cameras/{}/snapshot.jpg", name(camera));
            let (status, _) = get(agent, &self.origin, &self.person.token, &path);
            assert!(matches!(status, 404 | 0), "{status} for a camera that is not theirs");
        }
    }

    /// Watches live for a few seconds.
    fn live(&mut self, camera: usize) -> Option<Shown> {
        let url = format!("{}/api/cameras/{}/live?stream=main", self.origin.replace("http", "ws"), name(camera));
        let mut request = url.into_client_request().expect("a URL");
        let headers = request.headers_mut();
        headers.insert("Cookie", format!("hearthwatch={}", self.person.token).parse().expect("ASCII"));
        headers.insert("Origin", self.origin.parse().expect("ASCII"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let bytes = runtime.block_on(async {
            let mut bytes = Vec::new();
            let watching = async {
                let (mut socket, _) = tokio_tungstenite::connect_async(request).await.ok()?;
                let mut parameters = 0;
                while let Some(Ok(message)) = socket.next().await {
                    match message {
                        // Other parameters need another init segment, and so another file.
                        Message::Text(_) => parameters += 1,
                        Message::Binary(part) if parameters < 2 => bytes.extend_from_slice(&part),
                        _ => break,
                    }
                }
                Some(())
            };
            let _ = tokio::time::timeout(Duration::from_secs(6), watching).await;
            bytes
        });
        (!bytes.is_empty()).then(|| self.keep(camera, "live pictures", "mp4", &bytes))
    }
}
