"""The portal's settings for tests: nothing live in the environment, and a folder of their own."""

import os
import tempfile

from memoryportal.base.environment import clear_live_settings

CLEARED = clear_live_settings(os.environ)
if os.environ.get("MEMORYPORTAL_TESTING") != "1":  # a worker process finds both of these from its controller
    os.environ["MEMORYPORTAL_TESTING"] = "1"
    os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="memoryportal-tests-")
    os.chmod(os.environ["DATA_DIR"], 0o755)  # noqa: PTH101 - root's server runs as another account
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright keeps an event loop running in the test's own thread

from memoryportal.settings import *  # noqa: E402, F403
from memoryportal.settings import STATIC_ROOT  # noqa: E402

STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # WhiteNoise warns about a folder that is not there

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the real one takes half a second on purpose
