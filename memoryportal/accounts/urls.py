from django.urls import path

from . import address_views, link_views, prove, views

app_name = "accounts"
urlpatterns = [
    path("", views.settings, name="settings"),
    path("subject/", views.choose_subject, name="choose_subject"),
    path("sessions/<int:session_id>/end/", views.end_session, name="end_session"),
    path("address/<str:token>/cancel/", address_views.cancel, name="cancel_address"),
    path("link/", link_views.from_host, name="link"),
    path("ids/connect/", link_views.connect, name="connect"),
    path("ids/<int:link_id>/disconnect/", link_views.disconnect, name="disconnect"),
    path("prove/", prove.prove, name="prove"),
    path("prove/mail/", prove.mail_code, name="prove_mail"),
    path("prove/code/", prove.code, name="prove_code"),
]
