import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { findRival } from '../rivals.js';

/** Says that another extension has the notebooks. */
export const steppedBackPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runtimed:stepped-back',
  description: 'Says that notebooks belong to another extension.',
  autoStart: true,
  activate: (app: JupyterFrontEnd): void => {
    const rival = findRival();
    void app.restored.then(() =>
      Notification.warning(
        `${rival} is installed and has the notebooks, so jupyter_runtimed does nothing here. ` +
          `Uninstall one of the two.`,
        { autoClose: false }
      )
    );
  }
};
