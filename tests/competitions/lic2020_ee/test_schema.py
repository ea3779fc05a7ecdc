import json

import pytest

from competitions.lic2020_ee.schema import EventType, Schema, read_schema
from shared.errors import UserError
from tests.competitions.lic2020_ee.layout import COLLAPSE, MATCH, SCHEMA, WEDDING, put, schema_lines


def test_reads_types_classes_and_roles_in_the_order_of_the_file(tmp_path):
    schema = read_schema(put(tmp_path / "schema.json", schema_lines()))
    assert schema == SCHEMA
    assert list(schema.event_types) == [MATCH, COLLAPSE, WEDDING]
    assert schema.event_types[COLLAPSE] == EventType("灾害/意外", ("时间", "坍塌主体", "死亡人数"))


def test_a_role_of_two_types_is_listed_for_each():
    assert SCHEMA.roles[:4] == ((MATCH, "时间"), (MATCH, "胜者"), (MATCH, "败者"), (COLLAPSE, "时间"))
    assert len(SCHEMA.roles) == 8


def test_the_schema_survives_json():
    assert Schema.from_json(json.loads(json.dumps(SCHEMA.to_json()))) == SCHEMA


def test_a_type_may_have_no_roles(tmp_path):
    row = '{"event_type": "人生-搬家", "class": "人生", "role_list": []}'
    assert read_schema(put(tmp_path / "schema.json", [row])).roles == ()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("{", "not JSON"),
        ("[]", "found a list. Expected a JSON object with 'event_type'"),
        ('{"class": "人生", "role_list": []}', "no 'event_type'"),
        ('{"event_type": "人生-搬家", "role_list": []}', "no 'class'"),
        (
            '{"event_type": "人生-搬家", "class": "交往", "role_list": []}',
            "does not start with its class. Expected 交往-",
        ),
        ('{"event_type": "人生-搬家", "class": "人生"}', "no 'role_list'. Expected a list"),
        ('{"event_type": "人生-搬家", "class": "人生", "role_list": {}}', "'role_list' is an object"),
        ('{"event_type": "人生-搬家", "class": "人生", "role_list": ["时间"]}', "'role_list' holds a string"),
        ('{"event_type": "人生-搬家", "class": "人生", "role_list": [{"name": "时间"}]}', "no 'role'"),
        (
            '{"event_type": "人生-搬家", "class": "人生", "role_list": [{"role": "时间"}, {"role": "时间"}]}',
            'a role of "人生-搬家" is listed twice',
        ),
        (schema_lines()[0], f'the event type "{MATCH}" stands in an earlier line already'),
    ],
)
def test_a_bad_line_is_named_with_file_and_line(tmp_path, bad, message):
    with pytest.raises(UserError) as error:
        read_schema(put(tmp_path / "schema.json", [schema_lines()[0], bad]))
    assert str(error.value).startswith(f"{tmp_path}/schema.json:2: ")
    assert message in str(error.value)
    assert "Use the official schema file" in str(error.value)


def test_the_official_schema_has_65_types_and_217_roles(shared_data):
    schema = read_schema(shared_data / "data" / "duee1" / "duee_event_schema.json")
    assert (len(schema.event_types), len(schema.roles)) == (65, 217)
    assert len({one.event_class for one in schema.event_types.values()}) == 9
