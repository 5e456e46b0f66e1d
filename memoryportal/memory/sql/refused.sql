-- Ids that are refused and have rows, in the form in which ids look alike (refused.py). The portal's login may ask how
-- many rows may mean one person; it cannot read whose ids these are.
CREATE TABLE IF NOT EXISTS {refused} (plain text PRIMARY KEY, rows bigint NOT NULL);
CREATE OR REPLACE FUNCTION {refused_like}(wanted text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $body$
    SELECT COALESCE(sum(rows), 0)::bigint FROM {refused} WHERE strpos(plain, wanted) > 0
$body$;
REVOKE ALL ON TABLE {refused} FROM PUBLIC;
REVOKE ALL ON FUNCTION {refused_like}(text) FROM PUBLIC;
