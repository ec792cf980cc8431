-- The first schema. `site_id` leads every primary key and index of tenant data, so the
-- tables can be distributed by site. Site 0 is the server itself (mail to postmaster@).
-- Tables that grow with traffic are partitioned by month on their session or inbox id:
-- such ids sort by time (tracker/ids.py), so the id alone finds its partition.

CREATE TABLE sites (
    id         int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key        text NOT NULL UNIQUE,
    name       text NOT NULL,
    domains    text[] NOT NULL,
    timezone   text NOT NULL DEFAULT 'Europe/Moscow',
    currency   text NOT NULL DEFAULT 'RUB',
    settings   jsonb NOT NULL DEFAULT '{}',
    demo       boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- What an owner sets up -------------------------------------------------------------

CREATE TABLE pools (
    site_id    int NOT NULL,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    name       text NOT NULL,
    replaces   text[] NOT NULL,
    forward_to text,
    share      boolean NOT NULL DEFAULT true,
    late       text NOT NULL DEFAULT 'peak' CHECK (late IN ('always', 'peak', 'never')),
    rest       int NOT NULL DEFAULT 0 CHECK (rest >= 0), -- seconds
    overflow   text,
    -- Raised by each rebuild of the live state: a grant made from an older state is void.
    epoch      bigint NOT NULL DEFAULT 0,
    retired_at timestamptz, -- lends no more; late calls to its numbers still know it
    PRIMARY KEY (site_id, id),
    UNIQUE (site_id, name)
);

CREATE TABLE numbers (
    site_id    int NOT NULL,
    number     text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('dynamic', 'static', 'overflow')),
    pool_id    bigint,
    position   int NOT NULL DEFAULT 0, -- order within the site; a number's own for good
    source_id  bigint,                 -- static: whose number it is
    replaces   text[] NOT NULL DEFAULT '{}', -- static: shown in place of these to that source
    forward_to text,
    retired_at timestamptz,
    PRIMARY KEY (site_id, number),
    CHECK ((kind = 'static') = (pool_id IS NULL))
);

CREATE TABLE mailboxes (
    site_id    int NOT NULL,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    replaces   text[] NOT NULL,
    forward_to text NOT NULL,
    next_hop   bytea NOT NULL, -- sealed: the address may hold a password
    PRIMARY KEY (site_id, id)
);

-- Accounts elsewhere: telephony providers and destinations.
CREATE TABLE connections (
    site_id    int NOT NULL,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    role       text NOT NULL CHECK (role IN ('telephony', 'destination')),
    name       text NOT NULL,
    kind       text NOT NULL,
    key        text NOT NULL UNIQUE, -- stands in the hook's address
    settings   bytea NOT NULL,       -- sealed JSON
    PRIMARY KEY (site_id, id),
    UNIQUE (site_id, role, name)
);

CREATE TABLE connection_states (
    site_id       int NOT NULL,
    connection_id bigint NOT NULL,
    last_event_at timestamptz,
    fault         text, -- why it does not work now; null when it does
    fault_at      timestamptz,
    mark          jsonb NOT NULL DEFAULT '{}', -- how far polling has come
    PRIMARY KEY (site_id, connection_id)
);

