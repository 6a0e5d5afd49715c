"""The fake kernel session keeps the rules of the real one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.kernel_session import SUITE
from tests.support.fake_kernel import FakeKernelSession, Sent


class FakeKit:
    def __init__(self) -> None:
        self.session = FakeKernelSession()
        self.session.on_send = self._answer

    def _answer(self, sent: Sent) -> None:
        if sent.msg_type == "execute_request":
            text = sent.content["code"][len("print('") : -len("')")]
            self.session.busy(sent.msg_id)
            self.session.print(sent.msg_id, f"{text}\n")
            self.session.end(sent.msg_id)

    async def others_start(self) -> None:
        self.session.live()

    async def others_restart(self) -> None:
        self.session.lose("the kernel was restarted")
        self.session.live()

    async def others_shut_down(self) -> None:
        self.session.go()

    async def kill(self) -> None:
        self.session.lose()
        self.session.live()


@pytest.mark.parametrize("rule", SUITE, ids=lambda rule: rule.__name__)
async def test_the_fake_keeps_the_rules(rule: Any) -> None:
    await rule(FakeKit())
