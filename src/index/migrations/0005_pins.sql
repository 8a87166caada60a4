-- Who each camera is, so that another one at its address is noticed.
CREATE TABLE pins (
  camera TEXT PRIMARY KEY REFERENCES cameras (id),
  since_us INTEGER NOT NULL,
  address TEXT NOT NULL,
  mac TEXT,
  onvif_id TEXT,
  serial TEXT,
  mdns_name TEXT,
  mdns_id TEXT,
  asks TEXT CHECK (asks IN ('nothing', 'basic', 'digest')),
  realm TEXT,
  streams TEXT NOT NULL CHECK (json_valid(streams) AND json_type(streams) = 'object'),
  CHECK ((realm IS NOT NULL) = (asks IS NOT NULL AND asks = 'digest'))
) STRICT, WITHOUT ROWID;
