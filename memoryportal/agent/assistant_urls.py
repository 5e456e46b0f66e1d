"""The portal's own assistant. Which person and which conversation, the session says."""

from django.urls import path

from . import assistant

app_name = "assistant"
urlpatterns = [
    path("", assistant.talk, name="talk"),
    path("end/", assistant.end, name="end"),
]
