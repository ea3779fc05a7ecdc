"""The three competitions of LIC2020 on a few hand-written examples, with the settings of our own params.yaml."""

import hashlib
import json
from pathlib import Path
from typing import Any

import ruamel.yaml

from tests.conftest import REPOSITORY

NAMES = ("lic2020_re", "lic2020_ee", "lic2020_mrc")

RE_SCHEMA = [
    {"object_type": {"@value": "人物"}, "predicate": "导演", "subject_type": "影视作品"},
    {"object_type": {"inWork": "影视作品", "@value": "人物"}, "predicate": "饰演", "subject_type": "娱乐人物"},
]


def _triple(subject: str, predicate: str, **slots: str) -> dict[str, Any]:
    schema = next(line for line in RE_SCHEMA if line["predicate"] == predicate)
    values = {("@value" if slot == "value" else slot): text for slot, text in slots.items()}
    types = {slot: schema["object_type"][slot] for slot in values}  # type: ignore[index]
    return {
        "predicate": predicate,
        "object_type": types,
        "subject_type": schema["subject_type"],
        "object": values,
        "subject": subject,
    }


RE_LINES = [
    ("《风里》由林一舟导演", [_triple("风里", "导演", value="林一舟")]),
    (
        "林一舟、周小满导演的《云上》开播",
        [_triple("云上", "导演", value="林一舟"), _triple("云上", "导演", value="周小满")],
    ),
    ("周小满在《风里》中饰演船长阿海", [_triple("周小满", "饰演", value="阿海", inWork="风里")]),
    ("今天　天气很好😀", []),
    (
        "吴青在ABC里饰演小七，该片由吴青导演",
        [_triple("吴青", "饰演", value="小七", inWork="ABC"), _triple("ABC", "导演", value="吴青")],
    ),
]

EE_SCHEMA = [
    {
        "event_type": "竞赛行为-胜负",
        "role_list": [{"role": "胜者"}, {"role": "败者"}, {"role": "时间"}],
        "class": "竞赛行为",
    },
    {"event_type": "灾害/意外-起火", "role_list": [{"role": "地点"}, {"role": "时间"}], "class": "灾害/意外"},
]


def _event(text: str, event_type: str, trigger: str, **arguments: str) -> dict[str, Any]:
    return {
        "event_type": event_type,
        "trigger": trigger,
        "trigger_start_index": text.index(trigger),
        "arguments": [
            {"argument_start_index": text.index(value), "role": role, "argument": value, "alias": []}
            for role, value in arguments.items()
        ],
        "class": event_type.rsplit("-", 1)[0],
    }


EE_LINES = [
    (text, [_event(text, **event) for event in found])
    for text, found in (
        (
            "周六红星队击败蓝海队",
            [{"event_type": "竞赛行为-胜负", "trigger": "击败", "胜者": "红星队", "败者": "蓝海队", "时间": "周六"}],
        ),
        ("青山队惜败红星队", [{"event_type": "竞赛行为-胜负", "trigger": "败", "胜者": "红星队", "败者": "青山队"}]),
        ("昨晚北街市场起火", [{"event_type": "灾害/意外-起火", "trigger": "起火", "地点": "北街市场", "时间": "昨晚"}]),
        ("新书今日上架\n欢迎选购", []),
        ("南桥码头起火，无人受伤", [{"event_type": "灾害/意外-起火", "trigger": "起火", "地点": "南桥码头"}]),
    )
]

MRC_PASSAGES = [
    ("青石山海拔812米，位于白河县。山上有三座亭子。", [("青石山海拔多少", "812米"), ("青石山在哪里", "白河县")]),
    ("木桥书店每天九点开门，晚上十点关门。" * 40 + "店主是何田。", [("木桥书店店主是谁", "何田")]),
    ("蓝莓派的价格是２５元一份😀，每周二打八折。", [("蓝莓派多少钱", "２５元一份")]),
]


def write_raw(name: str, folder: Path) -> Path:
    """Writes the official files of one competition."""
    folder.mkdir(parents=True)
    if name == "lic2020_re":
        lines = [{"text": text, "spo_list": triples} for text, triples in RE_LINES]
        _write(folder / "duie_train.json", lines * 3)
        _write(folder / "duie_dev.json", lines)
        _write(folder / "duie_test2.json", [{"text": text} for text, _ in RE_LINES])
        _write(folder / "duie_schema.json", RE_SCHEMA)
    elif name == "lic2020_ee":
        for split, copies in (("train", 3), ("dev", 1)):
            lines = [
                {"text": text, "id": _md5(f"{split}{i}{text}"), "event_list": events}
                for i, (text, events) in enumerate(EE_LINES * copies)
            ]
            _write(folder / f"duee_{split}.json", lines)
        _write(folder / "duee_test1.json", [{"text": text, "id": _md5(text)} for text, _ in EE_LINES])
        _write(folder / "duee_event_schema.json", [line | {"id": _md5(str(line["event_type"]))} for line in EE_SCHEMA])
    else:
        for split, file in (("train", "train"), ("dev", "dev"), ("test", "test1")):
            document = {
                "data": [{"paragraphs": [_paragraph(split, *passage) for passage in MRC_PASSAGES], "title": ""}]
            }
            (folder / f"{file}.json").write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    return folder


def _paragraph(split: str, context: str, questions: list[tuple[str, str]]) -> dict[str, Any]:
    qas = []
    for question, answer in questions:
        start = -1 if split == "dev" else context.index(answer)
        answers = {} if split == "test" else {"answers": [{"text": answer, "answer_start": start}]}
        qas.append({"question": question, "id": _md5(split + question), **answers})
    return {"qas": qas, "context": context}


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def _write(path: Path, lines: list[Any]) -> None:
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def write_params(folder: Path, **train: Any) -> None:
    """Writes the project's params.yaml with other raw folders and other values in each `train` section."""
    yaml = ruamel.yaml.YAML()
    params = yaml.load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    for name in set(params) - {"version", *NAMES}:
        del params[name]
    params["raw"] = {name: f"raw/{name}" for name in NAMES}
    for name in NAMES:
        params[name]["train"].update(train)
        params[name]["text"]["min_count"] = 1
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(params, file)
