"""What other rooms are told, so that they can note it."""

from django.dispatch import Signal

# Before and after an operator moves what is stored under one id to another, with `subject` (SubjectId, the new id),
# `reason` and, afterwards, `count` of rows. What is raised before the move keeps it from happening (audit/moved.py).
moving, moved = Signal(), Signal()
