from typing import Any

from django.core.management.base import BaseCommand

from memoryportal.agent.models import ServiceKey


class Command(BaseCommand):
    help = "List all service keys, the newest first. Secrets are not kept, so none can be shown."

    def handle(self, *args: Any, **options: Any) -> None:
        for key in ServiceKey.objects.all():
            state = f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else f"used {key.last_used or 'never'}"
            may = f"{','.join(key.rights)} for {','.join(key.agents) or 'any assistant'}"
            self.stdout.write(f"{key.prefix}  {state:<18}  {may}  {key.name}")
