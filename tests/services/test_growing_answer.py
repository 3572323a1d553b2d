"""Reports become text, in order, however they are gathered."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.domain.conversation import Message, Role, ToolCall
from app.domain.generation import FinishReason, Sampling, Timings, Usage
from app.domain.tree import MessageNode
from app.services.engine_reports import Ended, JobReport, Reading, TextGrew, ToolCallMade, gathered
from app.services.growing_answer import GrowingAnswer

texts = st.builds(
    TextGrew, job_id=st.integers(1, 2), reasoning=st.text(max_size=3), commentary=st.text(max_size=3), answer=st.text()
)
readings = st.builds(Reading, job_id=st.integers(1, 2), done=st.integers(0, 9), total=st.just(9))
calls = st.builds(ToolCallMade, job_id=st.integers(1, 2), name=st.text(max_size=3), arguments=st.text(max_size=3))


def answer(reports: list[JobReport] | tuple[JobReport, ...], job_id: int) -> GrowingAnswer:
    empty = MessageNode(7, 6, 0.0, Message(Role.ASSISTANT), complete=False)
    growing = GrowingAnswer(1, empty, "Demo", "low", Sampling())
    for report in reports:
        if report.job_id == job_id and isinstance(report, TextGrew):
            growing.grow(report)
        elif report.job_id == job_id and isinstance(report, ToolCallMade):
            growing.call(report)
    return growing


@given(st.lists(texts | readings | calls))
def test_gathering_changes_nothing_but_the_number(reports: list[JobReport]) -> None:
    fewer = gathered(tuple(reports))
    assert len(fewer) <= len(reports)
    for job_id in (1, 2):
        assert answer(tuple(r for r in fewer if isinstance(r, JobReport)), job_id).node == answer(reports, job_id).node
        before = [r for r in reports if r.job_id == job_id and isinstance(r, Reading)]
        after = [r for r in fewer if isinstance(r, Reading) and r.job_id == job_id]
        assert after[-1:] == before[-1:]
    for one, next_one in pairwise(fewer):
        assert not (isinstance(one, TextGrew) and isinstance(next_one, TextGrew) and one.job_id == next_one.job_id)


def test_an_answer_ends_with_its_receipt() -> None:
    growing = answer(
        [TextGrew(1, "think", "first", "say"), ToolCallMade(1, "look", "{}"), TextGrew(1, answer="ing")], 1
    )
    assert growing.version == 3
    assert growing.node.message == Message(
        Role.ASSISTANT, "saying", reasoning="think", commentary="first", tool_calls=(ToolCall("look", "{}"),)
    )
    assert not growing.node.complete
    usage, timings = Usage(1, 2, 3), Timings(decode_s=1.5)
    node = growing.end(Ended(1, FinishReason.TOOL_CALL, usage, timings, reasoning_s=0.5))
    assert node.complete
    assert node.receipt is not None
    assert (node.receipt.finish_reason, node.receipt.usage, node.receipt.timings) == (
        FinishReason.TOOL_CALL,
        usage,
        timings,
    )
    assert (node.receipt.model, node.receipt.effort, node.receipt.reasoning_s) == ("Demo", "low", 0.5)
    assert growing.version == 4


def test_an_answer_ended_by_an_error_stays_incomplete() -> None:
    node = answer([TextGrew(1, answer="half")], 1).end(Ended(1, FinishReason.ERROR))
    assert not node.complete
    assert node.message.content == "half"
