// Automerge documents in JavaScript, for tests that are written in Python.
//
// JSON lines: {"op", "doc", …} on stdin, {"result"} or {"error"} on stdout, in the same order. One process holds any
// number of documents, each with its sync states by name. Bytes travel as base64, hashes as hexadecimal strings.
// Values come back tagged where JSON cannot say them: {"$": kind, "value"}.

import * as A from "@automerge/automerge"
import { createInterface } from "node:readline"

// The library logs its panics; standard output is for answers.
console.log = console.error

const docs = new Map()
const states = new Map()

const bytesOf = text => new Uint8Array(Buffer.from(text, "base64"))
const base64 = bytes => Buffer.from(bytes).toString("base64")

function plain(value) {
  if (value === null || value === undefined) return null
  if (typeof value === "bigint") return { $: "bigint", value: String(value) }
  if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0)))
    return { $: "number", value: Object.is(value, -0) ? "-0" : String(value) }
  if (typeof value !== "object") return value
  if (A.isImmutableString(value)) return { $: "str", value: value.val }
  if (value instanceof Uint8Array) return { $: "bytes", value: base64(value) }
  if (value instanceof Date) return { $: "date", value: value.getTime() }
  if (value instanceof A.Counter) return { $: "counter", value: value.value }
  if (Array.isArray(value)) return value.map(plain)
  return Object.fromEntries(Object.keys(value).sort().map(key => [key, plain(value[key])]))
}

function stateOf({ doc, state = "default" }) {
  const name = `${doc} ${state}`
  if (!states.has(name)) states.set(name, A.initSyncState())
  return name
}

const operations = {
  init({ doc, actor }) {
    docs.set(doc, actor ? A.init({ actor }) : A.init())
  },
  load({ doc, data, actor }) {
    docs.set(doc, A.load(bytesOf(data), actor ? { actor } : {}))
  },
  apply({ doc, changes }) {
    docs.set(doc, A.applyChanges(docs.get(doc), changes.map(bytesOf))[0])
  },
  changes({ doc }) {
    return A.getAllChanges(docs.get(doc)).map(base64)
  },
  decode({ change }) {
    const { hash, actor, seq, startOp, deps, ops } = A.decodeChange(bytesOf(change))
    return { hash, actor, seq, startOp, deps, ops: ops.length }
  },
  change({ doc, code, args = {} }) {
    const edit = new Function("doc", "A", "args", code)
    docs.set(doc, A.change(docs.get(doc), { time: 0 }, draft => { edit(draft, A, args) }))
  },
  // As change, but the code returns the new document: for A.changeAt, A.emptyChange and the like.
  replace({ doc, code, args = {} }) {
    docs.set(doc, new Function("doc", "A", "args", code)(docs.get(doc), A, args))
  },
  save({ doc }) {
    return base64(A.save(docs.get(doc)))
  },
  heads({ doc }) {
    return A.getHeads(docs.get(doc))
  },
  value({ doc }) {
    return plain(docs.get(doc))
  },
  evaluate({ doc, code, args = {} }) {
    return plain(new Function("doc", "A", "args", code)(docs.get(doc), A, args))
  },
  free({ doc }) {
    A.free(docs.get(doc))
    docs.delete(doc)
  },
  // One step of the sync protocol; null when there is nothing to say.
  generate(request) {
    const name = stateOf(request)
    const [state, message] = A.generateSyncMessage(docs.get(request.doc), states.get(name))
    states.set(name, state)
    return message === null ? null : base64(message)
  },
  receive(request) {
    const name = stateOf(request)
    const [doc, state] = A.receiveSyncMessage(docs.get(request.doc), states.get(name), bytesOf(request.message))
    docs.set(request.doc, doc)
    states.set(name, state)
  },
  // A connection is lost: its sync state goes.
  disconnect(request) {
    states.delete(stateOf(request))
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line)
  let answer
  try {
    answer = { result: operations[request.op](request) ?? null }
  } catch (error) {
    answer = { error: String(error?.message ?? error) }
  }
  process.stdout.write(JSON.stringify(answer) + "\n")
}
