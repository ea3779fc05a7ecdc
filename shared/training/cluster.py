"""Which hosts train together: what their environment variables say."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import UserError

_TF_CONFIG = "TF_CONFIG"
_JAX = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")
_EXAMPLE = '{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}'
_HELP = f"Set {_TF_CONFIG} on every host, with its own index, e.g. {_EXAMPLE}; see docs/hardware.md."


@dataclass(frozen=True)
class Cluster:
    """Hosts that run the same command. host: number of this one, from 0; addresses: host:port, of the first or all."""

    hosts: int
    host: int
    addresses: tuple[str, ...]


def named_in(environment: Mapping[str, str]) -> list[str]:
    """Returns which of the variables that describe a cluster are set."""
    return [name for name in (_TF_CONFIG, *_JAX) if environment.get(name)]


def cluster_of(environment: Mapping[str, str], backend: str) -> Cluster | None:
    """Returns the hosts as TF_CONFIG (both backends) or JAX_COORDINATOR_ADDRESS and its fellows (JAX) name them.

    Returns: None on JAX without any of them: JAX itself knows Slurm, Open MPI, Kubernetes and Cloud TPU.
    Raises: UserError for what is missing or wrong.
    """
    if environment.get(_TF_CONFIG):
        return _from_tf_config(environment[_TF_CONFIG])
    missing = [name for name in _JAX if not environment.get(name)]
    if backend == "jax" and len(missing) == len(_JAX):
        return None
    if backend != "jax":
        found = ", ".join(named_in(environment))
        but = f" ({found} {'is' if len(missing) == 2 else 'are'} for the JAX backend)" if found else ""
        raise UserError(f"hardware.strategy is multi_worker, but {_TF_CONFIG} is not set{but}. {_HELP}")
    if missing:
        raise UserError(f"{', '.join(named_in(environment))}: set, but not {', '.join(missing)}. JAX needs all three.")
    address, hosts, host = (environment[name] for name in _JAX)
    if not (hosts.isdecimal() and host.isdecimal() and int(host) < int(hosts)):
        raise UserError(
            f"{_JAX[1]} is {hosts!r} and {_JAX[2]} is {host!r}; expected a number of hosts, and this one's from 0 on."
        )
    _check_address(_JAX[0], address)
    return Cluster(int(hosts), int(host), (address,))


def start_jax(cluster: Cluster | None) -> None:
    """Connects this process with those of the other hosts. Must be called before JAX has computed anything.

    Waits up to five minutes for them. Raises: UserError if they do not come, or if nothing says who they are.
    """
    import jax

    if jax.distributed.is_initialized():
        return
    jax.config.update("jax_cpu_collectives_implementation", "gloo")  # for CPUs alone
    try:
        if cluster:
            jax.distributed.initialize(cluster.addresses[0], cluster.hosts, cluster.host)
        else:
            jax.distributed.initialize()
    except ValueError as error:
        raise UserError(f"hardware.strategy is multi_worker, but nothing names the hosts ({error}) {_HELP}") from None
    except RuntimeError as error:
        where = f" with {cluster.addresses[0]}" if cluster else ""
        raise UserError(
            f"hardware.strategy is multi_worker, but the hosts did not meet{where}: {error}. Start the same command on "
            "every host within five minutes, and check that the port is open."
        ) from None


def _from_tf_config(text: str) -> Cluster:
    try:
        value: Any = json.loads(text)
        cluster, task = value["cluster"], value["task"]
        addresses = [*cluster.get("chief", []), *cluster["worker"]]
        others = sorted(set(cluster) - {"chief", "worker"})
        kind, index = task["type"], int(task["index"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{_TF_CONFIG}: not understood ({type(error).__name__}: {error}). {_HELP}") from None
    if others or kind not in ("chief", "worker"):
        raise UserError(f"{_TF_CONFIG}: {', '.join(others) or kind}: only workers (and a chief) train here. {_HELP}")
    for address in addresses:
        _check_address(_TF_CONFIG, address)
    host = index if kind == "chief" else len(cluster.get("chief", [])) + index
    if len(set(addresses)) < len(addresses):
        raise UserError(f"{_TF_CONFIG}: {addresses}: one address twice. Processes on one host need a port each.")
    if not 0 <= index < len(cluster.get(kind, [])):
        raise UserError(f"{_TF_CONFIG}: there is no {kind} {index} among {cluster.get(kind, [])}; they count from 0.")
    return Cluster(len(addresses), host, tuple(addresses))


def _check_address(variable: str, address: Any) -> None:
    name, _, port = str(address).rpartition(":")
    if not name or not port.isdecimal():
        raise UserError(f"{variable}: {address!r} is no address; expected host:port, such as 10.0.0.1:2222.")
