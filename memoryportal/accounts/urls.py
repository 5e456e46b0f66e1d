from django.urls import path

from . import views

app_name = "accounts"
urlpatterns = [
    path("", views.settings, name="settings"),
    path("subject/", views.choose_subject, name="choose_subject"),
    path("sessions/<int:session_id>/end/", views.end_session, name="end_session"),
]
