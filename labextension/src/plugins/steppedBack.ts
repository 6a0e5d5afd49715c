import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { findRival } from '../rivals.js';

const TOLD = 'jupyter-runtimed:stepped-back';

/** Says that another extension has the notebooks: in the console always, to the user once in each browser. */
export const steppedBackPlugin: JupyterFrontEndPlugin<void> = {
  id: TOLD,
  description: 'Says that notebooks belong to another extension.',
  autoStart: true,
  activate: (app: JupyterFrontEnd): void => {
    const rival = findRival() ?? '';
    const message =
      `${rival} is installed and has the notebooks, so jupyter_runtimed does nothing here. ` +
      `Uninstall one of the two.`;
    console.warn(message);
    if (localStorage.getItem(TOLD) === rival) {
      return;
    }
    void app.restored.then(() => {
      Notification.warning(message, { autoClose: false });
      localStorage.setItem(TOLD, rival);
    });
  }
};
