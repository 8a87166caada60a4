-- Guests and devices with an end, hours of the day, share links, the claim of a new recorder, and paused cameras.
ALTER TABLE users ADD COLUMN expires_us INTEGER;
ALTER TABLE sessions ADD COLUMN label TEXT NOT NULL DEFAULT '' CHECK (length(label) <= 64);
ALTER TABLE sessions ADD COLUMN address TEXT;
ALTER TABLE rights ADD COLUMN from_minute INTEGER CHECK (from_minute BETWEEN 0 AND 1439);
ALTER TABLE rights ADD COLUMN to_minute INTEGER CHECK (to_minute BETWEEN 0 AND 1439);
CREATE TABLE claim (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE TABLE shares (
  hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
  user INTEGER NOT NULL
    REFERENCES users (id) ON DELETE CASCADE,
  camera TEXT NOT NULL REFERENCES cameras (id),
  start_us INTEGER NOT NULL,
  end_us INTEGER NOT NULL CHECK (end_us > start_us),
  created_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL CHECK (expires_us > created_us)
) STRICT, WITHOUT ROWID;
CREATE INDEX shares_by_user ON shares (user);
CREATE INDEX shares_by_expiry ON shares (expires_us);
CREATE TABLE pauses (
  camera TEXT PRIMARY KEY REFERENCES cameras (id),
  since_us INTEGER NOT NULL,
  until_us INTEGER CHECK (until_us > since_us),
  user INTEGER,
  user_name TEXT NOT NULL
) STRICT, WITHOUT ROWID;
