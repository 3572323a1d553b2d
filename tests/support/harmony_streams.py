"""Answers as models write them, well and badly, and what is to be heard of each."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.generation import FinishReason

STOP, TOOL_CALL = FinishReason.STOP, FinishReason.TOOL_CALL
FINAL = "<|start|>assistant<|channel|>final<|message|>"


@dataclass(frozen=True)
class Heard:
    """What came out, text joined by kind."""

    reasoning: str = ""
    commentary: str = ""
    answer: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    finish: FinishReason | None = STOP


# ---- Well-formed ----

THOUGHT = "<|channel|>analysis<|message|>Think.<|end|><|start|>assistant"

WELL_FORMED = {
    "an answer": ("<|channel|>final<|message|>Hi!<|return|>", Heard(answer="Hi!")),
    "reasoning and answer": (f"{THOUGHT}<|channel|>final<|message|>Hi!<|return|>", Heard("Think.", answer="Hi!")),
    "a preamble": (
        (
            f"{THOUGHT}<|channel|>commentary<|message|>I'll look.<|end|>"
            "<|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>"
        ),
        Heard("Think.", "I'll look.", calls=(("f", "{}"),), finish=TOOL_CALL),
    ),
    "a call": (
        f'{THOUGHT}<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{{"a": "ä"}}<|call|>',
        Heard("Think.", calls=(("get_weather", '{"a": "ä"}'),), finish=TOOL_CALL),
    ),
    "a call, recipient in the role": (
        f"{THOUGHT} to=functions.f<|channel|>commentary json<|message|>{{}}<|call|>",
        Heard("Think.", calls=(("f", "{}"),), finish=TOOL_CALL),
    ),
    "a call as the prompt spells it": (
        f"{THOUGHT} to=functions.f<|channel|>commentary <|constrain|>json<|message|>{{}}<|call|>",
        Heard("Think.", calls=(("f", "{}"),), finish=TOOL_CALL),
    ),
    "the browser": (
        f'{THOUGHT}<|channel|>analysis to=browser.search code<|message|>{{"query": "x"}}<|call|>',
        Heard("Think.", calls=(("browser.search", '{"query": "x"}'),), finish=TOOL_CALL),
    ),
    "python": (
        f"{THOUGHT}<|channel|>analysis to=python code<|message|>print(1)\n<|call|>",
        Heard("Think.", calls=(("python", "print(1)\n"),), finish=TOOL_CALL),
    ),
    "a formatted answer": (
        "<|channel|>final <|constrain|>json<|message|>[1]<|return|>",
        Heard(answer="[1]"),
    ),
    "white space is kept": ("<|channel|>final<|message|>\n\n x \n<|return|>", Heard(answer="\n\n x \n")),
    "messages of one channel": (
        (
            "<|channel|>analysis<|message|>One.<|end|><|start|>assistant<|channel|>analysis<|message|>Two.<|end|>"
            "<|start|>assistant<|channel|>final<|message|>A.<|end|><|start|>assistant<|channel|>final<|message|>B.<|return|>"
        ),
        Heard("One.\n\nTwo.", answer="A.\n\nB."),
    ),
    "an empty message": ("<|channel|>analysis<|message|><|end|><|start|>assistant<|return|>", Heard()),
    "nothing": ("", Heard(finish=None)),
    "the end alone": ("<|return|>", Heard()),
}


# ---- Malformed ----
#
# The kinds of failures that users reported for llama.cpp's server (headers with other words in them, answers without
# markup), vLLM and OpenAI's own parser ("unexpected tokens remaining in message header", "channel marker present but no
# channel value", "Unknown role: assistantassistant", a stop token before <|message|>, tokens after the last message,
# <|constrain|>response, ––commentary, calls on other channels or without functions.), Ollama and LM Studio (calls
# that are not JSON, calls cut short), and text shown as "analysis...assistantfinal...".

MALFORMED = {
    # Where is the channel?
    "no markup": ("Just an answer, without any markup.<|return|>", Heard(answer="Just an answer, without any markup.")),
    "no markup, first word like a header's": ("final answer: 4<|return|>", Heard(answer="final answer: 4")),
    "no markup, one word like a beginning": ("An<|return|>", Heard(answer="An")),
    "no markup, not a recipient": ("to be or not<|return|>", Heard(answer="to be or not")),
    "no markup, cut short within a likely header": ("comm", Heard(answer="comm", finish=None)),
    "no markup, many words behind a likely header": (
        "assistant is one word, and many more are following it.<|return|>",
        Heard(answer="assistant is one word, and many more are following it."),
    ),
    "no channel": ("<|message|>Hi!<|return|>", Heard(answer="Hi!")),
    "no channel after reasoning": (f"{THOUGHT}<|message|>Hi!<|return|>", Heard("Think.", answer="Hi!")),
    "an empty channel": ("<|channel|><|message|>Hi!<|return|>", Heard(answer="Hi!")),
    "an unknown channel": ("<|channel|>banter<|message|>Hi!<|return|>", Heard(answer="Hi!")),
    "a channel like commentary": ("<|channel|>comment<|message|>Hm.<|return|>", Heard(commentary="Hm.")),
    "a channel like analysis": ("<|channel|>Thinking<|message|>Hm.<|return|>", Heard("Hm.")),
    "a channel with question marks": (
        "<|channel|>commentary 2?<|message|>Hm.<|end|>",
        Heard(commentary="Hm.", finish=None),
    ),
    "a channel twice in a word": (
        "<|channel|>commentary?commentary?<|message|>Hm.<|end|>",
        Heard(commentary="Hm.", finish=None),
    ),
    "a channel behind dashes": (f"{THOUGHT}<|channel|>––commentary<|message|>Hm.<|return|>", Heard("Think.", "Hm.")),
    "two channels": ("<|channel|>analysis<|channel|>final<|message|>Hi!<|return|>", Heard(answer="Hi!")),
    "two channels, an answer to the assistant": (
        (
            "<|channel|>commentary to=assistant<|channel|>commentary?<|message|>Hm.<|end|>"
            "<|start|>assistant<|channel|>final<|message|>Hi!<|return|>"
        ),
        Heard(commentary="Hm.", answer="Hi!"),
    ),
    "two channels, the tool with the first": (
        "<|channel|>commentary to=functions.f<|channel|>commentary json<|message|>{}<|call|>",
        Heard(calls=(("f", "{}"),), finish=TOOL_CALL),
    ),
    "two channels, text between": (
        "<|channel|>final Hello<|channel|>final<|message|>Hi!<|return|>",
        Heard(answer="Hello\n\nHi!"),
    ),
    "two channels, the user's": (
        "<|channel|>final<|message|>Hi!<|end|><|start|>user<|channel|>final<|channel|>final<|message|>And you?<|end|>",
        Heard(answer="Hi!"),
    ),
    "two channels, a call between": (
        "<|channel|>commentary to=functions.f {}<|channel|>final<|message|>Hi!<|return|>",
        Heard(answer="Hi!", calls=(("f", "{}"),)),
    ),
    "free text for a channel": (
        f"<|channel|>We should greet the user nicely, I think.<|end|>{FINAL}Hi!<|return|>",
        Heard(answer="We should greet the user nicely, I think.\n\nHi!"),
    ),
    "question marks for a channel": (
        "<|channel|>??<|end|><|start|>assistant<|channel|>analysis<|message|>Hm.<|end|>",
        Heard("Hm.", answer="??", finish=None),
    ),
    # Where is <|message|>?
    "no message": ("<|channel|>final Hello, you.<|return|>", Heard(answer="Hello, you.")),
    "no message, glued": ("<|channel|>finalHello, you.<|return|>", Heard(answer="Hello, you.")),
    "no message, a word that only begins like it": ("<|channel|>finally<|return|>", Heard(answer="finally")),
    "no message, many words": (
        f"<|channel|>analysis I should think about this for a good while.<|end|>{FINAL}Ok.<|return|>",
        Heard("I should think about this for a good while.", answer="Ok."),
    ),
    "no message, a format": ("<|channel|>final json<|return|>", Heard()),
    "no message, a format and an object": ('<|channel|>final json {"a": 1}<|return|>', Heard(answer='{"a": 1}')),
    "no message, one long word": (f"<|channel|>final {'x' * 400}<|return|>", Heard(answer="x" * 400)),
    "no message, a call": (
        '<|channel|>commentary to=functions.f {"a": 1}<|call|>',
        Heard(calls=(("f", '{"a": 1}'),), finish=TOOL_CALL),
    ),
    "no message, a call glued": (
        '<|channel|>commentary to=functions.f{"a": 1}<|call|>',
        Heard(calls=(("f", '{"a": 1}'),), finish=TOOL_CALL),
    ),
    "no message, a call with a format": (
        '<|channel|>commentary to=functions.f <|constrain|>json{"a": 1}<|call|>',
        Heard(calls=(("f", '{"a": 1}'),), finish=TOOL_CALL),
    ),
    "no message, a call of many words": (
        '<|channel|>commentary to=functions.f {"q": "one two three four five six seven"}<|call|>',
        Heard(calls=(("f", '{"q": "one two three four five six seven"}'),), finish=TOOL_CALL),
    ),
    "no message, a call in the role": (
        " to=functions.f {}<|call|>",
        Heard(calls=(("f", "{}"),), finish=TOOL_CALL),
    ),
    "no message and no arguments": (
        "<|channel|>commentary to=functions.f<|call|>",
        Heard(calls=(("f", ""),), finish=TOOL_CALL),
    ),
    "message twice": ("<|channel|>final<|message|><|message|>Hi<|message|>!<|return|>", Heard(answer="Hi!")),
    # Where is <|start|>, where is <|end|>?
    "start twice": (
        "<|channel|>analysis<|message|>Hm.<|end|><|start|><|start|>assistant<|channel|>final<|message|>Hi!<|return|>",
        Heard("Hm.", answer="Hi!"),
    ),
    "start and role twice": (
        f"{THOUGHT}<|start|>assistant<|channel|>final<|message|>Hi!<|return|>",
        Heard("Think.", answer="Hi!"),
    ),
    "start again at once": ("<|start|>assistant<|channel|>final<|message|>Hi!<|return|>", Heard(answer="Hi!")),
    "the role twice": (f"{THOUGHT}assistant<|channel|>final<|message|>Hi!<|return|>", Heard("Think.", answer="Hi!")),
    "no role": (
        "<|channel|>analysis<|message|>Hm.<|end|><|start|><|channel|>final<|message|>Hi!<|return|>",
        Heard("Hm.", answer="Hi!"),
    ),
    "a role nobody has": (
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>butler<|channel|>final<|message|>Hi!<|return|>",
        Heard("Hm.", answer="Hi!"),
    ),
    "no start": (
        "<|channel|>analysis<|message|>Hm.<|end|>assistant<|channel|>final<|message|>Hi!<|return|>",
        Heard("Hm.", answer="Hi!"),
    ),
    "no start and no role": (
        "<|channel|>analysis<|message|>Hm.<|end|><|channel|>final<|message|>Hi!<|return|>",
        Heard("Hm.", answer="Hi!"),
    ),
    "no end": (
        "<|channel|>analysis<|message|>Hm.<|start|>assistant<|channel|>final<|message|>Hi!<|return|>",
        Heard("Hm.", answer="Hi!"),
    ),
    "no end and no start": (
        "<|channel|>analysis<|message|>Hm.<|channel|>final<|message|>Hi!<|return|>",
        Heard("Hm.", answer="Hi!"),
    ),
    "no end, the same channel": (
        "<|channel|>final<|message|>A.<|start|>assistant<|channel|>final<|message|>B.<|return|>",
        Heard(answer="A.\n\nB."),
    ),
    "no end, no channel": (
        "<|channel|>analysis<|message|>Hm.<|start|>assistant<|message|>Hi!<|return|>",
        Heard("Hm.", answer="Hi!"),
    ),
    "no end of a call": (
        (
            "<|channel|>commentary to=functions.f<|message|>{}"
            "<|start|>assistant<|channel|>commentary to=functions.g<|message|>[]<|call|>"
        ),
        Heard(calls=(("f", "{}"), ("g", "[]")), finish=TOOL_CALL),
    ),
    "text after an end": ("<|channel|>analysis<|message|>Hm.<|end|>Hello.<|return|>", Heard("Hm.", answer="Hello.")),
    "white space after an end": (
        "<|channel|>analysis<|message|>Hm.<|end|>\n<|start|>assistant<|channel|>final<|message|>Hi!<|return|>",
        Heard("Hm.", answer="Hi!"),
    ),
    "two ends": ("<|channel|>final<|message|>Hi!<|end|><|end|><|return|>", Heard(answer="Hi!")),
    # The channel in the role
    "final in the role": (f"{THOUGHT}final<|message|>Hi!<|return|>", Heard("Think.", answer="Hi!")),
    "final in the role, apart": (f"{THOUGHT} final<|message|>Hi!<|return|>", Heard("Think.", answer="Hi!")),
    "final in the first role": ("final<|message|>Hi!<|return|>", Heard(answer="Hi!")),
    "analysis in the role": ("analysis<|message|>Hm.<|end|>", Heard("Hm.", finish=None)),
    "final in the role and nothing else": (f"{THOUGHT}final<|return|>", Heard("Think.")),
    "final in the role, a channel besides": (
        f"{THOUGHT}final<|channel|>commentary<|message|>Hm.<|return|>",
        Heard("Think.", "Hm."),
    ),
    "final for a role": (
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>final<|message|>Hi!<|return|>",
        Heard("Hm.", answer="Hi!"),
    ),
    "final in the role, no message": (f"{THOUGHT}finalHello!<|return|>", Heard("Think.", answer="Hello!")),
    "analysis in the role, no message": (
        f"{THOUGHT}analysisLet me see.<|return|>",
        Heard("Think.\n\nLet me see."),
    ),
    "no channel, no message": (f"{THOUGHT}Hello there!<|return|>", Heard("Think.", answer="Hello there!")),
    # Formats and recipients
    "a format without <|constrain|>": ("<|channel|>final json<|message|>[1]<|return|>", Heard(answer="[1]")),
    "a format that is none": ("<|channel|>final <|constrain|>response<|message|>Hi!<|return|>", Heard(answer="Hi!")),
    "a format for a channel": ("<|channel|><|constrain|>json<|message|>[1]<|return|>", Heard(answer="[1]")),
    "a format before the channel": ("<|constrain|>json<|channel|>final<|message|>[1]<|return|>", Heard(answer="[1]")),
    "a format twice": (
        "<|channel|>final <|constrain|>json <|constrain|>json<|message|>[1]<|return|>",
        Heard(answer="[1]"),
    ),
    "a format glued to the tool": (
        "<|channel|>commentary to=functions.f<|constrain|>json<|message|>{}<|call|>",
        Heard(calls=(("f", "{}"),), finish=TOOL_CALL),
    ),
    "a tool behind the format": (
        "<|channel|>commentary <|constrain|>json to=functions.f<|message|>{}<|call|>",
        Heard(calls=(("f", "{}"),), finish=TOOL_CALL),
    ),
    "a tool glued to the channel": (
        "<|channel|>commentaryto=functions.f<|message|>{}<|call|>",
        Heard(calls=(("f", "{}"),), finish=TOOL_CALL),
    ),
    "a tool without to=": (
        "<|channel|>commentary functions.f <|constrain|>json<|message|>{}<|call|>",
        Heard(calls=(("f", "{}"),), finish=TOOL_CALL),
    ),
    "a tool without its namespace": (
        "<|channel|>commentary to=get_weather json<|message|>{}<|call|>",
        Heard(calls=(("get_weather", "{}"),), finish=TOOL_CALL),
    ),
    "a tool in another namespace": (
        "<|channel|>commentary to=function.f json<|message|>{}<|call|>",
        Heard(calls=(("f", "{}"),), finish=TOOL_CALL),
    ),
    "a tool behind a space": (
        "<|channel|>commentary to= functions.f json<|message|>{}<|call|>",
        Heard(calls=(("f", "{}"),), finish=TOOL_CALL),
    ),
    "a tool with dashes and dots": (
        "<|channel|>commentary to=functions.web-browsing.v2:open<|message|>{}<|call|>",
        Heard(calls=(("web-browsing.v2:open", "{}"),), finish=TOOL_CALL),
    ),
    "a tool named like a channel": (
        " to=functions.final_answer<|channel|>commentary<|message|>{}<|call|>",
        Heard(calls=(("final_answer", "{}"),), finish=TOOL_CALL),
    ),
    "a tool in the analysis": (
        f'{THOUGHT}<|channel|>analysis to=functions.ffgrep code<|message|>{{"p": ""}}<|call|>',
        Heard("Think.", calls=(("ffgrep", '{"p": ""}'),), finish=TOOL_CALL),
    ),
    "a tool and no channel": (" to=functions.f<|message|>{}<|call|>", Heard(calls=(("f", "{}"),), finish=TOOL_CALL)),
    "nobody": ("<|channel|>commentary to=<|message|>Hm.<|return|>", Heard(commentary="Hm.")),
    "everybody": ("<|channel|>final to=all<|message|>Hi!<|return|>", Heard(answer="Hi!")),
    "the user": ("<|channel|>final to=user<|message|>Hi!<|return|>", Heard(answer="Hi!")),
    "a recipient in the text": (
        "<|channel|>final Set to=functions.f, please, and go on.<|return|>",
        Heard(answer="Set to=functions.f, please, and go on."),
    ),
    "arguments that are not JSON": (
        "<|channel|>commentary to=functions.f<|message|>city: Oslo<|call|>",
        Heard(calls=(("f", "city: Oslo"),), finish=TOOL_CALL),
    ),
    # Where does it end?
    "only reasoning": ("<|channel|>analysis<|message|>The answer is 4.<|return|>", Heard("The answer is 4.")),
    "a call that ends as a message": (
        "<|channel|>commentary to=functions.f<|message|>{}<|end|><|return|>",
        Heard(calls=(("f", "{}"),), finish=TOOL_CALL),
    ),
    "a call that ends as an answer": (
        "<|channel|>commentary to=functions.f<|message|>{}<|return|>",
        Heard(calls=(("f", "{}"),), finish=TOOL_CALL),
    ),
    "a call after the answer": (
        "<|channel|>final<|message|>Hi!<|end|><|start|>assistant to=functions.f<|message|>{}<|call|>",
        Heard(answer="Hi!", calls=(("f", "{}"),), finish=TOOL_CALL),
    ),
    "an answer that ends as a call": ("<|channel|>final<|message|>Hi!<|call|>", Heard(answer="Hi!")),
    "an answer after its end": (
        "<|channel|>final<|message|>Hi!<|return|>more<|end|><|start|>assistant<|channel|>final<|message|>More",
        Heard(answer="Hi!"),
    ),
    "end of text": ("<|channel|>final<|message|>Hi!<|endoftext|>", Heard(answer="Hi!")),
    "return in a header": ("<|channel|>final<|return|>", Heard()),
    "end in a header": (
        "<|channel|>final<|end|><|start|>assistant<|channel|>final<|message|>Hi!<|return|>",
        Heard(answer="Hi!"),
    ),
    "the user's turn": (
        "<|channel|>final<|message|>Hi!<|end|><|start|>user<|message|>What is your name?<|end|>",
        Heard(answer="Hi!"),
    ),
    "the user's turn, no message": (
        "<|channel|>final<|message|>Hi!<|end|><|start|>user What is your name, my dear friend?<|end|>",
        Heard(answer="Hi!"),
    ),
    "the user's turn, nothing in it": (
        "<|channel|>final<|message|>Hi!<|end|><|start|>user<|end|>",
        Heard(answer="Hi!", finish=None),
    ),
    "a tool's turn": (
        (
            "<|channel|>commentary to=functions.f<|message|>{}<|end|>"
            "<|start|>functions.f to=assistant<|channel|>commentary<|message|>made up<|end|>"
        ),
        Heard(calls=(("f", "{}"),), finish=TOOL_CALL),
    ),
    "another tool's turn": (
        (
            "<|channel|>analysis<|message|>Hm.<|end|>"
            "<|start|>browser.search to=assistant<|channel|>analysis<|message|>made up"
        ),
        Heard("Hm."),
    ),
    # Control tokens in the middle of a sentence
    "a channel in the middle": (
        "<|channel|>final<|message|>The <|channel|> token names a channel, nothing else.<|return|>",
        Heard(answer="The  token names a channel, nothing else."),
    ),
    "a start in the middle": (
        f"<|channel|>analysis<|message|>A <|start|> begins it.<|end|>{FINAL}Ok.<|return|>",
        Heard("A  begins it.", answer="Ok."),
    ),
    "several in the middle": (
        "<|channel|>final<|message|>First <|start|> then <|message|> and <|constrain|> too.<|return|>",
        Heard(answer="First  then  and  too."),
    ),
    "a user in the middle": (
        "<|channel|>final<|message|>Write <|start|>user and then all that the user said.<|return|>",
        Heard(answer="Write user and then all that the user said."),
    ),
    "reserved ones in the middle": (
        "<|channel|>fi<|reserved_200000|>nal<|message|>H<|startoftext|>i!<|endofprompt|><|return|>",
        Heard(answer="Hi!"),
    ),
    # Cut short
    "cut in the role": (
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assis",
        Heard("Hm.", answer="assis", finish=None),
    ),
    "cut after the role": (THOUGHT, Heard("Think.", finish=None)),
    "cut after the channel": ("<|channel|>analysis", Heard(finish=None)),
    "cut in the channel": ("<|channel|>analysis to=func", Heard(finish=None)),
    "cut in the text": ("<|channel|>analysis<|message|>Hm", Heard("Hm", finish=None)),
    "cut in the arguments": (
        '<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"a": {"b": 1}',
        Heard(commentary='{"a": {"b": 1}', finish=None),
    ),
    "cut in the arguments, no message": (
        '<|channel|>commentary to=functions.f {"a": ',
        Heard(commentary='{"a": ', finish=None),
    ),
    "cut before the arguments": ("<|channel|>commentary to=functions.f<|message|>", Heard(finish=None)),
    "cut after the arguments": (
        "<|channel|>commentary to=functions.f<|message|>{}",
        Heard(calls=(("f", "{}"),), finish=None),
    ),
    "cut in arguments too deep to be JSON": (
        f"<|channel|>commentary to=functions.f<|message|>{'[' * 100_000}",
        Heard(commentary="[" * 100_000, finish=None),
    ),
}
