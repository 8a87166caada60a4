//! `hearthwatch user …`: who may sign in, from the command line.
//!
//! Works while the daemon runs and while it does not: both open the same database, and nobody holds rights in memory.

use std::io::Read as _;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rusqlite::Transaction;

use crate::access::{Rights, Role, Token, UserName, password};
use crate::app::daemon::INDEX;
use crate::app::{Failure, cli, random, storage};
use crate::config;
use crate::disk::Seen;
use crate::index::audit::{self, Entry};
use crate::index::sessions::{self, SessionKind};
use crate::index::{self, Readers, WriterThread};
use crate::units::{CameraId, Clock, Secret, UserId, UtcMicros};

/// The longest password that is read, in bytes; more is not a password.
const MAX_PASSWORD: u64 = 4096;

/// Runs one of the commands.
pub(crate) fn run(command: cli::User, clock: &Clock) -> Result<(), Failure> {
    match command {
        cli::User::Add { name, role, cameras, expires, config } => {
            let name = user_name(&name)?;
            let role: Role = role
                .parse()
                .map_err(|_| Failure::Usage(format!("\"{role}\" is no role; it is one of owner, member and guest")))?;
            let expires = expires.map(|text| expiry(&text, role, clock.now())).transpose()?;
            let cameras = cameras
                .iter()
                .map(|id| id.parse().map_err(|error| Failure::Usage(format!("\"{id}\" is no camera: {error}"))))
                .collect::<Result<Vec<CameraId>, _>>()?;
            let (mut writer, readers, settings) = open(&config)?;
            if let Some(unknown) = cameras.iter().find(|id| !settings.cameras.contains_key(id)) {
                let known = settings.cameras.keys().map(CameraId::as_str).collect::<Vec<_>>().join(", ");
                return Err(Failure::Usage(format!("there is no camera \"{unknown}\"; there are: {known}")));
            }
            if readers.read_blocking(|conn| index::users::by_name(conn, name.as_str()))?.is_some() {
                return Err(Failure::Failed(anyhow!("there is a \"{name}\" already; choose another name")));
            }
            let hash = new_password()?;
            let all: Vec<CameraId> = settings.cameras.into_keys().collect();
            let seen = if role == Role::Owner && cameras.is_empty() { all.as_slice() } else { cameras.as_slice() };
            writer.write_here(|tx| {
                let user = add(tx, &name, role, &hash, &all, seen)?;
                index::users::set_expiry(tx, user, expires)?;
                note(tx, clock.now(), "user-added", &format!("{name}, {role}"))
            })?;
            Ok(())
        }
        cli::User::List { config } => {
            let (_, readers, _) = open(&config)?;
            for user in readers.read_blocking(index::users::list)? {
                let rights = readers.read_blocking(|conn| index::rights::of_user(conn, user.id))?;
                let cameras = rights.iter().map(|row| row.camera.as_str()).collect::<Vec<_>>().join(", ");
                println!("{}\t{}\t{cameras}", user.name, user.role);
            }
            Ok(())
        }
        cli::User::Passwd { name, config } => {
            let (mut writer, readers, _) = open(&config)?;
            let id = known(&readers, &name)?;
            let hash = new_password()?;
            writer.write_here(|tx| {
                index::users::set_password(tx, id, &hash)?;
                note(tx, clock.now(), "password-set", &name)
            })?;
            Ok(())
        }
        cli::User::Token { name, label, days, config } => {
            let (mut writer, readers, _) = open(&config)?;
            let id = known(&readers, &name)?;
            let token = Token::from_random(random::bytes());
            let (hash, now) = (token.hash(), clock.now());
            let expires = now.plus(Duration::from_secs(u64::from(days) * 86_400));
            writer.write_here(|tx| {
                sessions::insert(tx, &hash, id, now, expires, SessionKind::Api)?;
                sessions::describe(tx, &hash, &label, None)?;
                note(tx, now, "token-made", &format!("{label}, by {name}"))
            })?;
            // The one place where it is ever shown.
            println!("{}", token.expose());
            Ok(())
        }
        cli::User::Remove { name, config } => {
            let (mut writer, readers, _) = open(&config)?;
            let id = known(&readers, &name)?;
            let removed = writer.write_here(|tx| {
                let removed = index::users::remove(tx, id)?;
                if removed == index::users::Removal::Removed {
                    note(tx, clock.now(), "user-removed", &name)?;
                }
                Ok(removed)
            });
            match removed? {
                index::users::Removal::Removed => Ok(()),
                index::users::Removal::NoSuchUser => Err(Failure::Failed(anyhow!("there is no \"{name}\" any more"))),
                index::users::Removal::LastOwner => Err(Failure::Failed(anyhow!(
                    "\"{name}\" is the only owner, and a recorder without one could be claimed by anybody; add another first"
                ))),
            }
        }
    }
}

