// What a server may do to a download, and what becomes of it.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pull } from '../../lib/index.js';
import { COMMIT, type FakeHub, sendRange } from './fake-hub.js';
import { HubFixture, large, REPO } from './hub-fixture.js';

const fixture = new HubFixture();
let hub: FakeHub;
beforeEach(async () => {
  await fixture.start();
  hub = fixture.hub;
});
afterEach(() => fixture.stop());

describe('a server that', () => {
  test('drops connections: the rest is asked for', async () => {
    hub.misbehave = (request, response, content) => {
      if (!request.url?.endsWith('.safetensors') || fixture.fetches.length > 3) return false;
      const first = Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0);
      const range = { 'content-range': `bytes ${first}-${content.length - 1}/${content.length}` };
      response.writeHead(first > 0 ? 206 : 200, { 'content-length': content.length - first, ...range });
      response.write(content.subarray(first, first + 70_000), () => response.destroy());
      return true;
    };
    const { path } = await fixture.fetchAll();
    expect(readFileSync(join(path, 'model.safetensors')).equals(large)).toBe(true);
    const ranges = fixture.fetches.map(({ range }) => range);
    expect(ranges[0]).toBeUndefined();
    expect(ranges.length).toBeGreaterThan(2);
    expect(ranges.slice(1).every((range) => /^bytes=[1-9]\d*-$/.test(range ?? ''))).toBe(true);
  });

  test('answers ranges with the whole file', async () => {
    hub.misbehave = (request, response, content) => {
      if (!request.url?.endsWith('.safetensors')) return false;
      response.writeHead(200, { 'content-length': content.length });
      if (fixture.fetches.length > 1) response.end(content);
      else response.write(content.subarray(0, 50_000), () => response.destroy());
      return true;
    };
    const { path } = await fixture.fetchAll();
    expect(readFileSync(join(path, 'model.safetensors')).equals(large)).toBe(true);
  });

  test.each([
    ['another start', (n: number) => `bytes 0-${n - 1}/${n}`],
    ['another length', (n: number) => `bytes 50000-${n - 1}/${n + 5}`],
    ['no range', () => undefined],
  ])('answers ranges with %s: the file comes from its start', async (_, contentRange) => {
    hub.misbehave = (request, response, content) => {
      if (!request.url?.endsWith('.safetensors') || request.headers.range === undefined) {
        if (fixture.fetches.length > 2 || !request.url?.endsWith('.safetensors')) return false;
        response.writeHead(200, { 'content-length': content.length });
        response.write(content.subarray(0, 50_000), () => response.destroy());
        return true;
      }
      const range = contentRange(content.length);
      response.writeHead(206, range === undefined ? {} : { 'content-range': range });
      response.end(content.subarray(0, 1000));
      return true;
    };
    const { path } = await fixture.fetchAll();
    expect(readFileSync(join(path, 'model.safetensors')).equals(large)).toBe(true);
  });

  test('always answers ranges wrongly is given up', async () => {
    hub.misbehave = (request, response) => {
      if (!request.url?.endsWith('.safetensors')) return false;
      response.writeHead(206, { 'content-range': 'bytes 7-8/9' }).end('xx');
      return true;
    };
    await expect(fixture.fetchAll()).rejects.toMatchObject({ code: 'ERR_NEOX_NETWORK' });
  });

  test('sends more than it says', async () => {
    hub.misbehave = (request, response, content) => {
      if (!request.url?.endsWith('.safetensors')) return false;
      response.end(Buffer.concat([content, content]));
      return true;
    };
    await expect(fixture.fetchAll()).rejects.toThrow(/sends more than 300000 bytes/);
  });

  test('lies about the length of a file', async () => {
    hub.alterListing = (listing) => {
      const file = listing.siblings[2] as { size: number; lfs: { size: number } };
      file.lfs.size = file.size + 1;
      return listing;
    };
    await expect(fixture.fetchAll()).rejects.toMatchObject({ code: 'ERR_NEOX_NETWORK' });
    expect(existsSync(join(fixture.folder, 'snapshots', COMMIT, 'model.safetensors'))).toBe(false);
  });

  test('sends other bytes: nothing of them stays', async () => {
    hub.misbehave = (request, response, content) => {
      if (!request.url?.endsWith('.safetensors')) return false;
      const damaged = Buffer.from(content);
      damaged[1234] = (damaged[1234] ?? 0) ^ 1;
      sendRange(request, response, damaged);
      return true;
    };
    await expect(fixture.fetchAll()).rejects.toMatchObject({ code: 'ERR_NEOX_CHECKSUM' });
    expect(fixture.fetches).toHaveLength(2);
    expect(fixture.leftovers).toEqual([]);
    expect(existsSync(join(fixture.folder, 'snapshots', COMMIT, 'model.safetensors'))).toBe(false);
  });

  test('breaks off its list of files: it is asked for again', async () => {
    hub.breakListings = 1;
    expect((await fixture.fetchAll()).files).toHaveLength(3);
    expect(hub.requests.filter(({ url }) => url.startsWith('/api/'))).toHaveLength(2);
  });

  test('is busy for a moment', async () => {
    hub.misbehave = (_, response) => {
      if (hub.requests.length > 2) return false;
      response.writeHead(429, { 'retry-after': '0.1' }).end();
      return true;
    };
    expect((await fixture.fetchAll()).files).toHaveLength(3);
  });

  test.each([
    [401, /set HF_TOKEN/],
    [403, /accept its terms/],
    [404, /Is the name right/],
  ])('answers %i is not asked again', async (status, hint) => {
    hub.misbehave = (_, response) => {
      response.writeHead(status, { 'x-error-message': 'because' }).end();
      return true;
    };
    await expect(fixture.fetchAll()).rejects.toThrow(hint);
    expect(hub.requests).toHaveLength(2);
  });

  test.each([
    ['a name that leaves the folder', { rfilename: '../../evil.json' }],
    ['an absolute name', { rfilename: '/etc/evil.json' }],
    ['a name of another system', { rfilename: 'C:\\evil.json' }],
    ['a name with a hidden step', { rfilename: 'a/./../../evil.json' }],
    ['a device', { rfilename: 'nul.json' }],
    ['a control character', { rfilename: 'a\nb.json' }],
    ['no name', { rfilename: 7 }],
    ['a checksum that is a path', { blobId: '../../../../evil' }],
    ['a negative size', { size: -1 }],
    ['a size beyond all', { size: 1e300 }],
    ['a name twice', { rfilename: 'README.md' }],
  ])('lists %s is not believed', async (_, change) => {
    hub.alterListing = (listing) => {
      Object.assign(listing.siblings[0] as object, change);
      return listing;
    };
    await expect(fixture.fetchAll()).rejects.toMatchObject({ code: 'ERR_NEOX_HUB' });
    expect(existsSync(fixture.folder)).toBe(false);
  });

  test.each([
    ['no commit', { sha: '../..', siblings: [] }],
    ['no files', { sha: COMMIT }],
    ['a list of nothing', null],
    ['too much', { sha: COMMIT, siblings: Array(10_001).fill({}) }],
  ])('sends %s is not believed', async (_, listing) => {
    hub.alterListing = () => listing;
    await expect(fixture.fetchAll()).rejects.toMatchObject({ code: 'ERR_NEOX_HUB' });
  });

  test('is away', async () => {
    const { endpoint } = hub;
    await hub.stop();
    const signal = AbortSignal.timeout(1200);

    await expect(pull(REPO, { cacheDir: fixture.cache, endpoint, signal })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
    await hub.start();
  });
});
