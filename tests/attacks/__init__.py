"""Every attack of mem0's traps, on every store, against plain mem0 and against the portal. Nothing is written by hand.

`python -m tests.attacks` measures the table and puts it into docs/attacks.md.
"""
