import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findRival } from '../src/rivals.js';

const installed = (...names: string[]): string => JSON.stringify(names.map(name => ({ name })));
const nothingIsDisabled = (): boolean => false;
const COLLABORATION = '@jupyter/docprovider-extension';
const SERVER_DOCUMENTS = '@jupyter-ai-contrib/server-documents';

test('other extensions are no rivals', () => {
  assert.equal(findRival(installed('jupyter-runtimed', '@jupyter/x'), nothingIsDisabled), null);
  assert.equal(findRival('', nothingIsDisabled), null);
  assert.equal(findRival('no JSON', nothingIsDisabled), null);
});

test('each rival is called by its name', () => {
  assert.equal(
    findRival(installed('a', COLLABORATION), nothingIsDisabled),
    'jupyter-collaboration'
  );
  assert.equal(
    findRival(installed(COLLABORATION, SERVER_DOCUMENTS), nothingIsDisabled),
    'jupyter-server-documents'
  );
});

test('a rival whose part for notebooks is disabled is none', () => {
  const isDisabled = (plugin: string): boolean => plugin === `${COLLABORATION}:content-provider`;
  assert.equal(findRival(installed(COLLABORATION), isDisabled), null);
});
