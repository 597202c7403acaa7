-- What happened over time, for the dashboard.

-- Sums of a stretch of time (its length in seconds) and the highest values of what goes up and down. Every process adds to
-- them. Stretches of five minutes are folded into hours after two days, and forgotten after ninety.
CREATE TABLE metric_samples (
    at     INTEGER NOT NULL,
    width  INTEGER NOT NULL CHECK (width IN (300, 3600)),
    name   TEXT NOT NULL,
    -- A host's name, or nothing.
    label  TEXT NOT NULL DEFAULT '',
    value  INTEGER NOT NULL CHECK (value >= 0),
    PRIMARY KEY (at, width, name, label)
);
