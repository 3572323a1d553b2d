"""Chat templates with the constructions that well-known families use, each in a few lines written for these tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.support.vocabulary import ByteVocabulary


@dataclass(frozen=True)
class Style:
    """A template and the names its vocabulary has for it."""

    name: str
    source: str
    controls: tuple[str, ...]
    begin: str = ""
    end: str = ""
    user_defined: tuple[str, ...] = ()
    adds_begin: bool = False
    swallowing: tuple[str, ...] = ()


HEADERS = Style(
    name="headers, trimmed contents and a date, as Llama 3",
    source="""{{- bos_token }}
{%- set first = messages[0] %}
{{- "<|head|>system<|/head|>\n\nToday: " + strftime_now("%d %b %Y") + "\n" }}
{%- if first['role'] == 'system' %}
    {{- first['content'] | trim }}
    {%- set messages = messages[1:] %}
{%- endif %}
{{- "<|eot|>" }}
{%- for message in messages %}
    {%- if 'tool_calls' in message %}
        {%- if message.tool_calls | length > 1 %}{{ raise_exception("One call at a time!") }}{% endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- "<|head|>assistant<|/head|>\n\n" }}
        {{- '{"name": "' + call.name + '", "parameters": ' + call.arguments | tojson + "}<|eot|>" }}
    {%- elif message.content is mapping or (message.content is iterable and message.content is not string) %}
        {{- raise_exception("Text alone!") }}
    {%- else %}
        {{- '<|head|>' + message['role'] + '<|/head|>\n\n' + message['content'] | trim + '<|eot|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|head|>assistant<|/head|>\n\n' }}{% endif %}
