from django.apps import AppConfig


class MydataConfig(AppConfig):
    name = "memoryportal.mydata"
    label = "mydata"
