from django.apps import AppConfig


class MydataConfig(AppConfig):
    name = "memoryportal.mydata"
    label = "mydata"

    def ready(self) -> None:
        from memoryportal.memory.places import exempt

        exempt(
            mydata_spent__account_id="whose searches and files were counted last; goes with the account",
            mydata_spent__what="search or export",
        )
