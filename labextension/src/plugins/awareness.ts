import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IAwarenessProviderFactory } from '@jupyter/docprovider';
import { PeopleEverywhere } from '../peopleEverywhere.js';
import { IRooms } from '../tokens.js';

/** With this jupyter-collaboration's user menu and collaborators panel show the people in our rooms. */
export const awarenessPlugin: JupyterFrontEndPlugin<IAwarenessProviderFactory> = {
  id: 'jupyter-runtimed:awareness',
  description: 'Tells the collaborators panel who is in the notebooks that are open here.',
  autoStart: true,
  provides: IAwarenessProviderFactory,
  requires: [IRooms],
  activate: (_: JupyterFrontEnd, rooms: IRooms): IAwarenessProviderFactory => ({
    create: ({ awareness, user }) => new PeopleEverywhere(rooms, awareness, user)
  })
};
