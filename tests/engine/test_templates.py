"""Chat templates of many styles in the real template process: what they write with marks is what they write with the
texts themselves, and no text becomes a control token.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.conversation import Dialogue, Effort, Message, Role, Tool, ToolCall
from app.domain.errors import ErrorCode, UserError
from app.engine.fitting import fit
from app.engine.templates.format import TemplateFormat
from app.engine.templates.jinja import JinjaTemplate
from app.engine.templates.protocol import Draw, Open
from tests.support.chat_templates import (
    BRACKETS,
    CHANNELS,
    FOLDED_SYSTEM,
    HEADERS,
    IN_PARTS,
    INDEXED_PARTS,
    NO_SYSTEM,
    OPENED_THINKING,
    PLAIN,
    STYLES,
    SWALLOWING,
    THINKING,
    Style,
    TemplateBytes,
)

DATE = "2026-01-02"
USER, ASSISTANT, TOOL = Role.USER, Role.ASSISTANT, Role.TOOL
WEATHER = Tool(
    "get_weather",
    'The "weather"\nat a place <|im_end|>',
    json.dumps(
        {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "A town [INST]"},
                "unit": {"type": "string", "enum": ["°C", "°F"]},
                "days": {"type": "integer"},
            },
            "required": ["place"],
        }
    ),
)


def never() -> bool:
    return False


@pytest.fixture(scope="module")
def formats() -> Iterator[dict[str, TemplateFormat]]:
    """A format of each style, with its process."""
    made = {style.name: TemplateFormat(TemplateBytes(style)) for style in STYLES}
    yield made
    for made_format in made.values():
        made_format.close()


def opened(style: Style) -> Iterator[TemplateFormat]:
    made = TemplateFormat(TemplateBytes(style))
    yield made
    made.close()


def written(style: Style, made: TemplateFormat, dialogue: Dialogue) -> str:
    """The prompt's tokens as text, control tokens by their names."""
    prompt = made.prompt(dialogue, never)
    assert prompt is not None
    return TemplateBytes(style).text_of(prompt.tokens)


def drawn_plainly(style: Style, messages: list[dict[str, object]], tools: list[dict[str, object]] | None = None) -> str:
    """What Jinja makes of the texts themselves."""
    template = JinjaTemplate(Open(style.source, "no-mark", style.begin, style.end))
    text = template.draw(Draw(messages, tools, {"add_generation_prompt": True, "reasoning_effort": "medium"}, DATE))
    assert text is not None
    if style.adds_begin and not text.startswith(style.begin):
        text = style.begin + text
    for name in style.swallowing:
        while f"{name}\n" in text:
            text = text.replace(f"{name}\n", name)
    return text


def plain_messages(style: Style, dialogue: Dialogue) -> list[dict[str, object]]:
    """A dialogue as Hugging Face has it, with a system message where the style has a place for it."""
    said = [(message.role.value, message.content) for message in dialogue.messages]
    if dialogue.instructions and style is NO_SYSTEM:
        said[0] = ("user", f"{dialogue.instructions}\n\n{said[0][1]}")
    elif dialogue.instructions:
        said.insert(0, ("system", dialogue.instructions))
    if style in (IN_PARTS, INDEXED_PARTS):
        return [{"role": role, "content": [{"type": "text", "text": text}]} for role, text in said]
    return [{"role": role, "content": text} for role, text in said]


def by_turns(*texts: str, instructions: str = "") -> Dialogue:
    roles = (USER if index % 2 == 0 else ASSISTANT for index in range(len(texts)))
    messages = tuple(Message(role, text) for role, text in zip(roles, texts, strict=True))
    return Dialogue(messages, DATE, instructions=instructions)


