from django.apps import AppConfig


class AgentConfig(AppConfig):
    name = "memoryportal.agent"
    label = "agent"

    def ready(self) -> None:
        from memoryportal.memory.places import exempt

        from . import administration, places

        exempt(**places.EXEMPT)
        administration.register()
