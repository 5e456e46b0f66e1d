from django.db import migrations, models


class Migration(migrations.Migration):
    """The staff list ended requests, the last ones first, however many there are."""

    dependencies = [("erasure", "0008_delayed_at")]
    operations = [
        migrations.AddIndex(
            model_name="erasure",
            index=models.Index(
                "ended_at",
                "reference",
                condition=models.Q(("ended_at__isnull", False)),
                name="erasure_by_its_end",
            ),
        ),
    ]
