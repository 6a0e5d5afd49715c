"""The whole story from a script: open, edit, run, look at the results, save, and look at it from outside.

Start a server in the repository's folder, then run this beside it (or beside an open browser):

    jupyter server --IdentityProvider.token=secret
    python examples/edit_and_run.py http://localhost:8888 --token secret

It works on a copy of `examples/welcome.ipynb`, beside it, unless told otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import os

from jupyter_runtimed.client import Client, Cursor, HeadsUnconfirmed

CODE = """\
odds = {people: shared(people) for people in range(2, 61)}
print(f"{len(odds)} rooms computed")
max(odds, key=lambda people: -abs(odds[people] - 0.5))"""


async def story(url: str, token: str | None, path: str, copy: str) -> None:
    async with Client(url, token) as client:
        print("server:", (await client.info())["version"])

        # One file is one room, however many open it. Saved under another name, the room goes on as that file,
        # and the one we opened stays as it was.
        async with client.open(path) as notebook:
            print(f"opened {notebook.path}: {len(notebook.cells)} cells")
            await notebook.save(copy, overwrite=True)

            # Reads are immediate; writes change our replica and go out.
            first = notebook.cells[0]
            print("first line:", first.source.splitlines()[0])
            await first.append("\n\nEdited by a script.")
            notebook.presence.set(cursor=Cursor(first.id, 2, 2), focus=first)
            print("also here:", [person.user.get("name") for person in notebook.presence.peers.values()])

            # A new cell, written token by token, the way an agent does.
            cell = await notebook.cells.create(after=notebook.cells[-1])
            for token_of_code in CODE.splitlines(keepends=True):
                await cell.append(token_of_code)

            # The cells before it. The first error would cancel the rest.
            for result in await notebook.run_all([c for c in notebook.cells if c.cell_type == "code" and c != cell]):
                print(f"[{result.execution_count}] {result.status}")

            # No wait between editing and running: the request names the changes it must see.
            execution = await cell.execute()
            async for output in execution.stream():
                print("came:", output.new_text.strip())
            result = (await execution).raise_for_error()
            print("the even chance is at", result.result, "people")

            await notebook.metadata.set("edited_by", "examples/edit_and_run.py")
            try:
                await notebook.confirm_sync(timeout=5)
            except HeadsUnconfirmed:
                print("the server has not said that it has our edits; they are still here and will go up")
            await notebook.save()
            print("saved:", notebook.path)

            # What anybody sees over plain REST.
            saved = await client.notebook_json(notebook.room_id)
            print("over REST:", len(saved["cells"]), "cells, last output:", saved["cells"][-1]["outputs"][-1]["data"])
            for room in await client.rooms():
                print(f"room {room.room_id}: {room.path}, {room.peers} peers, kernel {room.kernel.get('status')}")
            await notebook.shutdown_kernel()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url", nargs="?", default="http://localhost:8888", help="of the server; may contain ?token=")
    parser.add_argument("--token", default=os.environ.get("JUPYTER_TOKEN"), help="default: JUPYTER_TOKEN")
    parser.add_argument("--notebook", default="examples/welcome.ipynb", help="below the server's root")
    parser.add_argument("--copy", default="examples/welcome-copy.ipynb", help="what is edited and run")
    arguments = parser.parse_args()
    asyncio.run(story(arguments.url, arguments.token, arguments.notebook, arguments.copy))


if __name__ == "__main__":
    main()
