import os
from pathlib import Path

import pytest


@pytest.fixture
def data_dir() -> Path:
    """The folder of the run's own server. Tests that start servers of their own override this."""
    return Path(os.environ["DATA_DIR"])
