"""Weights by a part of their path."""

from shared.errors import UserError
from shared.settings_errors import did_you_mean


def indices_named(name: str, variables: list, key: str) -> list[int]:
    """Returns the numbers of the weights with `name` in their path.

    Args: key: of train.optimizer that gave the name, for the message.
    Raises: UserError if there is none.
    """
    found = [index for index, variable in enumerate(variables) if name in variable.path]
    if not found:
        parts = list(dict.fromkeys(part for variable in variables for part in variable.path.split("/")))
        raise UserError(
            f"train.optimizer.{key}: no weight of this network has '{name}' in its path."
            f"{did_you_mean(name, parts)} Parts of its paths: {', '.join(parts)}."
        )
    return found
