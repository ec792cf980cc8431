-- Several pools may replace the same page number: the owner's order, and whom each is for.
ALTER TABLE pools
    ADD COLUMN position int NOT NULL DEFAULT 0, -- order within the site; equals by id
    ADD COLUMN target   jsonb;                  -- null: for everybody the others are not for

-- Lent to nobody anew; who holds it keeps it, and its calls are attributed as ever.
ALTER TABLE numbers ADD COLUMN resting boolean NOT NULL DEFAULT false;

DROP TRIGGER config_told ON pools;
CREATE TRIGGER config_told AFTER INSERT
    OR UPDATE OF replaces, forward_to, share, late, rest, overflow, name, retired_at, position, target
    OR DELETE OR TRUNCATE ON pools FOR EACH STATEMENT EXECUTE FUNCTION tell_config();
