"""Notebook files of every shape we know, made here: regular ones, odd ones that must survive, and broken ones.

Everything is deterministic. `regular()` and `odd()` give files that open; `broken()` gives files that must not, with
words that their error has to contain. `shared_notebooks()` adds real files, where a folder of them lies beside the
repository.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import nbformat

Json = dict[str, Any]

SHARED_FOLDER = Path(__file__).resolve().parents[3] / "shared" / "notebooks"

SCRIPTS = "naïve Ελληνικά Кириллица 日本語 한국어 हिन्दी العربية עברית ไทย 👩‍🔬🏳️‍🌈 e\u0301 \u2028 \u202e\u202c \x7f"
LINES = (
    "import numpy as np",
    "x = np.linspace(0, 10, 100)",
    "for i in range(10):",
    "    print(i, x[i])",
    "df = pd.read_csv('data.csv')",
    "",
    "# a comment about the données",
    "plt.plot(x, y, label='série')",
    "assert f(1) == 4  # 検証 ✓",
    "emoji = '🎉🚀' * 3",
)
ANSI_TRACEBACK = [
    "\x1b[0;31m---------------------------------------------------------------------------\x1b[0m",
    "\x1b[0;31mZeroDivisionError\x1b[0m                         Traceback (most recent call last)",
    "\x1b[0;32m<ipython-input-1-9e1622b385b6>\x1b[0m in \x1b[0;36m<module>\x1b[0;34m\x1b[0m",
    "\x1b[0;31mZeroDivisionError\x1b[0m: division by zero",
]


def png(size: int, seed: int = 0) -> bytes:
    """Bytes that begin like a PNG and are as incompressible."""
    return b"\x89PNG\r\n\x1a\n" + random.Random(seed).randbytes(max(0, size - 8))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def lines(text: str) -> list[str]:
    """A text as nbformat lays it out in a file."""
    return text.splitlines(keepends=True)


def source(size: int, seed: int = 0) -> str:
    """So many characters of code, a quarter of the lines not ASCII."""
    chooser = random.Random(seed)
    text = ""
    while len(text) < size:
        text += chooser.choice(LINES) + "\n"
    return text[:size]


# Pieces.


def code(text: str = "", outputs: list[Json] | None = None, count: int | None = None, **keys: Any) -> Json:
    cell = {"cell_type": "code", "execution_count": count, "metadata": {}, "outputs": outputs or []}
    return {**cell, "source": lines(text), **keys}


def markdown(text: str = "", **keys: Any) -> Json:
    return {"cell_type": "markdown", "metadata": {}, "source": lines(text), **keys}


def raw(text: str = "", **keys: Any) -> Json:
    return {"cell_type": "raw", "metadata": {}, "source": lines(text), **keys}


def stream(text: str, name: str = "stdout") -> Json:
    return {"name": name, "output_type": "stream", "text": lines(text)}


def display(**data: Any) -> Json:
    """A display; MIME types with `__` for the slash and `_` for what Python does not allow in names."""
    return display_of({key.replace("__", "/").replace("_", "+"): value for key, value in data.items()})


def display_of(data: Json, **keys: Any) -> Json:
    return {"data": data, "metadata": {}, "output_type": "display_data", **keys}


def result(data: Json, count: int = 1) -> Json:
    return {"data": data, "execution_count": count, "metadata": {}, "output_type": "execute_result"}


def error(traceback: list[str] | None = None) -> Json:
    return {
        "ename": "ZeroDivisionError",
        "evalue": "division by zero",
        "output_type": "error",
        "traceback": ANSI_TRACEBACK if traceback is None else traceback,
    }


PYTHON = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "version": "3.11.7",
    },
}


def notebook(cells: list[Json], *, minor: int = 5, ids: bool = True, metadata: Json | None = None, **root: Any) -> Json:
    """A notebook; with `ids`, cells that have none get one."""
    if ids and minor >= 5:
        cells = [{"id": f"cell-{index}", **cell} for index, cell in enumerate(cells)]
    return {
        "cells": cells,
        "metadata": PYTHON if metadata is None else metadata,
        "nbformat": 4,
        "nbformat_minor": minor,
        **root,
    }


def to_bytes(value: Json, **layout: Any) -> bytes:
    """The file: as nbformat lays it out, unless `json.dumps` arguments say something else."""
    arguments: Json = {"indent": 1, "sort_keys": True, "ensure_ascii": False, "separators": (",", ": ")}
    text = json.dumps(value, **{**arguments, **layout})
    try:
        return (text + "\n").encode()
    except UnicodeEncodeError:  # lone surrogates exist only as escapes
        return (json.dumps(value, **{**arguments, **layout, "ensure_ascii": True}) + "\n").encode()


# Regular notebooks: nbformat 4, valid.


def fifty_cells() -> Json:
    """A blog post: 24 markdown, 25 code and a raw cell, 40 outputs, 11 of them pictures, about 1.4 MB."""
    chooser = random.Random(50)
    cells = [raw("---\ntitle: Post\n---")]
    pictures = 0
    for index in range(49):
        if index % 2:
            cells.append(markdown(source(chooser.randrange(40, 900), index)))
            continue
        outputs = [stream("\n".join(f"step {line} of {index}" for line in range(chooser.randrange(1, 40))))]
        if index % 4 == 0 and pictures < 11:
            data = png(chooser.randrange(23_000, 190_000), index)
            outputs.append(display_of({"image/png": b64(data), "text/plain": ["<Figure size 640x480 with 1 Axes>"]}))
            pictures += 1
        elif index % 6 == 0:
            outputs.append(result({"text/html": lines("<table>\n" * 300), "text/plain": ["a table"]}, index))
        cells.append(code(source(chooser.randrange(30, 1200), 100 + index), outputs, index))
    return notebook(cells)


def rich_outputs() -> Json:
    plotly = {"data": [{"type": "scatter", "x": list(range(3000)), "y": [value / 7 for value in range(3000)]}]}
    svg = "<svg xmlns='http://www.w3.org/2000/svg'>\n" + "<path d='M0 0'/>\n" * 400 + "</svg>"
    outputs = [
        display_of({"image/svg+xml": lines(svg), "text/plain": ["<SVG>"]}),
        display_of({"image/jpeg": b64(png(5000, 1)), "text/plain": ["<Image>"]}),
        display_of({"audio/wav": b64(png(9000, 2)), "video/mp4": b64(png(20_000, 3)), "text/plain": ["media"]}),
        display_of({"application/pdf": b64(b"%PDF-1.4\n" + png(3000, 4)), "text/plain": ["PDF"]}),
        display_of({"text/latex": lines("$\\frac{1}{2}$\n" * 3), "text/markdown": ["**bold**"], "text/plain": ["x"]}),
        display_of({"application/javascript": lines("alert(1);\nalert(2);"), "text/plain": ["js"]}),
        display_of({"application/vnd.plotly.v1+json": plotly, "text/html": lines("<div>\n" * 500)}),
        display_of({"application/vnd.plotly.v1+json": {"data": [{"x": [1, 2.5, None, True]}]}}),
        display_of({"application/vnd.bokehjs_exec.v0+json": "", "application/vnd.bokehjs_load.v0+json": "x();"}),
        display_of({"application/geo+json": {"coordinates": [-118.4563712, 34.0163116], "type": "Point"}}),
        display_of({"application/json": ["a", "list", "of", "strings"]}),
        display_of({"application/json": [1, {"blob": 1}, []], "application/x.y+json": "a JSON string"}),
        display_of({"application/vnd.dataresource+json": {"data": [{"a": n} for n in range(400)], "schema": {}}}),
        result({"text/html": lines("<b>\n</b>"), "text/plain": lines("array([1,\n       2])")}, 7),
        error(),
        error([line * 40 for line in ANSI_TRACEBACK] * 5),
        error([]),
        stream("out\n"),
        stream("err\r\nprogress 1\rprogress 2\r", "stderr"),
        stream("", "stdout"),
        {**display_of({"image/png": b64(png(2000, 9))}), "metadata": {"image/png": {"height": 300, "width": 4.5}}},
    ]
    return notebook([code("show()", outputs, 7), code("again()", outputs[::-1], 8)])


def stream_of_12k_lines() -> Json:
    text = "\n".join(f"{index:05d} downloading shard {index * 7919 % 1000} …" for index in range(12_000))
    return notebook([code("download()", [stream(text)], 1), markdown("done")])


def many_outputs() -> Json:
    cells = [
        code(f"loop({index})", [stream(f"{index}.{n}\n", ("stdout", "stderr")[n % 2]) for n in range(25)], index)
        for index in range(23)
    ]
    return notebook(cells)


def many_cells(count: int = 335) -> Json:
    return notebook(
        [(code, markdown)[index % 2](f"# cell {index}\n" + "x = 1\n" * (index % 9)) for index in range(count)]
    )


def huge_source() -> Json:
    return notebook([code("x = 1"), code(source(210_000, 7), [stream("ok\n")], 3), markdown(source(30_000, 8))])


def widget_state() -> Json:
    state = {
        f"{index:032x}": {
            "model_module": "@jupyter-widgets/controls",
            "model_module_version": "1.5.0",
            "model_name": "FloatSliderModel",
            "state": {"layout": f"IPY_MODEL_{index:x}", "max": 10.0, "step": 0.1, "value": index / 3, "_dom": []},
        }
        for index in range(300)
    }
    widgets = {"application/vnd.jupyter.widget-state+json": {"state": state, "version_major": 2, "version_minor": 0}}
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "0", "version_major": 2}, "text/plain": ["slider"]}
    return notebook([code("slider", [display_of(view)], 1)], metadata={**PYTHON, "widgets": widgets})


def attachments() -> Json:
    picture = b64(png(30_000, 5))
    wrapped = base64.encodebytes(png(4000, 6)).decode()
    cells = [
        markdown("![a](attachment:a.png)", attachments={"a.png": {"image/png": picture}}),
        markdown(
            "two", attachments={"b.png": {"image/png": wrapped}, "c d.svg": {"image/svg+xml": lines("<svg>\n</svg>")}}
        ),
        raw("raw", attachments={"n.txt": {"text/plain": lines("some\ntext" * 300)}}),
        markdown("none", attachments={}),
        markdown("empty", attachments={"x": {}}),
    ]
    return notebook(cells)


def raw_cells() -> Json:
    cells = [
        raw("<b>raw</b>", metadata={"raw_mimetype": "text/html"}),
        raw("x", metadata={"format": "text/latex"}),
        raw(""),
    ]
    return notebook(cells)


def scripts() -> Json:
    return notebook(
        [
            markdown(f"# {SCRIPTS}\n\n{SCRIPTS[::-1]}"),
            code(f"print({SCRIPTS!r})", [stream(SCRIPTS + "\n"), result({"text/plain": lines(SCRIPTS)})], 1),
            markdown("separators \x0b \x0c \x1c \x85 \u2028 \u2029 end\r\nand \r alone\n"),
            code("nul = '\x00'", [stream("\x00\x01\n")], 2),
        ],
        metadata={**PYTHON, "título": {"日本": SCRIPTS}},
    )


def minor(number: int) -> Json:
    """Format 4.0 to 4.5."""
    return notebook(
        [markdown("# one"), code("1 + 1", [result({"text/plain": ["2"]}, 4)], 4), raw("r"), code("no_output()", [], 9)],
        minor=number,
        metadata={"kernelspec": {"display_name": "R", "language": "R", "name": "ir"}, "language_info": {"name": "R"}},
    )


def cell_metadata() -> Json:
    metadata = {
        "collapsed": False,
        "jupyter": {"outputs_hidden": True, "source_hidden": False},
        "papermill": {"duration": 0.012, "exception": None, "tags": []},
        "scrolled": "auto",
        "slideshow": {"slide_type": "slide"},
        "tags": ["a", "b"],
        "application/vnd.databricks.v1+cell": {"inputWidgets": {}, "nuid": "x", "showTitle": False, "title": ""},
    }
    return notebook([code("x", metadata=metadata), markdown("y", metadata={"colab": {"id": 3}}), raw("z", metadata={})])


@cache
def regular() -> dict[str, bytes]:
    """Valid notebooks of format 4, as nbformat lays them out unless the name says something else."""
    made: dict[str, Json] = {
        "empty": notebook([]),
        "empty-metadata": notebook([], metadata={}, minor=2),
        "one-empty-cell": notebook([code()]),
        "fifty-cells": fifty_cells(),
        "rich-outputs": rich_outputs(),
        "stream-12k-lines": stream_of_12k_lines(),
        "many-outputs": many_outputs(),
        "many-cells": many_cells(),
        "huge-source": huge_source(),
        "widget-state": widget_state(),
        "attachments": attachments(),
        "raw-cells": raw_cells(),
        "scripts": scripts(),
        "cell-metadata": cell_metadata(),
        **{f"minor-{number}": minor(number) for number in range(6)},
    }
    files = {name: to_bytes(value) for name, value in made.items()}
    rich = made["rich-outputs"]
    files["indent-4"] = to_bytes(rich, indent=4)
    files["one-line"] = to_bytes(rich, indent=None, separators=(",", ":"))
    files["escaped"] = to_bytes(made["scripts"], ensure_ascii=True)
    files["keys-unsorted"] = to_bytes(dict(reversed(rich.items())), sort_keys=False)
    files["crlf"] = to_bytes(made["scripts"], ensure_ascii=True).replace(b"\n", b"\r\n")
    files["byte-order-mark"] = b"\xef\xbb\xbf" + to_bytes(made["scripts"])
    files["no-final-newline"] = to_bytes(made["raw-cells"]).rstrip(b"\n")
    files["texts-unsplit"] = to_bytes(_joined(made["rich-outputs"]))
    return files


def _joined(value: Any) -> Any:
    """Texts as one string instead of a list of lines."""
    if isinstance(value, dict):
        return {
            key: "".join(item) if key in {"source", "text"} and isinstance(item, list) else _joined(item)
            for key, item in value.items()
        }
    return [_joined(item) for item in value] if isinstance(value, list) else value


# Odd notebooks: not quite valid, or with values that are hard to keep.


def _deep(levels: int, leaf: Any = 1) -> Any:
    value = leaf
    for level in range(levels):
        value = {"d": value} if level % 2 else [value]
    return value


BIG = 2**70 + 1
SURROGATE = "a\ud800b\udfffc"


def hard_values() -> Json:
    """Values that JSON writes in one way only, and values that Automerge cannot hold."""
    values = {
        "nan": float("nan"),
        "inf": [float("inf"), -float("inf")],
        "floats": [1.0, -0.0, 1e300, 5e-324, 0.1, 1e16, 123456789.123],
        "ints": [0, -1, 2**53 + 1, 2**63 - 1, -(2**63)],
        "uint": 2**64 - 1,
        "big": BIG,
        "negative-big": -BIG,
        "huge": 10**400,
        "big-in-list": [1, [BIG, "x"], {"y": BIG}],
        "surrogate": SURROGATE,
        "surrogate-in-list": ["ok", SURROGATE],
        SURROGATE: "a key with surrogates",
        "": "an empty key",
        "nested": {"": {"": 1}, SURROGATE: {"x": BIG}, "fine": [True, False, None, ""]},
        "deep": _deep(80),
        "deeper": {"x": _deep(200, SURROGATE)},
        "bools": [True, 1, 1.0, False, 0, 0.0],
        "nul": "\x00",
        "empty": [{}, [], "", None],
    }
    data = {
        "application/json": values,
        "application/x+json": {"blob": "0" * 64, "size": 5},
        "application/y+json": {"blob": 1},
        "application/z+json": BIG,
        "application/w+json": SURROGATE,
        "application/v+json": [SURROGATE] * 3,
        "application/deep+json": _deep(90),
        "application/nan+json": float("nan"),
        "text/plain": SURROGATE,
        "text/html": SURROGATE * 400,
        SURROGATE: "a MIME type with surrogates",
        "image/png": SURROGATE,
    }
    reference = {"blob": "0" * 64, "size": 5}
    outputs = [
        display_of(data),
        display_of({"text/plain": "x"}, metadata=values),
        display_of({"text/plain": "x"}, metadata={"image/png": reference, "blob": reference}),
        display_of({"application/json": None, "application/a+json": 5, "application/b+json": True}),
        stream(SURROGATE + "\n"),
        {**error([SURROGATE, "fine"]), "ename": SURROGATE, "evalue": SURROGATE * 300},
        {"output_type": "error", "ename": "E", "evalue": "x" * 5000, "traceback": []},
    ]
    return notebook(
        [
            code(SURROGATE + "\nrest", outputs, 1, metadata=values),
            markdown(SURROGATE, attachments={SURROGATE: {"text/plain": SURROGATE}, "b": {"text/plain": SURROGATE}}),
            markdown("split \ud83d"),
        ],
        metadata={**PYTHON, **values},
        hard=values,
    )


def unknown_keys() -> Json:
    """Keys nobody knows, at every level."""
    extra = {"x-map": {"a": [1, {"b": None}]}, "x-text": "t" * 3000, "x-list": ["a", "b"], "x-null": None}
    outputs: list[Json] = [
        {**stream("hello\n"), **extra},
        {**display_of({"text/plain": "x", "odd": "no slash", "a/b/c": ["1", "2"]}), **extra},
        {**result({"text/plain": "y"}), **extra},
        {**error(), **extra, "x-blob": {"blob": "0" * 64, "size": 5}},
        {"output_type": "x-custom", "text": ["a\n", "b"], "data": {"text/plain": ["not", "joined"]}, **extra},
        {"output_type": "x-other", "traceback": ["a"], "name": "n", "x-blob": {"blob": "0" * 64, "size": 5}},
    ]
    cells = [code("x", outputs, 1, **extra), markdown("y", **extra), raw("z", **extra)]
    return notebook(cells, metadata={**PYTHON, **extra}, **extra)


def colliding_keys() -> Json:
    """Keys that are ours in the documents, in the file with another meaning."""
    ours: Json = {
        "position": "b",
        "execution_id": "not ours",
        "schema_version": 7,
        "seq": 3,
        "display_id": "d",
        "blob": 1,
    }
    outputs: list[Json] = [
        {
            **stream("hello\n"),
            **ours,
            "output_id": 5,
            "original": {"blob": 1},
            "raw": 1,
            "transient": {"display_id": "x"},
        },
        {**display_of({"text/plain": "x", "blob": "text"}), **ours, "metadata": ours},
        {**error(), **ours},
        {"output_type": "x-custom", **ours},
    ]
    cells = [
        code("x", outputs, 1, metadata=ours, **ours, cells=[1], nbformat=3),
        markdown("y", outputs=[stream("not shown\n")], execution_count=5, **ours),
        raw("z", outputs=None, execution_count=None, metadata={"execution_count": 1}),
        code("attached", attachments={"a": {"image/png": b64(png(900))}}),
    ]
    return notebook(cells, metadata={**PYTHON, **ours, "cells": []}, **ours, executions={"a": 1}, kernel="k")


def odd_base64() -> Json:
    data = png(1000, 11)
    packed = b64(data)
    texts = {
        "encodebytes": base64.encodebytes(data).decode(),
        "final newline": packed + "\n",
        "wrapped, no final newline": base64.encodebytes(data).decode().rstrip("\n"),
        "wrapped at 64": "\n".join(packed[at : at + 64] for at in range(0, len(packed), 64)),
        "crlf": base64.encodebytes(data).decode().replace("\n", "\r\n"),
        "irregular": packed[:10] + "\n" + packed[10:57] + " \n\t" + packed[57:],
        "leading space": "  " + packed,
        "no padding": b64(png(1000, 12)).rstrip("="),
        "url-safe": base64.urlsafe_b64encode(b"\xff\xfe\xfd" * 30).decode(),
        "bits beyond the end": b64(b"a")[0] + "R==",
        "two newlines": packed + "\n\n",
        "newline only": "\n",
        "empty": "",
        "no base64": "this is no base64!",
        "no base64, long": "¡no! " * 2000,
        "one letter": "A",
        "padding only": "====",
        "html": "<img src='x'>" * 500,
    }
    outputs = [display_of({"image/png": text, "text/plain": [name]}) for name, text in texts.items()]
    outputs += [
        display_of({"image/png": lines(texts["encodebytes"])}),
        display_of({"image/png": [packed[:40], packed[40:]]}),
        display_of({"image/png": None, "image/gif": 5, "audio/wav": {"blob": packed}, "video/mp4": [1, 2]}),
        display_of({"text/plain": None, "text/html": 5, "text/latex": {"a": "b"}, "text/markdown": [1, "x"]}),
        display_of({"text/plain": ["x"] * 3000, "text/html": [["nested"], "x" * 3000]}),
        display_of(
            {"application/octet-stream": b64(b"\x00" * 50), "application/vnd.custom": "abcd", "font/woff": "AAAA"}
        ),
        display_of({"IMAGE/PNG": packed, "image/png; q=1": packed, "text/html; charset=utf-8": ["<b>\n", "</b>"]}),
    ]
    return notebook([code("x", outputs, 1)])


def odd_cells() -> Json:
    """Cells that nbformat would refuse, of which every part is kept."""
    return notebook(
        [
            {"cell_type": "code", "source": "no metadata, outputs or count"},
            {"cell_type": "markdown", "metadata": {}},
            code("count", [], 3),
            code("strange count", [], metadata={"a": 1}, execution_count="4"),
            code("negative count", [stream("x")], execution_count=-4),
            code("big count", [stream("x")], execution_count=BIG),
            code("float count", [stream("x")], execution_count=2.0),
            code("true count", [stream("x")], execution_count=True),
            code(
                "results",
                [{**result({"text/plain": "1"}), "execution_count": "a"}, {"output_type": "execute_result"}],
                1,
            ),
            code(
                "nothing", [{"output_type": "stream"}, {"output_type": "display_data"}, {"output_type": "error"}, {}], 1
            ),
            code("types", [{"output_type": 5}, {"output_type": None, "x": 1}, {"output_type": ""}], 1),
            code(
                "stream", [{"output_type": "stream", "text": 5, "name": 6}, {"output_type": "stream", "text": [1, "a"]}]
            ),
            code("display", [{"output_type": "display_data", "data": [1], "metadata": None}]),
            code("error", [{"output_type": "error", "traceback": "a string", "ename": 1, "evalue": None}]),
            code(
                "error",
                [{"output_type": "error", "traceback": [1, None, {"blob": 1}], "ename": [], "evalue": {"blob": 2}}],
            ),
        ]
    )


def odd_ids() -> Json:
    ids: list[Any] = [
        "a b",
        "ünï",
        "x" * 65,
        "",
        "same",
        "same",
        "same",
        5,
        None,
        "ok-id_1",
        "position",
        "a/b",
        "\x00",
        " ",
    ]
    ids += ["A", "a", "0" * 64, "é" * 40]
    return notebook([code(f"cell {index}", [stream("x")], 1, id=value) for index, value in enumerate(ids)])


def trusted() -> Json:
    metadata = {"trusted": True, "kept": 1}
    return notebook(
        [code("x", [stream("x")], 1, metadata=metadata), markdown("y", metadata={"trusted": False})],
        metadata={
            **PYTHON,
            "trusted": "of the notebook, kept",
            "signature": "s",
            "orig_nbformat": 2,
            "orig_nbformat_minor": 1,
        },
    )


def without_ids() -> Json:
    cells = [code("same", [stream("x")], 1), code("same", [stream("x")], 1), markdown("same"), code("other")]
    return notebook(cells, ids=False)


def version_3() -> Json:
    cells = [
        {"cell_type": "heading", "level": 2, "metadata": {}, "source": ["A heading"]},
        {"cell_type": "markdown", "metadata": {"x": 1}, "source": ["*text*\n", "more"]},
        {"cell_type": "html", "metadata": {}, "source": ["<b>old</b>"]},
        {"cell_type": "raw", "metadata": {}, "source": ["raw"]},
        {
            "cell_type": "code",
            "collapsed": False,
            "input": ["print(1)\n", "2"],
            "language": "python",
            "metadata": {"trusted": True},
            "outputs": [
                {"output_type": "stream", "stream": "stdout", "text": ["1\n"]},
                {"output_type": "pyout", "prompt_number": 3, "metadata": {}, "text": ["2"], "html": ["<b>\n", "2</b>"]},
                {
                    "output_type": "display_data",
                    "metadata": {},
                    "png": b64(png(800)) + "\n",
                    "svg": ["<svg>\n", "</svg>"],
                },
                {"output_type": "display_data", "metadata": {}, "json": '{"a": [1]}', "javascript": ["x()"]},
                {"output_type": "pyerr", "ename": "E", "evalue": "v", "traceback": ["a", "b"]},
            ],
            "prompt_number": 3,
        },
    ]
    other = [{"cell_type": "code", "input": "second sheet", "language": "python", "metadata": {}, "outputs": []}]
    return {
        "metadata": {"name": "Old", "signature": "sha256:0", "x": {"y": 1}},
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [{"cells": cells, "metadata": {}}, {"cells": other, "metadata": {}}],
    }


def version_2() -> Json:
    cells = [
        {"cell_type": "markdown", "source": "# Title"},
        {
            "cell_type": "code",
            "collapsed": False,
            "input": "print(1)",
            "language": "python",
            "outputs": [
                {"output_type": "stream", "stream": "stdout", "text": "1"},
                {"output_type": "pyout", "prompt_number": 1, "text": "2", "png": b64(png(300))},
            ],
            "prompt_number": 1,
        },
    ]
    return {"metadata": {"name": "Older"}, "nbformat": 2, "worksheets": [{"cells": cells}]}


DUPLICATE_KEYS = b"""{"cells": [{"cell_type": "code", "id": "a", "id": "b", "metadata": {"x": 1, "x": {"y": 1, "y": 2}},
 "outputs": [], "outputs": [{"output_type": "stream", "name": "stdout", "text": "1", "text": "2"}],
 "execution_count": 1, "execution_count": 2, "source": "old", "source": ["new"]}],
 "metadata": {"a": 1}, "metadata": {"a": 2, "b": 3, "a": 4}, "nbformat": 3, "nbformat": 4, "nbformat_minor": 5}
