-- Events have a moving preview.
ALTER TABLE events ADD COLUMN has_preview INTEGER NOT NULL DEFAULT 0 CHECK (has_preview IN (0, 1));
