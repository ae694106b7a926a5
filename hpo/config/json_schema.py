"""JSON schema of a study file, for editors and for the tables of its keys."""

from collections.abc import Mapping
from typing import Any

from hpo.config.schema import StudyConfig

Schema = dict[str, Any]
_TYPES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false", "null": "null"}
_BOUNDS = {"exclusiveMinimum": "gt", "minimum": "ge", "exclusiveMaximum": "lt", "maximum": "le"}
_OPERATORS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def study_file_schema() -> Schema:
    """Return the JSON schema of a study file, without references, with a description of every key.

    The name is optional, unlike in StudyConfig: `read_config` uses the file's name where it is left out.
    """
    schema = StudyConfig.model_json_schema()
    resolved: Schema = _resolved(schema, schema.pop("$defs"))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Study file",
        **resolved,
        "required": [key for key in schema["required"] if key != "name"],
    }


def describe_values(schema: Schema) -> str:
    """Return in words the values that a schema accepts: "whole number from 1 to 3072", "constant or cosine"."""
    if "enum" in schema or "const" in schema:
        return _alternatives([str(value) for value in schema.get("enum", [schema.get("const")])])
    if alternatives := schema.get("anyOf", schema.get("oneOf")):
        return _alternatives([describe_values(alternative) for alternative in alternatives])
    if schema["type"] == "array":
        return f"list of {_span(schema.get('minItems', 0), schema['maxItems'])}: {describe_values(schema['items'])}"
    if schema.get("format") == "path":
        return "path"
    bounds = describe_bounds({_BOUNDS[key]: schema[key] for key in schema.keys() & _BOUNDS.keys()})
    return f"{_TYPES[schema['type']]} {bounds}".rstrip()


def describe_bounds(bounds: Mapping[str, float]) -> str:
    """Return bounds `gt`, `ge`, `lt` and `le` in words: "from 1 to 3072", "> 0 and < 1"; no bounds: empty text."""
    if bounds.keys() == {"ge", "le"}:
        return f"from {bounds['ge']} to {bounds['le']}"
    return " and ".join(f"{operator} {bounds[key]}" for key, operator in _OPERATORS.items() if key in bounds)


def _alternatives(values: list[str]) -> str:
    return " or ".join(part for part in (", ".join(values[:-1]), values[-1]) if part)


def _span(least: int, most: int) -> str:
    return f"{least}" if least == most else f"{least} to {most}"


def _resolved(node: Any, definitions: Schema) -> Any:
    """Return a schema with its references replaced, descriptions cut to a paragraph, and pydantic's titles removed."""
    if isinstance(node, list):
        return [_resolved(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        node = definitions[node["$ref"].rpartition("/")[2]] | {key: node[key] for key in node if key != "$ref"}
    resolved = {key: _resolved(value, definitions) for key, value in node.items()}
    if isinstance(resolved.get("title"), str):
        del resolved["title"]
    if isinstance(resolved.get("description"), str):
        resolved["description"] = resolved["description"].partition("\n\n")[0].replace("\n", " ")
    return resolved
