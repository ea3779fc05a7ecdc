"""Makes fast.json and slow.json: what transformers' tokenizers make of texts that were written for it.

    python tests/data/tokenizers/make_vectors.py    # in a throwaway environment, once for each release

fast.json: transformers 5.23.0 (tokenizers 0.23.3, rjieba 0.2.2): ids and offsets of BertTokenizer and RoFormerTokenizer
made from a dictionary: `from_pretrained` of that RoFormerTokenizer takes the path of a vocab.txt for the vocabulary and
finds no word in it. slow.json: transformers 4.57.1 (rjieba 0.2.2), whose tokenizers are Python; ids alone, as they know
no offsets. Special tokens are not added. The vocabularies beside this file were written by hand.
"""

import json
from pathlib import Path

import tokenizers
import transformers

FOLDER = Path(__file__).parent
TEXTS = [
    "",
    " \t\r\n\u3000",
    "今天下雨了，明天放晴。",
    "我们在北京大学上课，今天天气很好！",
    "北京的大学生，大学生的北京",
    "iPhone12 Pro卖5999元，covid-19",
    "Café naïve ÉCOLE résumé",
    "Ｈｅｌｌｏ，１２３！（全角）",
    "你好👍🏽，👨\u200d👩\u200d👧 今天☀\ufe0f",
    "𠀀𪜀龘靐",
    "下\u0301雨\u0308 e\u0301",
    "今\u200b天\ufeff北\u200d京",
    "今\x00天\x07下\x7f雨\ufffd",
    "\ue000北京\uf8ff大学",
    "北京\r\n大学\n今天\u2028下雨\x0b",
    "İstanbul ẞtraße ŉ ﬁ ½ Ⅱ ① ㈠ ℃",
    "≠ ≥ © ™ $5 £6 ￥7 ~`^",
    "a_b-c+d#e%f&g.h 3.14 1,000",
    "한국 어 カタカナ ひらがな",
    "привет αβγ",
    "[CLS]今天[SEP]",
    "##今 ## #话题#",
    "aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbb",
    "aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbba",
    "天气预报说北京今天下雨，我们在大学上课吧",
    "我用c#和c++",
]


def main() -> None:
    """Writes the file of the release that is installed."""
    fast = int(transformers.__version__.split(".")[0]) >= 5
    cases = []
    for kind, file, name in (("char", "characters.txt", "Bert"), ("word", "words.txt", "RoFormer")):
        for lowercase in (True, False):
            tokenizer = _tokenizer(f"{name}Tokenizer", FOLDER / file, lowercase, fast)
            for text in TEXTS:
                if fast:
                    made = tokenizer(
                        text, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=True
                    )
                    found = {"ids": made["input_ids"], "offsets": [list(place) for place in made["offset_mapping"]]}
                else:
                    found = {
                        "ids": tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text, split_special_tokens=True))
                    }
                cases.append({"units": kind, "lowercase": lowercase, "text": text, **found})
    document = {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__, "cases": cases}
    lines = ",\n".join(json.dumps(case) for case in document.pop("cases"))
    head = json.dumps(document)[:-1]
    (FOLDER / ("fast.json" if fast else "slow.json")).write_text(
        f'{head}, "cases": [\n{lines}\n]}}\n', encoding="utf-8"
    )


def _tokenizer(name: str, vocabulary: Path, lowercase: bool, fast: bool) -> transformers.PreTrainedTokenizerBase:
    if not fast:
        return getattr(transformers, name)(str(vocabulary), do_lower_case=lowercase)
    tokens = vocabulary.read_text(encoding="utf-8").split("\n")[:-1]
    return getattr(transformers, name)({token: index for index, token in enumerate(tokens)}, do_lower_case=lowercase)


if __name__ == "__main__":
    main()
