from django.conf import settings
from django.db import migrations, models


def write_down_what_this_is(apps, schema_editor):
    """In the table's own transaction: there is no moment at which a demo's database is not marked as one."""
    apps.get_model("base", "Installation").objects.create(id=1, demo=settings.DEMO)


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Installation",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                ("demo", models.BooleanField(editable=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="installation_is_one_row"),
                ],
            },
        ),
        migrations.CreateModel(
            name="CachedValue",
            fields=[
                ("cache_key", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("value", models.TextField()),
                ("expires", models.DateTimeField(db_index=True)),
            ],
            options={"db_table": "base_cache"},
        ),
        migrations.RunPython(write_down_what_this_is, migrations.RunPython.noop),
    ]
