-- How many numbers a pool needs: plans take seconds, so the worker makes and pages read them.

CREATE TABLE plans (
    site_id       int NOT NULL,
    pool_id       bigint NOT NULL,
    key           text NOT NULL,  -- names the question
    question      jsonb NOT NULL,
    asked_at      timestamptz,    -- null: nothing is asked
    claimed_until timestamptz,    -- a worker is at it, until then at the latest
    progress      double precision NOT NULL DEFAULT 0, -- 0 … 1
    made_at       timestamptz,    -- of the plan below
    plan          jsonb,
    trouble       text,           -- why the last one could not be made
    PRIMARY KEY (site_id, pool_id, key)
);
CREATE INDEX plans_due ON plans (asked_at) WHERE asked_at IS NOT NULL;
