"""What a model is, as the lists and the planners need it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.domain.errors import ErrorCode, UserError
from app.domain.printable import printable
from app.gguf.header import TOKENS_KEY, Header
from app.gguf.parts import read_parts

# Without these a vocabulary cannot carry a harmony conversation.
HARMONY_TOKENS: Final = frozenset(
    {"<|start|>", "<|message|>", "<|channel|>", "<|constrain|>", "<|end|>", "<|call|>", "<|return|>"}
)


@dataclass(frozen=True, slots=True)
class ModelShape:
    """A model by its header. ``parameters`` counts weights, ``trained_context`` tokens, ``size_bytes`` the
    model's ``files`` together.

    ``quantization`` is the number format that most of the bytes are in. 0 and "" stand for: the file does not say. The
    texts are safe to show.
    """

    name: str
    architecture: str
    parameters: int
    quantization: str
    trained_context: int
    layers: int
    vocabulary: int
    size_bytes: int
    has_chat_template: bool
    speaks_harmony: bool
    files: int = 1


def read_shape(path: Path) -> ModelShape:
    """The shape of a model on this machine, by its first file; ``UserError`` as ``read_parts``."""
    first, *others = read_parts(path)
    return shape_of(first, str(path), others)


def shape_of(header: Header, path: str, others: Sequence[Header] = ()) -> ModelShape:
    """The shape of the model that ``header`` describes, the ``others`` being those of its further files;
    ``GGUF_BROKEN`` when it lacks what every model has.
    """
    architecture = _text(header, "general.architecture")
    tensors = [tensor for part in (header, *others) for tensor in part.tensors]
    if not architecture or not tensors:
        reason = "it names no kind of model" if not architecture else "it has no weights"
        raise UserError(ErrorCode.GGUF_BROKEN, path=path, reason=reason)
    by_type: dict[str, int] = {}
    for tensor in tensors:
        by_type[tensor.type.name] = by_type.get(tensor.type.name, 0) + tensor.size_bytes
    return ModelShape(
        name=printable(_text(header, "general.name")),
        architecture=printable(architecture),
        parameters=sum(tensor.elements for tensor in tensors),
        quantization=max(by_type, key=lambda name: by_type[name]),
        trained_context=_number(header, f"{architecture}.context_length"),
        layers=_number(header, f"{architecture}.block_count"),
        vocabulary=header.arrays.get(TOKENS_KEY, 0),
        size_bytes=sum(part.size_bytes for part in (header, *others)),
        has_chat_template=bool(_text(header, "tokenizer.chat_template")),
        speaks_harmony=header.control_like >= HARMONY_TOKENS,
        files=1 + len(others),
    )


def _text(header: Header, key: str) -> str:
    value = header.metadata.get(key)
    return value if isinstance(value, str) else ""


def _number(header: Header, key: str) -> int:
    value = header.metadata.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
