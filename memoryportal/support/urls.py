"""The staff's pages. Every view has its guard: `staff_path` refuses one without."""

from django.urls import register_converter

from . import (
    act_pages,
    acts_page,
    attaching,
    auditing,
    grant_pages,
    links_pages,
    memory_pages,
    new_request_page,
    people_pages,
    queue_page,
    request_pages,
    story_page,
)
from .except_acts import EXCEPT_ACTS
from .guard import staff_path
from .request_acts import ACTS
from .request_names import RequestConverter

register_converter(RequestConverter, "request")
ALL_ACTS = (*ACTS, *EXCEPT_ACTS)
ONE = "requests/<request:reference>/"
app_name = "support"
urlpatterns = [
    staff_path("", people_pages.home, name="home"),
    staff_path("people/", people_pages.find, name="people"),
    staff_path("grants/", grant_pages.own, name="grants"),
    staff_path("grants/<uuid:grant_id>/", grant_pages.show, name="grant"),
    staff_path("grants/<uuid:grant_id>/end/", grant_pages.end, name="end"),
    staff_path("grants/<uuid:grant_id>/reveal/", memory_pages.reveal, name="reveal"),
    staff_path("grants/<uuid:grant_id>/search/", memory_pages.search, name="search"),
    staff_path("grants/<uuid:grant_id>/memories/<uuid:memory_id>/delete/", memory_pages.delete, name="delete"),
    staff_path("grants/<uuid:grant_id>/request/", request_pages.hand_over, name="hand_over"),
    staff_path("requests/", queue_page.show, name="requests"),
    staff_path("requests/new/", new_request_page.new, name="request_new"),
    staff_path(ONE, story_page.show, name="request"),
    staff_path(f"{ONE}ids/", story_page.reveal, name="request_ids"),
    staff_path(f"{ONE}receipt/", story_page.receipt, name="request_receipt"),
    staff_path(f"{ONE}attach/", attaching.attach, name="request_attach"),
    staff_path(f"{ONE}attach/find/", attaching.find, name="request_find"),
    staff_path(f"{ONE}outside/<int:place_id>/", act_pages.outside, name="request_outside"),
    *(staff_path(f"{ONE}{act.slug}/", act_pages.page_of(act), name=f"request_{act.name}") for act in ALL_ACTS),
    staff_path("links/", links_pages.show, name="links"),
    staff_path("links/<int:ask_id>/approve/", links_pages.approve, name="link_approve"),
    staff_path("links/<int:ask_id>/drop/", links_pages.drop, name="link_drop"),
    staff_path("acts/", acts_page.show, name="acts"),
    staff_path("audit/", auditing.show, name="audit"),
    staff_path("audit/grants/<uuid:grant_id>/", auditing.grant, name="audit_grant"),
    staff_path("audit/verify/", auditing.verify, name="audit_verify"),
    staff_path("audit/export/", auditing.export, name="audit_export"),
]