/// A new person with rights on `seen`. The cameras of `all` count as adopted from now on, so that the daemon's first look at
/// them does not hand out rights a second time.
fn add(
    tx: &Transaction<'_>,
    name: &UserName,
    role: Role,
    hash: &str,
    all: &[CameraId],
    seen: &[CameraId],
) -> rusqlite::Result<UserId> {
    for camera in all {
        index::rights::adopt(tx, camera)?;
    }
    let user = index::users::insert(tx, name, role, hash)?;
    let rights = match role {
        Role::Owner => Rights::ALL,
        Role::Member => Rights { delete: false, ..Rights::ALL },
        Role::Guest => Rights { live: true, ..Rights::NONE },
    };
    for camera in seen {
        index::rights::grant(tx, user, camera, rights)?;
    }
    Ok(user)
}

/// What was done at the machine itself is written down as the recorder's own doing: who sat there is not known.
fn note(tx: &Transaction<'_>, now: UtcMicros, action: &str, detail: &str) -> rusqlite::Result<()> {
    let entry = Entry {
        at: now,
        user: None,
        user_name: String::new(),
        action: action.to_owned(),
        camera: None,
        span: None,
        address: None,
        detail: format!("{detail} (at the machine itself)"),
    };
    audit::append(tx, &entry).map(drop)
}

/// When somebody's time is over: `12h`, `7d`, or a local time.
fn expiry(text: &str, role: Role, now: UtcMicros) -> Result<UtcMicros, Failure> {
    if role == Role::Owner {
        return Err(Failure::Usage("an owner's time is never over; leave --expires out".to_owned()));
    }
    let length = |unit: char, seconds: u64| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        Some(now.plus(Duration::from_secs(number.checked_mul(seconds)?)))
    };
    let local = || {
        let at: DateTime = text.parse().ok()?;
        Some(UtcMicros(at.to_zoned(TimeZone::system()).ok()?.timestamp().as_microsecond()))
    };
    let until = length('h', 3_600).or_else(|| length('d', 86_400)).or_else(local);
    until.filter(|until| *until > now).ok_or_else(|| {
        Failure::Usage(format!("\"{text}\" is no time to come; write 12h, 7d or a local time as 2026-12-24T18:00"))
    })
}

/// The index for a command that changes it, and the settings.
pub(crate) fn open(options: &cli::ConfigFile) -> Result<(WriterThread, Readers, config::settings::Settings), Failure> {
    let settings = config::load(&options.config).map_err(|error| Failure::Usage(error.to_string()))?;
    let index = settings.storage.path.join(INDEX);
    if !index.exists() {
        // Before the daemon's first start: make the storage folder as it would.
        storage::open(&settings.storage.path, &Seen::beside(&options.config))?;
    }
    let (writer, _, readers) = index::open(&index)?;
    Ok((writer, readers, settings))
}

fn user_name(name: &str) -> Result<UserName, Failure> {
    name.parse().map_err(|error| Failure::Usage(format!("\"{name}\" cannot be a name to sign in with: {error}")))
}

fn known(readers: &Readers, name: &str) -> Result<UserId, Failure> {
    let name = user_name(name)?;
    let user = readers.read_blocking(|conn| index::users::by_name(conn, name.as_str()))?;
    Ok(user.with_context(|| format!("there is no \"{name}\"; `hearthwatch user list` shows who there is"))?.id)
}

/// Reads a password from standard input, to its end or its first line's, and hashes it.
fn new_password() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .take(MAX_PASSWORD)
        .read_to_string(&mut text)
        .context("the password on standard input is not text")?;
    let typed = Secret::new(text.lines().next().unwrap_or_default());
    password::check(&typed).map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(password::hash(&typed, random::bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_length_or_a_time_to_come() {
        let now = UtcMicros(1_782_648_000_000_000); // 2026-06-28T12:00:00Z
        let of = |text| expiry(text, Role::Guest, now).ok().map(|until| until.since(now).as_secs());
        assert_eq!((of("12h"), of("7d")), (Some(43_200), Some(604_800)));
        assert!(of("2026-12-24T18:00").is_some_and(|seconds| seconds > 86_400));
        for wrong in ["", "0d", "2020-01-01T00:00", "soon", "-1d", "99999999999999999999d"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
        assert!(expiry("7d", Role::Owner, now).is_err());
    }
}
