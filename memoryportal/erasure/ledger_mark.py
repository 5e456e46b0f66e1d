"""Up to which line this database knows the erasure ledger. One that was restored knows less."""

from django.db import models

from .ledger_file import START


class LedgerMark(models.Model):
    """One row. Every line up to `number` is of an act that this database has seen."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    number = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, default=START)  # of that line

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="ledger_mark_is_one_row")]

    def __str__(self) -> str:
        return f"ledger line {self.number}"
