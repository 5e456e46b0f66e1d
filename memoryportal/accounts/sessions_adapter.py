"""What allauth asks us when somebody ends their other sessions."""

from collections.abc import Collection

from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from allauth.usersessions.models import UserSession

from memoryportal.audit.actions import Action

from .trail import note_account


class UserSessionsAdapter(DefaultUserSessionsAdapter):
    def end_sessions(self, sessions: Collection[UserSession]) -> None:
        for user in {session.user for session in sessions}:
            note_account(user, Action.SESSION_ENDED, kind="others", count=len(sessions))
        super().end_sessions(sessions)
