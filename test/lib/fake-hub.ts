// A hub on this machine, which misbehaves as a test wants it to.

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const COMMIT = 'a'.repeat(40);

export interface FakeFile {
  content: Buffer;
  /** Announced by its SHA-256, as large files are. */
  isLarge?: boolean;
}

/** Answers a request for a file instead of the usual way; false to leave it to that. */
export type Misbehave = (request: IncomingMessage, response: ServerResponse, content: Buffer) => boolean;

export class FakeHub {
  readonly files = new Map<string, FakeFile>();
  readonly requests: { url: string; range: string | undefined; authorization: string | undefined }[] = [];
  /** What the list of files is changed to before it is sent. */
  alterListing: (listing: { sha: unknown; siblings: unknown[] }) => unknown = (listing) => listing;
  /** Lists of files that end in the middle before one is whole. */
  breakListings = 0;
  misbehave: Misbehave = () => false;
  readonly #server: Server = createServer((request, response) => this.#answer(request, response));

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get endpoint(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  add(name: string, content: Buffer | string, isLarge = false): void {
    this.files.set(name, { content: Buffer.from(content), isLarge });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { url = '', headers } = request;
    this.requests.push({ url, range: headers.range, authorization: headers.authorization });
    if (url.startsWith('/api/models/')) {
      const listing = JSON.stringify(this.alterListing(this.#listing()));
      if (this.breakListings-- <= 0) response.end(listing);
      else response.writeHead(200, { 'content-length': listing.length }).write('{', () => response.destroy());
      return;
    }
    const name = /\/resolve\/[^/]+\/(.+)$/.exec(url)?.[1];
    const file = this.files.get(decodeURIComponent(name ?? ''));
    if (!file) {
      response.writeHead(404).end();
    } else if (!this.misbehave(request, response, file.content)) {
      sendRange(request, response, file.content);
    }
  }

  #listing(): { sha: string; siblings: unknown[] } {
    const siblings = [...this.files].map(([rfilename, { content, isLarge }]) => {
      const size = content.length;
      const blobId = createHash('sha1').update(`blob ${size}\0`).update(content).digest('hex');
      const sha256 = createHash('sha256').update(content).digest('hex');
      return { rfilename, size, blobId, ...(isLarge ? { lfs: { sha256, size, pointerSize: 134 } } : {}) };
    });
    return { sha: COMMIT, siblings };
  }
}

/** As a correct server does. */
export function sendRange(request: IncomingMessage, response: ServerResponse, content: Buffer): void {
  const first = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (first === 0) {
    response.writeHead(200, { 'content-length': content.length }).end(content);
    return;
  }
  const range = `bytes ${first}-${content.length - 1}/${content.length}`;
  const rest = content.subarray(first);
  response.writeHead(206, { 'content-length': rest.length, 'content-range': range }).end(rest);
}
