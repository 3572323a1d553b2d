"""Every setting of the program, and the values they have.

To add one: declare it here (one of the hardware in ``hardware_settings``), add it to ``SETTINGS``, run
``scripts/make_settings_doc.py``, and read it where it counts with ``settings.get(THE_SETTING)``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from app.domain.conversation import Effort
from app.domain.generation import Sampling
from app.domain.hardware_settings import (
    CACHE_TYPE,
    CPU_EXPERTS,
    DEVICE,
    FLASH_ATTENTION,
    GPU_LAYERS,
    IDLE_UNLOAD,
    MEMORY_LOCK,
    MEMORY_MAPPING,
    PREPARE_NEXT_TURN,
    REPACKING,
    SNAPSHOT_SPACE,
    THREADS,
)
from app.domain.load_plan import CacheType
from app.domain.plan_wishes import PlanWishes
from app.domain.setting import Applies, Choice, Group, Kind, Setting, Value

V = TypeVar("V", bound=Value)

_ON_OFF = {"auto": None, "on": True, "off": False}

# ---- General ----

THEME: Setting[str] = Setting(
    key="general.theme",
    kind=Kind.CHOICE,
    default="system",
    group=Group.GENERAL,
    label="Theme",
    help="Light or dark colours. “Like the system” follows your computer's own setting.",
    choices=(Choice("system", "Like the system"), Choice("light", "Light"), Choice("dark", "Dark")),
)
TEXT_SIZE: Setting[int] = Setting(
    key="general.text_size",
    kind=Kind.INT,
    default=100,
    group=Group.GENERAL,
    label="Text size",
    help="The size of all text, compared with the usual size.",
    minimum=80,
    maximum=200,
    step=10,
    unit="%",
)
SEND_KEY: Setting[str] = Setting(
    key="general.send_key",
    kind=Kind.CHOICE,
    default="enter",
    group=Group.GENERAL,
    label="Send a message with",
    help="Which key sends. With “Enter”, Shift+Enter starts a new line; with “Ctrl+Enter”, Enter does.",
    choices=(Choice("enter", "Enter"), Choice("ctrl+enter", "Ctrl+Enter")),
)

WINDOW_PLACE: Setting[str] = Setting(
    key="general.window",
    kind=Kind.TEXT,
    default="",
    group=Group.GENERAL,
    label="Window",
    help="Where the window was last: left, top, width, height, and “maximized” if it was.",
    hidden=True,
)
CHAT_LIST_SHOWN: Setting[bool] = Setting(
    key="general.chat_list",
    kind=Kind.BOOL,
    default=True,
    group=Group.GENERAL,
    label="Chat list",
    help="Whether the list of chats stands beside the chat.",
    hidden=True,
)

# ---- Chat ----

EFFORT: Setting[str] = Setting(
    key="chat.effort",
    kind=Kind.CHOICE,
    default=Effort.MEDIUM.value,
    group=Group.CHAT,
    label="Reasoning effort for new chats",
    help="How long the model thinks before it answers. More effort gives better answers to hard questions, later.",
    applies=Applies.NEXT_MESSAGE,
    choices=tuple(Choice(effort.value, effort.value.capitalize()) for effort in Effort),
)
INSTRUCTIONS: Setting[str] = Setting(
    key="chat.instructions",
    kind=Kind.TEXT,
    default="",
    group=Group.CHAT,
    label="Instructions for new chats",
    help="What the model should know or keep to in every new chat, for example “Answer in French”.",
    applies=Applies.NEXT_MESSAGE,
    multiline=True,
)
SHOW_REASONING: Setting[str] = Setting(
    key="chat.show_reasoning",
    kind=Kind.CHOICE,
    default="folded",
    group=Group.CHAT,
    label="Show reasoning",
    help="Whether the model's thoughts before an answer are folded away or open.",
    choices=(Choice("folded", "Folded"), Choice("open", "Open")),
)

# ---- Generation ----

TEMPERATURE: Setting[float] = Setting(
    key="generation.temperature",
    kind=Kind.FLOAT,
    default=1.0,
    group=Group.GENERATION,
    label="Temperature",
    help="How freely the model chooses its words. 0 always takes the likeliest; OpenAI recommends 1 for gpt-oss.",
    applies=Applies.NEXT_MESSAGE,
    minimum=0,
    maximum=2,
    step=0.05,
    decimals=2,
)
TOP_P: Setting[float] = Setting(
    key="generation.top_p",
    kind=Kind.FLOAT,
    default=1.0,
    group=Group.GENERATION,
    label="Top-p",
    help="Chooses only among the likeliest words that together have this probability. 1 turns it off.",
    applies=Applies.NEXT_MESSAGE,
    minimum=0,
    maximum=1,
    step=0.05,
    decimals=2,
)
TOP_K: Setting[int] = Setting(
    key="generation.top_k",
    kind=Kind.INT,
    default=0,
    group=Group.GENERATION,
    label="Top-k",
    help="Chooses only among this many of the likeliest words.",
    applies=Applies.NEXT_MESSAGE,
    minimum=0,
    maximum=1000,
    special=0,
    special_label="off",
)
MIN_P: Setting[float] = Setting(
    key="generation.min_p",
    kind=Kind.FLOAT,
    default=0.0,
    group=Group.GENERATION,
    label="Min-p",
    help="Leaves out words whose probability is below this share of the likeliest one's. 0 turns it off.",
    applies=Applies.NEXT_MESSAGE,
    minimum=0,
    maximum=1,
    step=0.01,
    decimals=2,
)
REPEAT_PENALTY: Setting[float] = Setting(
    key="generation.repeat_penalty",
    kind=Kind.FLOAT,
    default=1.0,
    group=Group.GENERATION,
    label="Repeat penalty",
    help="Makes words that were just used less likely. 1 turns it off, which is best for gpt-oss.",
    applies=Applies.NEXT_MESSAGE,
    minimum=0.5,
    maximum=2,
    step=0.05,
    decimals=2,
)
SEED: Setting[int] = Setting(
    key="generation.seed",
    kind=Kind.INT,
    default=0,
    group=Group.GENERATION,
    label="Seed",
    help="The same seed gives the same answer to the same chat. 0 draws a new one for each answer.",
    applies=Applies.NEXT_MESSAGE,
    minimum=0,
    maximum=2**31 - 1,
    special=0,
    special_label="new each time",
)
REPLY_LIMIT: Setting[int] = Setting(
    key="generation.reply_limit",
    kind=Kind.INT,
    default=0,
    group=Group.GENERATION,
    label="Longest answer",
    help="Ends an answer, its reasoning included, after this many tokens (a token is about three quarters of a word).",
    applies=Applies.NEXT_MESSAGE,
    minimum=0,
    maximum=131_072,
    step=256,
    special=0,
    special_label="no limit",
    unit="tokens",
)
CONTEXT_LENGTH: Setting[int] = Setting(
    key="generation.context_length",
    kind=Kind.INT,
    default=0,
    group=Group.GENERATION,
    label="Context length",
    help="How much of a chat the model can have in view at once. More of it takes more memory.",
    applies=Applies.NEXT_LOAD,
    minimum=512,
    maximum=131_072,
    step=512,
    special=0,
    special_label="automatic",
    unit="tokens",
)

# ---- Models ----

CURRENT_MODEL: Setting[str] = Setting(
    key="models.current",
    kind=Kind.TEXT,
    default="",
    group=Group.MODELS,
    label="Current model",
    help="The model that was used last. Empty stands for the built-in guide.",
    hidden=True,
)

# ---- Advanced ----

LOG_LEVEL: Setting[str] = Setting(
    key="advanced.log_level",
    kind=Kind.CHOICE,
    default="info",
    group=Group.ADVANCED,
    label="Log",
    help="How much Alcove writes down about its own work. The log never has the text of a chat.",
    choices=(
        Choice("error", "Errors only"),
        Choice("warning", "Errors and warnings"),
        Choice("info", "Normal"),
        Choice("debug", "Everything"),
    ),
)

SETTINGS: tuple[Setting[Value], ...] = (
    THEME,
    TEXT_SIZE,
    SEND_KEY,
    WINDOW_PLACE,
    CHAT_LIST_SHOWN,
    EFFORT,
    INSTRUCTIONS,
    SHOW_REASONING,
    TEMPERATURE,
    TOP_P,
    TOP_K,
    MIN_P,
    REPEAT_PENALTY,
    SEED,
    REPLY_LIMIT,
    CONTEXT_LENGTH,
    DEVICE,
    GPU_LAYERS,
    CPU_EXPERTS,
    THREADS,
    CACHE_TYPE,
    FLASH_ATTENTION,
    MEMORY_MAPPING,
    REPACKING,
    MEMORY_LOCK,
    IDLE_UNLOAD,
    PREPARE_NEXT_TURN,
    SNAPSHOT_SPACE,
    CURRENT_MODEL,
    LOG_LEVEL,
)

_BY_KEY: Mapping[str, Setting[Value]] = MappingProxyType({setting.key: setting for setting in SETTINGS})


def setting_of(key: str) -> Setting[Value]:
    """The setting with this key; KeyError when there is none."""
    return _BY_KEY[key]


def in_group(group: Group) -> tuple[Setting[Value], ...]:
    """The settings that the pane shows under this heading."""
    return tuple(setting for setting in SETTINGS if setting.group is group and not setting.hidden)


@dataclass(frozen=True, slots=True)
class Settings:
    """A value for every setting. ``changed`` holds those that differ from their default, by key."""

    changed: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))

    def get(self, setting: Setting[V]) -> V:
        """The value of a setting."""
        return self.changed.get(setting.key, setting.default)  # type: ignore[return-value]

    def value(self, key: str) -> Value:
        """The value of the setting with this key; KeyError when there is none."""
        return self.get(setting_of(key))

    def is_default(self, setting: Setting[Value]) -> bool:
        """Whether a setting has its default value."""
        return setting.key not in self.changed

    def with_value(self, setting: Setting[Value], value: object) -> "Settings":
        """These settings with one changed; ``UserError(SETTING_INVALID)`` when the value does not fit."""
        value = setting.checked(value)
        rest = {key: kept for key, kept in self.changed.items() if key != setting.key}
        return Settings(MappingProxyType(rest if value == setting.default else {**rest, setting.key: value}))

    def without(self, *settings: Setting[Value]) -> "Settings":
        """These settings with some back at their defaults."""
        keys = {setting.key for setting in settings}
        return Settings(MappingProxyType({key: kept for key, kept in self.changed.items() if key not in keys}))

    def sampling(self) -> Sampling:
        """The sampling parameters that these settings ask for."""
        return Sampling(
            temperature=self.get(TEMPERATURE),
            top_p=self.get(TOP_P),
            top_k=self.get(TOP_K),
            min_p=self.get(MIN_P),
            repeat_penalty=self.get(REPEAT_PENALTY),
            seed=self.get(SEED) or None,
            max_tokens=self.get(REPLY_LIMIT),
        )

    def wishes(self) -> PlanWishes:
        """What these settings want of a load plan."""
        device = self.get(DEVICE)
        layers, experts, cache = self.get(GPU_LAYERS), self.get(CPU_EXPERTS), self.get(CACHE_TYPE)
        return PlanWishes(
            context=self.get(CONTEXT_LENGTH),
            threads=self.get(THREADS),
            device="" if device == "auto" else device,
            gpu_layers=None if layers < 0 else layers,
            cpu_experts=None if experts < 0 else experts,
            cache_type=None if cache == "auto" else CacheType(cache),
            flash_attention=_ON_OFF[self.get(FLASH_ATTENTION)],
            mapped=_ON_OFF[self.get(MEMORY_MAPPING)],
            repacked=_ON_OFF[self.get(REPACKING)],
            locked=self.get(MEMORY_LOCK) or None,
        )
