from importlib import import_module
from pathlib import Path

from django.db import migrations, models

SQL = (Path(__file__).parent.parent / "sql" / "states.sql").read_text()
BEFORE = import_module("memoryportal.erasure.migrations.0006_before_and_after").WAYS
WAYS = BEFORE.replace("'waiting>cancelled'", "'waiting>approval', 'waiting>cancelled'")


class Migration(migrations.Migration):
    """What was decided goes back to people when ids have changed hands before it begins, or a hold stands."""

    dependencies = [("erasure", "0011_exceptions")]

    operations = [
        migrations.AddField("erasure", "approved_for", models.CharField(blank=True, max_length=64)),
        migrations.AddField("erasure", "held_at", models.DateTimeField(null=True)),
        migrations.AddField("erasure", "released_at", models.DateTimeField(null=True)),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.RunSQL(SQL.replace("{ways}", WAYS), migrations.RunSQL.noop),
    ]
