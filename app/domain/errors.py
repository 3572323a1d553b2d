"""Errors a user can meet: one code each, one table of sentences.

``UserError`` is raised where the trouble is found; the command line prints its sentences, the interface translates
them. Anything else that is raised is a bug.
"""

from dataclasses import dataclass
from enum import StrEnum

from app.domain.printable import printable


class ErrorCode(StrEnum):
    """Stable names of known errors; they appear in ``--json`` output and in logs."""

    # files and input
    FILE_NOT_FOUND = "file-not-found"
    FILE_UNREADABLE = "file-unreadable"
    FILE_EMPTY = "file-empty"
    NOT_A_FILE = "not-a-file"
    NOT_A_GGUF = "not-a-gguf"
    GGUF_TRUNCATED = "gguf-truncated"
    GGUF_BROKEN = "gguf-broken"
    GGUF_UNSUPPORTED = "gguf-unsupported"
    MODEL_PART_MISSING = "model-part-missing"
    MODEL_PART_RENAMED = "model-part-renamed"
    NOT_THE_FIRST_PART = "not-the-first-part"
    UNKNOWN_ARCHITECTURE = "unknown-architecture"
    NO_CHAT_TEMPLATE = "no-chat-template"
    CHAT_TEMPLATE_FAILED = "chat-template-failed"
    ADAPTER_UNFIT = "adapter-unfit"
    EMPTY_PROMPT = "empty-prompt"
    PROMPT_TOO_LONG = "prompt-too-long"
    MESSAGE_TOO_LONG = "message-too-long"
    PINNED_TOO_LONG = "pinned-too-long"
    INSTRUCTIONS_TOO_LONG = "instructions-too-long"
    INVALID_JSON = "invalid-json"
    INVALID_CONVERSATION = "invalid-conversation"
    INVALID_REQUEST = "invalid-request"
    INVALID_OPTION = "invalid-option"
    OUTPUT_FAILED = "output-failed"
    # engine
    MODEL_LOAD_FAILED = "model-load-failed"
    OUT_OF_MEMORY = "out-of-memory"
    TOO_LARGE_FOR_DEVICE = "too-large-for-device"
    TOO_LARGE_FOR_MEMORY = "too-large-for-memory"
    DEVICE_MISSING = "device-missing"
    WISHES_CONFLICT = "wishes-conflict"
    LOADED_ON_PROCESSOR = "loaded-on-processor"
    LOADED_SAFER = "loaded-safer"
    DEVICE_GONE = "device-gone"
    ALWAYS_CRASHED = "always-crashed"
    MODEL_TOO_LARGE = "model-too-large"
    MEMORY_TIGHT = "memory-tight"
    NO_MODEL_LOADED = "no-model-loaded"
    STILL_ANSWERING = "still-answering"
    DECODE_FAILED = "decode-failed"
    ENGINE_DIED = "engine-died"
    ENGINE_HUNG = "engine-hung"
    ENGINE_OUT_OF_MEMORY = "engine-out-of-memory"
    ENGINE_GARBAGE = "engine-garbage"
    ENGINE_START_FAILED = "engine-start-failed"
    NO_DISPLAY = "no-display"
    BUG = "bug"
    # store
    DISK_FULL = "disk-full"
    PROFILE_UNWRITABLE = "profile-unwritable"
    STORE_NEWER = "store-newer"
    STORE_DAMAGED = "store-damaged"
    STORE_UNREADABLE = "store-unreadable"
    STORE_LOCKED = "store-locked"
    SETTING_INVALID = "setting-invalid"
    SETTING_IGNORED = "setting-ignored"
    SETTINGS_BROKEN = "settings-broken"
    LIBRARY_BROKEN = "library-broken"


@dataclass(frozen=True, slots=True)
class Sentences:
    """What happened (with what it means), and what to do next. Both are ``str.format`` templates."""

    what: str
    remedy: str


