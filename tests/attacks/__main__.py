"""`python -m tests.attacks` tries every attack on every store and writes the table into docs/attacks.md."""

import os
import sys
from pathlib import Path

import pytest

from .test_attacks import WRITE

os.environ[WRITE] = "1"
sys.exit(pytest.main(["-q", "-p", "no:xdist", "-p", "no:cacheprovider", str(Path(__file__).parent)]))
