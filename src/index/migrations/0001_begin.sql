-- The first schema. What each column means stands in ../schema.sql.
CREATE TABLE installation (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id BLOB NOT NULL CHECK (length(id) = 16)
) STRICT;
CREATE TABLE cameras (
  id TEXT PRIMARY KEY
    CHECK (length(id) BETWEEN 1 AND 40 AND id NOT GLOB '*[^-a-z0-9]*' AND id NOT GLOB '-*' AND id NOT GLOB '*-'),
  adopted INTEGER NOT NULL DEFAULT 0
    CHECK (adopted IN (0, 1)),
  first_seen_us INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE users (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL COLLATE NOCASE UNIQUE
    CHECK (length(name) BETWEEN 1 AND 64),
  role TEXT NOT NULL
    CHECK (role IN ('owner', 'member', 'guest')),
  password_hash TEXT NOT NULL
    CHECK (password_hash GLOB '$argon2id$*')
) STRICT;
CREATE INDEX users_by_role ON users (role);
CREATE TABLE sessions (
  hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
  user INTEGER NOT NULL
    REFERENCES users (id) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('cookie', 'api')),
  created_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL
    CHECK (expires_us > created_us)
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user);
CREATE INDEX sessions_by_expiry ON sessions (expires_us);
CREATE TABLE sign_in_links (
  hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
  user INTEGER NOT NULL
    REFERENCES users (id) ON DELETE CASCADE,
  expires_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_links_by_user ON sign_in_links (user);
CREATE INDEX sign_in_links_by_expiry ON sign_in_links (expires_us);
CREATE TABLE rights (
  user INTEGER NOT NULL
    REFERENCES users (id) ON DELETE CASCADE,
  camera TEXT NOT NULL REFERENCES cameras (id),
  live INTEGER NOT NULL CHECK (live IN (0, 1)),
  history INTEGER NOT NULL CHECK (history IN (0, 1)),
  export INTEGER NOT NULL CHECK (export IN (0, 1)),
  "delete" INTEGER NOT NULL CHECK ("delete" IN (0, 1)),
  expires_us INTEGER,
  PRIMARY KEY (user, camera),
  CHECK (live + history + export + "delete" > 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX rights_by_camera ON rights (camera);
CREATE TABLE segments (
  id BLOB PRIMARY KEY CHECK (length(id) = 8),
  camera TEXT NOT NULL REFERENCES cameras (id),
  start_us INTEGER NOT NULL,
  end_us INTEGER NOT NULL CHECK (end_us >= start_us),
  path TEXT NOT NULL UNIQUE
    CHECK (path LIKE 'footage/%' AND path NOT LIKE '%/../%'),
  size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
  pictures INTEGER NOT NULL CHECK (pictures >= 0),
  codecs TEXT NOT NULL,
  width INTEGER NOT NULL CHECK (width >= 0),
  height INTEGER NOT NULL CHECK (height >= 0)
) STRICT;
CREATE INDEX segments_by_camera ON segments (camera, start_us, end_us, size_bytes);
CREATE INDEX segments_by_length ON segments (camera, end_us - start_us);
CREATE INDEX segments_by_start ON segments (start_us);
CREATE TABLE garbage (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  camera TEXT NOT NULL,
  path TEXT UNIQUE,
  event BLOB UNIQUE CHECK (length(event) = 8),
  size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
  CHECK ((path IS NULL) <> (event IS NULL))
) STRICT;
CREATE TABLE gaps (
  id INTEGER PRIMARY KEY,
  camera TEXT NOT NULL REFERENCES cameras (id),
  start_us INTEGER NOT NULL,
  end_us INTEGER NOT NULL CHECK (end_us >= start_us),
  cause TEXT NOT NULL CHECK (cause IN ('camera_unreachable', 'camera_stalled', 'packet_loss', 'disk_slow', 'disk_error',
    'restart'))
) STRICT;
CREATE INDEX gaps_by_camera ON gaps (camera, start_us, end_us);
CREATE INDEX gaps_by_length ON gaps (camera, end_us - start_us);
CREATE TABLE events (
  id BLOB PRIMARY KEY CHECK (length(id) = 8),
  camera TEXT NOT NULL REFERENCES cameras (id),
  start_us INTEGER NOT NULL,
  end_us INTEGER CHECK (end_us >= start_us),
  peak REAL NOT NULL CHECK (peak BETWEEN 0 AND 1),
  zones TEXT NOT NULL
    CHECK (json_valid(zones) AND json_type(zones) = 'array'),
  kept INTEGER NOT NULL DEFAULT 0 CHECK (kept IN (0, 1)),
  note TEXT NOT NULL DEFAULT '' CHECK (length(note) <= 2000),
  has_thumbnail INTEGER NOT NULL CHECK (has_thumbnail IN (0, 1))
) STRICT;
CREATE INDEX events_by_camera ON events (camera, start_us, end_us);
CREATE INDEX events_by_length ON events (camera, end_us - start_us);
CREATE INDEX events_open ON events (camera, start_us) WHERE end_us IS NULL;
CREATE TABLE removed_events (
  id BLOB PRIMARY KEY CHECK (length(id) = 8)
) STRICT, WITHOUT ROWID;
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY CHECK (seq >= 1),
  at_us INTEGER NOT NULL,
  user INTEGER,
  user_name TEXT NOT NULL,
  action TEXT NOT NULL CHECK (action <> ''),
  camera TEXT,
  span_start_us INTEGER,
  span_end_us INTEGER CHECK (span_end_us >= span_start_us),
  address TEXT,
  detail TEXT NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  CHECK ((span_start_us IS NULL) = (span_end_us IS NULL))
) STRICT;
CREATE INDEX audit_by_time ON audit (at_us, seq);
CREATE INDEX audit_by_camera ON audit (camera, at_us, seq);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE (ABORT, 'the audit log is only appended to'); END;
CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit
BEGIN SELECT RAISE (ABORT, 'the audit log is only appended to'); END;
CREATE TABLE audit_head (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  seq INTEGER NOT NULL CHECK (seq >= 0),
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
INSERT INTO audit_head (one, seq, hash) VALUES (1, 0, zeroblob (32));
