"""backbone: looks into a published checkpoint, tries it, turns it into a Hugging Face folder, or encodes token ids.

    inspect  what is in the files and whether it fits together; builds no network, takes about a second
    verify   the same, then loads it: is the MLM head real or random, are outputs finite and free of padding
    convert  any format, or a trained folder models/NAME, into config.json, model.safetensors and vocab.txt
    encode   token ids in, hidden states, pooled output and MLM logits out, to compare with a reference

PATH is the folder as it was published, unpacked; or a file in it where it holds several checkpoints.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.backbones.architecture import KINDS, Architecture
from shared.cli import run
from shared.errors import UserError

if TYPE_CHECKING:
    from shared.pretrained.encoder import Encoder
    from shared.text.vocabulary import Vocabulary

EXAMPLES = """examples:
  python -m pipelines.backbone inspect pretrained/chinese_roformer_base
  python -m pipelines.backbone inspect pretrained/a_fine_tuned_bert --ignore 'classifier.*' --json
  python -m pipelines.backbone verify pretrained/chinese_wobert --kind wobert --require-mlm-head
  python -m pipelines.backbone convert pretrained/chinese_bert/bert_model.ckpt exported/chinese_bert
  python -m pipelines.backbone convert models/sohu2021 exported/sohu2021 --drop-condition
  python -m pipelines.backbone encode pretrained/chinese_bert --ids ids.json --out outputs.npz
    ids.json: {"token_ids": [[101, 872, 1962, 102], [101, 872, 102]], "segment_ids": [[0, 0, 0, 0], [0, 0, 0]]}
    Rows may differ in length. Zeros at the end of a row are padding, unless there is "padding_mask", 1 at real tokens.
