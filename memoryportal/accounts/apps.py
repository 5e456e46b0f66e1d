from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "memoryportal.accounts"
    label = "accounts"

    def ready(self) -> None:
        from memoryportal.memory.places import exempt

        from . import held, signals

        exempt(**held.EXEMPT)
        signals.connect(self)
