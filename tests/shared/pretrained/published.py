"""The fixtures of tests/data/backbones in the forms in which checkpoints are published.

The names below were taken from the releases, independently of `shared/pretrained/names*.py`: a slip there shows.
"""

import json
import re
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

FIXTURES = Path(__file__).resolve().parents[2] / "data" / "backbones"
NAMES = (
    "bert",
    "wobert",
    "electra_discriminator",
    "electra_generator",
    "albert",
    "albert_groups",
    "albert_zh",
    "nezha",
    "roformer",
    "roformer_v2",
)

# Hugging Face name to TensorFlow name, by one release after the other; applied in turn.
BERT = (
    (r"^(bert|nezha|roformer)\.", "bert/"),
    (r"encoder\.layer\.(\d+)\.", r"encoder/layer_\1/"),
    (r"^cls\.predictions\.bias$", "cls/predictions/output_bias"),
    (r"^cls\.seq_relationship\.weight$", "cls/seq_relationship/output_weights"),
    (r"^cls\.seq_relationship\.bias$", "cls/seq_relationship/output_bias"),
)
ELECTRA = (
    (r"^electra\.encoder\.layer\.(\d+)\.", r"electra/encoder/layer_\1/"),
    (r"\.dense_prediction\.", ".dense_1."),
)
GENERATOR = (  # shares the discriminator's tables
    (r"^electra\.embeddings\.", "electra/embeddings/"),
    (r"^electra\.", "generator/"),
    (r"encoder\.layer\.(\d+)\.", r"encoder/layer_\1/"),
    (r"^generator_lm_head\.bias$", "generator_predictions/output_bias"),
)
ALBERT = (
    (r"^albert\.pooler\.", "bert/pooler/dense/"),
    (r"^albert\.", "bert/"),
    (r"albert_layer_groups\.(\d+)\.albert_layers\.0\.", r"transformer/group_\1/inner_group_0/"),
    (r"full_layer_layer_norm", "LayerNorm_1"),
    (r"attention\.LayerNorm", "LayerNorm"),
    (r"attention\.dense", "attention_1/output/dense"),
    (r"attention\.(query|key|value)", r"attention_1/self/\1"),
    (r"ffn_output", "ffn_1/intermediate/output/dense"),
    (r"/ffn\.", "/ffn_1/intermediate/dense."),
    (r"^predictions\.bias$", "cls/predictions/output_bias"),
    (r"^predictions\.", "cls/predictions/transform/"),
    (r"^sop_classifier\.classifier\.weight$", "cls/seq_relationship/output_weights"),
    (r"^sop_classifier\.classifier\.bias$", "cls/seq_relationship/output_bias"),
)
RULES = {"electra_discriminator": ELECTRA, "electra_generator": GENERATOR, "albert": ALBERT, "albert_groups": ALBERT}
CONFIG_KEYS = {  # of the first releases; they tell neither the kind nor the epsilon
    "attention_probs_dropout_prob",
    "embedding_size",
    "hidden_act",
    "hidden_dropout_prob",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_groups",
    "num_hidden_layers",
    "type_vocab_size",
    "vocab_size",
}
CONFIG_FILES = {
    "electra_discriminator": "base_discriminator_config.json",
    "electra_generator": "base_generator_config.json",
    "albert": "albert_config.json",
    "albert_groups": "albert_config.json",
    "albert_zh": "albert_config_tiny.json",
}


def expected(name: str) -> dict[str, np.ndarray]:
    """Returns the reference's inputs and outputs."""
    with np.load(FIXTURES / name / "expected.npz") as stored:
        return {key: stored[key] for key in stored.files}


def tensors(name: str) -> dict[str, np.ndarray]:
    """Returns the reference's tensors under its own names; of albert_zh, which has only those, under TensorFlow's."""
    (file,) = (FIXTURES / name).glob("*.safetensors")
    return load_file(file)


def config(name: str) -> dict:
    """Returns the reference's config."""
    (file,) = (FIXTURES / name).glob("*config.json")
    return json.loads(file.read_text(encoding="utf-8"))


def start_folder(folder: Path, name: str, config_name: str = "config.json") -> Path:
    """Makes a folder with the config and the vocabulary of a fixture."""
    folder.mkdir(parents=True)
    (folder / config_name).write_text(json.dumps(config(name)), encoding="utf-8")
    shutil.copy(FIXTURES / name / "vocab.txt", folder / "vocab.txt")
    return folder


def write_safetensors(folder: Path, name: str) -> Path:
    """Writes the folder as the reference does."""
    shutil.copytree(FIXTURES / name, folder)
    return folder


