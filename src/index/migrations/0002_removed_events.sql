-- A removed event must stay removed while detection still tells of it.
CREATE TABLE removed_events (
  id BLOB PRIMARY KEY CHECK (length(id) = 8)
) STRICT, WITHOUT ROWID;
