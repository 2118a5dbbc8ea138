// Hosts with pages, here in one process: real ports, the real engine.

import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { type Client, connect } from '../../lib/electron/client.js';
import { type HostedModel, ModelHost } from '../../lib/electron/host.js';
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
  /** A page with the client. */
  page(): { client: Client; port: MessagePort };
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

export function makeStage(models: HostedModel[] = [DEMO]): Stage {
  const host = new ModelHost({ models });
  const ports: MessagePort[] = [];
  const open = (): MessagePort => {
    const { port1, port2 } = new MessageChannel();
    host.serve(port1);
    ports.push(port2);
    return port2;
  };
  return {
    host,
    page: () => {
      const port = open();
      return { client: connect(port), port };
    },
    rawPage: () => {
      const port = open();
      const messages: Reply[] = [];
      let wake = (): void => undefined;
      port.on('message', (message) => {
        messages.push(message);
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
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      };
      return { port, messages, next };
    },
    close: async () => {
      await host.dispose();
      for (const port of ports) port.close();
    },
  };
}

/** Resolves when a port has closed. */
export function closing(port: MessagePort): Promise<void> {
  return new Promise((resolve) => port.once('close', () => resolve()));
}

export const user = (content: string) => [{ role: 'user' as const, content }];
