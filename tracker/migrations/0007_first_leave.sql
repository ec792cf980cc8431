-- How long a page was read ends with its first leave: it may be shown again much later.
-- Leases of before have none; of them the last sign of life tells.
ALTER TABLE leases ADD COLUMN first_left_at timestamptz;
