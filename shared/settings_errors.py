"""What pydantic finds in settings, in the user's terms: where, what was found, what is expected, the nearest name."""

import difflib
import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from shared.settings_document import Document, Place, dotted

Schema = dict[str, Any]  # one node of a JSON schema

_PLAIN_TYPES = {"integer": "an integer", "number": "a number", "boolean": "true or false", "null": "null"}
_BOUNDS = {
    "minimum": ">=",
    "exclusiveMinimum": ">",
    "maximum": "<=",
    "exclusiveMaximum": "<",
    "multipleOf": "a multiple of",
}


def unknown_key(place: Place, valid: Iterable[str]) -> str:
    """Returns the sentence about a key that does not exist, with its nearest valid neighbour."""
    valid = list(valid)
    return f"unknown key '{dotted(place)}'.{did_you_mean(place[-1], valid)} Valid keys: {', '.join(valid) or 'none'}."


def did_you_mean(given: object, valid: Iterable[object]) -> str:
    """Returns " Did you mean 'x'?" with the nearest of the valid names, or "" when none is near."""
    names = {str(name).lower(): str(name) for name in valid}
    near = difflib.get_close_matches(str(given).lower(), names, n=1)
    return f" Did you mean '{names[near[0]]}'?" if near else ""


def found(place: Place, value: Any) -> str:
    """Returns "key = value", cut to a readable length, for the beginning of a message."""
    name = dotted(place) or "the content"
    if value is None:
        return f"{name} is empty"
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{name} = {text if len(text) <= 60 else text[:57] + '...'}"


def add_problems(error: ValidationError, model: type[BaseModel], document: Document, prefix: Place) -> None:
    """Adds every error of `model` to the document's problems; `prefix` is the place of the validated block."""
    explain = _Explanation(model, document, prefix)
    for details in error.errors(include_url=False):
        explain.add(details)