CREATE TABLE users (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email         text NOT NULL UNIQUE,
    name          text NOT NULL DEFAULT '',
    password_hash text, -- argon2id; null: can only use a one-time link
    locale        text,
    created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE logins (
    token_hash bytea PRIMARY KEY,
    user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    csrf       text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE signin_links (
    token_hash bytea PRIMARY KEY,
    user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);

CREATE TABLE tokens (
    token_hash   bytea PRIMARY KEY,
    site_id      int NOT NULL,
    name         text NOT NULL DEFAULT '',
    scopes       text[] NOT NULL,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz
);

-- Visits ----------------------------------------------------------------------------

-- Every distinct source once; its id is made from its fields (tracker/visits.py).
CREATE TABLE sources (
    site_id  int NOT NULL,
    id       bigint NOT NULL,
    channel  text NOT NULL,
    source   text NOT NULL,
    medium   text NOT NULL,
    campaign text NOT NULL DEFAULT '',
    content  text NOT NULL DEFAULT '',
    term     text NOT NULL DEFAULT '',
    PRIMARY KEY (site_id, id)
);

CREATE TABLE sessions (
    site_id       int NOT NULL,
    id            uuid NOT NULL,
    visitor_id    uuid NOT NULL,
    started_at    timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL,
    source_id     bigint NOT NULL, -- attributed: last significant
    raw_source_id bigint NOT NULL, -- what this landing itself told
    significant   boolean NOT NULL DEFAULT true, -- whether that says what brought the visitor
    rule          text NOT NULL,
    device        text NOT NULL,
    landing_url   text NOT NULL,
    referrer_url  text NOT NULL DEFAULT '',
    details       jsonb, -- click ids, analytics client ids, labels of other systems
    test          boolean NOT NULL DEFAULT false,
    PRIMARY KEY (site_id, id)
) PARTITION BY RANGE (id);
CREATE INDEX sessions_by_visitor ON sessions (site_id, visitor_id);

CREATE TABLE pages (
    site_id    int NOT NULL,
    session_id uuid NOT NULL,
    at         timestamptz NOT NULL,
    url        text NOT NULL
) PARTITION BY RANGE (session_id);
CREATE INDEX pages_of_session ON pages (site_id, session_id);

-- What a visitor did with the number or the address: reveal, tel_click, mail_click, goal.
CREATE TABLE events (
    site_id    int NOT NULL,
    session_id uuid NOT NULL,
    at         timestamptz NOT NULL,
    type       text NOT NULL,
    target     text NOT NULL DEFAULT ''
) PARTITION BY RANGE (session_id);
CREATE INDEX events_of_session ON events (site_id, session_id);

-- The number pool --------------------------------------------------------------------

CREATE TABLE leases (
    site_id      int NOT NULL,
    number       text NOT NULL,
    since        timestamptz NOT NULL,
    session_id   uuid NOT NULL,
    visitor_id   uuid NOT NULL,
    pool_id      bigint NOT NULL,
    source_id    bigint NOT NULL,
    device       text NOT NULL,
    last_sign_at timestamptz NOT NULL, -- visit, ping, reveal or tel_click
    seen_at      timestamptz,          -- the first reveal or tel_click
    clicked_at   timestamptz,          -- the latest tel_click
    pinged_at    timestamptz,          -- the latest ping
    left_at      timestamptz,          -- the latest leave; void when a sign came later
    shared       boolean NOT NULL DEFAULT false, -- its holder was alive when it was given
    PRIMARY KEY (site_id, number, since, session_id)
) WITH (fillfactor = 70);
-- A session keeps its number of a pool for its life: told twice is one lease.
CREATE UNIQUE INDEX leases_of_session ON leases (site_id, session_id, pool_id);
CREATE INDEX leases_seen ON leases (site_id, number, since) WHERE seen_at IS NOT NULL;

-- What each call was credited to; the nil session stands for "none of them".
CREATE TABLE credits (
    site_id    int NOT NULL,
    call_id    uuid NOT NULL,
    session_id uuid NOT NULL,
    visitor_id uuid NOT NULL,
    pool_id    bigint NOT NULL,
    number     text NOT NULL,
    caller     text, -- null: withheld
    at         timestamptz NOT NULL,
    weight     double precision NOT NULL,
    PRIMARY KEY (site_id, call_id, session_id)
);
CREATE INDEX credits_of_caller ON credits (site_id, pool_id, caller, at);
CREATE INDEX credits_of_session ON credits (site_id, session_id);
CREATE INDEX credits_of_visitor ON credits (site_id, visitor_id);

-- Minted once, never reused. Looked up by token before the site is known, hence its key.
CREATE TABLE aliases (
    token      text PRIMARY KEY,
    site_id    int NOT NULL,
    mailbox_id bigint NOT NULL,
    session_id uuid, -- null: belongs to a source rather than to a session
    source_id  bigint,
    base       text NOT NULL,
    minted_at  timestamptz NOT NULL,
    retired_at timestamptz
);
CREATE INDEX aliases_of_session ON aliases (site_id, session_id);

-- Everything inbound, as it came ------------------------------------------------------

CREATE TABLE inbox (
    site_id       int NOT NULL,
    id            uuid NOT NULL,
    door          text NOT NULL CHECK (door IN ('telephony', 'mail', 'form', 'crm')),
    kind          text NOT NULL,
    connection_id bigint,
    received_at   timestamptz NOT NULL,
    meta          jsonb NOT NULL, -- path, query, content type; or the SMTP envelope
    body          bytea NOT NULL,
    PRIMARY KEY (site_id, id)
) PARTITION BY RANGE (id);
ALTER TABLE inbox ALTER COLUMN body SET STORAGE EXTERNAL;

-- The queue over the inbox: a row goes when its event was read without error.
CREATE TABLE unread (
    site_id  int NOT NULL,
    inbox_id uuid NOT NULL,
    due_at   timestamptz NOT NULL,
    attempts int NOT NULL DEFAULT 0,
    reason   text, -- why it could not be read
    PRIMARY KEY (site_id, inbox_id)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX unread_due ON unread (due_at);

CREATE TABLE refusals (
    hour          timestamptz NOT NULL,
    door          text NOT NULL,
    kind          text NOT NULL,
    reason        text NOT NULL,
    site_id       int NOT NULL DEFAULT 0,
    connection_id bigint NOT NULL DEFAULT 0,
    count         bigint NOT NULL,
    last_at       timestamptz NOT NULL,
    PRIMARY KEY (hour, door, kind, reason, site_id, connection_id)
);

-- People, contacts, leads --------------------------------------------------------------

CREATE TABLE persons (
    site_id    int NOT NULL,
    id         uuid NOT NULL,
    name       text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    PRIMARY KEY (site_id, id)
);

CREATE TABLE person_keys (
    site_id   int NOT NULL,
    kind      text NOT NULL CHECK (kind IN ('phone', 'email', 'visitor')),
    value     text NOT NULL,
    person_id uuid NOT NULL,
    PRIMARY KEY (site_id, kind, value)
);
CREATE INDEX person_keys_of ON person_keys (site_id, person_id);

CREATE TABLE leads (
    site_id         int NOT NULL,
    id              uuid NOT NULL,
    person_id       uuid NOT NULL,
    state           text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'won', 'lost')),
    opened_at       timestamptz NOT NULL,
    last_contact_at timestamptz NOT NULL,
    closed_at       timestamptz,
    first_contact_id uuid NOT NULL, -- its attribution is the lead's
    PRIMARY KEY (site_id, id)
);
CREATE INDEX leads_of_person ON leads (site_id, person_id, last_contact_at);
CREATE INDEX leads_by_time ON leads (site_id, opened_at);

CREATE TABLE contacts (
    site_id    int NOT NULL,
    id         uuid NOT NULL, -- made from the natural key: told twice is one contact
    channel    text NOT NULL, -- phone, email, form, chat, whatsapp, telegram, …
    kind       text NOT NULL CHECK (kind IN ('call', 'email', 'form', 'message')),
    at         timestamptz NOT NULL,
    person_id  uuid NOT NULL,
    lead_id    uuid, -- null: excluded
    caller     text, -- E.164; null: withheld or not a call
    number     text, -- the tracking number that was dialled
    alias      text, -- the address that was written to
    email      text,
    name       text NOT NULL DEFAULT '',
    text       text NOT NULL DEFAULT '',
    fields     jsonb NOT NULL DEFAULT '{}',
    rule       text NOT NULL,
    certainty  double precision NOT NULL, -- the largest weight; 0: no candidate
    source_id  bigint, -- of the heaviest candidate
    excluded   text CHECK (excluded IN ('spam', 'test', 'staff')),
    search     text NOT NULL DEFAULT '', -- lower-case phones and emails, for the journal
    seq        bigint GENERATED ALWAYS AS IDENTITY, -- order of arrival
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (site_id, id)
);
CREATE INDEX contacts_by_time ON contacts (site_id, at DESC, id);
CREATE INDEX contacts_by_arrival ON contacts (site_id, seq);
CREATE INDEX contacts_of_person ON contacts (site_id, person_id, at);
CREATE INDEX contacts_of_lead ON contacts (site_id, lead_id, at);

CREATE TABLE attributions (
    site_id    int NOT NULL,
    contact_id uuid NOT NULL,
    rule       text NOT NULL,
    n          int NOT NULL, -- heaviest first
    session_id uuid, -- null: a static number's source
    source_id  bigint NOT NULL,
    weight     double precision NOT NULL CHECK (weight > 0 AND weight <= 1.000001),
    why        jsonb, -- the factors of the weight
    PRIMARY KEY (site_id, contact_id, rule, n)
);
CREATE INDEX attributions_of_session ON attributions (site_id, session_id);

CREATE TABLE calls (
    site_id       int NOT NULL,
    contact_id    uuid NOT NULL,
    connection_id bigint NOT NULL,
    call_key      text NOT NULL,
    direction     text NOT NULL DEFAULT 'inbound',
    started_at    timestamptz NOT NULL,
    answered_at   timestamptz,
    ended_at      timestamptz,
    ring_seconds  int,
    talk_seconds  int,
    outcome       text, -- answered, missed, busy, rejected, cancelled, failed, voicemail; null: still on
    manager       text,
    recordings    jsonb NOT NULL DEFAULT '[]',
    legs          jsonb NOT NULL DEFAULT '{}', -- all that was told; the columns are made of it
    notes         jsonb NOT NULL DEFAULT '[]',
    PRIMARY KEY (site_id, contact_id),
    UNIQUE (site_id, connection_id, call_key)
);
CREATE INDEX calls_open ON calls (started_at) WHERE ended_at IS NULL;
CREATE INDEX calls_by_time ON calls (started_at);

CREATE TABLE letters (
    site_id      int NOT NULL,
    contact_id   uuid NOT NULL,
    inbox_id     uuid NOT NULL,
    message_id   text NOT NULL DEFAULT '',
    from_address text NOT NULL DEFAULT '',
    from_name    text NOT NULL DEFAULT '',
    subject      text NOT NULL DEFAULT '',
    size         int NOT NULL,
    attachments  jsonb NOT NULL DEFAULT '[]',
    PRIMARY KEY (site_id, contact_id)
);

-- What is owed -------------------------------------------------------------------------

CREATE TABLE deliveries (
    site_id        int NOT NULL,
    id             uuid NOT NULL,
    destination_id bigint NOT NULL,
    event          text NOT NULL, -- contact.created, contact.updated, lead.created, deal.won, …
    lead_id        uuid, -- deliveries of one lead go in order
    contact_id     uuid,
    deal_id        uuid,
    key            text NOT NULL, -- idempotency
    at             timestamptz NOT NULL, -- when it happened
    seq            bigint GENERATED ALWAYS AS IDENTITY,
    state          text NOT NULL DEFAULT 'owed' CHECK (state IN ('owed', 'delivered', 'dead')),
    attempts       int NOT NULL DEFAULT 0, -- begun, all told
    tries          int NOT NULL DEFAULT 0, -- since it was last owed anew: decides the back-off
    due_at         timestamptz NOT NULL,
    claimed_until  timestamptz, -- an attempt is under way, until then at the latest
    batch          uuid,  -- the upload it went with, written before the upload
    remote_id      text,
    last_error     text,
    done_at        timestamptz,
    PRIMARY KEY (site_id, id),
    UNIQUE (site_id, destination_id, key)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX deliveries_due ON deliveries (site_id, destination_id, due_at) WHERE state = 'owed';
CREATE INDEX deliveries_in_order ON deliveries (site_id, destination_id, lead_id, seq)
    WHERE state = 'owed';
CREATE INDEX deliveries_of_contact ON deliveries (site_id, contact_id);
CREATE INDEX deliveries_dead ON deliveries (site_id, done_at) WHERE state = 'dead';

-- One row a try of a delivery or of a letter's forwarding: what was asked, what came back.
CREATE TABLE attempts (
    site_id  int NOT NULL,
    owner_id uuid NOT NULL,
    n        int NOT NULL,
    at       timestamptz NOT NULL,
    seconds  double precision NOT NULL,
    request  text NOT NULL DEFAULT '',
    code     int,
    answer   text NOT NULL DEFAULT '',
    error    text,
    PRIMARY KEY (site_id, owner_id, n)
);

-- Which object at a destination stands for ours.
CREATE TABLE remote_ids (
    site_id        int NOT NULL,
    destination_id bigint NOT NULL,
    kind           text NOT NULL, -- lead, deal, contact, activity
    local_id       uuid NOT NULL,
    remote_id      text NOT NULL,
    PRIMARY KEY (site_id, destination_id, kind, local_id)
);
CREATE INDEX remote_ids_back ON remote_ids (site_id, destination_id, kind, remote_id);

-- A letter on its way to the real mailbox.
CREATE TABLE forwards (
    site_id      int NOT NULL,
    id           uuid NOT NULL,
    inbox_id     uuid NOT NULL,
    digest       bytea NOT NULL, -- SHA-256 of the message as it came
    recipient    text NOT NULL,  -- folded address it was sent to
    mailbox_id   bigint,         -- null: to the administrator
    mail_from    text NOT NULL,  -- '' for the null sender
    return_token text NOT NULL UNIQUE,
    state        text NOT NULL DEFAULT 'owed' CHECK (state IN ('owed', 'sent', 'dead')),
    attempts     int NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL,
    due_at       timestamptz NOT NULL,
    sent_at      timestamptz,
    last_code    int,
    last_error   text,
    bounced_at   timestamptz, -- the mailbox refused it after having taken it
    PRIMARY KEY (site_id, id),
    UNIQUE (site_id, digest, recipient)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX forwards_due ON forwards (due_at) WHERE state = 'owed';
CREATE INDEX forwards_of_inbox ON forwards (site_id, inbox_id);
CREATE INDEX forwards_dead ON forwards (site_id, created_at) WHERE state = 'dead';
CREATE INDEX forwards_bounced ON forwards (site_id, created_at) WHERE bounced_at IS NOT NULL;

-- Money --------------------------------------------------------------------------------

CREATE TABLE deals (
    site_id    int NOT NULL,
    id         uuid NOT NULL,
    crm        text NOT NULL, -- the connection's name, or 'api'
    crm_id     text NOT NULL,
    person_id  uuid,
    lead_id    uuid,
    title      text NOT NULL DEFAULT '',
    stage      text NOT NULL DEFAULT '',
    state      text NOT NULL CHECK (state IN ('open', 'won', 'lost')),
    amount     numeric(18, 2) NOT NULL DEFAULT 0,
    currency   text NOT NULL,
    manager    text NOT NULL DEFAULT '',
    opened_at  timestamptz NOT NULL,
    closed_at  timestamptz,
    updated_at timestamptz NOT NULL,
    seq        bigint GENERATED ALWAYS AS IDENTITY, -- order of arrival
    PRIMARY KEY (site_id, id),
    UNIQUE (site_id, crm, crm_id)
);
CREATE INDEX deals_by_arrival ON deals (site_id, seq);
CREATE INDEX deals_of_person ON deals (site_id, person_id);
CREATE INDEX deals_of_lead ON deals (site_id, lead_id);
CREATE INDEX deals_by_close ON deals (site_id, closed_at);

CREATE TABLE costs (
    site_id     int NOT NULL,
    day         date NOT NULL,
    origin      text NOT NULL, -- which import or form; an import replaces its own slice
    source_id   bigint NOT NULL,
    amount      numeric(18, 4) NOT NULL,
    currency    text NOT NULL,
    clicks      bigint NOT NULL DEFAULT 0,
    impressions bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (site_id, day, origin, source_id)
);

-- The reports' own rows: one a day and source, made anew from the rows above for each day
-- that is stale. Source 0 is "unknown": contacts without a candidate, and what is left over.
CREATE TABLE daily (
    site_id   int NOT NULL,
    day       date NOT NULL, -- in the site's time zone
    source_id bigint NOT NULL,
    visits    bigint NOT NULL DEFAULT 0,
    calls     double precision NOT NULL DEFAULT 0,
    missed    double precision NOT NULL DEFAULT 0,
    emails    double precision NOT NULL DEFAULT 0,
    forms     double precision NOT NULL DEFAULT 0,
    messages  double precision NOT NULL DEFAULT 0,
    leads     double precision NOT NULL DEFAULT 0,
    deals     double precision NOT NULL DEFAULT 0, -- won, on the day they were won
    revenue   numeric(20, 4) NOT NULL DEFAULT 0,
    cost      numeric(20, 4) NOT NULL DEFAULT 0,
    PRIMARY KEY (site_id, day, source_id)
);

-- One row a change, so that those who change something never wait for each other.
CREATE TABLE stale_days (
    site_id int NOT NULL,
    id      bigint GENERATED ALWAYS AS IDENTITY,
    day     date NOT NULL,
    PRIMARY KEY (site_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.02);

-- A change of what owners set up is told to every process that keeps it in memory.
CREATE FUNCTION tell_config() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('skvoz_config', '');
    RETURN NULL;
END $$;

CREATE TRIGGER config_told AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sites
    FOR EACH STATEMENT EXECUTE FUNCTION tell_config();
CREATE TRIGGER config_told AFTER INSERT OR UPDATE OF replaces, forward_to, share, late, rest, overflow, name, retired_at
    OR DELETE OR TRUNCATE ON pools FOR EACH STATEMENT EXECUTE FUNCTION tell_config();
CREATE TRIGGER config_told AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON numbers
    FOR EACH STATEMENT EXECUTE FUNCTION tell_config();
CREATE TRIGGER config_told AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON mailboxes
    FOR EACH STATEMENT EXECUTE FUNCTION tell_config();
CREATE TRIGGER config_told AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON connections
    FOR EACH STATEMENT EXECUTE FUNCTION tell_config();
