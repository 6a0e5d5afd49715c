"""What the server answers is what the OpenAPI page says."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.conformance.conftest import code_cell, notebook
from tests.integration.conftest import Served

PAGE: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "docs" / "openapi.yaml").read_text())

PICTURE = {"data": {"image/png": base64.b64encode(bytes(2000)).decode()}, "metadata": {}, "output_type": "display_data"}

CALLS: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("GET", "/rooms", None),
    ("POST", "/rooms", {"path": "a.ipynb"}),
    ("POST", "/rooms", {"untitled": True}),
    ("POST", "/rooms", {"path": "none.ipynb"}),
    ("POST", "/rooms", {}),
    ("GET", "/rooms/{room}", None),
    ("GET", "/rooms/none", None),
    ("GET", "/rooms/{room}/doc", None),
    ("GET", "/rooms/{room}/metadata", None),
    ("GET", "/rooms/{room}/metadata/x", None),
    ("PUT", "/rooms/{room}/metadata/x", {"value": 1}),
    ("DELETE", "/rooms/{room}/metadata/x", None),
    ("GET", "/rooms/{room}/notebook", None),
    ("GET", "/rooms/{room}/history", None),
    ("GET", "/rooms/{room}/history/0", None),
    ("GET", "/rooms/{room}/history/9", None),
    ("POST", "/rooms/{room}/history/0/restore", None),
    ("DELETE", "/rooms/{room}/history", None),
    ("POST", "/rooms/{room}/requests", {"id": "1", "action": "get_raw_metadata", "key": "x"}),
    ("POST", "/rooms/{room}/requests", {"id": "1", "action": "execute_cell", "cell_id": "none"}),
    ("POST", "/rooms/{room}/requests", {"id": "1", "action": "fly"}),
    ("POST", "/rooms/{room}/merge", b"none"),
    ("POST", "/blobs", b"bytes"),
    ("GET", "/blobs/x", None),
    ("GET", "/storage", None),
    ("PATCH", "/rooms", None),
    ("DELETE", "/rooms/{room}", None),
]


def operation(method: str, route: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """(path item, operation) of a call, by the page."""
    for template, item in PAGE["paths"].items():
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, "/api/runtimed" + route) and method.lower() in item:
            return item, item[method.lower()]
    return None


def resolved(value: Any) -> Any:
    """A value of the page, its references followed."""
    if isinstance(value, dict):
        if "$ref" in value:
            place: Any = PAGE
            for name in value["$ref"].removeprefix("#/").split("/"):
                place = place[name]
            return resolved(place)
        return {key: resolved(item) for key, item in value.items()}
    if isinstance(value, list):
        return [resolved(item) for item in value]
    return value


def test_every_schema_is_one() -> None:
    for schema in PAGE["components"]["schemas"].values():
        Draft202012Validator.check_schema(resolved(schema))


@pytest.mark.parametrize(("method", "route", "body"), CALLS)
async def test_answers_have_the_form_the_page_gives_them(served: Served, method: str, route: str, body: Any) -> None:
    async with served.visit() as v:
        room = await v.open(v.write(notebook(code_cell("1", "a", [PICTURE])), "a.ipynb"))
        route = route.replace("{room}", room["room_id"])
        options = {"data": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
        status, headers, answer = await v.call(method, route, **options)
    found = operation(method, route)
    if found is None:  # a method the page does not have
        Draft202012Validator(resolved(PAGE["components"]["schemas"]["Error"])).validate(answer)
        assert status == 405
        return
    responses = found[1]["responses"]
    response = resolved(responses.get(str(status)) or responses["default"])
    assert str(status) in responses or status >= 400
    for name in response.get("headers", {}):
        assert name in headers
    content = response.get("content", {})
    kind = headers.get("Content-Type", "").split(";")[0]
    if content:
        assert kind in content
        Draft202012Validator(content[kind].get("schema", {})).validate(answer)
    else:
        assert answer in (b"", None)
