"""One line of JSON becomes one request, or one sentence that says what is wrong with it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.jsonl import parse_request
from app.domain.conversation import Dialogue, Effort, Message, Role
from app.domain.errors import ErrorCode, UserError
from app.domain.generation import Sampling

HISTORY = Dialogue((Message(Role.USER, "hi"), Message(Role.ASSISTANT, "hello")), date="2026-01-02")


def test_a_prompt_joins_the_history() -> None:
    dialogue, sampling = parse_request('{"prompt": "and now?"}', HISTORY, Sampling(seed=3))
    assert dialogue.messages == (*HISTORY.messages, Message(Role.USER, "and now?"))
    assert sampling == Sampling(seed=3)


def test_every_field() -> None:
    line = '{"prompt": "p", "effort": "low", "instructions": "i", "temperature": 0, "seed": 1, "max_tokens": 9}'
    dialogue, sampling = parse_request(line, HISTORY, Sampling())
    assert (dialogue.effort, dialogue.instructions) == (Effort.LOW, "i")
    assert (sampling.temperature, sampling.seed, sampling.max_tokens) == (0, 1, 9)


def test_a_conversation_replaces_the_history() -> None:
    conversation = {
        "format": "alcove-conversation",
        "version": 1,
        "date": "2026-03-04",
        "messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}],
    }
    line = json.dumps({"conversation": conversation, "prompt": "three"})
    dialogue, _ = parse_request(line, HISTORY, Sampling())
    assert dialogue.date == "2026-03-04"
    assert [message.content for message in dialogue.messages] == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("{", ErrorCode.INVALID_JSON, "line"),
        ("[" * 100_000, ErrorCode.INVALID_JSON, "line"),
        ("7", ErrorCode.INVALID_REQUEST, "object"),
        ("{}", ErrorCode.INVALID_REQUEST, "no prompt"),
        ('{"prompt": 7}', ErrorCode.INVALID_REQUEST, "prompt"),
        ('{"prompt": "  "}', ErrorCode.EMPTY_PROMPT, "empty"),
        ('{"prompt": "a", "effort": "mad"}', ErrorCode.INVALID_REQUEST, "effort"),
        ('{"prompt": "a", "temperature": true}', ErrorCode.INVALID_REQUEST, "temperature"),
        ('{"prompt": "a", "temperature": -1}', ErrorCode.INVALID_REQUEST, "temperature"),
        ('{"prompt": "a", "seed": 1.5}', ErrorCode.INVALID_REQUEST, "seed"),
        ('{"prompt": "a", "max_tokens": 0}', ErrorCode.INVALID_REQUEST, "max_tokens"),
        ('{"prompt": "a", "promt": "b"}', ErrorCode.INVALID_REQUEST, "promt"),
        ('{"prompt": "a", "conversation": {"format": "x"}}', ErrorCode.INVALID_CONVERSATION, "conversation"),
    ],
)
def test_what_is_wrong_is_named(line: str, code: ErrorCode, said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_request(line, HISTORY, Sampling())
    assert caught.value.code is code
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda v: (
            st.lists(v)
            | st.dictionaries(st.sampled_from(["prompt", "effort", "conversation", "seed", "messages", "format"]), v)
        ),
        max_leaves=20,
    )
)
def test_any_json_is_a_request_or_a_known_error(value: object) -> None:
    try:
        dialogue, _ = parse_request(json.dumps(value), HISTORY, Sampling())
    except UserError:
        return
    assert dialogue.messages
