// A peer in JavaScript that uses nothing but an Automerge library and a WebSocket.
//
//   node peer.mjs http://localhost:8888/ TOKEN examples/welcome.ipynb
//
// It opens the notebook, appends a cell, runs it, prints what comes out, and saves.
import * as A from "@automerge/automerge";
import WebSocket from "ws";

const NOTEBOOK = 0, REQUEST = 1, RESPONSE = 2, RUNTIME = 5, STATUS = 7;

export class Peer {
  /** Open the room of a path and connect to it. */
  static async open(url, token, path) {
    const answer = await fetch(new URL("api/runtimed/rooms", url), {
      method: "POST",
      headers: { Authorization: `token ${token}`, "Content-Type": "application/json" },
      body: JSON.stringify({ path }),
    });
    const room = await answer.json();
    if (!answer.ok) throw new Error(`${room.code}: ${room.message}`);
    const address = new URL(`api/runtimed/rooms/${room.room_id}/sync`, url).href.replace(/^http/, "ws");
    const peer = new Peer(new WebSocket(address, "v1.runtimed.jupyter.org", { headers: { Authorization: `token ${token}` } }));
    await peer.until(() => peer.status?.load.phase === "ready" && peer.notebook.cells && peer.runtime.executions);
    return peer;
  }

  constructor(socket) {
    this.socket = socket;
    this.documents = new Map([[NOTEBOOK, A.init()], [RUNTIME, A.init()]]);
    this.states = new Map([[NOTEBOOK, A.initSyncState()], [RUNTIME, A.initSyncState()]]);
    this.answers = new Map();
    this.waiters = new Set();
    this.closed = null;
    socket.binaryType = "nodebuffer";
    socket.on("open", () => { for (const kind of this.documents.keys()) this.flush(kind); });
    socket.on("message", data => this.receive(new Uint8Array(data)));
    socket.on("error", error => this.end(error));
    socket.on("close", code => this.end(new Error(`the socket was closed with ${code}`)));
  }

  get notebook() { return this.documents.get(NOTEBOOK); }
  get runtime() { return this.documents.get(RUNTIME); }
  get heads() { return A.getHeads(this.notebook); }

  /** The cells in the order of the notebook. */
  get cells() {
    const position = cell => String(cell.position ?? "");
    return Object.values(this.notebook.cells).sort((a, b) =>
      position(a) < position(b) ? -1 : position(a) > position(b) ? 1 : String(a.id) < String(b.id) ? -1 : 1);
  }

  receive(data) {
    const kind = data[0], payload = data.subarray(1);
    if (this.documents.has(kind)) {
      const [document, state] = A.receiveSyncMessage(this.documents.get(kind), this.states.get(kind), payload);
      this.documents.set(kind, document);
      this.states.set(kind, state);
      this.flush(kind);
    } else if (kind === RESPONSE || kind === STATUS) {
      const value = JSON.parse(new TextDecoder().decode(payload));
      if (kind === STATUS) this.status = value;
      else { this.answers.get(value.id)?.(value); this.answers.delete(value.id); }
    }
    for (const waiter of this.waiters) waiter();
  }

  /** Send what the library has to say about a document. */
  flush(kind) {
    const [state, message] = A.generateSyncMessage(this.documents.get(kind), this.states.get(kind));
    this.states.set(kind, state);
    if (message) this.send(kind, message);
  }

  send(kind, payload) {
    const frame = new Uint8Array(payload.length + 1);
    frame[0] = kind;
    frame.set(payload, 1);
    this.socket.send(frame);
  }

  /** Change the notebook and send the change. */
  edit(change) {
    this.documents.set(NOTEBOOK, A.change(this.notebook, change));
    this.flush(NOTEBOOK);
  }

  /** One request; the result, or an Error with the code of the server. */
  async request(action, fields = {}) {
    const id = crypto.randomUUID();
    const answered = new Promise(resolve => this.answers.set(id, resolve));
    this.send(REQUEST, new TextEncoder().encode(JSON.stringify({ id, action, ...fields })));
    const answer = await answered;
    if (!answer.ok) throw new Error(`${answer.error.code}: ${answer.error.message}`);
    return answer.result;
  }

  /** Append a code cell; its id. */
  append(source) {
    const id = crypto.randomUUID();
    const last = this.cells.at(-1);
    const position = String(last?.position ?? "") + "i";
    this.edit(document => {
      document.cells[id] = {
        id: new A.ImmutableString(id),
        cell_type: new A.ImmutableString("code"),
        position: new A.ImmutableString(position),
        source,
        metadata: {},
        execution_id: null,
      };
    });
    return id;
  }

  /** Run a cell as it is in this replica, and wait for its end; the execution. */
  async run(cellId) {
    const { execution_id } = await this.request("execute_cell", { cell_id: cellId, required_heads: this.heads });
    const ended = () => ["done", "error", "cancelled"].includes(String(this.runtime.executions[execution_id]?.status));
    await this.until(ended);
    return this.runtime.executions[execution_id];
  }

  /** Wait until a condition over what has come is true. */
  until(condition) {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (condition()) { this.waiters.delete(check); resolve(); }
        else if (this.closed) { this.waiters.delete(check); reject(this.closed); }
      };
      this.waiters.add(check);
      check();
    });
  }

  end(reason) {
    this.closed ??= reason;
    for (const waiter of this.waiters) waiter();
  }

  close() { this.socket.close(); }
}

/** The outputs of an execution as lines of text. */
export function texts(execution) {
  return Object.values(execution.outputs)
    .sort((a, b) => Number(a.seq) - Number(b.seq))
    .map(output => output.text ? output.text.map(String).join("") : output.data ? String(output.data["text/plain"]) : `${output.ename}: ${output.evalue}`);
}

if (process.argv[1] && import.meta.url.endsWith(process.argv[1].split("/").at(-1))) {
  const [url, token, path] = process.argv.slice(2);
  const peer = await Peer.open(url, token, path);
  console.log(`${peer.cells.length} cells`);
  const id = peer.append("print('hello from', 'JavaScript')\n6 * 7");
  const execution = await peer.run(id);
  console.log(String(execution.status), texts(execution));
  console.log(await peer.request("save_notebook"));
  peer.close();
}
