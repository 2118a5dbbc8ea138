// All that the page gets of Electron: three functions, and a port to the host. Sandboxed preload scripts are CommonJS.

const { contextBridge, ipcRenderer } = require('electron');

// A port cannot cross the context bridge; a message of the window carries it.
ipcRenderer.on('neox:port', ({ ports }) => window.postMessage('neox:port', '*', ports));

contextBridge.exposeInMainWorld('app', {
  connect: () => ipcRenderer.send('neox:connect'),
  addModel: () => ipcRenderer.invoke('neox:add-model'),
  /** @param {(code: number) => void} listener */
  onHostExit: (listener) => ipcRenderer.on('neox:host-exit', (_event, code) => listener(code)),
});
