"""What MIME types say of their data."""

from __future__ import annotations

import pytest

from jupyter_runtimed.core.mime import is_binary, is_json

BINARY = (
    "image/png",
    "image/jpeg",
    "image/webp",
    "audio/wav",
    "video/mp4",
    "application/pdf",
    "application/octet-stream",
)
JSON = ("application/json", "application/geo+json", "application/vnd.plotly.v1+json")
TEXT = (
    "text/plain",
    "text/html",
    "text/latex",
    "image/svg+xml",
    "application/javascript",
    "application/xml",
    "application/xhtml+xml",
    "application/mathml+xml",
    "application/x-tex",
    "application/vnd.bokehjs_load.v0",
    "json",
    "",
)


@pytest.mark.parametrize("mime", BINARY)
def test_binary_types_are_base64_in_a_notebook(mime: str) -> None:
    assert is_binary(mime) and not is_json(mime)


@pytest.mark.parametrize("mime", JSON)
def test_json_types_are_values(mime: str) -> None:
    assert is_json(mime) and not is_binary(mime)


@pytest.mark.parametrize("mime", TEXT[:-2])
def test_everything_else_is_text(mime: str) -> None:
    assert not is_json(mime) and not is_binary(mime)


@pytest.mark.parametrize("mime", TEXT[-2:])
def test_what_is_no_mime_type_is_text(mime: str) -> None:
    assert not is_json(mime) and not is_binary(mime)
