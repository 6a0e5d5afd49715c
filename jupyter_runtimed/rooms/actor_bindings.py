"""Who writes under which Automerge actor, so that nobody writes in the name of somebody who is here.

An actor numbers its changes, and the next number can be used once. A peer that used the next number of another's actor
would make that one's own next change worthless. So the actor of a connected peer is its own:

1. A socket that is level and writes alone under one actor, its first, holds that actor. Changes that came in its first
   exchange, or under further actors, may be relays of what others did offline, and bind nothing.
2. New changes of an actor that another user's live socket holds are refused. Known ones never are. The refusal is
   that of another lineage: of two who mean to own an actor, the one who is refused keeps their work and gets another.
3. Of one user's sockets the latest to write holds the actor: a tab that comes back does not wait for the connection
   that it lost.
4. When the holder has gone, anybody may relay what it did elsewhere, but nobody else comes to hold the actor.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Set
from typing import Protocol

from jupyter_runtimed.core.errors import OtherLineage

MAX_REMEMBERED = 10_000
"""Of so many actors it is remembered whose they were."""


class ForgedActor(OtherLineage):
    """Changes in the name of another peer that is connected. Who did not know may bring them by the merge call."""


class Writer(Protocol):
    """The part of a peer that matters here. `principals`: names under which its user is known again."""

    @property
    def principals(self) -> Set[str]: ...


class ActorBindings:
    """The actors of one notebook document."""

    def __init__(self) -> None:
        self._holders: dict[bytes, Writer] = {}
        self._held: dict[Writer, bytes] = {}
        self._users: OrderedDict[bytes, Set[str]] = OrderedDict()

    def check(self, writer: Writer, actors: Collection[bytes], own: bytes) -> None:
        """Ask whether somebody may bring new changes of these actors (rule 2).

        Args:
            writer: who brings them.
            actors: of the changes that are not known yet.
            own: the server's actor.

        Raises:
            ForgedActor: one of them is another's.
        """
        for actor in actors:
            holder = self._holders.get(actor)
            is_other = holder is not None and holder is not writer and holder.principals.isdisjoint(writer.principals)
            if is_other or actor == own:
                raise ForgedActor(
                    "changes in the name of another peer that is connected; send the whole document to the merge call,"
                    " then start with an empty one and an actor id of its own"
                )

    def wrote(self, writer: Writer, actors: Collection[bytes], *, is_level: bool) -> None:
        """Somebody has brought new changes (rules 1, 3 and 4).

        Args:
            writer: who brought them.
            actors: theirs; `check` had nothing against them.
            is_level: whether the writer was level before.
        """
        if len(actors) != 1:
            return
        (actor,) = actors
        if self._held.get(writer) == actor:
            return
        user = self._users.get(actor)
        if user is None and (not is_level or writer in self._held):
            return
        if user is not None and user.isdisjoint(writer.principals):
            return
        self.left(writer)
        before = self._holders.get(actor)
        if before is not None:
            del self._held[before]
        self._holders[actor], self._held[writer] = writer, actor
        self._users[actor] = writer.principals
        self._users.move_to_end(actor)
        if len(self._users) > MAX_REMEMBERED:
            self._users.popitem(last=False)

    def left(self, writer: Writer) -> None:
        """Somebody's socket is closed. No error when they held nothing."""
        actor = self._held.pop(writer, None)
        if actor is not None:
            del self._holders[actor]
