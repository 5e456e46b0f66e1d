from django.urls import path

from . import views

urlpatterns = [
    path("oidc/login/", views.login, name="openid_connect_login"),
    path("oidc/login/callback/", views.callback, name="openid_connect_callback"),
]
