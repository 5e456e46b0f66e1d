from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("erasure", "0007_request_quota"),
    ]

    operations = [
        migrations.AddField(
            model_name="erasure",
            name="delayed_at",
            field=models.DateTimeField(null=True),
        ),
    ]
