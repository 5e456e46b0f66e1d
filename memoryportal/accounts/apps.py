from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "memoryportal.accounts"
    label = "accounts"
