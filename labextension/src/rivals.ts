/**
 * Other extensions that make notebooks shared.
 *
 * Two cannot own one notebook. When one of these is there and on, this extension registers nothing at all, and says so.
 */
import { PageConfig } from '@jupyterlab/coreutils';
import { isObject } from './notebookDocument.js';

const RIVALS: { readonly [extension: string]: string } = {
  '@jupyter/docprovider-extension': 'jupyter-collaboration',
  '@jupyter-ai-contrib/server-documents': 'jupyter-server-documents'
};

/** The name of the rival that is on; null when there is none. */
export function findRival(
  installed: string = PageConfig.getOption('federated_extensions'),
  isDisabled: (plugin: string) => boolean = PageConfig.Extension.isDisabled
): string | null {
  let extensions: unknown;
  try {
    extensions = JSON.parse(installed || '[]');
  } catch {
    extensions = [];
  }
  for (const extension of Array.isArray(extensions) ? extensions : []) {
    const name = isObject(extension) ? String(extension.name) : '';
    if (name in RIVALS && !isDisabled(`${name}:plugin`)) {
      return RIVALS[name];
    }
  }
  return null;
}
