from django.conf import settings
from django.db import migrations, models
from django.db.models import deletion


class Migration(migrations.Migration):
    dependencies = [
        ("erasure", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="erasure",
            name="filed_by",
            field=models.ForeignKey(
                null=True,
                on_delete=deletion.SET_NULL,
                related_name="filed_erasures",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
