from django.apps import AppConfig


class MemoryConfig(AppConfig):
    name = "memoryportal.memory"
    label = "memory"

    def ready(self) -> None:
        from memoryportal.base import readiness

        from . import history_files, places
        from .readiness import StoreProbe

        readiness.register("store", StoreProbe())
        places.register(history_files.PLACE)
