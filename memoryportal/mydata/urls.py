"""A person's own pages. Every id in here is a UUID; whose it is, the scope decides."""

from django.urls import path

from . import (
    activity,
    chosen,
    erasing,
    erasures,
    export,
    held,
    memories,
    memory,
    receipt_page,
    request_status,
    requests,
)

app_name = "mydata"
urlpatterns = [
    path("memories/", memories.show, name="list"),
    path("memories/search/", memories.search, name="search"),
    path("memories/delete/", chosen.delete, name="delete_many"),
    path("memories/<uuid:memory_id>/", memory.show, name="detail"),
    path("memories/<uuid:memory_id>/edit/", memory.edit, name="edit"),
    path("memories/<uuid:memory_id>/delete/", memory.delete, name="delete"),
    path("memories/<uuid:memory_id>/versions/<int:seq>/delete/", memory.purge, name="purge"),
    path("held/", held.show, name="held"),
    path("activity/", activity.show, name="activity"),
    path("export/", export.show, name="export"),
    path("export/<str:form>/", export.download, name="export_file"),
    path("erasure/", erasing.ask, name="erase"),
    path("erasure/<uuid:erasure_id>/", erasures.show, name="erasure"),
    path("erasure/<uuid:erasure_id>/continue/", erasures.go_on, name="erasure_continue"),
    path("erasure/<uuid:erasure_id>/cancel/", erasures.cancel, name="erasure_cancel"),
    path("erasure/<uuid:erasure_id>/begin/", erasures.begin, name="erasure_begin"),
    path("erasure/<uuid:erasure_id>/allow/", erasures.allow, name="erasure_allow"),
    path("erasure/<uuid:erasure_id>/receipt/", erasures.receipt, name="erasure_receipt"),
    path("erasure/<uuid:erasure_id>/receipt/file/", erasures.receipt_file, name="erasure_receipt_file"),
    path("requests/", requests.ask, name="ask_without_account"),
    path("requests/sent/", requests.sent, name="request_sent"),
    path("requests/link/<str:token>/", requests.link, name="request_link"),
    path("requests/confirm/", requests.confirm, name="request_confirm"),
    path("requests/confirm/no/", requests.withdraw, name="request_withdraw"),
    path("requests/verify/", receipt_page.verify, name="verify"),
    path("requests/s/<str:token>/", request_status.open_secret, name="request_secret"),
    path("requests/<str:reference>/", request_status.show, name="request"),
    path("requests/<str:reference>/cancel/", request_status.cancel, name="request_cancel"),
    path("requests/<str:reference>/link/", request_status.send_link, name="request_send_link"),
    path("requests/<str:reference>/receipt/", request_status.receipt, name="request_receipt"),
    path("requests/<str:reference>/receipt/file/", request_status.receipt_file, name="request_receipt_file"),
]
