from django.apps import AppConfig


class ErasureConfig(AppConfig):
    name = "memoryportal.erasure"
    label = "erasure"

    def ready(self) -> None:
        from memoryportal.memory.places import exempt

        exempt(
            erasure_erasure__subject="says whose erasure this is, as its proof; holds no text",
            erasure_erasure__account_id="the account that asked; the account outlives an erasure of memories",
            erasure_erasure__filed_by_id="the account of the member of the staff who wrote the request down",
        )
