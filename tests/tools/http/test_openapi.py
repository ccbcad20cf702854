from __future__ import annotations

import re
from typing import Any

import pytest

from agentbench.errors import DataError
from agentbench.tools.http.openapi import published_spec, read_openapi
from agentbench.tools.http.spec import HttpEndpoint, Method, Place, Slot

from .conftest import document, in_path, query


def only(source: dict[str, Any]) -> HttpEndpoint:
    (endpoint,) = read_openapi(source, "api.json")
    return endpoint


def test_an_operation_becomes_an_endpoint_with_a_closed_schema() -> None:
    parameters = [query("year", "integer", description="When."), in_path("title")]
    found = only(document("/v1/films/{title}", summary="A film.", description="By title.", parameters=parameters))
    assert found == HttpEndpoint(
        "films",
        "A film.\nBy title.",
        Method.GET,
        "/v1/films/{title}",
        {
            "type": "object",
            "properties": {"title": {"type": "string"}, "year": {"type": "integer", "description": "When."}},
            "required": ["title"],
            "additionalProperties": False,
        },
        {"title": Slot(Place.PATH, "title"), "year": Slot(Place.QUERY, "year")},
    )


def test_parameters_of_the_path_hold_for_its_operations_unless_they_say_otherwise() -> None:
    source = document(parameters=[query("year", "integer")])
    source["paths"]["/films"]["parameters"] = [query("year"), query("cast")]
    assert only(source).parameters["properties"] == {"year": {"type": "integer"}, "cast": {"type": "string"}}


def test_a_body_is_one_argument_and_equal_names_are_told_apart() -> None:
    body = {"required": True, "content": {"application/json; charset=utf-8": {"schema": {"type": "object"}}}}
    parameters = [query("body"), query("id"), in_path("id")]
    found = only(document("/{id}", "post", requestBody=body, parameters=parameters))
    assert found.slots == {
        "id": Slot(Place.PATH, "id"),
        "body": Slot(Place.QUERY, "body"),
        "id_query": Slot(Place.QUERY, "id"),
        "body_body": Slot(Place.BODY, "body"),
    }
    assert found.parameters["required"] == ["id", "body_body"]


def test_references_are_filled_in_wherever_they_stand() -> None:
    source = document(parameters=[{"$ref": "#/components/parameters/a~1b"}])
    source["components"] = {
        "parameters": {"a/b": query("year", description="When.") | {"schema": {"$ref": "#/components/schemas/Year"}}},
        "schemas": {
            "Year": {"anyOf": [{"$ref": "#/components/schemas/Whole"}, {"type": "null"}]},
            "Whole": {"type": "integer"},
        },
    }
    assert only(source).parameters["properties"] == {
        "year": {"anyOf": [{"type": "integer"}, {"type": "null"}], "description": "When."}
    }


def test_the_words_of_openapi_3_0_become_those_of_json_schema() -> None:
    schema = {"type": "integer", "nullable": True, "minimum": 0, "exclusiveMinimum": True, "enum": [1, 2]}
    source = document(parameters=[query("n") | {"schema": schema}]) | {"openapi": "3.0.3"}
    assert only(source).parameters["properties"]["n"] == {
        "type": ["integer", "null"],
        "exclusiveMinimum": 0,
        "enum": [1, 2, None],
    }


def test_names_come_from_the_operation_or_its_path_are_short_and_differ() -> None:
    operations = {"get": {}, "post": {"operationId": "get films_by id"}}
    paths = {"/films/by/{id}": {"parameters": [in_path("id")], **operations}, "/" + "x" * 80: {"get": {}}}
    source = {"openapi": "3.1.0", "paths": {**paths, "/a": {"get": {"operationId": "get_films_by_id"}}}}
    names = [endpoint.name for endpoint in read_openapi(source, "api")]
    assert names[:2] == ["get_films_by_id", "get_films_by_id_2"]
    assert re.fullmatch(r"get_x{53}_[0-9a-f]{6}", names[2]) and len(names[2]) == 64
    assert names[3] == "get_films_by_id_3"


def test_methods_that_change_things_and_optional_headers_are_left_out() -> None:
    header = {"name": "trace", "in": "header", "schema": {"type": "string"}}
    source = document(parameters=[header])
    source["paths"]["/films"] |= {"delete": {}, "put": {}, "summary": "Films."}
    assert only(source).slots == {}


def nested(depth: int) -> dict[str, Any]:
    """A document in which each schema holds the next one twice."""
    schemas = {f"S{i}": {"allOf": [{"$ref": f"#/components/schemas/S{i + 1}"}] * 2} for i in range(depth)}
    source = document(parameters=[query("a") | {"schema": {"$ref": "#/components/schemas/S0"}}])
    return source | {"components": {"schemas": {**schemas, f"S{depth}": {"type": "string"}}}}


DEEP: dict[str, Any] = {}
for _ in range(1000):
    DEEP = {"items": DEEP}
LOOP = document(parameters=[query("a") | {"schema": {"$ref": "#/components/schemas/A"}}]) | {
    "components": {"schemas": {"A": {"items": {"$ref": "#/components/schemas/A"}}}}
}


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({"swagger": "2.0"}, "no OpenAPI 3 document: its version is None"),
        ({"openapi": "3.1.0"}, "has no paths"),
        ({"openapi": "3.1.0", "paths": {}}, "has no GET or POST operation"),
        (LOOP, "'#/components/schemas/A' refers to itself"),
        (document(parameters=[query("a") | {"schema": DEEP}]), "goes more than 100 levels deep"),
        (nested(20), "grows to more than 20,000 values"),
        (document(parameters=[{"$ref": "https://else.where/a"}]), "leads out of the document"),
        (document(parameters=[{"$ref": "#/a/b"}]), "finds nothing at 'a'"),
        (document("/{id}"), "the path wants ['id'] and the parameters are []"),
        (document(parameters=[query("key") | {"in": "header", "required": True}]), "demands 'key' in 'header'"),
        (document(parameters=[query("a", "object")]), "which has no one place in a URL"),
        (document(parameters=[query("a", "array", explode=False)]), "a way that is not supported"),
        (document(parameters=[query("a", "text")]), "its schema is none"),
        (document(parameters=[query("a") | {"schema": {"$dynamicRef": "#x"}}]), "'$dynamicRef' is not supported"),
        (document(parameters=[{"in": "query"}]), "a parameter has no name"),
        (document(method="post", requestBody={"required": True, "content": {"text/csv": {}}}), "a body that is not"),
        (document("films"), "does not begin with a slash"),
    ],
)
def test_what_cannot_be_called_is_refused_in_one_line(source: dict[str, Any], problem: str) -> None:
    with pytest.raises(DataError) as caught:
        read_openapi(source, "api.json")
    assert problem in str(caught.value)
    assert str(caught.value).startswith("api.json: ") and "\n" not in str(caught.value)


def test_the_published_shape_keeps_type_and_description_only() -> None:
    parameters = [query("year", "integer", description="When.", required=True), query("a") | {"schema": {"enum": [1]}}]
    spec = published_spec(only(document(summary="Films.", parameters=parameters)))
    assert (spec.name, spec.description) == ("films", "Films.")
    assert spec.parameters == {
        "type": "object",
        "properties": {
            "year": {"type": "integer", "description": "When."},
            "a": {"type": "string", "description": ""},
        },
        "required": ["year"],
    }
