"""The staff's pages. Every view has its guard: `staff_path` refuses one without."""

from . import acts_page, auditing, grant_pages, links_pages, memory_pages, people_pages, request_pages
from .guard import staff_path

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
    staff_path("links/", links_pages.show, name="links"),
    staff_path("links/<int:ask_id>/approve/", links_pages.approve, name="link_approve"),
    staff_path("links/<int:ask_id>/drop/", links_pages.drop, name="link_drop"),
    staff_path("acts/", acts_page.show, name="acts"),
    staff_path("audit/", auditing.show, name="audit"),
    staff_path("audit/grants/<uuid:grant_id>/", auditing.grant, name="audit_grant"),
    staff_path("audit/verify/", auditing.verify, name="audit_verify"),
    staff_path("audit/export/", auditing.export, name="audit_export"),
]
