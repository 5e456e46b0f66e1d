from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("erasure", "0006_before_and_after"),
    ]

    operations = [
        migrations.CreateModel(
            name="RequestQuota",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("hour", models.PositiveIntegerField()),
                ("holder", models.CharField(max_length=64)),
                ("count", models.PositiveIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("hour", "holder"), name="one_request_quota_per_hour_and_holder")
                ],
            },
        ),
    ]
