"""Templates that mean harm, in the real template process: each is one clear error, and the next drawing works."""

from __future__ import annotations

import os
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from app.domain.conversation import Dialogue, Message, Role
from app.domain.errors import ErrorCode, UserError
from app.engine.templates.format import TemplateFormat
from app.engine.templates.process import TemplateError, TemplateProcess
from app.engine.templates.protocol import Draw, Open
from tests.support.chat_templates import PLAIN, TemplateBytes

SOUND = "{{ messages[0].content }}"
ORDER = Draw([{"role": "user", "content": "hi"}], None, {}, "2026-01-01")


def process(source: str) -> TemplateProcess:
    return TemplateProcess(Open(source, "zqmark", "<s>", "</s>"))


@pytest.fixture
def sound() -> Iterator[TemplateProcess]:
    made = process(SOUND)
    yield made
    made.close()


HOSTILE = {
    "endless loops": (
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "it takes too long",
    ),
    "an endless sum": ("{% set x = 10 ** (10 ** 8) %}{{ x }}", "it takes too long"),
    "a giant text": ("{{ 'a' * 10 ** 9 }}", "it needs too much memory"),
    "a giant list": ("{{ (range(99999) | list * 5000) | length }}", "it needs too much memory"),
    "doubling": (
        "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "it needs too much memory",
    ),
    "much output": ("{% for i in range(99999) %}{{ 'a' * 1000 }}{% endfor %}", "it writes too much"),
    "a macro without end": ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "it calls itself without end"),
    "deep brackets": (f"{{{{ {'(' * 20_000}1{')' * 20_000} }}}}", "it calls itself without end"),
    "a long row of signs": (f"{{{{ {'-' * 100_000}1 }}}}", "it calls itself without end"),
    "its own words": ("{{ raise_exception('Roles\\n must  alternate.') }}", "Roles must alternate"),
    "long words of its own": ("{{ raise_exception('a' * 5000) }}", "a" * 300),
    "half a block": ("line\n{% if %}", "line 2: Expected an expression, got 'end of statement block'"),
    "an unknown block": ("{% boo %}", "line 1: Encountered unknown tag 'boo'"),
    "a division by zero": ("{{ 1 / 0 }}", "division by zero"),
    "a message that is not there": ("{{ messages[7].content }}", "list object has no element 7"),
    "a file": ("{% include '/etc/passwd' %}", "no loader for this environment specified"),
    "classes": ("{{ ''.__class__.__mro__ }}", "access to attribute '__class__' of 'str' object is unsafe"),
    "globals": ("{{ cycler.__init__.__globals__ }}", "access to attribute '__init__' of 'type' object is unsafe"),
}


