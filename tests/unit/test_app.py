"""Traits and what becomes of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from traitlets import TraitError

import jupyter_runtimed
from jupyter_runtimed.app import RuntimedApp
from jupyter_runtimed.core.limits import MIB, Limits
from jupyter_runtimed.rooms.executor_settings import ExecutorSettings
from jupyter_runtimed.rooms.settings import RoomSettings


@pytest.fixture
def app() -> RuntimedApp:
    return RuntimedApp()


def test_without_configuration_the_defaults_of_the_parts_hold(app: RuntimedApp) -> None:
    assert app.limits() == Limits()
    assert app.room_settings() == RoomSettings()
    assert app.executor_settings() == ExecutorSettings()


def test_traits_reach_the_parts(app: RuntimedApp) -> None:
    app.autosave_s = 7.0
    app.room_idle_s = 8.0
    app.max_output_bytes = 9 * MIB
    assert app.limits().autosave_s == app.room_settings().limits.autosave_s == 7.0
    assert app.room_settings().idle_s == 8.0
    assert app.executor_settings().output_limits.max_bytes == 9 * MIB


def test_frames_must_be_large_enough_for_an_offline_merge(app: RuntimedApp) -> None:
    with pytest.raises(TraitError, match="64 MiB"):
        app.max_frame_bytes = 64 * MIB - 1
    app.max_frame_bytes = 65 * MIB


@pytest.mark.parametrize(("name", "value"), [("autosave_s", 0.0), ("disk_check_s", -1.0), ("max_request_bytes", 10)])
def test_values_that_make_no_sense_are_refused(app: RuntimedApp, name: str, value: float) -> None:
    with pytest.raises(TraitError):
        setattr(app, name, value)


def test_the_state_folder_is_in_jupyters_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    assert RuntimedApp().state_dir == str(tmp_path / "runtimed")


def test_installing_is_enabling() -> None:
    shipped = Path(jupyter_runtimed.__file__).parent / "etc" / "jupyter_runtimed.json"
    assert json.loads(shipped.read_text()) == {"ServerApp": {"jpserver_extensions": {"jupyter_runtimed": True}}}
    (point,) = jupyter_runtimed._jupyter_server_extension_points()
    assert point["app"] is RuntimedApp


def test_the_labextension_is_named_as_its_package() -> None:
    package = json.loads((Path(jupyter_runtimed.__file__).parents[1] / "labextension" / "package.json").read_text())
    (path,) = jupyter_runtimed._jupyter_labextension_paths()
    assert path["dest"] == package["name"]
