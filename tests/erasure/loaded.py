"""Everything that a worker needs, loaded once: the fork server imports this, its children come up at once."""

import os

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

import django

django.setup()

import memoryportal.erasure.tasks  # noqa: E402, F401
import tests.conftest  # noqa: E402, F401