# What a person might write, spaces at the ends among it; nothing that these templates look for in a text.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="<>[]|"), min_size=1, max_size=30).filter(str.strip)
DIALOGUE = st.builds(
    lambda texts, instructions: by_turns(*(texts if len(texts) % 2 else texts[:-1]), instructions=instructions),
    st.lists(TEXT, min_size=1, max_size=5),
    st.just("") | TEXT,
)


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_the_prompt_is_what_the_template_writes_of_the_texts(formats: dict[str, TemplateFormat], style: Style) -> None:
    @settings(max_examples=15)
    @given(DIALOGUE)
    def check(dialogue: Dialogue) -> None:
        if style is SWALLOWING:  # it takes the texts' own line breaks too, as Hugging Face's tokenizer does
            dialogue = replace(
                dialogue, messages=tuple(replace(m, content=m.content.strip()) for m in dialogue.messages)
            )
            dialogue = replace(dialogue, instructions=dialogue.instructions.strip())
        expected = drawn_plainly(style, plain_messages(style, dialogue))
        assert written(style, formats[style.name], dialogue) == expected

    check()


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_no_text_becomes_a_control_token(formats: dict[str, TemplateFormat], style: Style) -> None:
    vocabulary = TemplateBytes(style)
    names = (*style.controls, *style.user_defined)
    pieces = st.sampled_from(
        [*names, *(name[: len(name) // 2] for name in names), "hi", "|>", "<", ">", "]", "\n", "x0x"]
    )
    hostile = st.lists(pieces, min_size=1, max_size=8).map("".join).filter(str.strip)

    @settings(max_examples=15)
    @given(st.lists(hostile, min_size=3, max_size=3), st.just("") | hostile)
    def check(texts: list[str], instructions: str) -> None:
        calm = by_turns("a", "b", "c", instructions="d" if instructions else "")
        wild = by_turns(*texts, instructions=instructions)
        prompts = [formats[style.name].prompt(dialogue, never) for dialogue in (calm, wild)]
        # Runs of spaces are no control tokens: a text may have them.
        controls = [
            [name for name in vocabulary.control_names(prompt.tokens) if not name.isspace()]
            for prompt in prompts
            if prompt
        ]
        assert controls[0] == controls[1]

    check()


def test_the_text_before_and_behind_a_message_is_tokenized_with_it() -> None:
    for made in opened(BRACKETS):
        (_, run), *_ = [part for part in enumerate(made.parts(by_turns("Hello"))) if not part[1][1]]
        assert run == (" Hello", False)


def test_names_that_a_text_makes_with_the_words_around_it_are_cut() -> None:
    style = replace(PLAIN, controls=(*PLAIN.controls, "USER: <x>"))
    for made in opened(style):
        assert written(style, made, by_turns("<x> hi")) == "<s>USER: <x> hi ASSISTANT:"
        prompt = made.prompt(by_turns("<x> hi"), never)
        assert prompt is not None
        assert TemplateBytes(style).control_names(prompt.tokens) == ["<s>"]


# ---- Reasoning ----


def answered(reasoning: str) -> Dialogue:
    messages = (Message(USER, "q"), Message(ASSISTANT, "a", reasoning=reasoning), Message(USER, "r"))
    return Dialogue(messages, DATE)


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_reasoning_of_earlier_turns_is_not_in_the_prompt(formats: dict[str, TemplateFormat], style: Style) -> None:
    made = formats[style.name]
    assert written(style, made, answered("secret")) == written(style, made, answered(""))


def test_a_template_that_asks_for_reasoning_gets_it(formats: dict[str, TemplateFormat]) -> None:
    call = Message(ASSISTANT, reasoning="I look", tool_calls=(ToolCall("get_weather", "{}"),))
    dialogue = Dialogue((Message(USER, "q"), call, Message(TOOL, "fine", name="get_weather")), DATE)
    text = written(THINKING, formats[THINKING.name], dialogue)
    assert '<think>\nI look\n</think>\n\n<tool_call>{"name": "get_weather", "arguments": {}}</tool_call>' in text


# ---- Tools ----


def test_tools_and_calls_are_json_with_their_texts_escaped(formats: dict[str, TemplateFormat]) -> None:
    arguments = '{"place": "\\"Ulm\\"\\n<|im_end|>", "days": 3, "deep": [null, {"[INST]": true}]}'
    call = Message(ASSISTANT, tool_calls=(ToolCall("get_weather", arguments),))
    dialogue = Dialogue((Message(USER, "q"), call, Message(TOOL, "fine", name="get_weather")), DATE, tools=(WEATHER,))
    function = {"name": WEATHER.name, "description": WEATHER.description, "parameters": json.loads(WEATHER.parameters)}

    text = written(THINKING, formats[THINKING.name], dialogue)
    assert json.dumps({"type": "function", "function": function}, ensure_ascii=False) in text
    assert json.dumps(json.loads(arguments), ensure_ascii=False) in text
    prompt = formats[THINKING.name].prompt(dialogue, never)
    assert prompt is not None
    names = TemplateBytes(THINKING).control_names(prompt.tokens)
    assert names.count("<|im_end|>") == 4  # the tools, the question, the call, its result

    text = written(BRACKETS, formats[BRACKETS.name], dialogue)
    assert '"id": "call00001"}]</s>[RESULTS] {"content": fine, "id": "call00001"}[/RESULTS]' in text


def test_a_template_may_walk_through_a_tools_parameters(formats: dict[str, TemplateFormat]) -> None:
    dialogue = replace(by_turns("q", instructions="i"), tools=(WEATHER,), effort=Effort.HIGH)
    text = written(CHANNELS, formats[CHANNELS.name], dialogue)
    assert "Date: 2026-01-02\nReasoning: high" in text
    assert (
        "type get_weather = (_: {place: string // A town [INST],\n"
        'unit?: "°C" | "°F",\ndays?: number,\n}) => any;' in text
    )


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_a_chat_with_calls_goes_through_every_template(formats: dict[str, TemplateFormat], style: Style) -> None:
    messages = (
        Message(USER, "first"),
        Message(
            ASSISTANT, commentary="preamble", tool_calls=(ToolCall("one", '{"a": "b"}'), ToolCall("two", "no json"))
        ),
        Message(TOOL, "of one", name="one"),
        Message(TOOL, "of two", name="two"),
        Message(ASSISTANT, "answer"),
        Message(USER, "second"),
    )
    text = written(style, formats[style.name], Dialogue(messages, DATE, tools=(WEATHER,)))
    for said in ("first", "of one", "of two", "answer", "second"):
        assert said in text


@pytest.mark.parametrize(
    "parameters", ["", f'{{"a": {"9" * 50}, "b": NaN}}', "[]", "null", "{", "[" * 5000, '{"a":' * 100 + "1" + "}" * 100]
)
def test_odd_parameters_and_arguments(formats: dict[str, TemplateFormat], parameters: str) -> None:
    call = Message(ASSISTANT, tool_calls=(ToolCall("odd", parameters),))
    dialogue = Dialogue((Message(USER, "q"), call, Message(USER, "r")), DATE, tools=(Tool("odd", "", parameters),))
    assert '"name": "odd"' in written(THINKING, formats[THINKING.name], dialogue)


# ---- Conversations that are not by turns ----


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_two_questions_in_a_row(formats: dict[str, TemplateFormat], style: Style) -> None:
    text = written(style, formats[style.name], Dialogue((Message(USER, "one"), Message(USER, "two")), DATE))
    assert text.index("one") < text.index("two")


def test_roles_that_must_alternate_are_folded(formats: dict[str, TemplateFormat]) -> None:
    dialogue = Dialogue((Message(USER, "one"), Message(USER, "two")), DATE, instructions="be brief")
    text = written(NO_SYSTEM, formats[NO_SYSTEM.name], dialogue)
    assert text == ("<bos><start_of_turn>user\nbe brief\n\none\n\ntwo<end_of_turn>\n<start_of_turn>model\n")


def test_empty_texts_and_spaces(formats: dict[str, TemplateFormat]) -> None:
    assert written(THINKING, formats[THINKING.name], by_turns("q", "", " \n")) == (
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<|im_end|>\n<|im_start|>user\n \n<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


# ---- Templates that cannot be used ----

ALTERING = {
    "slice": "{% for m in messages %}{{ m.content[:12] }}{% endfor %}",
    "upper": "{% for m in messages %}{{ m.content | upper }}{% endfor %}",
    "left out": "{% for m in messages %}{{ m.role }}{% endfor %}",
    "last left out": "{% for m in messages[:-1] %}{{ m.content }}{% endfor %}",
    "spread": "{% for m in messages %}{{ m.content | list | join(' ') }}{% endfor %}",
    "reversed": "{% for m in messages %}{{ m.content | reverse }}{% endfor %}",
    "also cut": "{% for m in messages %}{{ m.content }}{{ m.content[:14] }}{% endfor %}",
}


@pytest.mark.parametrize("source", ALTERING.values(), ids=ALTERING)
def test_a_template_that_changes_what_was_said_is_refused(source: str) -> None:
    with pytest.raises(UserError) as refused:
        TemplateFormat(TemplateBytes(replace(PLAIN, source=source)))
    assert refused.value.code is ErrorCode.CHAT_TEMPLATE_FAILED
    assert refused.value.values["reason"] == "it leaves out or changes what was said"


def test_a_template_that_knows_other_efforts_is_not_told_any() -> None:
    check = "{% if reasoning_effort is defined and reasoning_effort != 'max' %}{{ raise_exception('max!') }}{% endif %}"
    style = replace(NO_SYSTEM, source=check + NO_SYSTEM.source)
    for made in opened(style):
        dialogue = by_turns("q", instructions="i")
        assert written(style, made, dialogue) == written(NO_SYSTEM, made, dialogue)
        assert "<start_of_turn>user\ni\n\nq<end_of_turn>" in written(style, made, dialogue)


def test_a_complaint_that_quotes_a_text_does_not_show_its_mark() -> None:
    quoting = (
        "{% if messages | length > 1 %}{{ raise_exception('not ' + messages[0].content + ', please') }}{% endif %}"
    )
    for made in opened(replace(PLAIN, source=quoting + PLAIN.source)):
        with pytest.raises(UserError) as refused:
            made.prompt(by_turns("this", "b", "c"), never)
        assert refused.value.values["reason"] == "not …, please"


def test_a_text_may_come_twice_and_in_another_order() -> None:
    style = replace(PLAIN, source="{% for m in messages | reverse %}{{ m.content }}/{{ m.content }} {% endfor %}")
    for made in opened(style):
        assert written(style, made, by_turns("a", "b", "c")) == "<s>c/c b/b a/a "


@pytest.mark.parametrize(
    ("change", "noticed"),
    [("replace('words', 'things')", True), ("e", True), ("trim", False), ("string", False)],
)
def test_a_change_that_no_mark_shows_is_noticed(caplog: pytest.LogCaptureFixture, change: str, noticed: bool) -> None:
    style = replace(PLAIN, source=f"{{% for m in messages %}}{{{{ m.content | {change} }}}}|{{% endfor %}}")
    for made in opened(style):
        assert ("changes texts" in caplog.text) == noticed
        assert written(style, made, by_turns("some words & more")) == "<s>some words & more|"


def test_the_styles_change_nothing(caplog: pytest.LogCaptureFixture) -> None:
    for style in STYLES:
        for _ in opened(style):
            pass
    assert caplog.text == ""


def test_no_template() -> None:
    with pytest.raises(UserError) as refused:
        TemplateFormat(TemplateBytes(replace(PLAIN, source=" \n")))
    assert refused.value.code is ErrorCode.NO_CHAT_TEMPLATE


# ---- Boundaries ----


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_messages_begin_in_order(formats: dict[str, TemplateFormat], style: Style) -> None:
    dialogue = by_turns("one", "two", "", "four", "five", instructions="zero")
    prompt = formats[style.name].prompt(dialogue, never)
    assert prompt is not None
    assert len(prompt.starts) == 6
    assert list(prompt.starts) == sorted(prompt.starts)
    assert prompt.starts[-1] <= len(prompt.tokens)


def test_where_messages_begin(formats: dict[str, TemplateFormat]) -> None:
    vocabulary = TemplateBytes(THINKING)
    dialogue = by_turns("one", "two", "three", instructions="zero")
    prompt = formats[THINKING.name].prompt(dialogue, never)
    assert prompt is not None
    ends = (*prompt.starts[1:], len(prompt.tokens))
    pieces = [vocabulary.text_of(prompt.tokens[a:b]) for a, b in zip(prompt.starts, ends, strict=True)]
    assert pieces == [
        "<|im_start|>user\none<|im_end|>\n",
        "<|im_start|>assistant\ntwo<|im_end|>\n",
        "<|im_start|>user\nthree<|im_end|>\n",
        "<|im_start|>assistant\n",
    ]


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_the_next_prompt_begins_as_foretold(formats: dict[str, TemplateFormat], style: Style) -> None:
    made = formats[style.name]
    before = by_turns("one", "two")
    opening = made.next_opening(before, never)
    assert opening is not None
    for words in ("three", "\n\nfour", "<|im_end|>"):
        prompt = made.prompt(replace(before, messages=(*before.messages, Message(USER, words))), never)
        assert prompt is not None
        assert prompt.tokens[: len(opening.tokens)] == opening.tokens
    if style is not PLAIN:
        assert len(opening.tokens) > 5


WORDS_ALONE = {
    "USER and ASSISTANT": replace(
        PLAIN,
        source="{% for m in messages %}{{ {'user': 'USER: ', 'assistant': 'ASSISTANT: '}.get(m.role, '') }}"
        "{{ m.content }}\n{% endfor %}ASSISTANT:",
    ),
    "Alpaca": replace(
        PLAIN,
        source="Below is an instruction.\n\n{% for m in messages %}"
        "{{ {'user': '### Instruction:\n', 'assistant': '### Response:\n'}.get(m.role, '') }}"
        "{{ m.content }}\n\n{% endfor %}### Response:\n",
    ),
    "ChatML without its tokens": replace(IN_PARTS, controls=("</s>",), end="</s>"),
}


@pytest.mark.parametrize("style", WORDS_ALONE.values(), ids=WORDS_ALONE)
def test_a_template_of_words_alone_has_messages_all_the_same(style: Style) -> None:
    texts = [f"{'answer' if index % 2 else 'question'} {index} " * 20 for index in range(12)]
    for made in opened(style):
        whole = by_turns(*texts[:-1], instructions="Be kind.")
        prompt = made.prompt(whole, never)
        assert prompt is not None
        ends = (*prompt.starts[1:], len(prompt.tokens))
        pieces = [TemplateBytes(style).text_of(prompt.tokens[a:b]) for a, b in zip(prompt.starts, ends, strict=True)]
        for piece, said in zip(pieces[:-1], texts[:-1], strict=True):
            assert piece.strip().endswith(said.strip())
            assert len(piece) < len(said) + 60
        assert 5 < len(pieces[-1]) < 60

        fitted = fit(made, whole, 1024, 64, never)
        assert fitted is not None
        assert fitted.left_out
        assert len(fitted.prompt.tokens) <= 1024 - 64

        before = by_turns(*texts, instructions="Be kind.")
        opening = made.next_opening(before, never)
        assert opening is not None
        assert len(opening.starts) == 13
        for words in ("three", "\n\nfour", "<|im_end|>"):
            following = made.prompt(replace(before, messages=(*before.messages, Message(USER, words))), never)
            assert following is not None
            assert following.tokens[: len(opening.tokens)] == opening.tokens
            assert opening.starts == following.starts[:13]
            assert len(opening.tokens) > following.starts[12]


def test_the_next_opening_can_be_given_up(formats: dict[str, TemplateFormat]) -> None:
    before = by_turns("not said so far", "nor this")
    for patience in range(3):
        answers = iter([False] * patience + [True])
        assert formats[THINKING.name].next_opening(before, lambda answers=answers: next(answers)) is None
        assert list(answers) == []


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_an_answer_that_was_cut_short_is_gone_on_with_where_it_ended(
    formats: dict[str, TemplateFormat], style: Style
) -> None:
    made = formats[style.name]
    question = by_turns("q")
    asked = made.prompt(question, never)
    begun = replace(question, messages=(*question.messages, Message(ASSISTANT, "It is <|im_end|> f")))
    prompt = made.prompt(begun, never, continuing=True)
    assert asked is not None
    assert prompt is not None
    text = TemplateBytes(style).text_of(prompt.tokens)
    assert text.startswith(TemplateBytes(style).text_of(asked.tokens).rstrip())
    assert text.endswith("It is <|im_end|> f")
    assert len(prompt.starts) == 2
    assert TemplateBytes(style).control_names(prompt.tokens).count("<|im_end|>") == (
        TemplateBytes(style).control_names(asked.tokens).count("<|im_end|>")
    )


@pytest.mark.parametrize(
    ("style", "begun", "end"),
    [
        (THINKING, Message(ASSISTANT, reasoning="so f"), "<|im_start|>assistant\n<think>\nso f"),
        (THINKING, Message(ASSISTANT, "yes", reasoning="so"), "<think>\nso\n</think>\n\nyes"),
        (OPENED_THINKING, Message(ASSISTANT, reasoning="so f"), "<｜Assistant｜><think>\nso f"),
        (OPENED_THINKING, Message(ASSISTANT, "yes", reasoning="so"), "<think>\nso\n</think>\n\nyes"),
        (HEADERS, Message(ASSISTANT, "yes", commentary="well"), "<|/head|>\n\nwell\n\nyes"),
    ],
)
def test_reasoning_that_was_cut_short(
    formats: dict[str, TemplateFormat], style: Style, begun: Message, end: str
) -> None:
    dialogue = Dialogue((Message(USER, "q"), begun), DATE)
    prompt = formats[style.name].prompt(dialogue, never, continuing=True)
    assert prompt is not None
    assert TemplateBytes(style).text_of(prompt.tokens).endswith(end)


def test_a_prompt_is_given_up(formats: dict[str, TemplateFormat]) -> None:
    assert formats[HEADERS.name].prompt(by_turns("given up"), lambda: True) is None


def test_it_never_changes_with_the_day(formats: dict[str, TemplateFormat]) -> None:
    assert "Today: 02 Jan 2026" in written(HEADERS, formats[HEADERS.name], by_turns("q"))


def test_the_end_of_generation(formats: dict[str, TemplateFormat]) -> None:
    assert formats[FOLDED_SYSTEM.name].stops == {TemplateBytes(FOLDED_SYSTEM).id_of("</s>")}