@pytest.mark.parametrize(("source", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_each_is_one_error_and_its_process_ends(source: str, reason: str) -> None:
    made = process(source)
    try:
        with pytest.raises(TemplateError) as refused:
            made.draw(ORDER)
        assert refused.value.reason == reason
    finally:
        made.close()
    assert made.pid is None


GROWING = {
    "escapes without end": (
        "{% for m in messages %}{{ m.content.strip()[:-1] ~ 'j' * 24 ~ 'x' }}{% endfor %}",
        "it leaves out or changes what was said",
    ),
    "a text many times over": (
        "{% for i in range(400) %}{{ messages[-1].content }}{% endfor %}",
        "it writes too much",
    ),
    "a text escaped many times over": (
        "{% for i in range(200) %}{{ messages[-1].content.strip()[:-1] ~ 'aaax' }}{% endfor %}",
        "it writes too much",
    ),
}


def draw_long(source: str) -> None:
    """Open the template, which some do not survive, and have it draw a long text."""
    made = TemplateFormat(TemplateBytes(replace(PLAIN, source=source)))
    try:
        made.prompt(Dialogue((Message(Role.USER, '"é' * 50_000),), "2026-01-01"), lambda: False)
    finally:
        made.close()


@pytest.mark.parametrize(("source", "reason"), GROWING.values(), ids=GROWING)
def test_what_grows_where_marks_become_texts_is_refused_before_it_is_made(source: str, reason: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(UserError) as refused:
            draw_long(source)
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()
    assert (refused.value.code, refused.value.values["reason"]) == (ErrorCode.CHAT_TEMPLATE_FAILED, reason)


HARMLESS = {
    "half a pair": ("{{ '\\ud800' }}", "\ufffd"),
    "a message added": ("{% set _ = messages.append('x') %}{{ messages | length }}", "2"),
    "classes in a format": ("{{ '{0.__class__}'.format(1) }}", ""),
    "the environment": ("{{ self._TemplateReference__context }}", ""),
}


@pytest.mark.parametrize(("source", "text"), HARMLESS.values(), ids=HARMLESS)
def test_what_comes_to_nothing(source: str, text: str) -> None:
    made = process(source)
    try:
        assert made.draw(ORDER) == text
    finally:
        made.close()


def test_a_fault_that_depends_on_the_chat_leaves_the_process_in_place() -> None:
    made = process("{% if messages | length > 1 %}{{ raise_exception('one!') }}{% endif %}fine")
    try:
        assert made.draw(ORDER) == "fine"
        pid = made.pid
        with pytest.raises(TemplateError) as refused:
            made.draw(Draw([*ORDER.messages, *ORDER.messages], None, {}, "2026-01-01"))
        assert refused.value.by_template
        assert made.draw(ORDER) == "fine"
        assert made.pid == pid
    finally:
        made.close()


def test_after_a_harm_that_depends_on_the_chat_a_new_process_draws() -> None:
    made = process("{% if messages | length > 1 %}{{ 'a' * 10 ** 9 }}{% endif %}fine")
    try:
        assert made.draw(ORDER) == "fine"
        with pytest.raises(TemplateError) as refused:
            made.draw(Draw([*ORDER.messages, *ORDER.messages], None, {}, "2026-01-01"))
        assert not refused.value.by_template
        assert made.draw(ORDER) == "fine"
    finally:
        made.close()


def test_a_process_that_is_killed_is_replaced(sound: TemplateProcess) -> None:
    assert sound.draw(ORDER) == "hi"
    assert sound.pid is not None
    psutil.Process(sound.pid).kill()
    with pytest.raises(TemplateError, match="its process ended"):
        sound.draw(ORDER)
    assert sound.draw(ORDER) == "hi"


def test_an_order_that_is_too_large(sound: TemplateProcess) -> None:
    assert sound.draw(ORDER) == "hi"
    with pytest.raises(TemplateError, match="the conversation is too large for it"):
        sound.draw(Draw([{"role": "user", "content": "a" * 9_000_000}], None, {}, "2026-01-01"))
    assert sound.draw(ORDER) == "hi"


@pytest.mark.skipif(sys.platform != "linux", reason="another process's bounds can be read in Linux alone")
def test_the_process_can_open_nothing_and_its_memory_and_time_are_bounded(sound: TemplateProcess) -> None:
    sound.draw(ORDER)
    assert sound.pid is not None
    limits = Path(f"/proc/{sound.pid}/limits").read_text(encoding="ascii")
    bounds = {line[:26].strip(): line[26:].split()[0] for line in limits.splitlines()}
    assert bounds["Max open files"] == "0"
    assert bounds["Max file size"] == "0"
    assert int(bounds["Max address space"]) < 512 * 1024 * 1024
    assert int(bounds["Max cpu time"]) <= 30


@pytest.mark.skipif(sys.platform == "win32", reason="no such files")
def test_it_holds_none_of_this_processes_files(sound: TemplateProcess, tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), True)
        sound.draw(ORDER)
        assert sound.pid is not None
        names = [file.path for file in psutil.Process(sound.pid).open_files()]
    assert str(tmp_path / "secret") not in names
