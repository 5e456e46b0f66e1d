"""Whether anything is stored under an id: the one question about a person that the staff may ask before a grant.

The answer is yes or no. It hands out no scope, no count and no text, and it is asked with the person's own walls up.
"""

from .scope import Scope, SubjectId
from .stores import current_store


def owns_something(subject: SubjectId) -> bool:
    """Whether any place of the store has a row of exactly this subject. Raises StoreUnavailable."""
    return any(current_store().held(Scope(subject, by_person=True)).values())
