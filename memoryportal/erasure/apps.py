from django.apps import AppConfig


class ErasureConfig(AppConfig):
    name = "memoryportal.erasure"
    label = "erasure"
