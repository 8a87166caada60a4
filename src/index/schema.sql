-- What stands in hearthwatch.db, for people. The program makes it by running migrations/*.sql in order; a test holds both
-- against each other. Every moment is in microseconds since 1970-01-01T00:00:00Z. Every id of a camera is 1 to 40 of
-- a-z 0-9 and inner -. Segments and events have 64 random bits as id: eight bytes here, 16 hexadecimal digits outside.
--
-- Files are the truth about footage, and this is their index: a row of `segments` exists only after its file was synced and
-- renamed, and a file is unlinked only while its path stands in `garbage` (but on a disk that is full to the last block, where no
-- row can be written before a file went). About people this is the only truth.

-- Which footage folder this index belongs to: one row.
CREATE TABLE installation (
  one INTEGER PRIMARY KEY CHECK (one = 1),            -- always 1: there is one row at most
  id BLOB NOT NULL CHECK (length(id) = 16)            -- the id in the folder's marker file and in each footage file
) STRICT;

-- The daemon that runs, or the last one if it did not end in order: one row, or none.
CREATE TABLE running (
  one INTEGER PRIMARY KEY CHECK (one = 1),            -- always 1: there is one row at most
  boot TEXT NOT NULL                                  -- the kernel's id of that run of the machine; '' if it tells none
) STRICT;

-- Since when the time is a guess, because the machine's clock was never set since then: one row, or none.
CREATE TABLE guessed_time (
  one INTEGER PRIMARY KEY CHECK (one = 1),            -- always 1: there is one row at most
  boot TEXT NOT NULL,                                 -- the kernel's id of that run of the machine; '' if it tells none
  apart_us INTEGER NOT NULL,                          -- the guessed time minus the time since the machine's start
  since_us INTEGER NOT NULL                           -- what was recorded from then on, by the guessed time, is to be moved
) STRICT;

-- Cameras that were ever seen; a camera that left the configuration stays for its footage's sake.
CREATE TABLE cameras (
  id TEXT PRIMARY KEY                                 -- the camera's id, as in the configuration
    CHECK (length(id) BETWEEN 1 AND 40 AND id NOT GLOB '*[^-a-z0-9]*' AND id NOT GLOB '-*' AND id NOT GLOB '*-'),
  adopted INTEGER NOT NULL DEFAULT 0                  -- 1 once its owners were given their rights, so that one taken away
    CHECK (adopted IN (0, 1)),                        --   later is not given again
  first_seen_us INTEGER                               -- start of the earliest footage ever filed; NULL before there was any
) STRICT, WITHOUT ROWID;

-- Who each camera is: what was seen of it when it was adopted, and since. Whoever answers at its address is held against it.
CREATE TABLE pins (
  camera TEXT PRIMARY KEY REFERENCES cameras (id),    -- whose evidence
  since_us INTEGER NOT NULL,                          -- when it was adopted
  address TEXT NOT NULL,                              -- the IP address where it was seen last; says nothing of who it is
  mac TEXT,                                           -- its network card, as aa:bb:cc:dd:ee:ff; NULL beyond a router
  onvif_id TEXT,                                      -- its ONVIF id, without urn:uuid:; NULL if it has none
  serial TEXT,                                        -- its serial number, as it says itself; NULL if unknown
  mdns_name TEXT,                                     -- under which name it announces itself; NULL if it does not
  mdns_id TEXT,                                       -- what of its announcement names it, as 'id=…'; NULL if nothing does
  asks TEXT CHECK (asks IN ('nothing', 'basic', 'digest')), -- how it asks for a password; NULL if it was not asked
  realm TEXT,                                         -- in whose name it asks by digest; else NULL
  streams TEXT NOT NULL                               -- what its streams look like: a JSON object by path
    CHECK (json_valid(streams) AND json_type(streams) = 'object'),
  CHECK ((realm IS NOT NULL) = (asks IS NOT NULL AND asks = 'digest'))
) STRICT, WITHOUT ROWID;

-- Who may sign in.
CREATE TABLE users (
  id INTEGER PRIMARY KEY AUTOINCREMENT,               -- never reused: a removed user's id never means somebody else
  name TEXT NOT NULL COLLATE NOCASE UNIQUE            -- what is typed at the sign-in page
    CHECK (length(name) BETWEEN 1 AND 64),
  role TEXT NOT NULL                                  -- what the user may do to the installation; says nothing of pictures
    CHECK (role IN ('owner', 'member', 'guest')),
  password_hash TEXT NOT NULL                         -- PHC string of Argon2id
    CHECK (password_hash GLOB '$argon2id$*'),
  expires_us INTEGER                                  -- from then on nobody signs in by it; NULL: until it is removed
) STRICT;
CREATE INDEX users_by_role ON users (role);

-- Who is signed in.
CREATE TABLE sessions (
  hash BLOB PRIMARY KEY CHECK (length(hash) = 32),    -- SHA-256 of the token; the token itself is nowhere
  user INTEGER NOT NULL                               -- whose it is
    REFERENCES users (id) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('cookie', 'api')), -- a browser's cookie or a script's token
  created_us INTEGER NOT NULL,                        -- when it was made
  expires_us INTEGER NOT NULL                         -- from then on it is worth nothing
    CHECK (expires_us > created_us),
  label TEXT NOT NULL DEFAULT '' CHECK (length(label) <= 64), -- what holds it, for its user's list
  address TEXT                                        -- from which IP address it was made, if over the network
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user);
CREATE INDEX sessions_by_expiry ON sessions (expires_us);

-- Links that sign somebody in once: the demo's, and the one that lets a household claim a new recorder.
CREATE TABLE sign_in_links (
  hash BLOB PRIMARY KEY CHECK (length(hash) = 32),    -- SHA-256 of the token in the link
  user INTEGER NOT NULL                               -- whom it signs in
    REFERENCES users (id) ON DELETE CASCADE,
  expires_us INTEGER NOT NULL                         -- from then on it is worth nothing
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_links_by_user ON sign_in_links (user);
CREATE INDEX sign_in_links_by_expiry ON sign_in_links (expires_us);

-- The code that makes somebody the first owner: one row at most, and none once there is an owner.
CREATE TABLE claim (
  one INTEGER PRIMARY KEY CHECK (one = 1),            -- always 1
  hash BLOB NOT NULL CHECK (length(hash) = 32)        -- SHA-256 of the code that the newest start printed
) STRICT;

-- Links that show one stretch of one camera to whoever has them.
CREATE TABLE shares (
  hash BLOB PRIMARY KEY CHECK (length(hash) = 32),    -- SHA-256 of the token in the link
  user INTEGER NOT NULL                               -- who made it; it shows nothing that this user may not take away
    REFERENCES users (id) ON DELETE CASCADE,
  camera TEXT NOT NULL REFERENCES cameras (id),       -- whose pictures
  start_us INTEGER NOT NULL,                          -- from when
  end_us INTEGER NOT NULL CHECK (end_us > start_us),  -- to when, excluded
  created_us INTEGER NOT NULL,                        -- when it was made
  expires_us INTEGER NOT NULL CHECK (expires_us > created_us) -- from then on it is worth nothing
) STRICT, WITHOUT ROWID;
CREATE INDEX shares_by_user ON shares (user);
CREATE INDEX shares_by_expiry ON shares (expires_us);

-- Cameras that the household switched off for a while: not connected, not recorded, not shown.
CREATE TABLE pauses (
  camera TEXT PRIMARY KEY REFERENCES cameras (id),    -- which
  since_us INTEGER NOT NULL,                          -- from when
  until_us INTEGER CHECK (until_us > since_us),       -- ends by itself then; NULL: when somebody ends it
  user INTEGER,                                       -- who paused it; stays when the user is removed
  user_name TEXT NOT NULL                             -- who, in the words of that day
) STRICT, WITHOUT ROWID;

-- Who may do what with which camera. No row, no right: for owners too.
CREATE TABLE rights (
  user INTEGER NOT NULL                               -- who
    REFERENCES users (id) ON DELETE CASCADE,
  camera TEXT NOT NULL REFERENCES cameras (id),       -- with which camera
  live INTEGER NOT NULL CHECK (live IN (0, 1)),       -- see what it sees now
  history INTEGER NOT NULL CHECK (history IN (0, 1)), -- see what it saw
  export INTEGER NOT NULL CHECK (export IN (0, 1)),   -- take footage away as a file
  "delete" INTEGER NOT NULL CHECK ("delete" IN (0, 1)), -- remove or keep footage and events
  expires_us INTEGER,                                 -- from then on the row is worth nothing; NULL: until it is taken away
  from_minute INTEGER CHECK (from_minute BETWEEN 0 AND 1439), -- of the local day, the row counts from then; NULL: all day
  to_minute INTEGER CHECK (to_minute BETWEEN 0 AND 1439), -- until then, over midnight if it is the earlier; NULL likewise
  PRIMARY KEY (user, camera),
  CHECK (live + history + export + "delete" > 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX rights_by_camera ON rights (camera);

-- Footage: one row a file.
CREATE TABLE segments (
  id BLOB PRIMARY KEY CHECK (length(id) = 8),         -- random; also in the file
  camera TEXT NOT NULL REFERENCES cameras (id),       -- whose pictures; also in the file
  start_us INTEGER NOT NULL,                          -- the first picture
  end_us INTEGER NOT NULL CHECK (end_us >= start_us), -- the end of the last picture, excluded
  path TEXT NOT NULL UNIQUE                           -- relative to the storage folder, below footage/<camera>/
    CHECK (path LIKE 'footage/%' AND path NOT LIKE '%/../%'),
  size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0), -- of the file, up to its last whole fragment
  pictures INTEGER NOT NULL CHECK (pictures >= 0),    -- how many are in it
  codecs TEXT NOT NULL,                               -- RFC 6381, comma separated
  width INTEGER NOT NULL CHECK (width >= 0),          -- of the picture, in pixels
  height INTEGER NOT NULL CHECK (height >= 0)         -- of the picture, in pixels
) STRICT;
CREATE INDEX segments_by_camera ON segments (camera, start_us, end_us, size_bytes);
CREATE INDEX segments_by_length ON segments (camera, end_us - start_us);
CREATE INDEX segments_by_start ON segments (start_us);

-- Files whose row is gone and which may not be gone yet.
CREATE TABLE garbage (
  id INTEGER PRIMARY KEY AUTOINCREMENT,               -- the order in which they became garbage
  camera TEXT NOT NULL,                               -- whose picture or footage it was
  path TEXT UNIQUE,                                   -- of a segment's file, relative to the storage folder; else NULL
  event BLOB UNIQUE CHECK (length(event) = 8),        -- whose pictures they are; else NULL
  size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0), -- what is won by removing it; 0 if unknown
  CHECK ((path IS NULL) <> (event IS NULL))
) STRICT;

-- Time that should have been recorded and was not.
CREATE TABLE gaps (
  id INTEGER PRIMARY KEY,                             -- of no meaning
  camera TEXT NOT NULL REFERENCES cameras (id),       -- whose pictures are missing
  start_us INTEGER NOT NULL,                          -- from when
  end_us INTEGER NOT NULL CHECK (end_us >= start_us), -- to when, excluded
  cause TEXT NOT NULL CHECK (cause IN ('camera_unreachable', 'camera_refused', 'wrong_password', 'bad_stream',
    'camera_stalled', 'packet_loss', 'disk_slow', 'disk_full', 'disk_error', 'storage_missing', 'restart',
    'power_cut', 'paused'))                           -- why
) STRICT;
CREATE INDEX gaps_by_camera ON gaps (camera, start_us, end_us);
CREATE INDEX gaps_by_length ON gaps (camera, end_us - start_us);

-- Motion.
CREATE TABLE events (
  id BLOB PRIMARY KEY CHECK (length(id) = 8),         -- random
  camera TEXT NOT NULL REFERENCES cameras (id),       -- where it was seen; never changes
  start_us INTEGER NOT NULL,                          -- the first look at what moved
  end_us INTEGER CHECK (end_us >= start_us),          -- the last look at what moved; NULL while it goes on
  peak REAL NOT NULL CHECK (peak BETWEEN 0 AND 1),    -- the largest part of the picture that moved at once
  zones TEXT NOT NULL                                 -- names of the zones it touched: a JSON array of strings, sorted
    CHECK (json_valid(zones) AND json_type(zones) = 'array'),
  kept INTEGER NOT NULL DEFAULT 0 CHECK (kept IN (0, 1)), -- 1: the household wants its footage to stay for ever
  note TEXT NOT NULL DEFAULT '' CHECK (length(note) <= 2000), -- what the household wrote to it
  has_thumbnail INTEGER NOT NULL CHECK (has_thumbnail IN (0, 1)), -- 1: there is a thumbnail file
  has_preview INTEGER NOT NULL DEFAULT 0 CHECK (has_preview IN (0, 1)), -- 1: there is a preview file
  why TEXT                                            -- why it is one: a JSON object with how, place and speed; NULL: not known
    CHECK (json_valid(why) AND json_type(why) = 'object')
) STRICT;
CREATE INDEX events_by_camera ON events (camera, start_us, end_us);
CREATE INDEX events_by_length ON events (camera, end_us - start_us);
CREATE INDEX events_open ON events (camera, start_us) WHERE end_us IS NULL;
CREATE INDEX events_kept ON events (camera, start_us) WHERE kept = 1;

-- What cameras themselves say of motion, on a track beside their pictures: shown beside our events, and never one.
CREATE TABLE camera_motion (
  camera TEXT NOT NULL REFERENCES cameras (id),       -- which camera says it
  what TEXT NOT NULL CHECK (what IN ('track', 'motion')), -- 'track': it was listened to; 'motion': it said that something moves
  start_us INTEGER NOT NULL,                          -- from when, by arrival
  end_us INTEGER CHECK (end_us >= start_us)           -- to when; NULL while it goes on, which of each kind one does at most
) STRICT;
CREATE INDEX camera_motion_by_camera ON camera_motion (camera, what, start_us, end_us);
CREATE INDEX camera_motion_by_length ON camera_motion (camera, what, end_us - start_us);
CREATE INDEX camera_motion_open ON camera_motion (camera, what, start_us) WHERE end_us IS NULL;

-- Up to when each person has seen what moved: what began later is new to them. No row: everything is.
CREATE TABLE looked (
  user INTEGER PRIMARY KEY                            -- who
    REFERENCES users (id) ON DELETE CASCADE,
  until_us INTEGER NOT NULL                           -- an event that began then, or before, is not new; only ever grows
) STRICT;

-- Events that began after that, and that the person saw all the same.
CREATE TABLE seen (
  user INTEGER NOT NULL                               -- who
    REFERENCES users (id) ON DELETE CASCADE,
  event BLOB NOT NULL                                 -- opened it, or said so in the list
    REFERENCES events (id) ON DELETE CASCADE,
  PRIMARY KEY (user, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_by_event ON seen (event);

-- Events that were removed while they went on: what is still said of them is not taken in. Emptied at each start.
CREATE TABLE removed_events (
  id BLOB PRIMARY KEY CHECK (length(id) = 8)          -- the event that was
) STRICT, WITHOUT ROWID;

-- Who did and who looked at what. Each row's hash covers the row and the hash before it, so none can be changed, removed or
-- moved without every later one telling.
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY CHECK (seq >= 1),           -- 1, 2, 3 …, without a hole
  at_us INTEGER NOT NULL,                             -- when
  user INTEGER,                                       -- who, if somebody was signed in; stays when the user is removed
  user_name TEXT NOT NULL,                            -- who, in the words of that day; '' for the recorder itself
  action TEXT NOT NULL CHECK (action <> ''),          -- what, as 'sign_in' or 'clip'
  camera TEXT,                                        -- whose pictures, if any
  span_start_us INTEGER,                              -- of which time, if any
  span_end_us INTEGER CHECK (span_end_us >= span_start_us), -- its end, excluded
  address TEXT,                                       -- from which IP address, if it came over the network
  detail TEXT NOT NULL,                               -- anything else, in words
  hash BLOB NOT NULL CHECK (length(hash) = 32),       -- SHA-256 of the hash before and this row; see audit.rs
  CHECK ((span_start_us IS NULL) = (span_end_us IS NULL))
) STRICT;
CREATE INDEX audit_by_time ON audit (at_us, seq);
CREATE INDEX audit_by_camera ON audit (camera, at_us, seq);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE (ABORT, 'the audit log is only appended to'); END;
CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit
BEGIN SELECT RAISE (ABORT, 'the audit log is only appended to'); END;

-- Where the audit log ends, so that a row removed from its end is missed too: one row.
CREATE TABLE audit_head (
  one INTEGER PRIMARY KEY CHECK (one = 1),            -- always 1: there is one row
  seq INTEGER NOT NULL CHECK (seq >= 0),              -- of the newest row of `audit`; 0 before there is one
  hash BLOB NOT NULL CHECK (length(hash) = 32)        -- of that row; zeros before there is one
) STRICT;
INSERT INTO audit_head (one, seq, hash) VALUES (1, 0, zeroblob (32));
