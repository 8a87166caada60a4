-- Whether the power was cut shows at the next start: who went in order has no row here.
CREATE TABLE running (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  boot TEXT NOT NULL
) STRICT;
