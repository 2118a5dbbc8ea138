// A fake hub with one model, and a cache of its own for each test.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PullOptions, type PullResult, pull } from '../../lib/index.js';
import { FakeHub } from './fake-hub.js';

export const REPO = 'rinna/some-model';
export const large = randomBytes(300_000);

export class HubFixture {
  hub = new FakeHub();
  cache = '';

  async start(): Promise<void> {
    this.hub = new FakeHub();
    await this.hub.start();
    this.hub.add('config.json', '{"model_type": "gpt_neox"}');
    this.hub.add('README.md', 'A model.');
    this.hub.add('model.safetensors', large, true);
    this.hub.add('pytorch_model.bin', randomBytes(1000), true);
    this.hub.add('flax_model.msgpack', 'no');
    this.cache = mkdtempSync(join(tmpdir(), 'neox-hub-'));
  }

  async stop(): Promise<void> {
    await this.hub.stop();
    rmSync(this.cache, { recursive: true, force: true });
  }

  get folder(): string {
    return join(this.cache, 'models--rinna--some-model');
  }

  fetchAll(options: PullOptions = {}, name = REPO): Promise<PullResult> {
    const { endpoint } = this.hub;
    return pull(name, { endpoint, cacheDir: this.cache, token: 'secret', ...options });
  }

  /** Requests for the large file. */
  get fetches(): { range: string | undefined }[] {
    return this.hub.requests.filter(({ url }) => url.includes('/resolve/') && url.endsWith('.safetensors'));
  }

  get leftovers(): string[] {
    return readdirSync(join(this.folder, 'blobs')).filter((name) => name.includes('incomplete'));
  }
}
