from pathlib import Path

from django.db import migrations

SQL = (Path(__file__).parent.parent / "sql" / "states.sql").read_text()
# As of this migration; tests/erasure/test_states.py compares what the database enforces with states.TRANSITIONS.
WAYS = """ARRAY[
    'approval>cancelled', 'approval>erasing', 'approval>identity', 'approval>on-hold', 'approval>refused',
    'approval>waiting', 'erasing>needs-attention', 'erasing>retrying', 'erasing>verifying',
    'identity>approval', 'identity>cancelled', 'identity>erasing', 'identity>on-hold', 'identity>refused',
    'identity>unconfirmed', 'identity>waiting', 'needs-attention>erasing', 'on-hold>approval',
    'on-hold>cancelled', 'on-hold>identity', 'on-hold>refused', 'on-hold>waiting', 'received>approval',
    'received>cancelled', 'received>erasing', 'received>identity', 'received>on-hold', 'received>refused',
    'received>waiting', 'retrying>erasing', 'retrying>needs-attention', 'verifying>completed',
    'verifying>completed-with-exceptions', 'verifying>erasing', 'verifying>needs-attention',
    'verifying>retrying', 'verifying>watching', 'waiting>cancelled', 'waiting>erasing', 'waiting>on-hold',
    'waiting>refused', 'watching>erasing', 'watching>needs-attention', 'watching>retrying'
]"""
OPEN = """
INSERT INTO erasure_openerasure (erasure_id, subject, agent)
SELECT id, subjects[1], agent FROM erasure_erasure
WHERE state NOT IN ('completed', 'completed-with-exceptions') AND cardinality(subjects) > 0
"""


class Migration(migrations.Migration):
    dependencies = [("erasure", "0003_deletion_requests")]

    operations = [
        migrations.RunSQL(OPEN, migrations.RunSQL.noop),
        migrations.RunSQL(
            SQL.replace("{ways}", WAYS),
            "DROP TRIGGER erasure_states ON erasure_erasure; DROP FUNCTION erasure_states();",
        ),
    ]
