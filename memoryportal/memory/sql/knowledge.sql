-- What one assistant knows by itself: rows with its name and without a person. A view, read as the tables' owner: a
-- second alternative in the tables' own policy would keep every person's page from the owner index (prepare.py).
CREATE OR REPLACE VIEW {knowledge} WITH (security_barrier = true) AS
    SELECT id, vector, payload FROM {memories} WHERE {known_by}
    WITH CASCADED CHECK OPTION;
