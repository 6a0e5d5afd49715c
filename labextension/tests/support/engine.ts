/** Starts the Automerge engine, for tests in node. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { startEngine } from '../../src/automerge.js';

const wasm = createRequire(import.meta.url).resolve('@automerge/automerge/automerge.wasm');

await startEngine(readFileSync(wasm));
