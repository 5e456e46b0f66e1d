"""WSGI entry point; granian loads `memoryportal.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memoryportal.settings")
application = get_wsgi_application()

from memoryportal.base.installation import refuse_unsafe_start  # noqa: E402 - needs the loaded applications

refuse_unsafe_start()
