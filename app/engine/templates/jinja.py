"""Hugging Face's dialect of Jinja in Jinja's sandbox. Runs in the template's own process, never in the engine's.

What a chat template may rely on is what ``transformers`` gives it (``utils/chat_template_utils.py``): blocks that are
trimmed, ``tojson`` without HTML's escapes, ``raise_exception``, ``strftime_now``, loop controls, generation blocks.
"""

import json
import re
from datetime import date
from typing import cast

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.sandbox

from app.engine.templates.protocol import MAX_OUTPUT, Draw, Drawn, Open, Opened, Refused, Reply, Trouble

# What a faulty template may raise; anything else ends the process, which is noticed.
FAULTS = (
    jinja2.TemplateError,
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)

LONGEST_REASON = 300
"""Characters of a template's complaint."""


class JinjaTemplate:
    """One opened template."""

    def __init__(self, order: Open) -> None:
        """Raises one of ``FAULTS`` when the template is not understood."""
        self._order = order
        self._date = date(2000, 1, 1)
        self._mark = re.compile(rf"({re.escape(order.mark)}x\d+)([ja]*)x")
        # Not the immutable one: a list that a template appends to is its own, as everything else in its process.
        environment = jinja2.sandbox.SandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[GenerationBlock, jinja2.ext.loopcontrols]
        )
        filters, names = cast(dict[str, object], environment.filters), cast(dict[str, object], environment.globals)
        filters["tojson"] = self._tojson
        names |= {"raise_exception": _raise_exception, "strftime_now": self._strftime_now}
        self._template = environment.from_string(order.source)

    def draw(self, order: Draw) -> str | None:
        """The prompt, None when it is longer than ``MAX_OUTPUT``. Raises one of ``FAULTS``."""
        self._date = date.fromisoformat(order.date)
        variables: dict[str, object] = {
            "bos_token": self._order.bos,
            "eos_token": self._order.eos,
            **order.options,
            "messages": order.messages,
            "tools": order.tools,
        }
        parts: list[str] = []
        length = 0
        for part in self._template.generate(variables):
            parts.append(part)
            length += len(part)
            if length > MAX_OUTPUT:
                return None
        return "".join(parts)

    def _strftime_now(self, form: str) -> str:
        """The conversation's date, not today's: a prompt never changes."""
        return self._date.strftime(form)

    def _tojson(
        self,
        value: object,
        ensure_ascii: bool = False,
        indent: int | str | None = None,
        separators: tuple[str, str] | None = None,
        sort_keys: bool = False,
    ) -> str:
        """JSON as ``transformers`` writes it. Marks remember that the texts they stand for are to be escaped."""
        text = json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
        return self._mark.sub(rf"\1\2{'a' if ensure_ascii else 'j'}x", text)


class GenerationBlock(jinja2.ext.Extension):
    """``{% generation %}`` marks what a model is trained on; drawn, it is what stands inside."""

    tags = {"generation"}  # noqa: RUF012 - Jinja declares it so

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        """The nodes of the body."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _raise_exception(message: object) -> None:
    raise jinja2.TemplateError(str(message))


def opened(order: Open) -> tuple[JinjaTemplate | None, Reply]:
    """The template, and what to answer."""
    try:
        return JinjaTemplate(order), Opened()
    except MemoryError:
        return None, Refused(Trouble.MEMORY)
    except FAULTS as error:
        return None, Refused(Trouble.TEMPLATE, _reason(error))


def drawn(template: JinjaTemplate, order: Draw) -> Reply:
    """The answer to an order."""
    try:
        text = template.draw(order)
    except MemoryError:
        return Refused(Trouble.MEMORY)
    except FAULTS as error:
        return Refused(Trouble.TEMPLATE, _reason(error))
    return Refused(Trouble.OUTPUT) if text is None else Drawn(text)


def rehearse() -> None:
    """Let Python load whatever it loads at the first drawing and the first fault, while it still can open files."""
    for source in ('{% macro a(b) %}{{ b | trim | tojson }}{% endmacro %}{{ a("\\n é") }}', "{{ 1 / 0 }}", "{% if %}"):
        template, _ = opened(Open(source, "mark"))
        if template is not None:
            drawn(template, Draw([], None, {}, "2000-01-01"))


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it calls itself without end"
    line = f"line {error.lineno}: " if isinstance(error, jinja2.TemplateSyntaxError) else ""
    said = " ".join(str(error).split()) or type(error).__name__
    return (line + said)[:LONGEST_REASON].rstrip(".")
