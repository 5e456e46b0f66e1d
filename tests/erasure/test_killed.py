"""A worker that is killed with -9 anywhere: the gate stays shut, nobody else is touched, and the next one finishes."""

from typing import Any

import pytest
from django.core import mail

from memoryportal.accounts.models import User
from memoryportal.erasure import telling
from memoryportal.erasure.models import Erasure, ErasureStep, Scope

from .children import Death, carry_out, die, run_in_child, wrap
from .house import House, again, assert_ended_well, assert_fence_stands

pytestmark = pytest.mark.django_db(transaction=True)
ROOM = "memoryportal.erasure"
KILLED = -9
# In the order in which they come. What comes several times: (name, call).
STEPS = (
    (f"{ROOM}.lease:move", 1),  # the request was taken up, and that is not committed
    (f"{ROOM}.engine:claim", 1),
    (f"{ROOM}.reach:controls.shut", 1),
    (f"{ROOM}.engine:Questions.taken_from", 1),
    (f"{ROOM}.reach:Reach.write_journal", 1),
    (f"{ROOM}.engine:note_found", 1),
    (f"{ROOM}.reach:Reach._erase_memories", 1),
    (f"{ROOM}.reach:note_removed", 1),
    (f"{ROOM}.reach:Reach.erase", 1),
    (f"{ROOM}.engine:move", 1),  # verifying
    (f"{ROOM}.reach:Reach.read_again", 1),
    (f"{ROOM}.reach:Reach.read_again", 2),
    (f"{ROOM}.verification:note_read", 1),
    (f"{ROOM}.verification:Questions.ask_again", 1),
    (f"{ROOM}.engine:finishing.finish", 1),
    (f"{ROOM}.reach:controls.shut", 2),  # the pause
    (f"{ROOM}.finishing:ledger.append", 1),
    (f"{ROOM}.finishing:move", 1),  # the end
    (f"{ROOM}.finishing:receipts.sign", 1),
    (f"{ROOM}.finishing:ledger.mark", 1),
    (f"{ROOM}.finishing:tell_end", 1),
    (f"{ROOM}.finishing:controls.reopen", 1),
    (f"{ROOM}.finishing:note", 1),
)


# What is committed elsewhere than where the portal notes it: dying right after it is another case than before the next.
COMMITTED = ("controls.shut", "claim", "write_journal", "_erase_memories", "ledger.append", "controls.reopen", "note")


def deaths() -> list[Any]:
    before = [Death(name, "before", call) for name, call in STEPS]
    after = [Death(name, "after", call) for name, call in STEPS if name.endswith(COMMITTED)]
    return [pytest.param(death, id=str(death)) for death in before + after]


@pytest.mark.parametrize("death", deaths())
def test_killed_at_a_boundary(house: House, death: Death) -> None:
    erasure = house.ask()
    assert run_in_child(carry_out, erasure.pk, death) == KILLED
    assert_fence_stands(house, erasure)
    again(erasure)
    assert_ended_well(house, erasure)


def test_killed_at_each_boundary_in_turn(house: House) -> None:
    """One request, taken up again and again, and never the same way twice."""
    erasure = house.ask()
    for name, call in STEPS[1:-1]:
        assert run_in_child(carry_out, erasure.pk, Death(name, "before", call)) == KILLED
        assert_fence_stands(house, erasure)
        Erasure.objects.filter(pk=erasure.pk).update(lease_until=None, attempts=1)
    again(erasure)
    assert_ended_well(house, erasure)


def test_killed_after_the_end_nothing_is_left_to_do(house: House) -> None:
    erasure = house.ask()
    assert run_in_child(carry_out, erasure.pk, Death(f"{ROOM}.engine:finishing.finish", "after")) == KILLED
    assert_ended_well(house, erasure)
    before = Erasure.objects.values().get(pk=erasure.pk)
    again_nothing = run_in_child(carry_out, erasure.pk)
    assert again_nothing == 0
    assert Erasure.objects.values().get(pk=erasure.pk) == before


# --- at any statement -----------------------------------------------------------------------------------------------


def carry_out_until(pk: Any, number: int) -> None:
    """Die before the n-th statement that this process sends to any database."""
    statements = 0

    def around(execute: Any) -> Any:
        def counted(*args: Any, **kwargs: Any) -> Any:
            nonlocal statements
            statements += 1
            if statements == number:
                die()
            return execute(*args, **kwargs)

        return counted

    wrap("psycopg:Cursor.execute", around)
    carry_out(pk)


def test_killed_at_any_statement(house: House) -> None:
    """Every 13th one of a whole run, each time with rows that are there again."""
    number, died = 5, True
    while died:
        erasure = house.ask()
        died = run_in_child(carry_out_until, erasure.pk, number) == KILLED
        if not Erasure.objects.get(pk=erasure.pk).is_terminal:  # else it died while it looked at what it had done
            assert_fence_stands(house, erasure)
            again(erasure)
        assert_ended_well(house, erasure)
        house.reopen()
        number += 13
    assert number > 100
    assert ErasureStep.objects.exclude(left=0).count() == 0


# --- the account goes too -------------------------------------------------------------------------------------------

ACCOUNT_STEPS = (
    Death("memoryportal.accounts.removal:remove", "before"),
    Death("memoryportal.accounts.removal:remove", "after"),
    Death(f"{ROOM}.reach:note_removed", "after", 4),
    Death(f"{ROOM}.engine:verify", "before"),
    Death(f"{ROOM}.verification:note_read", "before"),
    Death(f"{ROOM}.finishing:tell_end", "before"),
)


@pytest.mark.parametrize("death", ACCOUNT_STEPS, ids=str)
def test_killed_around_the_end_of_the_account(house: House, death: Death) -> None:
    """Whoever takes it up finds what is left of an account that is gone already, and whom to write to."""
    address, subject = house.alice.email, house.alice.subject
    erasure = house.ask(scope=Scope.ACCOUNT)
    assert run_in_child(carry_out, erasure.pk, death) == KILLED
    assert_fence_stands(house, erasure)
    again(erasure)
    assert_ended_well(house, erasure)
    erasure = Erasure.objects.get(pk=erasure.pk)
    account = erasure.steps.get(place="account")
    assert (account.left, account.removed) == (0, account.found)
    assert account.found
    assert not User.objects.filter(subject=subject).exists()
    assert (erasure.account, erasure.account_number, erasure.addresses) == (None, None, [])
    assert erasure.address == address
    assert telling.tell_end(str(erasure.pk))
    assert [sent.to for sent in mail.outbox] == [[address]]
    assert "/requests/" in mail.outbox[0].body  # the link to look at the numbers
    assert Erasure.objects.get(pk=erasure.pk).address == ""
