-- What a site's own traffic has taught, and the answers that were given with it.

-- Version after version; rows are only ever added, so an old answer can be explained.
CREATE TABLE models (
    site_id    int NOT NULL,
    version    int NOT NULL,          -- 1, 2, …
    id         uuid NOT NULL DEFAULT gen_random_uuid(), -- names the row in memory
    made_at    timestamptz NOT NULL,  -- calls from then on are weighed with it
    since      timestamptz,           -- nothing older is learned from any more; null: no bound
    calls      int NOT NULL,          -- first calls it was learned from
    heard      int NOT NULL,          -- first calls since that bound: tells when the next is due
    parameters jsonb,                 -- null: too few calls since that bound, as on day one
    PRIMARY KEY (site_id, version)
);

-- What an answer was weighed with; its candidates are in `attributions`.
CREATE TABLE answers (
    site_id      int NOT NULL,
    contact_id   uuid NOT NULL,
    rule         text NOT NULL,
    model        text NOT NULL,             -- version of the parameters
    learned_from int NOT NULL,              -- first calls they were learned from
    noise        double precision,          -- unrelated calls a second on that number then
    none         double precision NOT NULL, -- the weight of "none of them"
    PRIMARY KEY (site_id, contact_id, rule)
);

-- Until now all were weighed as on day one.
INSERT INTO answers (site_id, contact_id, rule, model, learned_from, none)
SELECT c.site_id, c.id, c.rule, 'day-one', 0, k.weight
  FROM contacts c
  JOIN credits k ON k.site_id = c.site_id AND k.call_id = c.id
                AND k.session_id = '00000000-0000-0000-0000-000000000000'
 WHERE c.rule LIKE 'pool-posterior/%';

-- Each call once, in the order of time: every credited call has a row of the nil session.
CREATE INDEX credits_by_time ON credits (site_id, at)
    WHERE session_id = '00000000-0000-0000-0000-000000000000';
