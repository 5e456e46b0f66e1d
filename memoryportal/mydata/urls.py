"""A person's own pages. Every id in here is a UUID; whose it is, the scope decides."""

from django.urls import path

from . import activity, chosen, erasing, export, held, memories, memory

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
    path("erasure/<uuid:erasure_id>/", erasing.show, name="erasure"),
    path("erasure/<uuid:erasure_id>/continue/", erasing.resume, name="erasure_continue"),
]
