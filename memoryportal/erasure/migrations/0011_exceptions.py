from importlib import import_module
from pathlib import Path

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

SQL = (Path(__file__).parent.parent / "sql" / "states.sql").read_text()
WAYS = import_module("memoryportal.erasure.migrations.0006_before_and_after").WAYS  # no new ways, but new conditions


def _someone() -> models.ForeignKey:
    return models.ForeignKey(
        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
    )


class Migration(migrations.Migration):
    """A place that was not read lets a request end only where two people have agreed on it."""

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("erasure", "0010_approval_told_at"),
    ]

    operations = [
        migrations.AddField(
            "erasure",
            "excepted",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=40), blank=True, default=list, size=None
            ),
        ),
        migrations.AddField(
            "erasure",
            "except_category",
            models.CharField(
                blank=True,
                choices=[
                    ("decommissioned", "it was taken out of service"),
                    ("damaged", "it is damaged beyond repair"),
                    ("handed-over", "it is no longer in our hands"),
                    ("other", "it cannot be used any more"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddField("erasure", "except_reason", models.CharField(blank=True, max_length=500)),
        migrations.AddField("erasure", "except_by", _someone()),
        migrations.AddField("erasure", "except_at", models.DateTimeField(null=True)),
        migrations.AddField("erasure", "except_agreed_by", _someone()),
        migrations.AddField("erasure", "except_agreed_at", models.DateTimeField(null=True)),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.RunSQL(SQL.replace("{ways}", WAYS), migrations.RunSQL.noop),
    ]
