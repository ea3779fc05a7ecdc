"""Makes the tiny reference checkpoints in this folder. Not a part of the tests: they only read what it wrote.

Each group needs an environment of its own; none of them is a dependency of this project:

    transformers   torch 2.13.0, transformers 5.23.0                        bert wobert electra_* albert* roformer
    nezha          torch 2.13.0, transformers 4.45.2 (the last with NEZHA)  nezha
    roformer_v2    the same and `pip install --no-deps roformer==0.4.3 rjieba`: JunnYu's release, whose tensor names the
                   published RoFormerV2 folders have                        roformer_v2
    check_hub      keras-hub 0.32.0, safetensors: a second opinion on roformer_v2, writes nothing

    python make_fixtures.py GROUP

Weights are drawn by tensor name, so a second run writes the same files (but for torch_legacy.bin, which holds memory
addresses). Matrices have a standard deviation of 0.2, normalizations a gain and shift of their own: a tensor in a wrong
place shows. The embeddings have 0.02, so the first norm divides by a variance of about 1e-3: an epsilon of 1e-7
in place of 1e-12 moves the hidden states by 4e-5 or more, gelu by tanh by 3e-4, NEZHA's clipping at 63 by 0.6.
"""

import copy
import json
import sys
import zlib
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
CHARACTERS = [*"的一是在不了有人这上北京天气好大学中国我们，。1a2b", "##1", "##a", "##b", "##京", "deep", "##er"]
WORDS = ["北京", "大学", "天气", "我们", "中国", "北京大学"]
SIZES = {"vocab_size": 48, "hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 40}
REST = {"max_position_embeddings": 16, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0}
LENGTH, LONG = 12, 80  # LONG is beyond REST's positions and beyond NEZHA's clipping at 64


def write_vocabulary(folder, words):
    """Writes vocab.txt with as many lines as the embedding has rows."""
    tokens = SPECIAL + CHARACTERS + (WORDS if words else [])
    tokens += [f"[unused{i}]" for i in range(1, SIZES["vocab_size"] - len(tokens) + 1)]
    assert len(tokens) == len(set(tokens)) == SIZES["vocab_size"]
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8", newline="\n")


def draw(name, shape, seed=0):
    """Returns the values of a tensor; the same for each model that has a tensor of this name and shape."""
    values = np.random.default_rng([seed, zlib.crc32(name.encode())]).normal(size=shape)
    lowered = name.lower()
    if "norm" in lowered:
        return 1.0 + 0.3 * values if lowered.endswith("weight") else 0.2 * values
    return values * (0.02 if "embeddings." in lowered else 0.2)


def batch(length, seed):
    """Returns token_ids, segment_ids, padding_mask: a pair, a padded pair, and a short text before any ids, masked."""
    rng = np.random.default_rng(seed)
    token_ids = rng.integers(5, SIZES["vocab_size"], size=(3, length))
    token_ids[:, 0], token_ids[0, -1] = 2, 3
    ends = np.array([length, length - length // 4, length // 3])
    first = np.array([length // 2, length // 3, length])
    places = np.arange(length)
    segment_ids = ((places >= first[:, None]) & (places < ends[:, None])).astype("int32")
    padding_mask = places < ends[:, None]
    token_ids[1, ends[1] :] = 0
    token_ids[0, 3] = 4
    return token_ids.astype("int32"), segment_ids, padding_mask


def fill(model, seed=0, skip=("embed_positions", "position_ids", "token_type_ids")):
    """Draws all weights of a torch model; tied ones once."""
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not any(part in name for part in skip):
                parameter.copy_(torch.tensor(draw(name, tuple(parameter.shape), seed), dtype=torch.float32))
    return model.eval()


def outputs(model, body, inputs, prefix=""):
    """Returns what goes into expected.npz: `body` names the encoder within `model`."""
    import torch

    token_ids, segment_ids, padding_mask = (torch.tensor(np.asarray(x).astype("int64")) for x in inputs)
    arguments = {"input_ids": token_ids, "token_type_ids": segment_ids, "attention_mask": padding_mask}
    with torch.no_grad():
        encoded = getattr(model, body)(**arguments)
        out = {"hidden": encoded.last_hidden_state}
        if getattr(encoded, "pooler_output", None) is not None:
            out["pooled"] = encoded.pooler_output
        predicted = model(**arguments)
        logits = getattr(predicted, "prediction_logits", None)
        logits = getattr(predicted, "logits", None) if logits is None else logits
        if logits is not None and logits.shape[-1] == SIZES["vocab_size"]:
            out["mlm_logits"] = logits
    names = dict(zip(("token_ids", "segment_ids", "padding_mask"), inputs, strict=True))
    return {prefix + name: np.asarray(value) for name, value in {**names, **out}.items()}


def save(name, model, body, words=False, longer=None):
    """Writes the folder of a fixture; `longer` is the same model with room for LONG positions."""
    folder = HERE / name
    model.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    (folder / "generation_config.json").unlink(missing_ok=True)
    write_vocabulary(folder, words)
    expected = outputs(model, body, batch(LENGTH, 1))
    if longer is not None:
        long = outputs(longer, body, batch(LONG, 2), "long_")
        expected.update({key: value for key, value in long.items() if key != "long_mlm_logits"})
    np.savez_compressed(folder / "expected.npz", **expected)
    print(name, {key: value.shape for key, value in expected.items()})


def pair(model_class, config):
    """Returns the model and the same with a table of LONG positions, which rotary and relative models compute."""
    longer = copy.deepcopy(config)
    longer.max_position_embeddings = LONG
    return fill(model_class(config)), fill(model_class(longer))


def make_transformers():
    """BERT, WoBERT, ELECTRA, ALBERT, brightmart's ALBERT, RoFormer."""
    import torch
    import transformers as t

    bert = {**SIZES, **REST}
    save("bert", fill(t.BertForPreTraining(t.BertConfig(**bert))), "bert")
    wobert = fill(t.BertForMaskedLM(t.BertConfig(**{**bert, "num_hidden_layers": 2})), seed=1)
    save("wobert", wobert, "bert", words=True)
    electra = {**bert, "embedding_size": 16}
    save("electra_discriminator", fill(t.ElectraForPreTraining(t.ElectraConfig(**electra))), "electra")
    small = {**electra, "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 12}
    generator = fill(t.ElectraForMaskedLM(t.ElectraConfig(**small)))
    save("electra_generator", generator, "electra")
    for name, zipped in (("torch_zip.bin", True), ("torch_legacy.bin", False)):
        torch.save(generator.state_dict(), HERE / "electra_generator" / name, _use_new_zipfile_serialization=zipped)
    albert = {**electra, "hidden_act": "gelu_new", "num_hidden_layers": 4}
    for groups, name in ((1, "albert"), (2, "albert_groups")):
        save(name, fill(t.AlbertForPreTraining(t.AlbertConfig(**albert, num_hidden_groups=groups))), "albert")
    save("roformer", *pair_first(pair(t.RoFormerForMaskedLM, t.RoFormerConfig(**bert)), "roformer"))
    make_albert_zh(t.BertForPreTraining(t.BertConfig(**bert)))


def pair_first(models, body):
    """Returns the arguments of `save` for a pair of models."""
    model, longer = models
    return model, body, False, longer


def make_albert_zh(model):
    """brightmart's albert_zh, which no library has: one block for all layers and E = A B, A (V, 16) and B (16, 24).

    A BERT whose blocks are equal and whose embedding table is the product computes the same; its output layer,
    h E' = (h B') A', is the one of that release as well. Saved are A, B and one block, under the release's names.
    Its gelu is the one by tanh, unlike what all converters of BERT make of the same word; here it is the exact one.
    """
    import torch
    from safetensors.numpy import save_file

    folder = HERE / "albert_zh"
    folder.mkdir(exist_ok=True)
    fill(model, seed=2)
    first = dict(model.bert.encoder.layer[0].named_parameters())
    a, b = draw("bert/embeddings/word_embeddings", (48, 16)), draw("bert/embeddings/word_embeddings_2", (16, 24))
    a, b = (x.astype("float32") for x in (0.2 * a, 0.5 * b))  # E has about the 0.02 of the other fixtures
    with torch.no_grad():
        for layer in model.bert.encoder.layer:
            for name, parameter in layer.named_parameters():
                parameter.copy_(first[name])
        model.bert.embeddings.word_embeddings.weight.copy_(torch.tensor((a.astype("float64") @ b).astype("float32")))
    tensors = {"bert/embeddings/word_embeddings": a, "bert/embeddings/word_embeddings_2": b}
    for name, parameter in model.named_parameters():
        value = parameter.detach().numpy()
        if ".layer.0." in name or (".layer." not in name and "word_embeddings" not in name):
            name = name.replace("encoder.layer.0.", "encoder.layer_shared.")
            norm = "LayerNorm" in name
            if name.endswith("_embeddings.weight"):
                name = name.removesuffix(".weight")
            elif name == "cls.predictions.bias":
                name = "cls.predictions.output_bias"
            elif name.startswith("cls.seq_relationship"):
                name = name.replace("weight", "output_weights").replace("bias", "output_bias")
            elif name.endswith("weight"):
                name, value = name.removesuffix("weight") + ("gamma" if norm else "kernel"), value if norm else value.T
            elif norm:
                name = name.removesuffix("bias") + "beta"
            tensors[name.replace(".", "/")] = np.ascontiguousarray(value)
    save_file(tensors, folder / "tensorflow_names.safetensors")
    config = {key: value for key, value in {**SIZES, **REST}.items() if key not in ("layer_norm_eps", "pad_token_id")}
    config |= {"embedding_size": 16, "hidden_act": "gelu", "initializer_range": 0.02}
    config |= {"attention_probs_dropout_prob": 0.0, "hidden_dropout_prob": 0.0}
    (folder / "albert_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    write_vocabulary(folder, words=False)
    np.savez_compressed(folder / "expected.npz", **outputs(model, "bert", batch(LENGTH, 1)))


def make_nezha():
    """NEZHA with its clipping at 64."""
    from transformers.models.deprecated.nezha import NezhaConfig, NezhaForPreTraining

    config = NezhaConfig(**SIZES, **REST, max_relative_position=64)
    save("nezha", *pair_first(pair(NezhaForPreTraining, config), "nezha"))


def make_roformer_v2():
    """RoFormerV2: neither biases nor gains; logits are hidden times embedding, without a transform."""
    from roformer import RoFormerConfig, RoFormerForMaskedLM

    sizes = {**SIZES, **REST, "embedding_size": SIZES["hidden_size"], "hidden_act": "relu"}
    config = RoFormerConfig(**sizes, use_bias=False, norm_type="rms_norm")
    RoFormerForMaskedLM._tied_weights_keys = ["cls.predictions.decoder.weight"]  # else safetensors refuses the copy
    save("roformer_v2", *pair_first(pair(RoFormerForMaskedLM, config), "roformer"))


def check_hub():
    """Compares roformer_v2 with keras-hub, text by text: its own mask hides queries instead of keys on two backends."""
    import keras
    import keras_hub
    from safetensors.numpy import load_file

    keras.config.set_epsilon(1e-12)  # keras-hub takes this one; the release has 1e-12
    tensors, expected = load_file(HERE / "roformer_v2/model.safetensors"), np.load(HERE / "roformer_v2/expected.npz")
    tensors = {name.removeprefix("roformer."): value for name, value in tensors.items()}
    sizes = {"vocabulary_size": 48, "num_layers": 3, "num_heads": 4, "hidden_dim": 24, "intermediate_dim": 40}
    model = keras_hub.models.RoformerV2Backbone(**sizes, head_size=6, dropout=0.0)
    model.token_embedding.embeddings.assign(tensors["embeddings.word_embeddings.weight"])
    model.segment_embedding.embeddings.assign(tensors["embeddings.token_type_embeddings.weight"])
    for index, layer in enumerate(model.transformer_layers):
        theirs = {
            "attention.self.query": layer.attention_layer.q_dense,
            "attention.self.key": layer.attention_layer.k_dense,
            "attention.self.value": layer.attention_layer.v_dense,
            "attention.output.dense": layer.attention_layer.o_dense,
            "intermediate.dense": layer.feedforward_intermediate_dense,
            "output.dense": layer.feedforward_output_dense,
        }
        for name, dense in theirs.items():
            dense.kernel.assign(tensors[f"encoder.layer.{index}.{name}.weight"].T)
    head = keras_hub.models.RoformerV2MaskedLM(model).masked_lm_head
    for prefix in ("", "long_"):
        ids, segments, mask = (expected[prefix + key] for key in ("token_ids", "segment_ids", "padding_mask"))
        for row, length in enumerate(mask.sum(axis=1)):
            inputs = {"token_ids": ids[row : row + 1, :length], "segment_ids": segments[row : row + 1, :length]}
            hidden = model(inputs)
            gaps = [np.abs(np.asarray(hidden)[0] - expected[prefix + "hidden"][row, :length]).max()]
            if not prefix:
                logits = head(hidden, np.arange(length)[None])
                gaps.append(np.abs(np.asarray(logits)[0] - expected["mlm_logits"][row, :length]).max())
            print(f"{prefix or 'short_'}{row}", *(f"{gap:.1e}" for gap in gaps))
            assert max(gaps) < 1e-5


if __name__ == "__main__":
    groups = {"transformers": make_transformers, "nezha": make_nezha, "roformer_v2": make_roformer_v2}
    {**groups, "check_hub": check_hub}[sys.argv[1]]()
