import json

import pytest

from competitions.lic2020_re.schema import Schema, read_schema
from shared.errors import UserError
from tests.competitions.lic2020_re.layout import SCHEMA, SCHEMA_LINES, put


def message(tmp_path, *lines: str) -> str:
    with pytest.raises(UserError) as error:
        read_schema(put(tmp_path / "schema.json", [SCHEMA_LINES[0], *lines]))
    return str(error.value)


def test_predicates_come_in_the_order_of_the_file(tmp_path):
    schema = read_schema(put(tmp_path / "schema.json", SCHEMA_LINES))
    assert schema == SCHEMA
    assert list(schema.predicates) == ["导演", "主演", "饰演", "获奖"]


def test_the_main_slot_comes_first_and_the_others_in_the_order_of_the_file(tmp_path):
    schema = read_schema(put(tmp_path / "schema.json", SCHEMA_LINES))
    assert list(schema.predicates["获奖"].object_types) == ["@value", "inWork", "onDate"]


def test_every_predicate_and_slot_is_a_relation():
    assert SCHEMA.relations == (
        ("导演", "@value"),
        ("主演", "@value"),
        ("饰演", "@value"),
        ("饰演", "inWork"),
        ("获奖", "@value"),
        ("获奖", "inWork"),
        ("获奖", "onDate"),
    )


def test_json_brings_back_an_equal_schema_with_equal_relations():
    copy = Schema.from_json(json.loads(json.dumps(SCHEMA.to_json())))
    assert copy == SCHEMA
    assert copy.relations == SCHEMA.relations


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        ("{", "not JSON"),
        ("[]", "found a list. Expected a JSON object with 'predicate', 'subject_type' and 'object_type'"),
        ('{"subject_type": "人物", "object_type": {"@value": "人物"}}', "no 'predicate'"),
        ('{"predicate": "父亲", "object_type": {"@value": "人物"}}', "no 'subject_type'"),
        ('{"predicate": "父亲", "subject_type": "人物"}', "no 'object_type'"),
        ('{"predicate": "父亲", "subject_type": "人物", "object_type": "人物"}', "a string, as in DuIE 1.0"),
        ('{"predicate": "父亲", "subject_type": "人物", "object_type": {"inWork": "作品"}}', "no slot '@value'"),
        ('{"predicate": "父亲", "subject_type": "人物", "object_type": {"@value": 1}}', "'@value' is a number"),
        (SCHEMA_LINES[0], "the predicate '导演' stands in an earlier line already"),
    ],
)
def test_a_bad_line_is_named_with_its_place(tmp_path, bad, found):
    text = message(tmp_path, bad)
    assert text.startswith(f"{tmp_path}/schema.json:2: ")
    assert found in text


def test_an_empty_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"schema.json: the file is empty"):
        read_schema(put(tmp_path / "schema.json", b"\n"))


def test_the_official_schema_has_48_predicates_and_55_relations(shared_data):
    schema = read_schema(shared_data / "data" / "duie2" / "duie_schema.json")
    assert len(schema.predicates) == 48
    assert len(schema.relations) == 55
    several = {name: len(one.object_types) for name, one in schema.predicates.items() if len(one.object_types) > 1}
    assert several == {"配音": 2, "上映时间": 2, "票房": 2, "获奖": 4, "饰演": 2}
    assert all(next(iter(one.object_types)) == "@value" for one in schema.predicates.values())
