-- What cameras themselves say of motion, beside what is seen in their pictures; and when they were listened to at all.
CREATE TABLE camera_motion (
  camera TEXT NOT NULL REFERENCES cameras (id),
  what TEXT NOT NULL CHECK (what IN ('track', 'motion')),
  start_us INTEGER NOT NULL,
  end_us INTEGER CHECK (end_us >= start_us)
) STRICT;
CREATE INDEX camera_motion_by_camera ON camera_motion (camera, what, start_us, end_us);
CREATE INDEX camera_motion_by_length ON camera_motion (camera, what, end_us - start_us);
CREATE INDEX camera_motion_open ON camera_motion (camera, what, start_us) WHERE end_us IS NULL;
