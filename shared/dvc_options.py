"""Settings as options of `dvc exp run`."""

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from shared.settings_document import Place, dotted

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")  # text that `-S` takes for text without quotes
_MEANS_SOMETHING = ("null", "true", "false", "nan", "inf", "yes", "no", "on", "off")


def options(values: Mapping[Place, Any], params: Mapping[str, Any]) -> list[str]:
    """Returns `-S KEY=VALUE` for each place, quoted for a shell.

    Args: params: the parsed params.yaml; `-S` asks for a + before keys that are not in it.
    """
    return [f"-S {shlex.quote(_option(place, value, params))}" for place, value in values.items()]


def _option(place: Place, value: Any, params: Mapping[str, Any]) -> str:
    known: Any = params
    for part in place:
        known = known.get(part, ...) if isinstance(known, Mapping) else ...
    return f"{'+' if known is ... else ''}{dotted(place)}={_value(value)}"


def _value(value: Any) -> str:
    """Returns a value in the grammar of Hydra's overrides, which DVC reads."""
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_value, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_value(item)}" for key, item in value.items()) + "}"
    if not isinstance(value, str):
        return json.dumps(value)
    if _BARE.fullmatch(value) and value.lower() not in _MEANS_SOMETHING:
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
