"""The two tables that belong to the house itself."""

from django.db import models


class Installation(models.Model):
    """What this database is for: one row, written by the migration that makes the table."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    demo = models.BooleanField(editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="installation_is_one_row")]

    def __str__(self) -> str:
        return "demo" if self.demo else "installation"


class CachedValue(models.Model):
    """The table of Django's database cache, as `createcachetable` would make it.

    A model so that `migrate` suffices and tests that flush the database begin with fresh rate limits.
    """

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "base_cache"

    def __str__(self) -> str:
        return self.cache_key
