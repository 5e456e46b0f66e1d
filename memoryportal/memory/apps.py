from django.apps import AppConfig


class MemoryConfig(AppConfig):
    name = "memoryportal.memory"
    label = "memory"
