#!/usr/bin/env python3
"""Command line of MemoryPortal. Commands run against the embedded PostgreSQL unless DATABASE_URL says otherwise."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memoryportal.settings")
    from memoryportal.base.command_line import execute

    execute(sys.argv)


if __name__ == "__main__":
    main()
