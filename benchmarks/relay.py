"""A server that only passes messages on: what two sockets and two event loops cost on this machine, without documents.

python -m benchmarks.relay PORT
"""

from __future__ import annotations

import sys
from typing import ClassVar

from tornado.ioloop import IOLoop
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler


class Ready(RequestHandler):
    """Answers when the server listens."""

    def get(self) -> None:
        self.finish("ready")


class Relay(WebSocketHandler):
    """Sends each message to all others, who asked first being served first."""

    others: ClassVar[list[Relay]] = []

    def open(self) -> None:
        self.set_nodelay(True)
        self.others.append(self)

    def on_message(self, message: str | bytes) -> None:
        for other in self.others:
            if other is not self:
                other.write_message(message, binary=True)

    def on_close(self) -> None:
        self.others.remove(self)


if __name__ == "__main__":
    Application([("/ready", Ready), ("/relay", Relay)]).listen(int(sys.argv[1]), address="127.0.0.1")
    IOLoop.current().start()
