from pathlib import Path

from django.db import migrations, models

from memoryportal.audit.actions import Action

SQL = (Path(__file__).parent.parent / "sql" / "chain.sql").read_text()
UNDO = """
DROP TABLE audit_event CASCADE;
DROP FUNCTION audit_append(text, text, text, text, text, text, text, text, jsonb);
DROP FUNCTION audit_partition(timestamptz);
DROP FUNCTION audit_part(text);
DROP FUNCTION audit_refuse();
"""
EVENT = migrations.CreateModel(
    name="Event",
    fields=[
        ("seq", models.BigIntegerField(primary_key=True, serialize=False)),
        ("at", models.DateTimeField()),
        ("actor", models.TextField()),
        ("role", models.TextField()),
        ("action", models.TextField(choices=Action.choices)),
        ("subject", models.TextField(null=True)),
        ("object", models.TextField(blank=True)),
        ("reason", models.TextField(blank=True)),
        ("grant", models.TextField(blank=True, db_column="grant_id")),
        ("request_id", models.TextField(blank=True)),
        ("details", models.JSONField(default=dict)),
        ("prev_hash", models.TextField()),
        ("hash", models.TextField()),
    ],
    options={"db_table": "audit_event", "ordering": ["-seq"]},
)


class Migration(migrations.Migration):
    initial = True
    dependencies: list[tuple[str, str]] = []
    operations = [
        migrations.CreateModel(
            name="Head",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("seq", models.BigIntegerField()),
                ("hash", models.TextField()),
            ],
            options={"db_table": "audit_head"},
        ),
        migrations.CreateModel(
            name="SubjectKey",
            fields=[
                ("subject", models.TextField(primary_key=True, serialize=False)),
                ("key", models.BinaryField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("last_staff_access", models.DateTimeField(null=True)),
            ],
            options={"db_table": "audit_subjectkey"},
        ),
        migrations.RunSQL(SQL, UNDO, state_operations=[EVENT]),
    ]
