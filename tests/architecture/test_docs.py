"""The documentation names everything there is, and nothing that is not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from jupyter_runtimed.app import RuntimedApp
from jupyter_runtimed.core.errors import RuntimedError
from jupyter_runtimed.core.frames import FrameType
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.requests import ACTIONS
from jupyter_runtimed.handlers.errors import CODES
from jupyter_runtimed.handlers.routes import ROUTES
from jupyter_runtimed.handlers.sync_socket import SyncSocket
from tests.architecture.test_handlers import own_methods

ROOT = Path(__file__).parents[2]
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
OPENAPI: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())

ONLY_OVER_HTTP = {"conflict", "protocol_error"}
"""Codes of base classes; nothing is raised with them."""


def kinds(base: type[RuntimedError]) -> Iterator[type[RuntimedError]]:
    yield base
    for kind in base.__subclasses__():
        yield from kinds(kind)


def server_codes() -> set[str]:
    """The codes of all errors that a server answers with."""
    found = {kind.code for kind in kinds(RuntimedError) if ".client." not in kind.__module__}
    return (found | set(CODES.values())) - ONLY_OVER_HTTP


def test_every_frame_type_is_in_the_protocol() -> None:
    rows = dict(re.findall(r"^\| `([0-9a-f]{2})` \| `([A-Z_]+)` \|", PROTOCOL, re.MULTILINE))
    assert rows == {f"{kind:02x}": kind.name for kind in FrameType}


def test_every_action_is_in_the_protocol() -> None:
    section = PROTOCOL.split("## Requests")[1].split("### Codes")[0]
    rows = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(ACTIONS)


def test_every_error_is_in_the_protocol_with_its_status() -> None:
    section = PROTOCOL.split("### Codes")[1].split("## Presence")[0]
    told = {}
    for row in section.splitlines():
        cells = [cell.strip() for cell in row.split("|")]
        if len(cells) > 3 and cells[2].isdigit():
            told.update(dict.fromkeys(re.findall(r"`(\w+)`", cells[1]), int(cells[2])))
    assert set(told) == server_codes()
    for kind in kinds(RuntimedError):
        if kind.code in told:
            assert told[kind.code] == kind.status, kind


def test_every_close_code_is_in_the_protocol() -> None:
    section = PROTOCOL.split("### Close codes")[1].split("## Requests")[0]
    told = {int(code) for code in re.findall(r"^\| (\d{4}) \|", section, re.MULTILINE)}
    used = {1001, 1011}  # of the WebSocket protocol itself: the server stops, the server failed
    for path in (ROOT / "jupyter_runtimed").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, int) and 4400 <= node.value < 4500:
                used.add(node.value)
    used |= {kind.close_code for kind in kinds(RuntimedError) if hasattr(kind, "close_code")}
    assert told == used


def test_every_limit_is_in_the_protocol() -> None:
    section = PROTOCOL.split("## Limits")[1]
    assert set(re.findall(r"`(\w+_(?:bytes|s|depth|ops))`", section)) == set(Limits().to_json())


def test_every_trait_is_in_the_configuration_page_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", CONFIGURATION, re.MULTILINE))
    traits = dict(RuntimedApp.class_own_traits(config=True))
    assert set(rows) == set(traits)
    for name, trait in traits.items():
        assert trait.help, name
        default = trait.default_value
        if isinstance(default, bool):
            assert rows[name] == f"`{default}`"
        elif isinstance(default, int | float):
            assert number(rows[name]) == default, name


def number(text: str) -> float:
    """`64 MiB, at least that` is 67108864."""
    value, *unit = text.split(",")[0].split()
    return float(value) * {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}["".join(unit)]


def test_traits_say_their_unit() -> None:
    for name, trait in RuntimedApp.class_own_traits(config=True).items():
        if isinstance(trait.default_value, float):
            assert name.endswith("_s"), name
        if isinstance(trait.default_value, int) and not isinstance(trait.default_value, bool):
            assert name.endswith("_bytes") or name.startswith("max_"), name


# OpenAPI.


def templates() -> dict[str, type[Any]]:
    """Our routes as OpenAPI writes them."""
    found = {}
    for pattern, handler in ROUTES:
        names = iter(re.findall(r"\{(\w+)\}", (handler.__doc__ or "").split("`")[1]))
        template = re.sub(r"\([^)]*\)", lambda _: "{" + next(names) + "}", pattern)
        if not template.endswith(".*"):
            found[template.removesuffix("/?")] = handler
    return found


def test_openapi_has_every_route_and_no_other() -> None:
    assert set(OPENAPI["paths"]) == set(templates())


def test_openapi_has_every_method_and_no_other() -> None:
    for path, handler in templates().items():
        told = {name for name in OPENAPI["paths"][path] if name != "parameters"}
        assert told == set(own_methods(handler)), path


def test_openapi_asks_the_authorizer_what_the_handlers_ask() -> None:
    from tests.architecture.test_handlers import decorators

    for path, handler in templates().items():
        if handler is SyncSocket:
            continue
        for name in own_methods(handler):
            _, authorized = decorators(getattr(handler, name))
            assert isinstance(authorized, ast.Call)
            words = [ast.literal_eval(authorized.args[0]), ast.literal_eval(authorized.keywords[0].value)]
            assert " ".join(words) in OPENAPI["paths"][path][name]["x-authorizer"], (path, name)


def test_openapi_names_every_error_code() -> None:
    assert set(OPENAPI["components"]["schemas"]["Error"]["properties"]["code"]["enum"]) == server_codes()


def test_openapi_references_exist() -> None:
    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for item in value.values():
                yield from references(item)
        elif isinstance(value, list):
            for item in value:
                yield from references(item)

    for reference in set(references(OPENAPI)):
        place: Any = OPENAPI
        for name in reference.removeprefix("#/").split("/"):
            place = place[name]
        assert place


# Pages.

PAGES = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_in_pages_compiles(page: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        ast.parse(block)


def test_every_guarantee_names_a_test_that_exists() -> None:
    text = (ROOT / "docs" / "durability.md").read_text()
    rows = [
        line for line in text.splitlines() if line.startswith("| ") and line.count("|") == 4 and "seen in" not in line
    ]
    assert len(rows) > 30
    for row in rows:
        named = re.findall(r"`(tests/[^`]+)`", row)
        assert named, row
        for name in named:
            file, _, function = name.partition("::")
            source = (ROOT / file).read_text()
            assert not function or re.search(rf"^(async )?def {function}\(", source, re.MULTILINE), name
