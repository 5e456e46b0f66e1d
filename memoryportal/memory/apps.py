from django.apps import AppConfig


class MemoryConfig(AppConfig):
    name = "memoryportal.memory"
    label = "memory"

    def ready(self) -> None:
        from memoryportal.base.readiness import register

        from .readiness import StoreProbe

        register("store", StoreProbe())
