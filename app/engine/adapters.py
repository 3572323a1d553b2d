"""Whether a file is a LoRA adapter for a model, told before llama.cpp sees it: some other files end its process."""

from pathlib import Path

from app.domain.errors import ErrorCode, UserError
from app.gguf.header import Header, read_header_file


def check_adapter(path: Path, architecture: str, name: str) -> None:
    """Raises UserError when ``path`` is no adapter for models of ``architecture``; ``name`` is the model's."""
    if "\0" in str(path):
        raise UserError(ErrorCode.FILE_NOT_FOUND, path=str(path))
    if reason := _objection(read_header_file(path), architecture):
        raise adapter_unfit(path, name, reason)


def adapter_unfit(path: Path, name: str, reason: str) -> UserError:
    """The error for an adapter that cannot be used with the model ``name``."""
    return UserError(ErrorCode.ADAPTER_UNFIT, path=str(path), name=name, reason=reason)


def _objection(header: Header, architecture: str) -> str:
    values = header.metadata
    if values.get("general.type") != "adapter":
        return "it is a model, not an adapter"
    if values.get("adapter.type") != "lora":
        return "it is an adapter of another kind than LoRA"
    if values.get("general.architecture") != architecture:
        return f"it is made for models of the kind “{values.get('general.architecture', '')}”"
    if not isinstance(values.get("adapter.lora.alpha"), float):
        return "it does not say how strong it is"
    if "adapter.alora.invocation_tokens" in header.arrays:
        return "it is meant to be switched on in the middle of a chat, which Alcove cannot do"
    return "" if header.tensors else "it is empty"