"""
CELLS_TWICE = b"""{"cells": [{"cell_type": "raw", "id": "a", "metadata": {}, "source": "lost"}], "nbformat": 4,
 "metadata": {}, "nbformat_minor": 5, "cells": [{"cell_type": "raw", "id": "b", "metadata": {}, "source": "wins"}]}
"""


@cache
def odd() -> dict[str, bytes]:
    """Notebooks that open although something about them is unusual."""
    made = {
        "hard-values": hard_values(),
        "unknown-keys": unknown_keys(),
        "colliding-keys": colliding_keys(),
        "odd-base64": odd_base64(),
        "odd-cells": odd_cells(),
        "odd-ids": odd_ids(),
        "trusted": trusted(),
        "without-ids": without_ids(),
        "version-3": version_3(),
        "version-2": version_2(),
        "minor-9": notebook([code("x")], minor=9),
        "no-root-metadata": {"cells": [code("x", id="a")], "nbformat": 4, "nbformat_minor": 5},
        "no-minor": {"cells": [markdown("x")], "metadata": {}, "nbformat": 4},
    }
    files = {name: to_bytes(value) for name, value in made.items()}
    files["duplicate-keys"] = DUPLICATE_KEYS
    files["cells-twice"] = CELLS_TWICE
    files["big-exponent"] = to_bytes(notebook([code("x", metadata={"v": 12345.5})])).replace(b"12345.5", b"1e999")
    return files


@cache
def broken() -> dict[str, tuple[bytes, tuple[str, ...]]]:
    """Files that are no notebooks, and words that the error must contain."""
    good = to_bytes(rich_outputs())
    cell: Json = code("x", id="a")

    def shape(**changes: Any) -> bytes:
        return to_bytes(notebook([cell, {**cell, "id": "b", **changes}]))

    return {
        "no-bytes": (b"", ("empty",)),
        "only-space": (b" \n\n", ("empty",)),
        "cut-off": (good[: len(good) // 2], ("JSON", "line")),
        "cut-off-at-the-end": (good[:-3], ("JSON", "line")),
        "text": (b"print('hello')\n", ("JSON", "line 1")),
        "merge-conflict": (good.replace(b'   "id"', b'<<<<<<< HEAD\n   "id"', 1), ("JSON", "line")),
        "trailing-comma": (b'{"cells": [],\n "metadata": {},\n "nbformat": 4,}', ("JSON", "line 3")),
        "more-behind": (good + b"{}", ("JSON", "line")),
        "not-utf8": (good.replace(b"show()", b"show(\xff\xfe)"), ("UTF-8",)),
        "utf16": (good.decode().encode("utf-16"), ("UTF-16",)),
        "nul-bytes": (b"\x00" * 4096, ("JSON",)),
        "a-list": (b"[]", ("object",)),
        "a-string": (b'"cells"', ("object",)),
        "null": (b"null", ("object",)),
        "no-cells": (b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}', ("cells",)),
        "cells-an-object": (b'{"cells": {}, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}', ("cells",)),
        "cells-null": (b'{"cells": null, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}', ("cells",)),
        "an-object": (b'{"a": 1}', ("cells",)),
        "future": (to_bytes({**notebook([]), "nbformat": 5}), ("nbformat 5",)),
        "too-old": (b'{"cells": [], "nbformat": 1, "metadata": {}}', ("nbformat 1",)),
        "format-is-text": (to_bytes({**notebook([]), "nbformat": "4"}), ("nbformat",)),
        "cell-null": (to_bytes(notebook([cell]) | {"cells": [cell, None]}), ("cells[1]",)),
        "cell-a-string": (to_bytes(notebook([cell]) | {"cells": [cell, "x"]}), ("cells[1]",)),
        "source-a-number": (shape(source=5), ("cells[1].source",)),
        "source-null": (shape(source=None), ("cells[1].source",)),
        "source-mixed": (shape(source=["a", 5]), ("cells[1].source",)),
        "outputs-an-object": (shape(outputs={}), ("cells[1].outputs",)),
        "output-a-string": (shape(outputs=[stream("x"), "y"]), ("cells[1].outputs",)),
        "worksheets-a-number": (
            b'{"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": 5}',
            ("nbformat 3",),
        ),
        "worksheet-without-cells": (b'{"nbformat": 3, "metadata": {}, "worksheets": [{}]}', ("nbformat 3",)),
        "bottomless": (b'{"cells": [], "metadata": {"x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}}", ("nested",)),
        "bottomless-open": (b"[" * 200_000, ("nested",)),
        "deep-metadata": (to_bytes(notebook([cell], metadata={"x": _deep(300)}), indent=None), ("nested",)),
        "deep-cell-metadata": (shape(metadata={"x": _deep(300)}), ("nested", "cells[1]")),
        "deep-output": (shape(outputs=[display_of({"application/json": _deep(300)})]), ("nested",)),
        "number-too-long": (b'{"cells": [], "metadata": {"x": ' + b"1" * 5000 + b'}, "nbformat": 4}', ("number",)),
    }


def shared_notebooks() -> Iterator[tuple[str, bytes]]:
    """Real notebooks, where there are any: (name, file)."""
    if SHARED_FOLDER.is_dir():
        for path in sorted(SHARED_FOLDER.glob("*.ipynb")):
            yield path.stem, path.read_bytes()


def openable() -> dict[str, bytes]:
    """All files that must open, of ours and the shared ones."""
    shared = {f"shared-{name}": data for name, data in shared_notebooks() if not name.startswith("badjson")}
    return {**regular(), **odd(), **shared}


# What a file means, by nbformat's own words.


def meaning(data: bytes, *, of_save: bool = False) -> str:
    """What a notebook file says, in a form that can be compared: types exact, key order and layout left out.

    Multi-line texts are joined and transient metadata dropped as nbformat's readers do; the format is brought to 4.5
    without ids, and what a valid notebook has to have is there.

    Args:
        data: the file.
        of_save: it was written by a save, so nothing needs to be filled in.
    """
    value = json.loads(data.decode("utf-8-sig"))
    if value.get("nbformat") in (2, 3):
        converted = nbformat.converter.convert(nbformat.reader.reads(data.decode("utf-8-sig")), 4)
        value = json.loads(json.dumps(converted))
    value = _as_read(value)
    if not of_save:
        value["nbformat_minor"] = max(5, value.get("nbformat_minor", 0))
        value.setdefault("metadata", {})
        for cell in value["cells"]:
            cell.setdefault("metadata", {})
            cell.setdefault("source", "")
            if cell["cell_type"] == "code":
                cell.setdefault("outputs", [])
                cell.setdefault("execution_count", None)
                for output in cell["outputs"]:
                    if output.get("output_type") in ("display_data", "execute_result"):
                        output.setdefault("data", {})
                        output.setdefault("metadata", {})
                    if output.get("output_type") == "execute_result":
                        output.setdefault("execution_count", cell["execution_count"])
    for cell in value["cells"]:
        cell.pop("id", None)
    return json.dumps(value, sort_keys=True, indent=1)


def _as_read(value: Json) -> Json:
    """What nbformat's reader of format 4 does, also where it would stumble over something unusual."""

    def join(item: Any) -> Any:
        return _pairs("".join(item)) if isinstance(item, list) and all(isinstance(line, str) for line in item) else item

    def join_bundle(bundle: Any) -> None:
        for mime, item in bundle.items() if isinstance(bundle, dict) else ():
            if not (mime == "application/json" or (mime.startswith("application/") and mime.endswith("+json"))):
                bundle[mime] = join(item)

    for cell in value["cells"]:
        if "source" in cell:
            cell["source"] = join(cell["source"])
        for bundle in (cell.get("attachments") or {}).values():
            join_bundle(bundle)
        for output in cell.get("outputs", []) if cell["cell_type"] == "code" else ():
            kind = output.get("output_type")
            if kind in ("display_data", "execute_result"):
                join_bundle(output.get("data"))
            elif kind and "text" in output:
                output["text"] = join(output["text"])
        if isinstance(cell.get("metadata"), dict):
            cell["metadata"].pop("trusted", None)
    for key in ("orig_nbformat", "orig_nbformat_minor", "signature"):
        if isinstance(value.get("metadata"), dict):
            value["metadata"].pop(key, None)
    return value


def _pairs(text: str) -> str:
    """Halves of a character that stood in two lines are the character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass") if not text.isascii() else text


def each(files: Callable[[], dict[str, bytes]]) -> Any:
    """Arguments for `pytest.mark.parametrize("data", …)`, one for each file."""
    import pytest

    return [pytest.param(data, id=name) for name, data in files().items()]