""",
    controls=("<|bot|>", "<|head|>", "<|/head|>", "<|eot|>"),
    begin="<|bot|>",
    end="<|eot|>",
    adds_begin=True,
)

THINKING = Style(
    name="reasoning behind the last question, splits and tools, as Qwen 3",
    source="""{%- set ns = namespace(last=-1) %}
{%- for message in messages[::-1] %}
    {%- if ns.last < 0 and message.role == 'user' and not message.content.startswith('<tool_response>') %}
        {%- set ns.last = messages | length - loop.index %}
    {%- endif %}
{%- endfor %}
{%- if tools %}
    {{- '<|im_start|>system\n' }}
    {%- if messages[0].role == 'system' %}{{ messages[0].content + '\n' }}{% endif %}
    {%- for tool in tools %}{{ tool | tojson }}{{ '\n' }}{% endfor %}
    {{- '<|im_end|>\n' }}
{%- elif messages[0].role == 'system' %}
    {{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}
{%- endif %}
{%- for message in messages if message.role != 'system' %}
    {%- set content = message.content %}
    {%- set thought = message.reasoning_content or '' %}
    {%- if '</think>' in content %}
        {%- set thought = content.split('</think>')[0].split('<think>')[-1] %}
        {%- set content = content.split('</think>')[-1].lstrip('\n') %}
    {%- endif %}
    {{- '<|im_start|>' + ('user' if message.role == 'tool' else message.role) + '\n' }}
    {%- if message.role == 'tool' %}
        {{- '<tool_response>\n' + content + '\n</tool_response>' }}
    {%- elif message.role == 'assistant' and thought and loop.index0 > ns.last - (messages[0].role == 'system') %}
        {{- '<think>\n' + thought.strip('\n') + '\n</think>\n\n' + content.lstrip('\n') }}
    {%- else %}
        {{- content }}
    {%- endif %}
    {%- for call in message.tool_calls or [] %}
        {{- '<tool_call>{"name": "' + call.function.name + '", "arguments": ' }}
        {{- call.function.arguments if call.function.arguments is string else call.function.arguments | tojson }}
        {{- '}</tool_call>' }}
    {%- endfor %}
    {{- '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is defined and not enable_thinking %}{{ '<think>\n\n</think>\n\n' }}{% endif %}
{%- endif %}
""",
    controls=("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    end="<|im_end|>",
    user_defined=("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"),
)

BRACKETS = Style(
    name="strict turns, the system message in the last question and ids of nine letters, as Mistral",
    source="""{%- set system = messages[0]["content"] if messages[0]["role"] == "system" else none %}
{%- set turns = messages[1:] if system is not none else messages %}
{%- set questions = turns | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace(index=0) %}
{%- for message in turns if message.role != "tool" and message.tool_calls is not defined %}
    {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
        {{- raise_exception("Roles must alternate user/assistant!") }}
    {%- endif %}
    {%- set ns.index = ns.index + 1 %}
{%- endfor %}
{{- bos_token }}
{%- for message in turns %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and message == questions[-1] %}
            {{- "[TOOLS] " + (tools | tojson) + "[/TOOLS]" }}
        {%- endif %}
        {{- "[INST] " }}
        {%- if loop.last and system is not none %}{{ system + "\n\n" }}{% endif %}
        {{- message["content"] + "[/INST]" }}
    {%- elif message.tool_calls is defined %}
        {{- "[CALLS] [" }}
        {%- for call in message.tool_calls %}
            {%- if call.id | length != 9 %}{{ raise_exception("Ids have length 9!") }}{% endif %}
            {{- (call.function | tojson)[:-1] + ', "id": "' + call.id + '"}' }}
            {{- ", " if not loop.last else "]" + eos_token }}
        {%- endfor %}
    {%- elif message["role"] == "tool" %}
        {{- '[RESULTS] {"content": ' + message.content | string + ', "id": "' + message.tool_call_id + '"}[/RESULTS]' }}
    {%- else %}
        {{- " " + message["content"] | trim + eos_token }}
    {%- endif %}
{%- endfor %}
""",
    controls=("<s>", "</s>", "[INST]", "[/INST]", "[CALLS]", "[TOOLS]", "[/TOOLS]", "[RESULTS]", "[/RESULTS]"),
    begin="<s>",
    end="</s>",
    adds_begin=True,
)

NO_SYSTEM = Style(
    name="no system message and a role of another name, as Gemma",
    source=(
        "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('No system role!') }}{% endif %}"
        "{% for message in messages %}{% set role = 'model' if message.role == 'assistant' else message.role %}"
        "{% if (role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate!') }}{% endif %}"
        "{{ '<start_of_turn>' + role + '\n' + message.content | trim + '<end_of_turn>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
    ),
    controls=("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"),
    begin="<bos>",
    end="<end_of_turn>",
    user_defined=("\n\n", "   ", "<b>"),
    adds_begin=True,
)

OPENED_THINKING = Style(
    name="reasoning opened by the prompt and wide bars, as DeepSeek",
    source="""{%- set ns = namespace(system='') %}
{%- for message in messages if message.role == 'system' %}{% set ns.system = ns.system + message.content %}{% endfor %}
{{- bos_token + ns.system }}
{%- for message in messages %}
    {%- if message.role == 'user' %}{{ '<｜User｜>' + message.content }}{% endif %}
    {%- if message.role == 'assistant' and message.content is not none %}
        {{- '<｜Assistant｜>' + message.content.split('</think>')[-1] + '<｜end▁of▁sentence｜>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<｜Assistant｜><think>\n' }}{% endif %}
""",
    controls=("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"),
    begin="<｜begin▁of▁sentence｜>",
    end="<｜end▁of▁sentence｜>",
    user_defined=("<think>", "</think>"),
    adds_begin=True,
)

SWALLOWING = Style(
    name="tokens that swallow space, as Phi 3",
    source=(
        "{% for message in messages %}{{'<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n'}}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
    ),
    controls=("<s>", "<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
    begin="<s>",
    end="<|endoftext|>",
    adds_begin=True,
    swallowing=("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
)

DEFAULT_SYSTEM = Style(
    name="a system message of its own and loop controls, as SmolLM",
    source="""{% for message in messages %}
    {% if loop.first and message.role != 'system' %}
<|im_start|>system
Be kind.<|im_end|>
    {% endif %}
    {% if message.content == '' %}{% continue %}{% endif %}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}
{% if add_generation_prompt %}
<|im_start|>assistant
{% endif %}
""",
    controls=("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    end="<|im_end|>",
)

CHANNELS = Style(
    name="channels, macros, effort and generation blocks, as gpt-oss",
    source="""{%- macro signature(tool) -%}
    {{- "type " + tool.function.name + " = (_: {" }}
    {%- for name, spec in tool.function.parameters.properties.items() %}
        {{- name + ("" if name in (tool.function.parameters.required or []) else "?") + ": " }}
        {%- set type = "number" if spec.type == "integer" else spec.type %}
        {{- '"' + spec.enum | join('" | "') + '"' if spec.enum else type }}
        {%- if spec.description %}{{ " // " + spec.description }}{% endif %}
        {{- ",\n" }}
    {%- endfor %}
    {{- "}) => any;" }}
{%- endmacro -%}
{{- "<|start|>system<|message|>Date: " + strftime_now("%Y-%m-%d") + "\nReasoning: " + reasoning_effort + "<|end|>" }}
{%- if messages[0].role == "system" %}
    {{- "<|start|>developer<|message|>" + messages[0].content }}
    {%- for tool in tools or [] %}{{ "\n\n" + signature(tool) }}{% endfor %}
    {{- "<|end|>" }}
    {%- set messages = messages[1:] %}
{%- endif %}
{%- for message in messages -%}
    {%- if message.role == "assistant" -%}
        {%- if message.thinking and loop.last %}
            {{- "<|start|>assistant<|channel|>analysis<|message|>" + message.thinking + "<|end|>" }}
        {%- endif %}
        {%- generation %}
            {{- "<|start|>assistant<|channel|>final<|message|>" + message.content + "<|end|>" }}
        {%- endgeneration %}
    {%- else -%}
        {{- "<|start|>" + message.role + "<|message|>" + message.content + "<|end|>" }}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<|start|>assistant{%- endif -%}
""",
    controls=("<|start|>", "<|message|>", "<|channel|>", "<|end|>", "<|return|>"),
    end="<|return|>",
)

IN_PARTS = Style(
    name="contents in parts alone",
    source=(
        "{% for message in messages %}<|im_start|>{{ message.role }}\n"
        "{% for part in message.content %}{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}"
        "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    controls=("<|im_start|>", "<|im_end|>"),
    end="<|im_end|>",
)

INDEXED_PARTS = Style(
    name="the first part alone",
    source=(
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'][0]['text'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    controls=("<|im_start|>", "<|im_end|>"),
    end="<|im_end|>",
)

FOLDED_SYSTEM = Style(
    name="a system message inside the first question, as Llama 2",
    source="""{% set system = messages[0]['content'] if messages[0]['role'] == 'system' else '' %}
{% for message in messages if message['role'] != 'system' %}
    {% set content = message['content'] %}
    {% if loop.first and system %}{% set content = '<<SYS>>\n' + system + '\n<</SYS>>\n\n' + content %}{% endif %}
    {% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}
    {%- else %}{{ ' ' + content.strip() + ' ' + eos_token }}{%- endif %}
{% endfor %}
""",
    controls=("<s>", "</s>"),
    begin="<s>",
    end="</s>",
    adds_begin=True,
)

PLAIN = Style(
    name="words alone, as Vicuna",
    source=(
        "{% for m in messages %}{% if m.role == 'user' %}USER: {{ m.content }} "
        "{% elif m.role == 'assistant' %}ASSISTANT: {{ m.content }}{{ eos_token }}"
        "{% else %}{{ m.content }} {% endif %}{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
    ),
    controls=("<s>", "</s>"),
    begin="<s>",
    end="</s>",
    adds_begin=True,
)

STYLES = (
    *(HEADERS, THINKING, BRACKETS, NO_SYSTEM, OPENED_THINKING, SWALLOWING, DEFAULT_SYSTEM, CHANNELS, IN_PARTS),
    *(INDEXED_PARTS, FOLDED_SYSTEM, PLAIN),
)


class TemplateBytes(ByteVocabulary):
    """A vocabulary of bytes and a style's special tokens, with what a chat template asks of a model."""

    def __init__(self, style: Style, *, sentencepiece: bool = False) -> None:
        super().__init__((*style.controls, *style.user_defined))
        self.name = style.name
        self.chat_template = style.source
        self._style = style
        self._sentencepiece = sentencepiece
        self.end_token = self.id_of(style.end) if style.end else None
        self.begin_token = self.id_of(style.begin) if style.begin else None
        self.first_token = self.begin_token if style.adds_begin else None

    def is_control(self, token_id: int) -> bool:
        return self.special_tokens.get(token_id) in self._style.controls

    def ends_generation(self, token: int) -> bool:
        return token == self.end_token

    def swallows_space(self, token_id: int) -> bool:
        return self.special_tokens.get(token_id) in self._style.swallowing

    def tokenize(self, text: str) -> list[int]:
        return super().tokenize(f" {text}" if self._sentencepiece and text else text)

    def piece(self, token_id: int) -> bytes:
        return self.special_tokens[token_id].encode() if token_id in self.special_tokens else bytes([token_id])

    def control_names(self, ids: Iterable[int]) -> list[str]:
        """The names of the special tokens among the ids."""
        return [self.special_tokens[i] for i in ids if i in self.special_tokens]
