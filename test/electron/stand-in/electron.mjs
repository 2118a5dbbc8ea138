// What the example's main process uses of Electron, made of Node's parts, so that it runs where there is no Electron: a utility
// process is a worker thread, ports are Node's, windows show nothing. drive.mjs plays the pages and the user.

import { EventEmitter } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';

export { MessageChannel as MessageChannelMain };

/** What the user sees and does. */
export const desk = {
  /** What main has told the pages: `[channel, value]`. */
  told: [],
  /** What the next dialog gives. @type {string[]} */
  chosen: [],
  /** @type {UtilityProcess | undefined} the last that was started */
  utility: undefined,
};

export const app = Object.assign(new EventEmitter(), {
  enableSandbox() {},
  getPath: () => process.env.USER_DATA,
  whenReady: () => Promise.resolve(),
});

export class BrowserWindow extends EventEmitter {
  webContents = { send: (channel, value) => desk.told.push([channel, value]) };
  loadURL() {}
}

const handlers = new Map();
export const ipcMain = Object.assign(new EventEmitter(), {
  handle: (channel, handler) => handlers.set(channel, handler),
  /** The stand-in's own: what a page's `invoke` comes to. */
  invoked: (channel, event) => handlers.get(channel)(event),
});

export const dialog = { showOpenDialog: async () => ({ filePaths: desk.chosen }) };
export const protocol = { registerSchemesAsPrivileged() {}, handle() {} };
export const session = {
  defaultSession: {
    setPermissionRequestHandler() {},
    setPermissionCheckHandler() {},
    webRequest: { onBeforeRequest() {} },
  },
};

class UtilityProcess extends EventEmitter {
  #worker;

  constructor(path) {
    super();
    this.#worker = new Worker(new URL('utility.mjs', import.meta.url), { workerData: path });
    this.#worker.on('message', (message) => this.emit('message', message));
    this.#worker.on('exit', (code) => this.emit('exit', code));
  }

  postMessage(data, ports = []) {
    this.#worker.postMessage({ data, ports }, ports);
  }

  kill() {
    return this.#worker.terminate();
  }
}

export const utilityProcess = {
  fork(path) {
    desk.utility = new UtilityProcess(path);
    return desk.utility;
  },
};