"""
OUTPUTS = ("hidden", "pooled", "mlm_logits")


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 with the reason why the checkpoint cannot be used."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    args = _parser().parse_args(argv)
    args.act(args)


def _parser() -> argparse.ArgumentParser:
    layout: Any = {"epilog": EXAMPLES, "formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = argparse.ArgumentParser(prog="python -m pipelines.backbone", description=__doc__, **layout)
    commands = parser.add_subparsers(required=True, metavar="inspect|verify|convert|encode")

    def command(name: str, act: Callable[[argparse.Namespace], None], purpose: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=purpose, description=purpose, **layout)
        added.set_defaults(act=act)
        add = added.add_argument
        add("path", type=Path, metavar="PATH", help="folder of a checkpoint, or a file in it")
        add("--kind", choices=sorted(KINDS), metavar="K", help=f"family, if the files do not tell: {', '.join(KINDS)}")
        add("--ignore", action="append", default=[], metavar="PATTERN", help="tensors to leave out; may be repeated")
        return added

    inspect = command("inspect", _inspect, "Reports architecture, tensors and checksums without building a network.")
    inspect.add_argument("--json", action="store_true", help="the report as a JSON document")
    verify = command("verify", _verify, "Loads a checkpoint, judges its MLM head and tries the encoder.")
    verify.add_argument("--require-mlm-head", action="store_true", help="exit status 1 unless the MLM head is trained")
    convert = command("convert", _convert, "Writes a Hugging Face folder, which transformers opens.")
    convert.add_argument("out", type=Path, metavar="OUT", help="folder to make")
    convert.add_argument(
        "--drop-condition", action="store_true", help="leave out what normalizations learned from a condition"
    )
    encode = command("encode", _encode, "Writes the outputs for token ids.")
    encode.add_argument("--ids", type=Path, required=True, metavar="FILE.json", help="as in the last example")
    encode.add_argument("--out", type=Path, required=True, metavar="FILE.npz", help="float32 arrays to write")
    encode.add_argument("--outputs", nargs="+", choices=OUTPUTS, default=OUTPUTS, help="only these; logits are large")
    return parser


def _inspect(args: argparse.Namespace) -> None:
    from shared.pretrained.audit import audit, render
    from shared.pretrained.checkpoint import open_checkpoint
    from shared.pretrained.config import architecture_of
    from shared.pretrained.trained import is_trained

    if is_trained(args.path):
        raise UserError(f"{args.path}: a model that this kit trained. Convert it first, then inspect what comes out.")
    checkpoint = open_checkpoint(args.path)
    architecture, rows = architecture_of(checkpoint, args.kind)
    vocabulary = _vocabulary(checkpoint.vocabulary_file, rows)
    found = audit(checkpoint, architecture, rows, ignore=args.ignore)
    if args.json:
        document = {
            "architecture": architecture.model_dump(mode="json"),
            "vocabulary_tokens": None if vocabulary is None else len(vocabulary),
            "audit": found.summary(),
        }
        print(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        print(f"{render(found)}\n{_described(architecture)}")
    found.require()


def _verify(args: argparse.Namespace) -> None:
    encoder = _load(args)
    from shared.pretrained.audit import render
    from shared.pretrained.mlm_check import MlmCheck, check_mlm_head, require_real_mlm_head
    from shared.pretrained.self_check import self_check

    if encoder.audit is not None:
        print(render(encoder.audit))
    print(_described(encoder.architecture), flush=True)
    vocabulary = _vocabulary(encoder.vocabulary_file, encoder.vocabulary_size)
    checks = self_check(encoder.model)
    print("\n".join(check.render() for check in checks), flush=True)
    if wrong := [check.name for check in checks if not check.ok]:
        raise UserError(
            f"{args.path}: not usable. This does not hold: {'; '.join(wrong)}. The weights may be damaged: compare the "
            "checksums above with the publisher's."
        )
    if vocabulary is None:
        head = MlmCheck("unknown", "without a vocab.txt no text can be asked of it")
    else:
        head = check_mlm_head(encoder.model, _tokenizer(encoder, vocabulary))
    print(head.render())
    if args.require_mlm_head:
        require_real_mlm_head(head, str(args.path))
    but = {"real": "", "unknown": ", but its MLM head could not be judged"}
    print(f"{args.path}: verified{but.get(head.verdict, ', but not for stages that need an MLM head')}")


def _convert(args: argparse.Namespace) -> None:
    from shared.pretrained.resize import require_new

    require_new(args.out)
    encoder = _load(args, drop_condition=args.drop_condition)
    from shared.pretrained.write import write_hugging_face

    write_hugging_face(args.out, encoder)
    files = ", ".join(sorted(file.name for file in args.out.iterdir()))
    print(f"{args.path} -> {args.out}: {encoder.model.count_params():,} parameters: {files}")
    if encoder.model.get_layer("backbone").hierarchical_alpha:
        print(f"Elsewhere it reads {encoder.architecture.max_positions} tokens: hierarchical positions are ours alone.")


def _encode(args: argparse.Namespace) -> None:
    encoder = _load(args)
    from shared.pretrained.outputs import encoded, write_npz
    from shared.pretrained.token_rows import read_token_rows

    rows = read_token_rows(args.ids, encoder.architecture, encoder.vocabulary_size)
    if not set(args.outputs) & set(encoder.model.output):
        raise UserError(f"{args.path}: has no {', '.join(args.outputs)}; it has {', '.join(encoder.model.output)}.")
    arrays = encoded(encoder.model, rows, args.outputs, label="encode")
    write_npz(args.out, arrays)
    print(f"{args.out}: " + ", ".join(f"{name} {array.shape}" for name, array in arrays.items()))


def _load(args: argparse.Namespace, drop_condition: bool = False) -> "Encoder":
    """Returns a published checkpoint or the backbone of a trained model, with weights in float32."""
    from shared.pretrained.trained import is_trained, load_trained
    from shared.training.hardware import configure
    from shared.training.settings import HardwareSettings

    configure(HardwareSettings(precision="float32", deterministic="off"), seed=0)
    if is_trained(args.path):
        return load_trained(args.path, drop_condition)
    from shared.pretrained.load import load_encoder  # imports Keras, which is configured now

    return load_encoder(args.path, kind=args.kind, ignore=args.ignore)


def _vocabulary(file: Path | None, rows: int) -> "Vocabulary | None":
    """Returns the vocabulary of a checkpoint. Raises: UserError if it does not fit the embedding."""
    if file is None:
        return None
    from shared.text.vocabulary import Vocabulary

    vocabulary = Vocabulary.load(file)
    if len(vocabulary) != rows:
        raise UserError(
            f"{file}: {len(vocabulary)} tokens, but the embedding has {rows} rows. The vocabulary belongs to another "
            "checkpoint, or one of the files is damaged."
        )
    return vocabulary


def _tokenizer(encoder: "Encoder", vocabulary: "Vocabulary") -> Any:
    from shared.text.settings import TextSettings
    from shared.text.units import tokenizer_for

    lowercase = bool(encoder.tokenizer.get("do_lower_case", True))
    return tokenizer_for(vocabulary, TextSettings(vocabulary=None, lowercase=lowercase))


def _described(this: Architecture) -> str:
    """Returns what the audit does not say of an architecture."""
    parts = [
        f"{this.num_heads} heads",
        f"feed-forward {this.ffn_dim} ({this.activation})",
        f"embeddings {this.embedding_dim}" if this.embedding_dim else "",
        f"weights shared by {this.num_layers // this.num_groups} layers" if this.num_groups else "",
        f"{this.position} positions" + (f", {this.max_positions} of them" if this.position == "absolute" else ""),
        f"{this.norm} norm (epsilon {this.epsilon:g})",
        "" if this.bias else "no biases",
        f"{this.segment_count} segments",
    ]
    return f"- architecture: {', '.join(part for part in parts if part)}"


if __name__ == "__main__":
    sys.exit(main())
