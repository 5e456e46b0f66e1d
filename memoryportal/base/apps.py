from django.apps import AppConfig


class BaseConfig(AppConfig):
    name = "memoryportal.base"
    label = "base"
