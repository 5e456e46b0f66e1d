"""Whether ANALYZE keeps samples of texts: they would stand in PostgreSQL's statistics after the rows are gone.

The samples themselves only a superuser can read; what is switched on for which column everybody can. `prepare_store`
switches it off. A foreign index on an expression, an ALTER TABLE or a CREATE STATISTICS switches it on again.
"""

from psycopg import sql

from .configuration import configuration
from .names import Tables
from .pool import fresh_transaction
from .prepare import TEXT_COLUMNS, VECTOR_TABLES
from .scope import SubjectId

# A column is sampled unless its target is 0 (NULL or -1: the server's default).
_SAMPLED = """
    WITH wanted AS (
        SELECT to_regclass(quote_ident(name)) AS relation, columns
        FROM unnest(%(tables)s::text[], %(columns)s::text[]) AS listed (name, columns)
    )
    SELECT a.attrelid::regclass::text || '.' || a.attname
    FROM wanted w JOIN pg_attribute a ON a.attrelid = w.relation
    WHERE a.attname = ANY (string_to_array(w.columns, ' ')) AND COALESCE(a.attstattarget, -1) <> 0
    UNION ALL
    SELECT a.attrelid::regclass::text
    FROM wanted w JOIN pg_index i ON i.indrelid = w.relation JOIN pg_attribute a ON a.attrelid = i.indexrelid
    WHERE i.indkey[a.attnum - 1] = 0 AND COALESCE(a.attstattarget, -1) <> 0
    UNION ALL
    SELECT s.stxname FROM wanted w JOIN pg_statistic_ext s ON s.stxrelid = w.relation
    ORDER BY 1
"""


def sampled(subject: SubjectId) -> list[str]:
    """Names of columns, indexes and extended statistics that keep samples of texts. Raises StoreUnavailable."""
    configured = configuration()
    tables = Tables(configured.collection)
    beside = configured.provider == "pgvector"
    columns = {
        tables.name(suffix): names for suffix, names in TEXT_COLUMNS.items() if beside or suffix not in VECTOR_TABLES
    }
    listed = {"tables": [*columns], "columns": [" ".join(names) for names in columns.values()]}
    with fresh_transaction(configured.dsn, str(subject)) as cursor:
        return [row[0] for row in cursor.execute(sql.SQL(_SAMPLED), listed).fetchall()]
