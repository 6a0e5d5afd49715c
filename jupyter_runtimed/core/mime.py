"""What a MIME type says of its data in a notebook: bytes (base64), JSON, or text."""

from __future__ import annotations

_TEXT_APPLICATIONS = frozenset(
    {
        "application/ecmascript",
        "application/graphql",
        "application/javascript",
        "application/mathml+xml",
        "application/sql",
        "application/x-latex",
        "application/x-tex",
        "application/xhtml+xml",
        "application/xml",
    }
)


def is_json(mime: str) -> bool:
    """Whether the data is a JSON value, as nbformat has it: application/json and application/*+json."""
    return mime == "application/json" or (mime.startswith("application/") and mime.endswith("+json"))


def is_active(mime: str) -> bool:
    """Whether a front end shows the data otherwise when it is trusted: it may run something."""
    return mime != "text/plain" and not (mime.startswith("image/") and "svg" not in mime)


def is_binary(mime: str) -> bool:
    """Whether the data is base64 of bytes.

    Images but SVG, audio, video, and applications that are neither JSON nor a kind of text. Applications of vendors
    are taken for text: kernels send scripts and markup under them.
    """
    if mime.startswith("image/"):
        return not mime.endswith("+xml")
    if mime.startswith(("audio/", "video/")):
        return True
    if not mime.startswith("application/") or is_json(mime):
        return False
    return not (mime in _TEXT_APPLICATIONS or mime.endswith("+xml") or mime.startswith("application/vnd."))
