from django.apps import AppConfig


class BaseConfig(AppConfig):
    name = "memoryportal.base"
    label = "base"

    def ready(self) -> None:
        from . import checks  # noqa: F401 - registers the checks
