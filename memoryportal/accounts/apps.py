from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "memoryportal.accounts"
    label = "accounts"

    def ready(self) -> None:
        from memoryportal.memory.places import exempt, register

        from . import held, removal, signals

        register(removal.PLACE)
        exempt(**held.EXEMPT)
        signals.connect(self)
