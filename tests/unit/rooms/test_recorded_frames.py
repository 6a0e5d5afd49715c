"""The front end's tests rest on what the server said when it was last asked; it still says the same."""

from __future__ import annotations

import json

from tests.support.recorded_frames import FIXTURE, record


async def test_the_recorded_session_is_current() -> None:
    recorded = json.loads(FIXTURE.read_text())
    assert recorded == await record(), "run `python -m tests.support.recorded_frames`"
