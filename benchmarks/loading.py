"""Seconds and memory of loading a base-size checkpoint, in every format that is read.

    python -m benchmarks.loading [--formats safetensors tensorflow ...] [--preset base] [--repeats 3]

Writes checkpoints of BERT's architecture with random weights into a temporary folder, one at a time, and loads each
with `load_encoder` in a fresh process: files checked, network built, weights filled in, checksums computed. Memory is
the peak of resident memory while loading, less what the process had with its libraries imported and a first operation
done; the weights themselves are 1.0 of it. The file was just written, so it comes from the page cache. A TensorFlow
checkpoint imports TensorFlow, also where JAX computes; that is not counted.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from shared.backbones.architecture import Architecture
from shared.backbones.presets import PRESETS
from shared.cli import run
from shared.files import write_json
from shared.pretrained.names import entries
from shared.pretrained.names_hugging_face import naming_for
from shared.pretrained.names_tensorflow import find_naming

FORMATS = ("safetensors", "sharded", "torch", "torch_legacy", "tensorflow")
VOCABULARY_SIZE = 21128  # of Google's Chinese BERT
SHARDS = 4
MOST_SECONDS, MOST_MEMORY = 10.0, 1.3  # what a base-size checkpoint must stay below

LOAD = """
import json, sys, time
import keras
from shared.pretrained.load import load_encoder

def memory(name):
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith(name))

keras.layers.Dense(2)(keras.ops.ones((1, 2)))  # the backend allocates its own at the first operation
if sys.argv[2] == "tensorflow":
    import tensorflow
before, started = memory("VmRSS:"), time.perf_counter()
encoder = load_encoder(sys.argv[1])
seconds, peak = time.perf_counter() - started, memory("VmHWM:")
assert set(encoder.model.output) == {"hidden", "pooled", "mlm_logits"}
print(json.dumps({"seconds": seconds, "extra": peak - before, "parameters": encoder.model.count_params()}))
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.loading",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--preset", choices=sorted(PRESETS), default="base", help="size of the encoder")
    parser.add_argument("--repeats", type=int, default=3, help="loads a format, each in a process of its own")
    parser.add_argument("--folder", type=Path, help="where to write; default: the temporary folder of the system")
    arguments = parser.parse_args(argv)
    architecture = Architecture.model_validate({"kind": "bert", **PRESETS[arguments.preset]})
    lines = ["format        file MB   seconds (repeats)    extra MB   of the file"]
    steps = [(name, step) for name in arguments.formats for step in range(arguments.repeats + 1)]
    found: list[dict[str, float]] = []
    with tqdm(total=len(steps), unit="step", leave=False) as bar:
        for name in arguments.formats:
            with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
                bar.set_description(f"{name}: writing")
                _in_own_process(name, Path(folder), architecture)
                size = sum(file.stat().st_size for file in Path(folder).iterdir())
                bar.update()
                results = []
                for _ in range(arguments.repeats):
                    bar.set_description(f"{name}: loading")
                    results.append(json.loads(_run(LOAD, folder, name).splitlines()[-1]))
                    bar.update()
            seconds = sorted(result["seconds"] for result in results)
            extra = max(result["extra"] for result in results)
            found.append({"seconds": seconds[len(seconds) // 2], "ratio": extra / size})
            lines.append(
                f"{name:12} {size / 1e6:8.1f}   {found[-1]['seconds']:5.2f} ({seconds[0]:.2f} to {seconds[-1]:.2f})"
                f"   {extra / 1e6:8.1f}   {found[-1]['ratio']:8.2f}"
            )
    print("\n".join(lines))
    if arguments.preset != "base":
        return  # beside small weights the network itself and the libraries' own memory weigh more
    good = all(row["seconds"] < MOST_SECONDS and row["ratio"] < MOST_MEMORY for row in found)
    print(f"below {MOST_SECONDS:g} s and {MOST_MEMORY} times the file: {'yes' if good else 'NO'}")


def _in_own_process(name: str, folder: Path, architecture: Architecture) -> None:
    """Writes the checkpoint in a process of its own, whose memory goes with it."""
    code = "from benchmarks import loading; import sys; loading.write(*sys.argv[1:])"
    _run(code, name, str(folder), architecture.model_dump_json())


def _run(code: str, *arguments: str) -> str:
    """Returns what the code prints. What the libraries say of this machine is shown only if it fails."""
    environment = {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ}
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"a process failed with {done.returncode}:\n{done.stderr}")
    return done.stdout


def write(name: str, folder_name: str, architecture_json: str) -> None:
    """Writes a checkpoint of random weights into an empty folder, under the names of its release."""
    folder, this = Path(folder_name), Architecture.model_validate_json(architecture_json)
    config = {
        "model_type": "bert",
        "vocab_size": VOCABULARY_SIZE,
        "hidden_size": this.hidden_dim,
        "num_hidden_layers": this.num_layers,
        "num_attention_heads": this.num_heads,
        "intermediate_size": this.ffn_dim,
        "hidden_act": "gelu",
        "max_position_embeddings": this.max_positions,
        "type_vocab_size": this.segment_count,
    }
    write_json(folder / ("bert_config.json" if name == "tensorflow" else "config.json"), config)
    arrays = _arrays(name, this)
    if name == "tensorflow":
        import tensorflow as tf

        values = list(arrays.values())
        tf.raw_ops.SaveV2(
            prefix=str(folder / "bert_model.ckpt"),
            tensor_names=list(arrays),
            shape_and_slices=[""] * len(values),
            tensors=values,
        )
    elif name == "safetensors":
        from safetensors.numpy import save_file

        save_file(arrays, folder / "model.safetensors", metadata={"format": "pt"})
    elif name == "sharded":
        from safetensors.numpy import save_file

        where: dict[str, str] = {}
        for index in range(SHARDS):
            part = dict(list(arrays.items())[index::SHARDS])
            file = f"model-{index + 1:05}-of-{SHARDS:05}.safetensors"
            save_file(part, folder / file, metadata={"format": "pt"})
            where |= dict.fromkeys(part, file)
        write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": where})
    else:
        from tests.shared.pretrained import torch_writer  # torch itself is no dependency

        write_torch = torch_writer.write_stream if name == "torch_legacy" else torch_writer.write_zip
        write_torch(folder / "pytorch_model.bin", arrays)


def _arrays(name: str, this: Architecture) -> dict[str, np.ndarray]:
    """Returns random tensors by their published names."""
    tensorflow = find_naming(["bert/embeddings/word_embeddings"], "") if name == "tensorflow" else None
    naming = tensorflow or naming_for("bert")
    rng = np.random.default_rng(0)
    return {
        theirs: rng.standard_normal(entry.their_shape, "float32") * np.float32(0.02)
        for entry in entries(this, VOCABULARY_SIZE, naming)
        for theirs in entry.theirs
    }


if __name__ == "__main__":
    sys.exit(main())
