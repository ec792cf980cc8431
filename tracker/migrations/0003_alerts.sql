-- Alerts, the leak alarm's crawl, and the health of pools by the hour.

-- Something an owner should know. One open row a cause: told again it is the same alert, and
-- it ends when the cause is gone.
CREATE TABLE alerts (
    site_id      int NOT NULL,
    id           uuid NOT NULL,
    kind         text NOT NULL, -- leak.called, leak.found, accuracy.low
    subject      text NOT NULL, -- what it is about: a number, a number and a page, a pool
    since        timestamptz NOT NULL, -- when the cause began, as far as is known
    last_seen_at timestamptz NOT NULL, -- when the cause was last found true
    figures      jsonb NOT NULL DEFAULT '{}',
    dismissed_at timestamptz, -- a person has read it: no notice any more
    ended_at     timestamptz,
    PRIMARY KEY (site_id, id)
);
CREATE UNIQUE INDEX alerts_open ON alerts (site_id, kind, subject) WHERE ended_at IS NULL;
CREATE INDEX alerts_by_time ON alerts (site_id, since DESC, id);

-- What a delivery of an alert is about.
ALTER TABLE deliveries ADD COLUMN alert_id uuid;

-- When a site's own pages are read next; claiming pushes the time ahead.
CREATE TABLE crawls (
    site_id int PRIMARY KEY,
    pages   text[] NOT NULL, -- as listed at the last reading
    due_at  timestamptz NOT NULL
);

-- What the last reading of each page found.
CREATE TABLE crawled_pages (
    site_id int NOT NULL,
    url     text NOT NULL,
    at      timestamptz NOT NULL, -- of the last reading, in vain or not
    trouble text,                 -- why it could not be read; null: it was
    numbers text[] NOT NULL DEFAULT '{}', -- tracking numbers that stood in it
    own     text[] NOT NULL DEFAULT '{}', -- the page's own numbers, those that are replaced
    PRIMARY KEY (site_id, url)
);

-- Visitors who found no idle number, by quarters of an hour: those are in no other table.
-- Web processes count them in memory and add them up here every few seconds.
CREATE TABLE pool_waits (
    site_id int NOT NULL,
    pool_id bigint NOT NULL,
    quarter timestamptz NOT NULL,
    waited  int NOT NULL DEFAULT 0, -- sessions that began then and found no idle number
    served  int NOT NULL DEFAULT 0, -- of them, those that were lent one later
    PRIMARY KEY (site_id, pool_id, quarter)
);

-- The health of pools, made with the reports' day from leases, contacts and pool_waits.
-- Hours are those of the site's calendar.
CREATE TABLE pool_hours (
    site_id      int NOT NULL,
    pool_id      bigint NOT NULL,
    hour         timestamptz NOT NULL, -- its first moment
    numbers      int NOT NULL,    -- lent at that time
    issued       int NOT NULL,    -- visitors who were lent a number
    shared       int NOT NULL,    -- of them, while its holder was still alive
    waited       int NOT NULL,    -- visitors who found no idle number
    served       int NOT NULL,    -- of them, those who were lent one later
    most_busy    int NOT NULL,    -- numbers in use at the busiest moment
    busy_seconds double precision NOT NULL, -- of all numbers together
    called       int NOT NULL,    -- calls
    right_calls  double precision NOT NULL, -- of them, those expected to be answered right
    PRIMARY KEY (site_id, pool_id, hour)
);
CREATE INDEX pool_hours_by_time ON pool_hours (site_id, hour);
-- The last month has its hours too: its days are counted once more.
INSERT INTO stale_days (site_id, day)
SELECT DISTINCT site_id, day FROM daily WHERE day > current_date - 31;
