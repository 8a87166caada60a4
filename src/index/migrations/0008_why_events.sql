-- Each event says why it is one.
ALTER TABLE events ADD COLUMN why TEXT CHECK (json_valid(why) AND json_type(why) = 'object');
