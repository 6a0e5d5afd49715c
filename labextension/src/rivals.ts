/**
 * Other extensions that make notebooks shared.
 *
 * Two cannot own one notebook. When one of these is there and on, this extension registers nothing at all, and says so.
 */
import { PageConfig } from '@jupyterlab/coreutils';
import { isObject } from './notebookDocument.js';

interface IRival {
  readonly name: string;
  /** The plugin that takes the notebooks; with it disabled the extension is none of our business. */
  readonly plugin: string;
}

/** The more telling ones first: jupyter-server-documents brings jupyter-collaboration's front end along. */
const RIVALS: { readonly [extension: string]: IRival } = {
  '@jupyter-ai-contrib/server-documents': {
    name: 'jupyter-server-documents',
    plugin: 'document-provider-factory'
  },
  '@jupyter/docprovider-extension': {
    name: 'jupyter-collaboration',
    plugin: 'content-provider'
  }
};

/** The name of the rival that is on; null when there is none. */
export function findRival(
  installed: string = PageConfig.getOption('federated_extensions'),
  isDisabled: (plugin: string) => boolean = PageConfig.Extension.isDisabled
): string | null {
  const present = installedExtensions(installed);
  for (const [extension, { name, plugin }] of Object.entries(RIVALS)) {
    if (present.has(extension) && !isDisabled(`${extension}:${plugin}`)) {
      return name;
    }
  }
  return null;
}

function installedExtensions(installed: string): Set<string> {
  let extensions: unknown;
  try {
    extensions = JSON.parse(installed || '[]');
  } catch {
    extensions = [];
  }
  return new Set(
    (Array.isArray(extensions) ? extensions : []).map(extension =>
      isObject(extension) ? String(extension.name) : ''
    )
  );
}
