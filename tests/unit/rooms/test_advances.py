"""A key of one peer is on its way to the others before the room does anything else with it."""

from __future__ import annotations

from jupyter_runtimed.core.crdt import Advance
from jupyter_runtimed.core.frames import FrameType
from tests.support.room_peers import Client, level
from tests.unit.rooms.test_history import BOB, PAUSE_S, opened, versions
from tests.unit.rooms.test_room_loading import rest


async def test_a_key_is_sent_on_before_it_is_logged() -> None:
    _, room, alice = await opened()
    bob = Client("bob").connect(room.hub, user=BOB)
    await rest(alice, bob)
    log = room.durability.notebook_advanced
    sent: list[int] = []

    def notebook_advanced(advance: Advance) -> None:
        sent.append(bob.socket.kinds()[at:].count(FrameType.NOTEBOOK_SYNC))
        log(advance)

    room.durability.notebook_advanced = notebook_advanced  # type: ignore[method-assign]
    at = len(bob.socket.sent)
    alice.type_text("c0", 0, "x")
    assert sent == [1]
    await rest(alice, bob)
    assert level(room.notebook.replica, alice, bob)


async def test_who_is_gone_when_their_edit_is_sent_on_is_named_all_the_same() -> None:
    life, room, alice = await opened()
    bob = Client("bob").connect(room.hub, user=BOB)
    await rest(alice, bob)
    bob.socket.is_broken = True
    bob.type_text("c0", 0, "x")
    await rest(alice)
    assert "bob" not in room.hub.peers and room.has_unsaved
    await life.world.clock.advance(PAUSE_S)
    latest = (await versions(room))[0]
    assert [person["username"] for person in latest["people"]] == ["bob"]
