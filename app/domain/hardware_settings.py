"""The settings of the group Hardware; `app.domain.settings` has them all."""

from app.domain.setting import Applies, Choice, Group, Kind, Setting

_AUTO_ON_OFF = (Choice("auto", "Automatic"), Choice("on", "On"), Choice("off", "Off"))

DEVICE: Setting[str] = Setting(
    key="hardware.device",
    kind=Kind.CHOICE,
    default="auto",
    group=Group.HARDWARE,
    label="Runs on",
    help="Where the model computes. “Automatic” uses the graphics card for as much of the model as it holds.",
    applies=Applies.NEXT_LOAD,
    choices=(Choice("auto", "Automatic"), Choice("graphics", "Graphics card"), Choice("processor", "Processor")),
)
GPU_LAYERS: Setting[int] = Setting(
    key="hardware.gpu_layers",
    kind=Kind.INT,
    default=-1,
    group=Group.HARDWARE,
    label="Layers on the graphics card",
    help="How many of the model's layers the graphics card takes; more of them make answers faster.",
    applies=Applies.NEXT_LOAD,
    minimum=0,
    maximum=1000,
    special=-1,
    special_label="automatic",
)
CPU_EXPERTS: Setting[int] = Setting(
    key="hardware.cpu_experts",
    kind=Kind.INT,
    default=-1,
    group=Group.HARDWARE,
    label="Layers with experts on the processor",
    help="For how many layers the experts, most of a gpt-oss model, stay in main memory: that suits small cards.",
    applies=Applies.NEXT_LOAD,
    minimum=0,
    maximum=1000,
    special=-1,
    special_label="automatic",
)
THREADS: Setting[int] = Setting(
    key="hardware.threads",
    kind=Kind.INT,
    default=0,
    group=Group.HARDWARE,
    label="Processor threads",
    help="How many of the processor's cores work on an answer at the same time.",
    applies=Applies.NEXT_LOAD,
    minimum=0,
    maximum=256,
    special=0,
    special_label="automatic",
)
CACHE_TYPE: Setting[str] = Setting(
    key="hardware.cache_type",
    kind=Kind.CHOICE,
    default="auto",
    group=Group.HARDWARE,
    label="Precision of the chat memory",
    help="“Half” takes half the memory for the same context, at a small cost in quality.",
    applies=Applies.NEXT_LOAD,
    choices=(Choice("auto", "Automatic"), Choice("f16", "Full"), Choice("q8_0", "Half")),
)
FLASH_ATTENTION: Setting[str] = Setting(
    key="hardware.flash_attention",
    kind=Kind.CHOICE,
    default="auto",
    group=Group.HARDWARE,
    label="Flash attention",
    help="A faster way to compute with less memory. Turn it off only if a graphics driver has trouble with it.",
    applies=Applies.NEXT_LOAD,
    choices=_AUTO_ON_OFF,
)
MEMORY_MAPPING: Setting[str] = Setting(
    key="hardware.memory_mapping",
    kind=Kind.CHOICE,
    default="auto",
    group=Group.HARDWARE,
    label="Use the model file in place",
    help="Uses the file's pages as they are instead of copying them, so that other programs can have the memory back.",
    applies=Applies.NEXT_LOAD,
    choices=_AUTO_ON_OFF,
)
REPACKING: Setting[str] = Setting(
    key="hardware.repacking",
    kind=Kind.CHOICE,
    default="auto",
    group=Group.HARDWARE,
    label="Rearrange weights for the processor",
    help="Reads prompts faster. Together with “Use the model file in place” the model takes its memory twice.",
    applies=Applies.NEXT_LOAD,
    choices=_AUTO_ON_OFF,
)
MEMORY_LOCK: Setting[bool] = Setting(
    key="hardware.memory_lock",
    kind=Kind.BOOL,
    default=False,
    group=Group.HARDWARE,
    label="Keep the model in memory",
    help="Forbids the system to move the model to the disk while other programs want memory.",
    applies=Applies.NEXT_LOAD,
)
IDLE_UNLOAD: Setting[int] = Setting(
    key="hardware.idle_unload",
    kind=Kind.INT,
    default=30,
    group=Group.HARDWARE,
    label="Free the memory after",
    help="Unloads the model when it was not used for this long. The next message loads it again.",
    minimum=0,
    maximum=1440,
    step=5,
    special=0,
    special_label="never",
    unit="minutes",
)
PREPARE_NEXT_TURN: Setting[str] = Setting(
    key="hardware.prepare_next_turn",
    kind=Kind.CHOICE,
    default="on_mains",
    group=Group.HARDWARE,
    label="Prepare for the next message",
    help="While you read an answer, the model gets ready for your reply, so that it starts sooner. Takes some power.",
    applies=Applies.NEXT_MESSAGE,
    choices=(Choice("always", "Always"), Choice("on_mains", "When plugged in"), Choice("never", "Never")),
)
SNAPSHOT_SPACE: Setting[int] = Setting(
    key="hardware.snapshot_space",
    kind=Kind.INT,
    default=2,
    group=Group.HARDWARE,
    label="Disk space for remembered chats",
    help="What the model knows of long chats is kept on the disk, so that going back to one takes no time.",
    applies=Applies.NEXT_LOAD,
    minimum=0,
    maximum=500,
    special=0,
    special_label="off",
    unit="GB",
)
