import { autosavePlugin } from './plugins/autosave.js';
import { awarenessPlugin } from './plugins/awareness.js';
import { cellExecutorPlugin } from './plugins/cellExecutor.js';
import { cellStatesPlugin } from './plugins/cellStates.js';
import { lazyOutputsPlugin } from './plugins/lazyOutputs.js';
import { inputsPlugin } from './plugins/inputs.js';
import { kernelControlPlugin } from './plugins/kernelControl.js';
import { loadFailuresPlugin } from './plugins/loadFailures.js';
import { lostCellPlugin } from './plugins/lostCell.js';
import { pastedOutputsPlugin } from './plugins/pastedOutputs.js';
import { roomsPlugin } from './plugins/rooms.js';
import { statusPlugin } from './plugins/status.js';
import { steppedBackPlugin } from './plugins/steppedBack.js';
import { trustPlugin } from './plugins/trust.js';
import { wakeUpPlugin } from './plugins/wakeUp.js';
import { connectionLostPlugin } from './plugins/connectionLost.js';
import { findRival } from './rivals.js';

export { IRooms } from './tokens.js';

export default findRival() !== null
  ? [steppedBackPlugin]
  : [
      roomsPlugin,
      cellExecutorPlugin,
      inputsPlugin,
      trustPlugin,
      lazyOutputsPlugin,
      cellStatesPlugin,
      lostCellPlugin,
      kernelControlPlugin,
      statusPlugin,
      autosavePlugin,
      loadFailuresPlugin,
      pastedOutputsPlugin,
      awarenessPlugin,
      connectionLostPlugin,
      wakeUpPlugin
    ];
