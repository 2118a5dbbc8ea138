// The example's page in headless Chromium, with its own preload script, in front of a real host. Where that script asks Electron for
// a port it gets one of the page's, whose other end is bridged, message by message, to a port of the host.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import * as threads from 'node:worker_threads';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import type { ModelHost } from '../../lib/electron/host.js';

declare global {
  interface Window {
    toHost(message: unknown): Promise<void>;
    connectHost(): Promise<void>;
    chooseModel(): Promise<string | null>;
    fromHost(message: unknown): void;
    loseHost(): void;
    sent: string[];
  }
}

const PRELOAD = join(__dirname, '..', '..', 'examples', 'electron', 'preload.cjs');
/** Between two messages to the page: small models would be done before anybody can look. */
const CHUNK_MS = 15;

/** The path of a browser, or why there is none. */
export function findBrowser(): { path?: string; reason?: string } {
  const done = spawnSync(process.execPath, [join(__dirname, 'find-browser.mjs')], {
    encoding: 'utf8',
    timeout: 300_000,
  });
  if (done.status !== 0) return { reason: done.stderr };
  return JSON.parse(done.stdout);
}

export function launch(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, timeout: 50_000, args: ['--font-render-hinting=none'] });
}

/** Serves the page of an installed example. */
export async function servePage(folder: string): Promise<{ url: string; close(): void }> {
  const child: ChildProcess = spawn(process.execPath, [join(__dirname, 'page-server.mjs'), folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  if (!child.stdout) throw new Error('no output');
  for await (const url of createInterface({ input: child.stdout })) {
    return { url, close: () => child.stdin?.end() };
  }
  throw new Error('the page server ended');
}

export interface Stand {
  page: Page;
  /** Everything that went wrong in the page, and what the policy has blocked. */
  problems: string[];
  /** Type names of what the page has sent to the host. */
  sent(): Promise<string[]>;
  /** The host's process dies. */
  crash(): Promise<void>;
  close(): Promise<void>;
}

export interface StandOptions {
  browser: Browser;
  url: string;
  host: () => ModelHost;
  chooseModel?: () => string | null;
  look?: BrowserContextOptions;
}

export async function openPage({ browser, url, host, chooseModel, look }: StandOptions): Promise<Stand> {
  const context = await browser.newContext({
    locale: 'ja-JP',
    viewport: { width: 960, height: 720 },
    ...look,
  });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(String(error.stack)));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(message.text());
  });
  let port: threads.MessagePort | undefined;
  await page.exposeFunction('connectHost', async () => {
    const { port1, port2 } = new threads.MessageChannel();
    host().serve(port1);
    port = port2;
    let turn: Promise<unknown> = Promise.resolve();
    const give = (message: unknown): void => {
      turn = turn
        .then(() => page.evaluate((each) => window.fromHost(each), message))
        .then(() => new Promise((resolve) => setTimeout(resolve, CHUNK_MS)))
        .catch(() => undefined);
    };
    port2.on('message', give);
    port2.on('close', () => {
      turn.then(() => page.evaluate(() => window.loseHost())).catch(() => undefined);
    });
  });
  await page.exposeFunction('toHost', (message: unknown) => port?.postMessage(message));
  await page.exposeFunction('chooseModel', () => chooseModel?.() ?? null);
  await page.addInitScript(`{
    const electron = (${electronOfPage})();
    const require = () => electron;
    ${readFileSync(PRELOAD, 'utf8')}
  }`);
  await page.goto(url);
  return {
    page,
    problems,
    sent: () => page.evaluate(() => window.sent),
    crash: async () => port?.close(),
    close: async () => {
      port?.close();
      await context.close();
    },
  };
}

// What preload.cjs requires, with the bridge in place of Electron's own way to the main process. Runs in the page.
function electronOfPage() {
  type Listener = (event: { ports?: MessagePort[] }, value?: unknown) => void;
  const listeners = new Map<string, Listener>();
  let taken: MessagePort | undefined;
  window.sent = [];
  addEventListener('message', ({ ports }) => {
    taken = ports[0];
  });
  const connect = async (): Promise<void> => {
    const { port1, port2 } = new MessageChannel();
    await window.connectHost();
    port1.onmessage = ({ data }: MessageEvent) => {
      window.sent.push(data.type);
      void window.toHost(data);
    };
    window.fromHost = (message) => port1.postMessage(message);
    // Electron's ports have this event in pages, too; the web's have not. Main tells of the exit besides.
    window.loseHost = () => {
      taken?.dispatchEvent(new Event('close'));
      listeners.get('neox:host-exit')?.({}, 9);
    };
    listeners.get('neox:port')?.({ ports: [port2] });
  };
  return {
    contextBridge: {
      exposeInMainWorld: (name: string, value: object) => Object.assign(window, { [name]: value }),
    },
    ipcRenderer: {
      on: (channel: string, listener: Listener) => listeners.set(channel, listener),
      send: (channel: string) => (channel === 'neox:connect' ? void connect() : undefined),
      invoke: async (channel: string) => (channel === 'neox:add-model' ? window.chooseModel() : undefined),
    },
  };
}
