from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("erasure", "0009_by_its_end"),
    ]

    operations = [
        migrations.AddField(
            model_name="erasure",
            name="approval_told_at",
            field=models.DateTimeField(null=True),
        ),
    ]
