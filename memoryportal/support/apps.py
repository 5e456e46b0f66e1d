from django.apps import AppConfig


class SupportConfig(AppConfig):
    name = "memoryportal.support"
    label = "support"

    def ready(self) -> None:
        from memoryportal.memory.places import exempt

        from . import signals

        signals.connect()
        exempt(
            support_accessgrant__subject="whose memories the staff could look at; emptied with their key of the trail",
            support_accessgrant__person_id="the account of that person",
            support_accessgrant__staff_id="the account of the member of the staff",
            support_accessgrant__reason="what the member of the staff gave as the reason; emptied with that key",
            support_accessgrant__ticket="the number of a support case",
            support_quota__staff_id="the account of the member of the staff",
        )
