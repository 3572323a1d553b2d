"""What is asked of a generation and what it reports."""

from dataclasses import dataclass
from enum import StrEnum


class FinishReason(StrEnum):
    """Why an answer ended."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALL = "tool_call"
    CANCELLED = "cancelled"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters; the defaults are OpenAI's recommendation for gpt-oss.

    ``temperature`` 0 is greedy. ``top_k`` 0, ``top_p`` 1, ``min_p`` 0 and ``repeat_penalty`` 1 are off.
    ``seed`` None draws a new one. ``max_tokens`` bounds the answer, reasoning included; 0 means as much as the
    context holds.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    seed: int | None = None
    max_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one answer; ``reused_tokens`` of the ``prompt_tokens`` were not read again.

    ``left_out`` counts the messages that were not in the prompt, because the model's memory was full. They are the
    oldest ones but for those that had to stay: ``kept`` are the places of these in the dialogue's messages.
    """

    prompt_tokens: int = 0
    reused_tokens: int = 0
    completion_tokens: int = 0
    left_out: int = 0
    kept: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds (and tokens per second) of one answer.

    ``load_s`` is the time the model took to load for this request, 0 when it was loaded already;
    ``first_token_s`` counts from the request to the first generated token.
    """

    load_s: float = 0.0
    prefill_s: float = 0.0
    first_token_s: float = 0.0
    decode_s: float = 0.0
    decode_tokens_per_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Receipt:
    """How an answer came about; stored beside it."""

    model: str
    effort: str
    sampling: Sampling
    finish_reason: FinishReason
    usage: Usage
    timings: Timings
    reasoning_s: float = 0.0
