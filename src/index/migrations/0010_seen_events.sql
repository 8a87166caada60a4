-- Each person's own word on which events are news to them, and kept ones are found at once.
CREATE TABLE looked (
  user INTEGER PRIMARY KEY
    REFERENCES users (id) ON DELETE CASCADE,
  until_us INTEGER NOT NULL
) STRICT;
CREATE TABLE seen (
  user INTEGER NOT NULL
    REFERENCES users (id) ON DELETE CASCADE,
  event BLOB NOT NULL
    REFERENCES events (id) ON DELETE CASCADE,
  PRIMARY KEY (user, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_by_event ON seen (event);
CREATE INDEX events_kept ON events (camera, start_us) WHERE kept = 1;