class _Explanation:
    """Finds for each error its place in the file and its node of the model's JSON schema, and words the message."""

    def __init__(self, model: type[BaseModel], document: Document, prefix: Place) -> None:
        self.root = model.model_json_schema()
        self.document = document
        self.prefix = prefix
        self.block = document.value
        for part in prefix:
            self.block = self.block[part]
        self.seen: set[Place] = set()

    def add(self, details: ErrorDetails) -> None:
        kind, context = details["type"], details.get("ctx", {})
        absent = kind == "missing" and isinstance(details["loc"][-1], str)
        place, value = self._locate(details["loc"][:-1] if absent else details["loc"])
        if absent:
            self._missing((*place, str(details["loc"][-1])))
        elif kind == "extra_forbidden":
            schemas, _ = self._schemas(place[:-1])
            valid = dict.fromkeys(name for schema in schemas for name in schema.get("properties", ()))
            self.document.add(self.prefix + place, unknown_key(self.prefix + place, valid))
        elif kind == "union_tag_not_found":
            self._missing((*place, context["discriminator"].strip("'")))
        elif kind == "union_tag_invalid":
            tag = context["discriminator"].strip("'")
            self._unexpected((*place, tag), value[tag], kind, details["msg"])
        elif kind in ("value_error", "assertion_error"):
            where = self.prefix + place
            name = (dotted(where) or "the content") if isinstance(value, dict) else found(where, value)
            self.document.add(where, f"{name}: {str(context['error']).rstrip('.')}.")
        else:
            self._unexpected(place, value, kind, details["msg"])

    def _missing(self, place: Place) -> None:
        schemas, description = self._schemas(place)
        examples = [example for schema in schemas for example in schema.get("examples", ())]
        example = f", e.g. {json.dumps(examples[0], ensure_ascii=False)}" if examples else ""
        expected = self._expected(schemas) or "a value"
        where = self.prefix + place
        self.document.add(where, f"missing key '{dotted(where)}': {expected}{description}{example}.")

    def _unexpected(self, place: Place, value: Any, kind: str, message: str) -> None:
        if place in self.seen:  # a union has one error per branch; the sentence names all branches at once
            return
        self.seen.add(place)
        schemas, description = self._schemas(place)
        expected = self._expected(schemas)
        if kind == "finite_number":
            expected = expected.replace("a number", "a finite number")
        texts = [choice for schema in schemas for choice in _choices(schema) if isinstance(choice, str)]
        near = did_you_mean(value, texts) if isinstance(value, str) else ""
        where = self.prefix + place
        said = f"expected {expected}{description}" if expected else message
        self.document.add(where, f"{found(where, value)}: {said}.{near}")

    def _locate(self, loc: tuple[str | int, ...]) -> tuple[Place, Any]:
        """Returns the place and value in the block; loc also holds names of union branches, which no file has."""
        place: Place = ()
        value = self.block
        for part in loc:
            if _holds(value, part):
                value = value[part]
            elif isinstance(value, dict):
                continue
            else:
                break
            place = (*place, part)
        return place, value

    def _schemas(self, place: Place) -> tuple[list[Schema], str]:
        """Returns the schema nodes that hold at `place` (one per branch of a union) and " (description)" of the key."""
        schemas, value, description = self._branches(self.root), self.block, ""
        for part in place:
            children = [child for schema in self._live(schemas, value) for child in _children(schema, part)]
            text = next((child["description"] for child in children if "description" in child), "")
            if text or isinstance(part, str):  # the items of a list share the description of its key
                description = f" ({' '.join(text.split()).rstrip('.')})" if text else ""
            schemas = [branch for child in children for branch in self._branches(child)]
            value = value[part] if _holds(value, part) else None
        return self._live(schemas, value), description

    def _branches(self, schema: Schema) -> list[Schema]:
        """Returns the node with references followed and unions taken apart."""
        if "$ref" in schema:
            target = self.root["$defs"][schema["$ref"].rpartition("/")[2]]
            return self._branches({**target, **{key: value for key, value in schema.items() if key != "$ref"}})
        union = schema.get("anyOf") or schema.get("oneOf")
        return [branch for part in union for branch in self._branches(part)] if union else [schema]

    @staticmethod
    def _live(schemas: list[Schema], value: Any) -> list[Schema]:
        """Returns the branches whose constant keys fit the value; all of them if none does."""

        def fits(schema: Schema) -> bool:
            keys = schema.get("properties", {}).items()
            return all("const" not in key or value.get(name, key["const"]) == key["const"] for name, key in keys)

        return [schema for schema in schemas if fits(schema)] or schemas if isinstance(value, dict) else schemas

    def _expected(self, schemas: list[Schema]) -> str:
        choices = [json.dumps(c) if not isinstance(c, str) else repr(c) for s in schemas for c in _choices(s)]
        parts = ["one of " + ", ".join(choices) if len(choices) > 1 else choices[0]] if choices else []
        parts += [text for schema in schemas if not _choices(schema) and (text := self._type(schema))]
        return ", or ".join(dict.fromkeys(parts))

    def _type(self, schema: Schema) -> str:
        kind = schema.get("type")
        if kind == "string":
            text = "text that is not empty" if schema.get("minLength") == 1 else "text"
            text += f" of at least {schema['minLength']} characters" if schema.get("minLength", 0) > 1 else ""
            text += f" of at most {schema['maxLength']} characters" if "maxLength" in schema else ""
            return text + (f" matching {schema['pattern']}" if "pattern" in schema else "")
        if kind == "array":
            low, high = schema.get("minItems", 0), schema.get("maxItems")
            count = (
                f" of {low}"
                if low == high
                else f" of {low} to {high}"
                if high
                else f" of at least {low}"
                if low
                else ""
            )
            items = (
                schema.get("prefixItems") or [schema["items"]] if "items" in schema or "prefixItems" in schema else []
            )
            each = ", ".join(dict.fromkeys(self._expected(self._branches(item)) for item in items))
            return f"a list{count}" + (f", each {each}" if each else "")
        if kind == "object":
            keys = ", ".join(schema.get("properties", ()))
            return "a mapping" + (f" with the keys {keys}" if keys else "")
        if kind == "integer" and "exclusiveMinimum" in schema:  # PositiveInt
            schema = {"minimum": schema["exclusiveMinimum"] + 1, **schema}
            del schema["exclusiveMinimum"]
        bounds = " and ".join(f"{sign} {schema[key]}" for key, sign in _BOUNDS.items() if key in schema)
        return f"{_PLAIN_TYPES.get(str(kind), '')} {bounds}".strip()


def _holds(value: Any, part: str | int) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)


def _choices(schema: Schema) -> list[Any]:
    return schema.get("enum") or ([schema["const"]] if "const" in schema else [])


def _children(schema: Schema, part: str | int) -> list[Schema]:
    if isinstance(part, str):
        child = schema.get("properties", {}).get(part, schema.get("additionalProperties"))
    else:
        child = dict(enumerate(schema.get("prefixItems", ()))).get(part, schema.get("items"))
    return [child] if isinstance(child, dict) else []
