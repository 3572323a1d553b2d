"""The corners of the TypeScript spelling that golden prompts do not reach."""

from typing import Any

import pytest

from app.domain.conversation import Tool
from app.harmony.typescript import tools_section, type_of


@pytest.mark.parametrize(
    ("schema", "spelled"),
    [
        (None, "any"),
        ("string", "any"),
        (["string"], "any"),
        ({}, "any"),
        ({"type": 3}, "any"),
        ({"type": []}, "any"),
        ({"type": [3]}, "any"),
        ({"type": ["integer", 3, "array"]}, "number | array"),
        ({"type": "array", "items": None}, "any[]"),
        ({"type": "string", "enum": [1, None]}, "string"),
        ({"type": "string", "enum": "ab"}, "string"),
        ({"type": "object", "properties": []}, "{\n}"),
        ({"type": "object", "properties": {"a": None}, "required": "a"}, "{\na?: any,\n}"),
        ({"type": "object", "properties": {"a": True}, "required": ["a", 1]}, "{\na: any,\n}"),
        ({"oneOf": []}, ""),
        ({"oneOf": {}, "type": "string"}, "string"),
        ({"oneOf": [True, {"nullable": "yes"}]}, "\n | any\n | any"),
        ({"type": "object", "properties": {"a": {"oneOf": [True]}}}, "{\na?:\n | any\n,\n}"),
    ],
)
def test_whatever_stands_in_a_schema_has_a_spelling(schema: Any, spelled: str) -> None:
    assert type_of(schema) == spelled


@pytest.mark.parametrize(
    ("description", "comment"),
    [("", ""), ("\n", "// \n"), ("a\r\nb\n", "// a\n// b\n"), ("a\n\nb\r", "// a\n// \n// b\r\n")],
)
def test_descriptions_are_comments_line_by_line(description: str, comment: str) -> None:
    assert f"{{\n\n{comment}type f = () => any;\n\n}}" in tools_section([Tool("f", description)])