def write_sharded(folder: Path, name: str, shards: int = 3) -> Path:
    """Writes several model-0000x-of-0000y.safetensors and their index."""
    start_folder(folder, name)
    values = tensors(name)
    where: dict[str, str] = {}
    for index in range(shards):
        file = f"model-{index + 1:05}-of-{shards:05}.safetensors"
        part = dict(list(values.items())[index::shards])
        save_file(part, folder / file, metadata={"format": "pt"})
        where |= dict.fromkeys(part, file)
    index_file = {"metadata": {"total_size": sum(v.nbytes for v in values.values())}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index_file), encoding="utf-8")
    return folder


def torch_tensors(name: str, old_names: bool = False) -> dict[str, np.ndarray]:
    """Returns what a pytorch_model.bin of that time has: tied copies and counters too.

    old_names: LayerNorm.gamma and beta, as in the first BERTs; the others came later.
    """
    values = tensors(name)
    table = next(value for key, value in values.items() if key.endswith("word_embeddings.weight"))
    body = next(key for key in values if key.endswith("word_embeddings.weight")).split(".")[0]
    values[f"{body}.embeddings.position_ids"] = np.arange(16)[None]
    if "cls.predictions.bias" in values:
        values["cls.predictions.decoder.weight"] = table
        values["cls.predictions.decoder.bias"] = values["cls.predictions.bias"]
    elif name == "roformer_v2":
        values["cls.predictions.decoder.weight"] = table
    elif "generator_lm_head.bias" in values:
        values["generator_lm_head.weight"] = table
    elif "predictions.bias" in values:
        values |= {"predictions.decoder.weight": table, "predictions.decoder.bias": values["predictions.bias"]}
    if not old_names or name != "bert":
        return values
    old = ((r"LayerNorm\.weight$", "LayerNorm.gamma"), (r"LayerNorm\.bias$", "LayerNorm.beta"))
    return {_apply(old, key): value for key, value in values.items()}


def tensorflow_tensors(name: str) -> dict[str, np.ndarray]:
    """Returns the tensors as the TensorFlow releases name and orient them."""
    if name == "albert_zh":
        return tensors(name)
    renamed = {}
    for key, value in tensors(name).items():
        if "embed_positions" in key:  # RoFormer's sinusoids are computed there
            continue
        new = _apply(RULES.get(name, BERT), key)
        if new.endswith("_embeddings.weight"):
            new = new.removesuffix(".weight")
        elif "LayerNorm" in new:
            new = new.removesuffix("weight") + "gamma" if new.endswith("weight") else new.removesuffix("bias") + "beta"
        elif new.endswith("weight"):
            new, value = new.removesuffix("weight") + "kernel", value.T
        renamed[new.replace(".", "/")] = np.ascontiguousarray(value)
    return renamed


def write_tensorflow(folder: Path, name: str, slots: tuple[str, ...] = ("adam_m", "adam_v")) -> Path:
    """Writes a checkpoint by `tf.compat.v1.train.Saver`, with the optimizer's variables.

    ELECTRA's has both networks, as published; the config tells which one is meant.
    """
    folder.mkdir(parents=True)
    this = {key: value for key, value in config(name).items() if key in CONFIG_KEYS}
    if name in ("bert", "nezha", "roformer", "roformer_v2", "wobert"):
        this.pop("embedding_size", None)
    if name == "nezha":
        this["use_relative_position"] = True
    file = folder / CONFIG_FILES.get(name, "bert_config.json")
    file.write_text(json.dumps(this), encoding="utf-8")
    shutil.copy(FIXTURES / name / "vocab.txt", folder / "vocab.txt")
    values = tensorflow_tensors(name)
    if name.startswith("electra"):
        values = tensorflow_tensors("electra_discriminator") | tensorflow_tensors("electra_generator")
    save_tensorflow(folder / "model.ckpt-900000", values, slots)
    return folder


def save_tensorflow(prefix: Path, values: dict[str, np.ndarray], slots: tuple[str, ...] = ()) -> None:
    """Writes variables of these names and their slots, and a step counter."""
    import tensorflow as tf

    v1 = tf.compat.v1
    few = [name for name in values if "/layer_" not in name]  # the others' would take a second, and show no more
    extra = {f"{name}/{slot}": np.full_like(values[name], 7) for name in few for slot in slots}
    with tf.Graph().as_default(), v1.Session() as session:
        everything = {**values, **extra, "global_step": np.int64(900000)}
        variables = [v1.Variable(value, name=name) for name, value in everything.items()]
        session.run(v1.global_variables_initializer())
        v1.train.Saver(variables).save(session, str(prefix))


def _apply(rules: tuple[tuple[str, str], ...], name: str) -> str:
    for pattern, new in rules:
        name = re.sub(pattern, new, name)
    return name
