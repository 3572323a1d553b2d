"""Tools as a TypeScript namespace, spelled as OpenAI's harmony library spells them.

gpt-oss was trained on this spelling, so its oddities (a closing brace that stands further in than its opening, a
default behind the comma, ``anyOf`` that is not looked into) are kept.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

from app.domain.conversation import Tool

_Object = Mapping[str, object]


def tools_section(tools: Iterable[Tool], namespace: str = "functions") -> str:
    """The ``# Tools`` section of a developer message; ValueError when a tool's parameters are not JSON."""
    lines = [f"## {namespace}\n", f"namespace {namespace} {{\n"]
    for tool in tools:
        lines.extend(f"// {line}" for line in _lines(tool.description))
        parameters = f"_: {type_of(json.loads(tool.parameters))}" if tool.parameters else ""
        lines.append(f"type {tool.name} = ({parameters}) => any;\n")
    lines.append(f"}} // namespace {namespace}")
    return "# Tools\n\n" + "\n".join(lines)


def type_of(schema: object, indent: str = "") -> str:
    """The TypeScript type of a JSON Schema; what is not understood is ``any``."""
    if not isinstance(schema, Mapping):
        return "any"
    fields = cast(_Object, schema)
    variants = _array(fields.get("oneOf"))
    if variants is not None:
        return "".join(_variant(variant, indent) for variant in variants)
    kind = fields.get("type")
    if names := [name for name in _array(kind) or () if isinstance(name, str)]:
        return " | ".join("number" if name == "integer" else name for name in names)
    match kind:
        case "object":
            return _object_type(fields, indent)
        case "string":
            values = [f'"{value}"' for value in _array(fields.get("enum")) or () if isinstance(value, str)]
            return " | ".join(values) or "string"
        case "number" | "integer":
            return "number"
        case "boolean":
            return "boolean"
        case "array":
            return f"{type_of(fields['items'], indent)}[]" if "items" in fields else "Array<any>"
        case _:
            return "any"


def _variant(schema: object, indent: str) -> str:
    """One line of a ``oneOf`` that stands alone, in a tool's parameters or an array's items."""
    fields = _fields(schema)
    notes = [description] if isinstance(description := fields.get("description"), str) else []
    if "default" in fields:
        default = fields["default"]
        quoted = isinstance(default, str) and not _array(fields.get("enum"))
        notes.append(f'default: "{default}"' if quoted else f"default: {_compact(default)}")
    comment = f" // {' '.join(notes)}" if notes else ""
    return f"\n{indent} | {_nullable_type(schema, f'{indent}   ')}{comment}"


def _object_type(fields: _Object, indent: str) -> str:
    comment = f"{indent}// {description}\n" if isinstance(description := fields.get("description"), str) else ""
    properties = _fields(fields.get("properties"))
    required = [name for name in _array(fields.get("required")) or () if isinstance(name, str)]
    body = "".join(
        "".join(_property(f"{name}{'' if name in required else '?'}", schema, indent))
        for name, schema in properties.items()
    )
    return f"{comment}{{\n{body}{indent}}}"


def _property(name: str, schema: object, indent: str) -> Iterator[str]:
    """The lines of one property: its comments, then its name and type."""
    fields = _fields(schema)
    description = fields.get("description")
    if isinstance(title := fields.get("title"), str):
        yield f"{indent}// {title}\n{indent}//\n"
    if isinstance(description, str) and "oneOf" not in fields:
        yield f"{indent}// {description}\n"
    if examples := _array(fields.get("examples")):
        yield f"{indent}// Examples:\n"
        yield from (f'{indent}// - "{example}"\n' for example in examples if isinstance(example, str))
    variants = _array(fields.get("oneOf"))
    if variants is not None:
        yield from _variants_property(name, fields, variants, indent)
        return
    yield f"{indent}{name}: {_nullable_type(schema, f'{indent}    ')},"
    if "default" in fields and "oneOf" not in fields:
        yield f" // {_default(fields)}"
    yield "\n"


def _variants_property(name: str, fields: _Object, variants: Sequence[object], indent: str) -> Iterator[str]:
    """A property that takes one of several types, each on a line of its own."""
    description = fields.get("description")
    first = _fields(variants[0]).get("description") if variants else None
    # A description that the first type repeats is told once, with that type.
    above = isinstance(description, str) and description != first
    if above:
        yield f"{indent}// {description}\n"
    if "default" in fields:
        yield f"{indent}// {_default(fields)}\n"
    yield f"{indent}{name}:\n"
    for index, variant in enumerate(variants):
        of_variant = _fields(variant)
        own = of_variant.get("description")
        notes = [own] if isinstance(own, str) and own != description and not (index == 0 and above) else []
        if "default" in of_variant:
            notes.append(_default(of_variant))
        comment = f" // {' '.join(notes)}" if notes else ""
        yield f"{indent} | {_nullable_type(variant, f'{indent}   ')}{comment}\n"
    yield f"{indent},\n"


def _nullable_type(schema: object, indent: str) -> str:
    spelled = type_of(schema, indent)
    nullable = _fields(schema).get("nullable") is True and "null" not in spelled
    return f"{spelled} | null" if nullable else spelled


def _default(fields: _Object) -> str:
    default = fields["default"]
    if isinstance(default, str):
        return f"default: {default}" if _array(fields.get("enum")) else f'default: "{default}"'
    return f"default: {_compact(default)}"


def _fields(value: object) -> _Object:
    return cast(_Object, value) if isinstance(value, Mapping) else {}


def _array(value: object) -> Sequence[object] | None:
    return cast(Sequence[object], value) if isinstance(value, list) else None


def _lines(text: str) -> list[str]:
    """The lines as Rust counts them: a last line break begins no further line."""
    *ended, last = text.split("\n")
    lines = [line.removesuffix("\r") for line in ended]
    return [*lines, last] if last else lines


def _compact(value: object) -> str:
    """A JSON value without spaces, numbers as Rust's serde_json writes them."""
    if isinstance(value, dict):
        pairs = cast(dict[str, object], value).items()
        return "{" + ",".join(f"{_compact(key)}:{_compact(item)}" for key, item in pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_compact(item) for item in cast(list[object], value)) + "]"
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        value = float(value)
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    mantissa, _, exponent = repr(value).partition("e")
    if not exponent:
        return mantissa
    if exponent == "-05":
        sign, digits = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
        return f"{sign}0.0000{digits.replace('.', '')}"
    return f"{mantissa}e{int(exponent)}"
