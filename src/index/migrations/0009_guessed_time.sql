-- A machine may be started several times before its clock is set; what was recorded in all these lives is moved then.
CREATE TABLE guessed_time (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  boot TEXT NOT NULL,
  apart_us INTEGER NOT NULL,
  since_us INTEGER NOT NULL
) STRICT;
