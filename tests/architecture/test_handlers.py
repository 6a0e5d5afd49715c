"""Every method of every handler says who may call it."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

import pytest

from jupyter_runtimed.handlers.routes import ROUTES
from jupyter_runtimed.handlers.sync_socket import SyncSocket

METHODS = ("get", "head", "post", "put", "patch", "delete")

KNOWN = {("read", "contents"), ("write", "contents"), ("execute", "kernels")}


def own_methods(handler: type[Any]) -> list[str]:
    return [name for name in METHODS if name in vars(handler)]


def decorators(function: Any) -> list[ast.expr]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef)
    return definition.decorator_list


@pytest.mark.parametrize("handler", sorted({handler for _, handler in ROUTES}, key=lambda kind: kind.__name__))
def test_every_method_is_authenticated_and_asks_one_explicit_question(handler: type[Any]) -> None:
    assert own_methods(handler)
    for name in own_methods(handler):
        found = decorators(getattr(handler, name))
        if handler is SyncSocket:
            assert [ast.unparse(one) for one in found] == ["ws_authenticated"]
            continue
        authenticated, authorized = found
        assert ast.unparse(authenticated) == "web.authenticated"
        assert isinstance(authorized, ast.Call)
        assert ast.unparse(authorized.func) == "authorized"
        (action,), (resource,) = authorized.args, authorized.keywords
        assert resource.arg == "resource"
        assert isinstance(action, ast.Constant)
        assert isinstance(resource.value, ast.Constant)
        assert (action.value, resource.value.value) in KNOWN


def test_the_socket_asks_before_it_agrees() -> None:
    source = inspect.getsource(inspect.unwrap(SyncSocket.get))
    assert source.index("ask_permissions") < source.index("super().get")
    assert source.index("403") < source.index("super().get")


def test_jupyter_knows_that_nothing_is_open_to_everybody() -> None:
    for _, handler in ROUTES:
        for name in own_methods(handler):
            assert getattr(getattr(handler, name), "__allow_unauthenticated", False) is False