SENTENCES: dict[ErrorCode, Sentences] = {
    ErrorCode.FILE_NOT_FOUND: Sentences("There is no file {path}.", "Check the name and the folder."),
    ErrorCode.FILE_UNREADABLE: Sentences("The file {path} cannot be read ({reason}).", "Check its permissions."),
    ErrorCode.FILE_EMPTY: Sentences("The file {path} is empty.", "Download or copy it again."),
    ErrorCode.NOT_A_FILE: Sentences("{path} is {kind}, not a file.", "Choose a file."),
    ErrorCode.NOT_A_GGUF: Sentences(
        "{path} is not a GGUF model file.", "Choose a file whose name ends in .gguf, for example gpt-oss-20b."
    ),
    ErrorCode.GGUF_TRUNCATED: Sentences(
        "The model file {path} is incomplete: the end is missing.", "Download or copy it again."
    ),
    ErrorCode.GGUF_BROKEN: Sentences("The model file {path} is damaged ({reason}).", "Download or copy it again."),
    ErrorCode.GGUF_UNSUPPORTED: Sentences(
        "This version of Alcove cannot read the model file {path} ({reason}).",
        "Choose another file, or look for a newer Alcove.",
    ),
    ErrorCode.MODEL_PART_MISSING: Sentences(
        "The model comes in {count} files, and one of them is missing: {path}.",
        "Download it, or copy it into the folder of the others.",
    ),
    ErrorCode.MODEL_PART_RENAMED: Sentences(
        "{path} is part {number} of a model in {count} files, but its name does not end in {ending}.",
        "Give all its files the names back that they came with.",
    ),
    ErrorCode.NOT_THE_FIRST_PART: Sentences(
        "{path} is part {number} of a model in {count} files.", "Choose the first of them: {first}."
    ),
    ErrorCode.UNKNOWN_ARCHITECTURE: Sentences(
        "This version of Alcove cannot run models of the kind “{architecture}”.",
        "Choose a gpt-oss model, or look for a newer Alcove.",
    ),
    ErrorCode.NO_CHAT_TEMPLATE: Sentences(
        "{name} has no chat template, so Alcove does not know how to talk to it.",
        "Choose a version of the model that is made for chatting, or a gpt-oss model.",
    ),
    ErrorCode.CHAT_TEMPLATE_FAILED: Sentences(
        "The chat template of {name} cannot be used for this chat ({reason}).",
        "Try a new chat, another file of this model, or another model.",
    ),
    ErrorCode.ADAPTER_UNFIT: Sentences(
        "The adapter {path} cannot be used with {name} ({reason}).",
        "Choose a LoRA adapter that was made for this model.",
    ),
    ErrorCode.EMPTY_PROMPT: Sentences("The message is empty.", "Write something first."),
    ErrorCode.PROMPT_TOO_LONG: Sentences(
        "The conversation has {tokens} tokens, but the model's memory holds {room}.",
        "Shorten the message, start a new chat, or raise the context length in the settings.",
    ),
    ErrorCode.MESSAGE_TOO_LONG: Sentences(
        "The last message has {tokens} tokens, but the model's memory has room for {room}.",
        "Shorten the message, or raise the context length in the settings.",
    ),
    ErrorCode.PINNED_TOO_LONG: Sentences(
        "The last message has {tokens} tokens, but the first message and the pinned ones, which have {kept}, leave "
        "room for {room} in the model's memory.",
        "Shorten the message, unpin others, start a new chat, or raise the context length in the settings.",
    ),
    ErrorCode.INSTRUCTIONS_TOO_LONG: Sentences(
        "The instructions and tools have {tokens} tokens, but the model's memory holds {room}.",
        "Shorten the instructions, or raise the context length in the settings.",
    ),
    ErrorCode.INVALID_JSON: Sentences("{source} is not valid JSON ({reason}).", "Correct it and try again."),
    ErrorCode.INVALID_CONVERSATION: Sentences(
        "{source} is not an Alcove conversation: {reason}.",
        "Compare it with the format in docs/conversation-file.md.",
    ),
    ErrorCode.INVALID_REQUEST: Sentences("The request is not understood: {reason}.", "Correct it and send it again."),
    ErrorCode.INVALID_OPTION: Sentences("{reason}.", "Run the command with --help to see what it takes."),
    ErrorCode.OUTPUT_FAILED: Sentences(
        "The output cannot be written ({reason}).", "Check where it goes, and that there is space."
    ),
    ErrorCode.MODEL_LOAD_FAILED: Sentences(
        "The model {name} could not be loaded ({reason}).", "Check the file, or choose another model."
    ),
    ErrorCode.OUT_OF_MEMORY: Sentences(
        "There is not enough memory to load {name}.", "Close other programs, or lower the context length."
    ),
    ErrorCode.TOO_LARGE_FOR_DEVICE: Sentences(
        "{what} takes {needed} GB on the graphics card, which has room for {room} GB.",
        "Choose less in the settings, under Hardware, or leave it on automatic.",
    ),
    ErrorCode.TOO_LARGE_FOR_MEMORY: Sentences(
        "{what} takes {needed} GB of memory, and there is room for {room} GB.",
        "Choose less in the settings, under Hardware, or leave it on automatic.",
    ),
    ErrorCode.DEVICE_MISSING: Sentences(
        "There is no {name} here that a model can run on.",
        "Choose “Automatic” in the settings, under Hardware, Runs on.",
    ),
    ErrorCode.WISHES_CONFLICT: Sentences(
        "A chat memory of half precision works only with flash attention.",
        "Turn flash attention on in the settings, or leave both on automatic.",
    ),
    ErrorCode.LOADED_ON_PROCESSOR: Sentences(
        "Loading {name} on the graphics card failed ({reason}), so the model now runs on the processor.",
        "Answers take longer. The card is tried again when it, its driver or Alcove changes.",
    ),
    ErrorCode.LOADED_SAFER: Sentences(
        "{name} could not be loaded as planned ({reason}), so it was loaded in a more careful way.",
        "Answers may take longer, and less of a chat may be in view.",
    ),
    ErrorCode.DEVICE_GONE: Sentences(
        "{device}, which {name} ran on, is no longer there, so the model was unloaded.",
        "With the next message it is loaded again without it.",
    ),
    ErrorCode.ALWAYS_CRASHED: Sentences(
        "{name} was not loaded, because every way to load it has failed on this computer.",
        "Choose a smaller model, change the hardware settings, or press Reload to try again.",
    ),
    ErrorCode.MODEL_TOO_LARGE: Sentences("{explanation}", "Choose a smaller model."),
    ErrorCode.MEMORY_TIGHT: Sentences("{advice}", "Until then the whole computer may become slow."),
    ErrorCode.NO_MODEL_LOADED: Sentences("No model is loaded.", "Choose a model first."),
    ErrorCode.STILL_ANSWERING: Sentences(
        "The last message in this chat is still being answered.", "Wait for the end of the answer, or stop it first."
    ),
    ErrorCode.DECODE_FAILED: Sentences(
        "The model stopped working in the middle of an answer ({reason}).", "Reload the model and try again."
    ),
    ErrorCode.ENGINE_DIED: Sentences(
        "The engine that runs the model stopped unexpectedly ({reason}). Your chats are safe.",
        "With the next message the model is loaded again by itself.",
    ),
    ErrorCode.ENGINE_HUNG: Sentences(
        "The engine that runs the model did not respond, so it was ended. Your chats are safe.",
        "With the next message the model is loaded again by itself.",
    ),
    ErrorCode.ENGINE_OUT_OF_MEMORY: Sentences(
        "The computer ran out of memory, so the system ended the engine that runs the model. Your chats are safe.",
        "Close other programs, or lower the context length. With the next message the model is loaded again by itself.",
    ),
    ErrorCode.ENGINE_GARBAGE: Sentences(
        "The engine that runs the model sent something that makes no sense, so it was ended. Your chats are safe.",
        "With the next message the model is loaded again by itself.",
    ),
    ErrorCode.ENGINE_START_FAILED: Sentences(
        "The engine that runs the model could not be started ({reason}).",
        "Start Alcove again; reinstall it if this stays.",
    ),
    ErrorCode.NO_DISPLAY: Sentences(
        "There is no display to open a window on.",
        "Start Alcove on a desktop, or use it in the terminal: alcove ask, alcove chat.",
    ),
    ErrorCode.BUG: Sentences("Something went wrong inside Alcove ({reason}).", "The log has the details."),
    ErrorCode.DISK_FULL: Sentences("The disk that holds {path} is full.", "Free some space; nothing stored is lost."),
    ErrorCode.PROFILE_UNWRITABLE: Sentences(
        "Alcove cannot write to {path} ({reason}).",
        "Check the folder's permissions, or choose another profile folder.",
    ),
    ErrorCode.STORE_NEWER: Sentences(
        "The chats in {path} were written by a newer Alcove.",
        "Use that version; this one leaves them untouched.",
    ),
    ErrorCode.STORE_DAMAGED: Sentences(
        "The chat database {path} was damaged. What could be read is here (chats: {chats}, messages: {messages}).",
        "The damaged file is kept as {aside}.",
    ),
    ErrorCode.STORE_UNREADABLE: Sentences(
        "Part of the chat database {path} is damaged and cannot be read.",
        "Close Alcove and start it again: it then saves what can be read.",
    ),
    ErrorCode.STORE_LOCKED: Sentences("Another Alcove is using {path}.", "Use that window, or close it first."),
    ErrorCode.SETTING_INVALID: Sentences("The setting “{label}” cannot be {value}.", "{expected}"),
    ErrorCode.SETTING_IGNORED: Sentences(
        "The settings file says {key} = {value}, which cannot be, so {default} is used.", "{expected}"
    ),
    ErrorCode.SETTINGS_BROKEN: Sentences(
        "The settings file was not readable and was set aside as {aside}.",
        "The defaults are used; your chats are not affected.",
    ),
    ErrorCode.LIBRARY_BROKEN: Sentences(
        "The list of added models was not readable and was set aside as {aside}.",
        "Add your model files again; the files themselves are untouched.",
    ),
}


class UserError(Exception):
    """A known error with values for its sentences.

    The values are as they were found, maybe in a hostile file; the sentences show none of it that a terminal obeys.
    """

    def __init__(self, code: ErrorCode, /, **values: str | int | float) -> None:
        super().__init__(code, values)
        self.code = code
        self.values: dict[str, str] = {key: str(value) for key, value in values.items()}

    @property
    def what(self) -> str:
        """What happened and what it means, in English."""
        return self._filled(SENTENCES[self.code].what)

    @property
    def remedy(self) -> str:
        """What to do next, in English."""
        return self._filled(SENTENCES[self.code].remedy)

    def _filled(self, template: str) -> str:
        return template.format_map({key: printable(value) for key, value in self.values.items()})

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}"
