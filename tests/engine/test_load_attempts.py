"""Which plan is tried, and what a failure teaches."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import ErrorCode, UserError
from app.domain.hardware import Device, DeviceKind, Hardware
from app.domain.load_plan import CacheType, LoadPlan
from app.engine.load_attempts import MOST_FAILURES, Failure, Lesson, LoadAttempts, asks_as_much

GB = 1 << 30
CARD = Device("CUDA0", "A card", DeviceKind.GRAPHICS, "CUDA", 12 * GB, 11 * GB)
MACHINE = Hardware("linux", "A processor", 8, 32 * GB, 24 * GB, (CARD,))

ALL = LoadPlan(context=32768, gpu_layers=25, device="CUDA0", batch=512)
FEWER = replace(ALL, cpu_experts=12)
SMALLER = replace(FEWER, context=8192, batch=128)
ASIDE = LoadPlan(context=8192, batch=256)
LEAST = replace(ASIDE, context=4096, batch=128)
PLANS = (ALL, FEWER, SMALLER, ASIDE, LEAST)

CRASH = UserError(ErrorCode.ENGINE_DIED, reason="signal SIGSEGV")
KILLED = UserError(ErrorCode.ENGINE_DIED, reason="signal SIGKILL")
STARVED = UserError(ErrorCode.ENGINE_OUT_OF_MEMORY, reason="signal SIGKILL")
NO_ROOM = UserError(ErrorCode.OUT_OF_MEMORY, name="m")


def attempts(
    lesson: Lesson | None = None, hardware: Hardware = MACHINE, plans: tuple[LoadPlan, ...] = PLANS
) -> LoadAttempts:
    """Attempts with a model called M."""
    return LoadAttempts("M", plans, hardware, lesson or Lesson())


def with_free(ram: int, card: int) -> Hardware:
    """The machine at another moment."""
    return replace(MACHINE, free_ram_bytes=ram, devices=(replace(CARD, free_bytes=card),))


def test_what_works_at_once_is_all_that_is_learned() -> None:
    load = attempts()
    assert load.plan == ALL
    load.works()
    assert load.lesson == Lesson(ALL)
    assert load.notice is None


def test_after_a_crash_on_the_card_the_processor_is_tried_once() -> None:
    load = attempts()
    assert load.fails(CRASH)
    assert load.plan == ASIDE
    load.works()
    assert load.notice is not None
    assert load.notice.code is ErrorCode.LOADED_ON_PROCESSOR
    assert "signal SIGSEGV" in load.notice.what
    assert load.lesson == Lesson(ASIDE, (Failure(ALL, True, 24 * GB, 11 * GB),))


def test_without_room_the_next_plan_on_the_card_is_tried() -> None:
    load = attempts()
    assert load.fails(NO_ROOM)
    assert load.plan == FEWER
    load.works()
    assert load.notice is not None
    assert load.notice.code is ErrorCode.LOADED_SAFER
    assert "not enough memory" in load.notice.what


def test_there_is_no_third_try() -> None:
    load = attempts()
    assert load.fails(NO_ROOM)
    assert not load.fails(NO_ROOM)
    assert [failure.plan for failure in load.lesson.failures] == [ALL, FEWER]


@pytest.mark.parametrize("code", [ErrorCode.GGUF_BROKEN, ErrorCode.NO_CHAT_TEMPLATE, ErrorCode.ENGINE_START_FAILED])
def test_what_no_plan_mends_is_not_tried_again_and_teaches_nothing(code: ErrorCode) -> None:
    load = attempts()
    assert not load.fails(UserError(code, path="p", name="n", reason="r"))
    assert load.lesson == Lesson()


def test_a_crash_is_remembered_and_what_worked_comes_first() -> None:
    lesson = Lesson(ASIDE, (Failure(ALL, True),))
    load = attempts(lesson, with_free(31 * GB, 12 * GB))
    assert load.plan == ASIDE
    assert load.notice is None


def test_plans_that_ask_as_much_as_a_crashed_one_are_passed_over() -> None:
    lesson = Lesson(None, (Failure(replace(FEWER, context=8192, batch=128), True),))
    assert attempts(lesson).plan == ASIDE


def test_what_did_not_fit_is_tried_again_with_more_room() -> None:
    lesson = Lesson(FEWER, (Failure(ALL, False, 24 * GB, 11 * GB),))
    assert attempts(lesson).plan == FEWER
    assert attempts(lesson, with_free(23 * GB, 12 * GB)).plan == FEWER
    assert attempts(lesson, with_free(24 * GB, 13 * GB)).plan == ALL
    assert attempts(lesson, with_free(31 * GB, 11 * GB)).plan == ALL


@pytest.mark.parametrize("error", [KILLED, STARVED])
def test_who_kills_the_child_is_not_the_plan(error: UserError) -> None:
    load = attempts()
    assert load.fails(error)
    assert load.notice is not None
    assert "not enough memory" in load.notice.what
    assert [failure.crashed for failure in load.lesson.failures] == [False]


def test_when_everything_is_known_to_fail_it_is_said() -> None:
    lesson = Lesson(None, (Failure(LEAST, True), Failure(FEWER, True), Failure(SMALLER, True)))
    with pytest.raises(UserError) as raised:
        attempts(lesson)
    assert raised.value.code is ErrorCode.ALWAYS_CRASHED


def test_a_plan_that_works_after_all_is_forgiven() -> None:
    load = attempts(Lesson(None, (Failure(ALL, False, 1, 1),)))
    assert load.plan == ALL
    load.works()
    assert load.lesson == Lesson(ALL)


def test_a_plan_that_worked_and_then_fails_worked_no_more() -> None:
    load = attempts(Lesson(ALL))
    load.fails(CRASH)
    assert load.lesson.worked is None


def test_the_context_stays_while_free_memory_varies() -> None:
    known = replace(ASIDE, context=14336)
    assert attempts(Lesson(known), plans=(replace(known, context=16384), LEAST)).plan == known
    assert attempts(Lesson(known), plans=(replace(known, context=32768), LEAST)).plan.context == 32768
    assert attempts(Lesson(known), plans=(replace(known, context=8192), LEAST)).plan.context == 8192
    assert attempts(Lesson(known), plans=(replace(known, context=16384, repacked=True), LEAST)).plan.repacked


plans = st.builds(
    LoadPlan,
    context=st.sampled_from((2048, 4096, 8192)),
    gpu_layers=st.sampled_from((0, 5, 25)),
    device=st.just("CUDA0"),
    cpu_experts=st.sampled_from((0, 12)),
    output_beside=st.booleans(),
    cache_type=st.sampled_from(CacheType),
    flash_attention=st.booleans(),
    mapped=st.booleans(),
    batch=st.sampled_from((128, 512)),
)


@given(plans, plans, plans)
def test_asking_as_much_is_an_order(a: LoadPlan, b: LoadPlan, c: LoadPlan) -> None:
    assert asks_as_much(a, a)
    if asks_as_much(a, b) and asks_as_much(b, c):
        assert asks_as_much(a, c)


@given(st.lists(plans, min_size=1, max_size=8, unique=True), st.data())
def test_a_plan_that_crashed_is_never_tried_again(wanted: list[LoadPlan], data: st.DataObject) -> None:
    """However often one loads, whatever else happens in between."""
    lesson = Lesson()
    crashed: set[LoadPlan] = set()
    outcomes = st.sampled_from((None, CRASH, NO_ROOM, KILLED))
    for _ in range(12):
        try:
            load = attempts(lesson, plans=tuple(wanted))
        except UserError:
            assert all(plan in crashed or lesson.failures for plan in wanted)
            return
        tries = 0
        while True:
            tries += 1
            assert load.plan not in crashed
            outcome = data.draw(outcomes)
            if outcome is None:
                load.works()
                break
            if outcome is CRASH:
                crashed.add(load.plan)
            if not load.fails(outcome):
                break
        assert tries <= 2
        lesson = load.lesson
        assert len(lesson.failures) <= MOST_FAILURES
