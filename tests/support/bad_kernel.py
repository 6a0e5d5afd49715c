"""A kernel that speaks the protocol badly: `python bad_kernel.py CONNECTION_FILE`.

What it does wrong is the source of the cell: "garbage", "odd outputs", "no idle", "no reply", "odd reply", "strangers".
Anything else it answers as it should, with the source itself as output.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import zmq
from jupyter_client.session import Session


class BadKernel:
    def __init__(self, path: str) -> None:
        with open(path) as file:
            self.connection = json.load(file)
        self.session = Session(
            key=self.connection["key"].encode(), signature_scheme=self.connection["signature_scheme"]
        )
        self.context = zmq.Context()
        self.shell = self._bind(zmq.ROUTER, "shell_port")
        self.control = self._bind(zmq.ROUTER, "control_port")
        self.stdin = self._bind(zmq.ROUTER, "stdin_port")
        self.heartbeat = self._bind(zmq.REP, "hb_port")
        self.iopub = self._bind(zmq.XPUB, "iopub_port")
        self.parent: dict[str, Any] = {}

    def _bind(self, kind: int, port: str) -> Any:
        socket = self.context.socket(kind)
        socket.bind(f"tcp://{self.connection['ip']}:{self.connection[port]}")
        return socket

    def run(self) -> None:
        poller = zmq.Poller()
        for socket in (self.shell, self.control, self.heartbeat, self.iopub):
            poller.register(socket, zmq.POLLIN)
        while True:
            for socket, _ in poller.poll():
                if socket is self.heartbeat:
                    socket.send(socket.recv())
                elif socket is self.iopub:
                    socket.recv()  # a subscription
                elif not self._answer(socket):
                    return

    def _answer(self, socket: Any) -> bool:
        identities, parts = self.session.feed_identities(socket.recv_multipart())
        self.parent = self.session.deserialize(parts)
        kind = self.parent["msg_type"]
        self.say("status", execution_state="busy")
        if kind == "execute_request":
            self.execute(identities, self.parent["content"]["code"])
            return True
        content: dict[str, Any] = {"status": "ok"}
        if kind == "kernel_info_request":
            content |= {"protocol_version": "5.3", "implementation": "bad", "language_info": {"name": "bad"}}
        self.session.send(socket, kind.replace("request", "reply"), content, self.parent, ident=identities)
        self.say("status", execution_state="idle")
        return kind != "shutdown_request"

    def say(self, msg_type: str, /, **content: Any) -> None:
        self.session.send(self.iopub, msg_type, content, self.parent, ident=msg_type.encode())

    def execute(self, identities: Any, code: str) -> None:
        reply: dict[str, Any] | None = {"status": "ok", "execution_count": 1}
        if code == "garbage":
            self.garbage()
        elif code == "odd outputs":
            self.odd_outputs()
        elif code == "strangers":
            self.parent = {"header": {"msg_id": "nobody", "msg_type": "execute_request"}}
            self.say("stream", name="stdout", text="of no execution")
            self.say("status", execution_state="idle")
            return  # and not a word of its own
        elif code == "no reply":
            reply = None
        elif code == "odd reply":
            reply = {"status": ["?"], "execution_count": "many", "payload": {"not": "a list"}}
        if code != "no reply":
            self.say("stream", name="stdout", text=f"{code}\n")
        if reply is not None:
            self.session.send(self.shell, "execute_reply", reply, self.parent, ident=identities)
        if code != "no idle":
            self.say("status", execution_state="idle")

    def garbage(self) -> None:
        sign, pack = self.session.sign, json.dumps
        header = pack(self.session.msg_header("stream"), default=str).encode()
        parent = pack(self.parent["header"], default=str).encode()

        def send(*parts: bytes, signature: bytes | None = None) -> None:
            self.iopub.send_multipart(
                [b"t", b"<IDS|MSG>", sign(list(parts)) if signature is None else signature, *parts]
            )

        send(b"no json", parent, b"{}", b"{}")
        send(header, parent, b"{}", b"[1]")
        send(b"[]", parent, b"{}", b"{}")
        send(header, b"7", b"{}", b"{}")
        send(header, parent, b"{}", b"[" * 50_000)
        send(header, parent, b"{}", b'{"name": "stdout", "text": "\xff\xfe bytes\\n"}')
        send(header, parent, b"{}", b'{"name": "stdout", "text": "forged"}', signature=b"0" * 64)
        send(header)
        self.iopub.send_multipart([b"nothing"])
        self.iopub.send_multipart([b""] * 40)
        self.shell.send_multipart([b"nobody", b"<IDS|MSG>"])

    def odd_outputs(self) -> None:
        self.say("stream")
        self.say("stream", name=7, text=["a", 1])
        self.say("display_data", data="text", metadata=[1])
        self.say("display_data", data={"text/plain": {"not": ["text"]}, "image/png": "no base64 \u2603", "": 1})
        self.say("execute_result", data=None, execution_count=-5)
        self.say("update_display_data", data={}, transient={"display_id": ["x"]})
        self.say("error", ename=None, evalue=3, traceback="not a list")
        self.say("clear_output", wait="perhaps")
        self.say("comm_open", comm_id=[], data=7)
        self.say("comm_open", comm_id="c", target_name="jupyter.widget", data={"state": [1]})
        self.say("comm_msg", comm_id="c", data={"method": "update", "state": {"a": 1}, "buffer_paths": [["a", "b"], 7]})
        deep: Any = 1
        for _ in range(300):
            deep = [deep]
        self.say("comm_open", comm_id="", target_name="jupyter.widget", data={"state": {"a": 1}})
        state = {"": 1, "deep": deep, "kept": 1}
        self.say("comm_open", comm_id="w", target_name="jupyter.widget", data={"state": state})
        self.say("display_data", data={}, metadata={"m": deep}, mine=deep, **{"": 1, "seq": "x", "large": 2**70})
        self.say("unheard_of", what="ever")
        self.say("status", execution_state={"odd": True})
        self.say("execute_input", execution_count="first")
        self.say("execute_input", execution_count=2**70)


if __name__ == "__main__":
    BadKernel(sys.argv[-1]).run()
