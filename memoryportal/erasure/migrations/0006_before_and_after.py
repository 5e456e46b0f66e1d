from pathlib import Path

import django.contrib.postgres.fields
from django.db import migrations, models

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
# What was asked for by the earlier releases, whose only door was one's own session.
IDENTIFIED = """
UPDATE erasure_erasure SET identified_at = asked_at, identified_how = 'session'
WHERE channel = 'self' AND identified_at IS NULL AND ended_at IS NULL;
UPDATE erasure_erasure SET attached_at = asked_at WHERE attached_by_id IS NOT NULL AND ended_at IS NULL;
"""


class Migration(migrations.Migration):
    """The database looks at who asks before an erasure begins, and at everything once it has ended."""

    dependencies = [
        ("erasure", "0005_ledger_mark"),
    ]

    operations = [
        migrations.AddField(
            model_name="erasure",
            name="attached_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="erasure",
            name="account_number",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="erasure",
            name="addresses",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.EmailField(max_length=254), blank=True, default=list, size=None
            ),
        ),
        migrations.RunSQL(IDENTIFIED + "SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.RunSQL(SQL.replace("{ways}", WAYS), migrations.RunSQL.noop),
    ]
