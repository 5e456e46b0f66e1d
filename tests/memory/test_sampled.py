"""Which columns keep samples of texts can be seen by the portal's own login, whoever switched them on."""

from memoryportal.memory import ScopedMemory
from memoryportal.memory.statistics import sampled

from .planted import Superuser


def test_a_prepared_store_keeps_none(alice: ScopedMemory) -> None:
    assert sampled(alice.subject) == []


def test_everything_that_is_switched_on_is_named(superuser: Superuser, alice: ScopedMemory) -> None:
    with superuser.transaction(force_rollback=True):
        superuser.execute("ALTER TABLE memories_entities ALTER COLUMN payload SET STATISTICS 10")
    assert sampled(alice.subject) == []
    superuser.execute("ALTER TABLE memories_entities ALTER COLUMN payload SET STATISTICS 10")
    superuser.execute("CREATE INDEX somebodys_idx ON memories_history (lower(new_memory), subject)")
    superuser.execute("CREATE INDEX harmless_idx ON memories_history (seq, subject)")
    try:
        assert sampled(alice.subject) == ["memories_entities.payload", "somebodys_idx"]
    finally:
        superuser.execute("ALTER TABLE memories_entities ALTER COLUMN payload SET STATISTICS 0")
        superuser.execute("DROP INDEX somebodys_idx, harmless_idx")
    assert sampled(alice.subject) == []
