-- More causes can be told apart. A CHECK cannot be changed: the table is made anew.
ALTER TABLE gaps RENAME TO fewer;
DROP INDEX gaps_by_camera;
DROP INDEX gaps_by_length;
CREATE TABLE gaps (
  id INTEGER PRIMARY KEY,
  camera TEXT NOT NULL REFERENCES cameras (id),
  start_us INTEGER NOT NULL,
  end_us INTEGER NOT NULL CHECK (end_us >= start_us),
  cause TEXT NOT NULL CHECK (cause IN ('camera_unreachable', 'camera_refused', 'wrong_password', 'bad_stream',
    'camera_stalled', 'packet_loss', 'disk_slow', 'disk_full', 'disk_error', 'storage_missing', 'restart',
    'power_cut', 'paused'))
) STRICT;
INSERT INTO gaps (id, camera, start_us, end_us, cause) SELECT id, camera, start_us, end_us, cause FROM fewer;
DROP TABLE fewer;
CREATE INDEX gaps_by_camera ON gaps (camera, start_us, end_us);
CREATE INDEX gaps_by_length ON gaps (camera, end_us - start_us);
