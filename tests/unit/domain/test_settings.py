"""Settings: what is declared, what is accepted, what is refused."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import ErrorCode, UserError
from app.domain.generation import Sampling
from app.domain.load_plan import CacheType
from app.domain.plan_wishes import PlanWishes
from app.domain.setting import LONGEST_TEXT, Choice, Group, Kind, Setting, Value
from app.domain.settings import (
    CONTEXT_LENGTH,
    CURRENT_MODEL,
    INSTRUCTIONS,
    MIN_P,
    REPEAT_PENALTY,
    REPLY_LIMIT,
    SEED,
    SETTINGS,
    TEMPERATURE,
    TEXT_SIZE,
    THEME,
    TOP_K,
    TOP_P,
    Settings,
    in_group,
    setting_of,
)
from scripts import make_settings_doc

SWITCH = Setting(key="x.switch", kind=Kind.BOOL, default=False, group=Group.GENERAL, label="Switch", help="…")
UNBOUNDED = Setting(key="x.number", kind=Kind.INT, default=0, group=Group.GENERAL, label="Number", help="…")


def any_setting() -> st.SearchStrategy[Setting[Value]]:
    return st.sampled_from(SETTINGS)


def values_of(setting: Setting[Value]) -> st.SearchStrategy[Value]:
    """Values that a setting accepts."""
    match setting.kind:
        case Kind.CHOICE:
            return st.sampled_from([choice.value for choice in setting.choices])
        case Kind.INT:
            assert setting.minimum is not None
            assert setting.maximum is not None
            numbers = st.integers(int(setting.minimum), int(setting.maximum))
            return numbers if setting.special is None else numbers | st.just(setting.special)
        case Kind.FLOAT:
            assert setting.minimum is not None
            assert setting.maximum is not None
            return st.floats(setting.minimum, setting.maximum)
        case Kind.TEXT:
            return st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.sampled_from("\t\n"))
        case Kind.BOOL:
            return st.booleans()


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_a_declaration_is_whole(setting: Setting[Value]) -> None:
    table, dot, name = setting.key.partition(".")
    assert table
    assert dot
    assert name.replace("_", "").isalpha()
    assert setting.checked(setting.default) == setting.default
    assert setting.label
    assert setting.help.endswith(".")
    assert setting.expected.endswith(".")
    assert (setting.special is None) == (setting.special_label == "")
    if setting.kind in {Kind.INT, Kind.FLOAT}:
        assert setting.minimum is not None
        assert setting.maximum is not None
        assert setting.minimum < setting.maximum
        assert setting.checked(setting.minimum) == setting.minimum
        assert setting.checked(setting.maximum) == setting.maximum
    if setting.kind is Kind.FLOAT:
        assert setting.decimals > 0
    assert (setting.kind is Kind.CHOICE) == bool(setting.choices)


def test_keys_are_unique_and_found() -> None:
    assert len({setting.key for setting in SETTINGS}) == len(SETTINGS)
    assert all(setting_of(setting.key) is setting for setting in SETTINGS)
    with pytest.raises(KeyError):
        setting_of("no.such")


def test_groups_hold_every_shown_setting() -> None:
    shown = [setting for group in Group for setting in in_group(group)]
    assert sorted(setting.key for setting in shown) == sorted(s.key for s in SETTINGS if not s.hidden)
    assert CURRENT_MODEL not in shown


REFUSED: list[tuple[Setting[Value], object]] = [
    (TEMPERATURE, -0.01),
    (TEMPERATURE, 2.01),
    (TEMPERATURE, math.nan),
    (TEMPERATURE, math.inf),
    (TEMPERATURE, 10**400),
    (TEMPERATURE, True),
    (TEMPERATURE, "1"),
    (TEMPERATURE, None),
    (TEXT_SIZE, 79),
    (TEXT_SIZE, 201),
    (TEXT_SIZE, 100.0),
    (TEXT_SIZE, True),
    (CONTEXT_LENGTH, 511),
    (CONTEXT_LENGTH, -1),
    (CONTEXT_LENGTH, 131_073),
    (SEED, -1),
    (THEME, "pink"),
    (THEME, 1),
    (THEME, ["dark"]),
    (INSTRUCTIONS, 3),
    (INSTRUCTIONS, "a\0b"),
    (INSTRUCTIONS, "a\x7f"),
    (INSTRUCTIONS, "\r\n"),
    (INSTRUCTIONS, "\ud800"),
    (INSTRUCTIONS, "x" * (LONGEST_TEXT + 1)),
    (SWITCH, 1),
    (SWITCH, "true"),
    (UNBOUNDED, 1.5),
]


@pytest.mark.parametrize(("setting", "value"), REFUSED)
def test_refused(setting: Setting[Value], value: object) -> None:
    with pytest.raises(UserError) as caught:
        Settings().with_value(setting, value)
    assert caught.value.code is ErrorCode.SETTING_INVALID
    assert setting.label in caught.value.what
    assert caught.value.remedy == setting.expected
    assert len(caught.value.what) < 150


ACCEPTED: list[tuple[Setting[Value], object, Value]] = [
    (TEMPERATURE, 0, 0.0),
    (TEMPERATURE, 2, 2.0),
    (CONTEXT_LENGTH, 0, 0),
    (CONTEXT_LENGTH, 512, 512),
    (INSTRUCTIONS, "one\n\ttwo", "one\n\ttwo"),
    (INSTRUCTIONS, "x" * LONGEST_TEXT, "x" * LONGEST_TEXT),
    (SWITCH, True, True),
    (UNBOUNDED, 10**30, 10**30),
]


@pytest.mark.parametrize(("setting", "value", "kept"), ACCEPTED)
def test_accepted(setting: Setting[Value], value: object, kept: Value) -> None:
    settings = Settings().with_value(setting, value)
    assert settings.get(setting) == kept
    assert type(settings.get(setting)) is type(kept)


def test_the_expected_sentence_names_bounds_unit_and_special() -> None:
    assert CONTEXT_LENGTH.expected == "Choose a whole number from 512 to 131072 tokens; 0 means “automatic”."
    assert TEMPERATURE.expected == "Choose a number from 0 to 2."
    assert THEME.expected == "Choose one of: system, light, dark."
    assert SWITCH.expected == "Choose true or false."


def test_only_one_bound_is_enough() -> None:
    above = replace(UNBOUNDED, minimum=3)
    below = replace(UNBOUNDED, maximum=3)
    assert above.checked(10**9) == 10**9
    assert below.checked(-5) == -5
    for setting, value in [(above, 2), (below, 4)]:
        with pytest.raises(UserError):
            setting.checked(value)


@given(any_setting().flatmap(lambda setting: st.tuples(st.just(setting), values_of(setting))))
def test_values_come_back(drawn: tuple[Setting[Value], Value]) -> None:
    setting, value = drawn
    settings = Settings().with_value(setting, value)
    assert settings.get(setting) == value
    assert settings.value(setting.key) == value
    assert settings.is_default(setting) == (value == setting.default)
    assert settings.without(setting) == Settings()
    assert all(settings.is_default(other) for other in SETTINGS if other is not setting)
    assert settings.with_value(setting, setting.default) == Settings()


@given(any_setting(), st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()))
def test_any_value_is_kept_as_declared_or_refused(setting: Setting[Value], value: object) -> None:
    try:
        kept = Settings().with_value(setting, value).get(setting)
    except UserError as error:
        refusal = error
    else:
        assert setting.checked(kept) == kept == value
        return
    assert refusal.code is ErrorCode.SETTING_INVALID
    assert str(refusal)


def test_settings_never_change_in_place() -> None:
    first = Settings().with_value(TEXT_SIZE, 120)
    second = first.with_value(TEXT_SIZE, 150)
    assert (first.get(TEXT_SIZE), second.get(TEXT_SIZE)) == (120, 150)
    with pytest.raises(TypeError):
        first.changed["general.text_size"] = 90  # type: ignore[index]


def test_sampling_follows_the_settings() -> None:
    assert Settings().sampling() == Sampling()
    settings = Settings()
    for setting, value in [
        (TEMPERATURE, 0.5),
        (TOP_P, 0.9),
        (TOP_K, 40),
        (MIN_P, 0.05),
        (REPEAT_PENALTY, 1.1),
        (SEED, 7),
        (REPLY_LIMIT, 512),
    ]:
        settings = settings.with_value(setting, value)
    assert settings.sampling() == Sampling(0.5, 0.9, 40, 0.05, 1.1, 7, 512)


def test_wishes_follow_the_settings() -> None:
    assert Settings().wishes() == PlanWishes()
    wanted = {
        "hardware.device": "graphics",
        "hardware.gpu_layers": 0,
        "hardware.cpu_experts": 12,
        "hardware.threads": 3,
        "hardware.cache_type": "q8_0",
        "hardware.flash_attention": "on",
        "hardware.memory_mapping": "off",
        "hardware.repacking": "on",
        "hardware.memory_lock": True,
        CONTEXT_LENGTH.key: 16_384,
    }
    settings = Settings()
    for key, value in wanted.items():
        settings = settings.with_value(setting_of(key), value)
    assert settings.wishes() == PlanWishes(
        context=16_384,
        threads=3,
        device="graphics",
        gpu_layers=0,
        cpu_experts=12,
        cache_type=CacheType.Q8_0,
        flash_attention=True,
        mapped=False,
        repacked=True,
        locked=True,
    )


def test_the_document_is_up_to_date() -> None:
    assert make_settings_doc.TARGET.read_text(encoding="utf-8") == make_settings_doc.document(), (
        "run scripts/make_settings_doc.py"
    )


def test_a_choice_of_every_effort() -> None:
    assert setting_of("chat.effort").choices == (
        Choice("low", "Low"),
        Choice("medium", "Medium"),
        Choice("high", "High"),
    )
