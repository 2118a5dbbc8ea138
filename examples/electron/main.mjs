// The main process: a window without rights, and a process of its own for the models. Text never passes through here: the page and
// that process talk over a port of their own.

import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { app, BrowserWindow, dialog, ipcMain, MessageChannelMain, protocol, session } from 'electron';
import { HostProcess } from './host-process.mjs';
import { ModelList } from './model-list.mjs';
import { CSP, readPageFile } from './page-files.mjs';

const SCHEME = 'app';
const ORIGIN = `${SCHEME}://chat`;

app.enableSandbox();
protocol.registerSchemesAsPrivileged([{ scheme: SCHEME, privileges: { standard: true, secure: true } }]);

/** @type {BrowserWindow | undefined} */
let window;
const added = new ModelList(join(app.getPath('userData'), 'models.json'));
const host = new HostProcess({
  models: () => added.models,
  onExit: (code) => window?.webContents.send('neox:host-exit', code),
});

app.on('web-contents-created', (_event, contents) => {
  contents.on('will-navigate', (event) => event.preventDefault());
  contents.on('will-attach-webview', (event) => event.preventDefault());
  contents.setWindowOpenHandler(() => ({ action: 'deny' }));
});

/** Only our own page may ask for something. @param {Electron.IpcMainEvent | Electron.IpcMainInvokeEvent} event */
const isOurs = (event) => event.senderFrame?.url.startsWith(`${ORIGIN}/`) ?? false;

ipcMain.on('neox:connect', (event) => {
  if (!isOurs(event)) return;
  const { port1, port2 } = new MessageChannelMain();
  host.serve(event.sender.id, port1);
  event.senderFrame.postMessage('neox:port', null, [port2]);
});

ipcMain.handle('neox:add-model', async (event) => {
  if (!isOurs(event) || !window) return null;
  const { filePaths } = await dialog.showOpenDialog(window, {
    title: 'モデルを追加',
    filters: [{ name: 'GGUF', extensions: ['gguf'] }],
    properties: ['openFile'],
  });
  const [path] = filePaths;
  if (path === undefined) return null;
  const known = added.models.find((model) => model.path === path);
  if (known) return known.id;
  const model = added.add(path, basename(path));
  await host.addModel(model);
  return model.id;
});

function openWindow() {
  window = new BrowserWindow({
    width: 960,
    height: 760,
    minWidth: 360,
    minHeight: 480,
    autoHideMenuBar: true,
    webPreferences: {
      preload: fileURLToPath(new URL('preload.cjs', import.meta.url)),
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
    },
  });
  window.on('closed', () => {
    window = undefined;
  });
  window.loadURL(`${ORIGIN}/index.html`);
}

app.on('activate', () => {
  if (!window) openWindow();
});
app.on('window-all-closed', () => {
  if (process.platform !== 'darwin') app.quit();
});
// Not awaited: the app is ready only when this module has been read.
app.whenReady().then(() => {
  protocol.handle(SCHEME, async (request) => {
    const file = await readPageFile(new URL(request.url).pathname);
    if (!file) return new Response(null, { status: 404 });
    const headers = { 'content-type': file.type, 'content-security-policy': CSP };
    return new Response(file.body, { headers });
  });
  session.defaultSession.setPermissionRequestHandler((_contents, _permission, decide) => decide(false));
  session.defaultSession.setPermissionCheckHandler(() => false);
  // Nothing comes from anywhere else, whatever a page says.
  session.defaultSession.webRequest.onBeforeRequest(({ url }, decide) =>
    decide({ cancel: !/^(app|devtools):/.test(url) }),
  );
  openWindow();
});
