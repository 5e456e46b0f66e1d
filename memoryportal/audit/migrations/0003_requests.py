from pathlib import Path

from django.db import migrations

SQL = (Path(__file__).parent.parent / "sql" / "requests.sql").read_text()


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_partitions")]
    operations = [migrations.RunSQL(SQL, "DROP INDEX audit_event_request")]
