from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "memoryportal.audit"
    label = "audit"

    def ready(self) -> None:
        from memoryportal.memory.places import exempt

        from . import moved, stopped  # noqa: F401 - they listen

        why = "the trail of who did what; holds no memory text, and the subject only under a key of its own"
        exempt(
            audit_event__actor="the account that acted, by number",
            audit_event__subject=why,
            audit_event__object=why,
            audit_event__reason="what a member of the staff gave as the reason",
            audit_event__details="counts and ids from a fixed list of keys",
            audit_subjectkey__subject="ties the trail to a person until the key is destroyed with the account",
            audit_subjectkey__key="random",
        )
        exempt(
            **{
                f"procrastinate_{column}": "the queue: names of tasks, ids and words (base/queue.py)"
                for column in (
                    *(f"jobs__{name}" for name in ("queue_name", "task_name", "lock", "queueing_lock", "args")),
                    *(f"periodic_defers__{name}" for name in ("task_name", "periodic_id")),
                )
            }
        )
