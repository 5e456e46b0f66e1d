from django.apps import AppConfig


class AgentConfig(AppConfig):
    name = "memoryportal.agent"
    label = "agent"

    def ready(self) -> None:
        from memoryportal.memory.places import exempt, register

        from . import administration, places

        register(places.PLACE)
        exempt(**places.EXEMPT)
        administration.register()
