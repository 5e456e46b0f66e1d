-- mem0's own shape; an existing table is left as it is. No HNSW index: it serves nobody who filters by person.
CREATE TABLE IF NOT EXISTS {memories} (id uuid PRIMARY KEY, vector vector({dimensions}), payload jsonb);
CREATE TABLE IF NOT EXISTS {entities} (id uuid PRIMARY KEY, vector vector({dimensions}), payload jsonb);
