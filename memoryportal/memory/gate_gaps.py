"""Whether the gate stands: a trigger on each table that holds foreign writers back while somebody is erased or paused.

Somebody who repairs a database switches triggers off and forgets one, or restores a table without its own. Then a shut
gate holds back only those who write through the portal.
"""

from psycopg import sql

from .configuration import configuration
from .names import Tables
from .pool import fresh_transaction
from .prepare import GATED, VECTOR_TABLES
from .scope import SubjectId

# The gate_check of this collection, before each row of every INSERT and UPDATE (23), whatever the row and the columns.
_GAPS = """
    SELECT name FROM unnest(%(tables)s::text[]) WITH ORDINALITY AS wanted (name, place) WHERE NOT EXISTS (
        SELECT FROM pg_trigger t
        WHERE t.tgrelid = to_regclass(quote_ident(name)) AND t.tgname = 'memoryportal_gate'
        AND t.tgfoid = to_regproc(quote_ident(%(check)s)) AND t.tgenabled IN ('O', 'A')
        AND t.tgtype & 23 = 23 AND t.tgqual IS NULL AND cardinality(t.tgattr::int2[]) = 0
    ) ORDER BY place
"""


def gate_gaps(subject: SubjectId) -> list[str]:
    """Tables on which no gate stands now, of those that lie in PostgreSQL. Raises StoreUnavailable."""
    configured = configuration()
    tables, beside = Tables(configured.collection), configured.provider == "pgvector"
    names = [tables.name(suffix) for suffix, *_ in GATED if beside or suffix not in VECTOR_TABLES]
    with fresh_transaction(configured.dsn, str(subject)) as cursor:
        about = {"tables": names, "check": tables.name("gate_check")}
        return [row[0] for row in cursor.execute(sql.SQL(_GAPS), about).fetchall()]
