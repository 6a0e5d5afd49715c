// Renew package-lock.json. The newest @jupyterlab packages on npm are an incomplete set (some stop at 4.6.4 while
// others ask for ^4.6.6), and so is @rspack/core 2.3. So every one is pinned while the lock is made, and the declared
// ranges stay wide: JupyterLab compares them with its own version.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const pinned = {
  '@jupyterlab/*': '4.6.4',
  '@jupyterlab/apputils': '4.7.4',
  '@jupyterlab/coreutils': '6.6.4',
  '@jupyterlab/observables': '5.6.4',
  '@jupyterlab/rendermime-interfaces': '3.14.4',
  '@jupyterlab/services': '7.6.4',
  '@jupyterlab/toc': '6.6.4',
  '@rspack/binding': '2.2.9',
  '@rspack/core': '2.2.9'
};
const lab = [
  'application',
  'attachments',
  'cells',
  'codeeditor',
  'codemirror',
  'core-meta',
  'docmanager',
  'docregistry',
  'documentsearch',
  'filebrowser',
  'lsp',
  'markedparser-extension',
  'mermaid',
  'nbformat',
  'notebook',
  'outputarea',
  'rendermime',
  'settingregistry',
  'statedb',
  'statusbar',
  'translation',
  'ui-components'
];
const versions = {
  ...Object.fromEntries(lab.map(name => [`@jupyterlab/${name}`, pinned['@jupyterlab/*']])),
  ...pinned
};
delete versions['@jupyterlab/*'];

const wide = JSON.parse(readFileSync('package.json', 'utf8'));
const exact = structuredClone(wide);
for (const name of Object.keys(exact.dependencies)) {
  exact.dependencies[name] = versions[name] ?? exact.dependencies[name];
}
wide.overrides = exact.overrides = Object.fromEntries(
  Object.entries(versions).filter(([name]) => !(name in wide.dependencies))
);
const lock = () =>
  execFileSync('npm', ['install', '--package-lock-only', '--ignore-scripts'], { stdio: 'inherit' });
const write = what => writeFileSync('package.json', JSON.stringify(what, null, 2) + '\n');
write(exact);
lock();
write(wide);
lock();
