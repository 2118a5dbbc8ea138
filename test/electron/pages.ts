// Hosts with pages, here in one process: real ports, the real engine.

import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { type Client, connect } from '../../lib/electron/client.js';
import {
  type HostedModel,
  ModelHost,
  type ModelHostOptions,
  type ServeOptions,
} from '../../lib/electron/host.js';
import { demoModelPath } from '../../lib/index.js';

/** On one thread: several wait for each other at every step, which beside other work takes long. */
export const DEMO: HostedModel = {
  id: 'demo',
  path: demoModelPath(),
  name: 'デモモデル',
  options: { threads: 1 },
};

/** Ends with `close`. */
export interface Stage {
  host: ModelHost;
  /** A page with the client; `end` is what `serve` gave. */
  page(options?: ServeOptions): { client: Client; port: MessagePort; end(): Promise<void> };
  /** A page that says what it likes; `messages` are the host's. */
  rawPage(): {
    port: MessagePort;
    messages: Reply[];
    next(filter?: (reply: Reply) => boolean): Promise<Reply>;
  };
  close(): Promise<void>;
}

export interface Reply {
  id: number;
  type: string;
  value?: unknown;
  chunk?: { text: string };
  error?: { code: string; message: string; name: string };
}

export function makeStage(options: Partial<ModelHostOptions> = {}): Stage {
  const host = new ModelHost({ models: [DEMO], ...options });
  const ports: MessagePort[] = [];
  const open = (to?: ServeOptions): { port: MessagePort; end(): Promise<void> } => {
    const { port1, port2 } = new MessageChannel();
    const end = host.serve(port1, to);
    ports.push(port2);
    return { port: port2, end };
  };
  return {
    host,
    page: (to) => {
      const opened = open(to);
      return { ...opened, client: connect(opened.port) };
    },
    rawPage: () => {
      const { port } = open();
      const messages: Reply[] = [];
      let wake = (): void => undefined;
      let isOpen = true;
      port.on('message', (message) => {
        messages.push(message);
        wake();
      });
      port.on('close', () => {
        isOpen = false;
        wake();
      });
      let read = 0;
      const next = async (filter: (reply: Reply) => boolean = () => true): Promise<Reply> => {
        for (;;) {
          for (; read < messages.length; read++) {
            const reply = messages[read] as Reply;
            if (filter(reply)) {
              read++;
              return reply;
            }
          }
          if (!isOpen) throw new Error('The port has closed, and there was no such message.');
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      };
      return { port, messages, next };
    },
    close: async () => {
      for (const port of ports) port.close();
      await host.dispose();
    },
  };
}

/** Resolves when a port has closed. */
export function closing(port: MessagePort): Promise<void> {
  return new Promise((resolve) => port.once('close', () => resolve()));
}

/** Resolves when it holds. A loop without an end would keep Jest alive after its test has failed. */
export async function until(holds: () => boolean): Promise<void> {
  const end = Date.now() + 20_000;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`It did not come about in time: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export const user = (content: string) => [{ role: 'user' as const, content }];
