"""Eight writers at once: one chain, no gap. `make bench` runs it with 300 events each."""

from memoryportal.audit.heads import sign_head
from memoryportal.audit.models import Event, Head
from memoryportal.audit.verify import verify_trail

from .house import House
from .writing import write_at_once

WRITERS, EVENTS = 8, 25


def test_many_writers_make_one_chain(house: House) -> None:
    rate = write_at_once(WRITERS, EVENTS)
    sign_head()
    verdict = verify_trail()
    print(f"{rate:,.0f} events a second")
    assert (verdict.problem, verdict.events) == (None, WRITERS * EVENTS)
    numbers = list(Event.objects.order_by("seq").values_list("seq", flat=True))
    assert numbers == list(range(1, WRITERS * EVENTS + 1))
    assert Head.objects.get().seq == WRITERS * EVENTS


def test_times_never_go_back_in_the_order_of_numbers(house: House) -> None:
    write_at_once(4, 10)
    times = list(Event.objects.order_by("seq").values_list("at", flat=True))
    assert times == sorted(times)
