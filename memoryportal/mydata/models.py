"""How often one person did what costs everybody time."""

from django.conf import settings
from django.db import models


class Spent(models.Model):
    """How often one account did one thing in the newest span of time in which it did: one row, which begins anew."""

    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    what = models.CharField(max_length=10)
    span = models.PositiveBigIntegerField()  # which minute or hour since 1970
    times = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "what"], name="one_row_per_account_and_limit")]

    def __str__(self) -> str:
        return f"{self.what}: {self.times}"
