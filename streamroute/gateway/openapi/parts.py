"""Words that the schemas are written with. Each gives a JSON Schema (draft 2020-12) as a plain dictionary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = (
    "BOOLEAN",
    "COUNT",
    "INTEGER",
    "NUMBER",
    "STRING",
    "Schema",
    "array",
    "either",
    "enum",
    "json",
    "nullable",
    "of",
    "record",
    "ref",
    "said",
)

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
BOOLEAN: Schema = {"type": "boolean"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}


def ref(name: str) -> Schema:
    """The schema of that name among the document's components."""
    return {"$ref": f"#/components/schemas/{name}"}


def of(schema: Schema, text: str, **more: Any) -> Schema:
    """`schema` with a description."""
    return {**schema, "description": text, **more}


def array(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def either(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def nullable(schema: Schema) -> Schema:
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema:
        return {**schema, "type": [kind, "null"]}
    return either(schema, {"type": "null"})


def enum(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def record(properties: Mapping[str, Schema], *, optional: Sequence[str] = (), text: str = "") -> Schema:
    """An object with these properties, all of them there but the `optional` ones. There may be others."""
    required = [name for name in properties if name not in optional]
    schema: Schema = {"type": "object", "properties": dict(properties), "required": required}
    return of(schema, text) if text else schema


def json(schema: Schema) -> Schema:
    """Content of a body."""
    return {"application/json": {"schema": schema}}


def said(text: str, content: Schema | None = None, headers: Schema | None = None) -> Schema:
    """A response."""
    response: Schema = {"description": text}
    if content is not None:
        response["content"] = content
    if headers is not None:
        response["headers"] = headers
    return response
