import { createHash, randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { listModels, Model, pull, removeModel, verify } from '../../lib/index.js';
import { COMMIT, type FakeHub, sendRange } from './fake-hub.js';
import { HubFixture, large, REPO } from './hub-fixture.js';

const fixture = new HubFixture();
let hub: FakeHub;
beforeEach(async () => {
  await fixture.start();
  hub = fixture.hub;
});
afterEach(() => fixture.stop());

describe('a repository', () => {
  test('is kept in the layout of huggingface_hub, with one set of weights', async () => {
    const { commit, path, files, downloadedBytes, warnings } = await fixture.fetchAll();
    expect(commit).toBe(COMMIT);
    expect(path).toBe(join(fixture.folder, 'snapshots', COMMIT));
    expect(files).toEqual(['config.json', 'README.md', 'model.safetensors']);
    expect(downloadedBytes).toBe(26 + 8 + large.length);
    expect(warnings).toEqual([]);
    const sha256 = createHash('sha256').update(large).digest('hex');
    expect(readFileSync(join(fixture.folder, 'blobs', sha256)).equals(large)).toBe(true);
    expect(lstatSync(join(path, 'model.safetensors')).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(path, 'model.safetensors')).equals(large)).toBe(true);
    expect(readFileSync(join(fixture.folder, 'refs', 'main'), 'utf8')).toBe(COMMIT);
  });

  test('is not fetched a second time', async () => {
    await fixture.fetchAll();
    const before = hub.requests.length;
    expect((await fixture.fetchAll()).downloadedBytes).toBe(0);
    expect(hub.requests.length).toBe(before + 1); // the list alone
  });

  test('sends the token to the hub, and not to another host', async () => {
    const seen: (string | undefined)[] = [];
    const store = createServer((request, response) => {
      seen.push(request.headers.authorization);
      sendRange(request, response, large);
    });
    await new Promise<void>((resolve) => store.listen(0, 'localhost', resolve));
    hub.misbehave = (request, response) => {
      if (!request.url?.endsWith('.safetensors')) return false;
      const location = `http://localhost:${(store.address() as AddressInfo).port}/blob`;
      response.writeHead(302, { location }).end();
      return true;
    };
    await fixture.fetchAll();
    store.close();
    expect(hub.requests.every(({ authorization }) => authorization === 'Bearer secret')).toBe(true);
    expect(seen).toEqual([undefined]);
  });

  test('patterns choose files', async () => {
    expect((await fixture.fetchAll({ include: ['*.md', '*.msgpack'] })).files).toEqual([
      'README.md',
      'flax_model.msgpack',
    ]);
    expect((await fixture.fetchAll({ exclude: '*.safetensors' })).files).toContain('pytorch_model.bin');
    await expect(fixture.fetchAll({ include: 'nothing-*' })).rejects.toMatchObject({ code: 'ERR_NEOX_HUB' });
  });

  test('files in folders go into folders, and the only .gguf file of a repository is taken', async () => {
    hub.files.clear();
    hub.add('sub/dir/model.Q4_0.gguf', 'GGUF', true);
    const { path, files } = await fixture.fetchAll();
    expect(files).toEqual(['sub/dir/model.Q4_0.gguf']);
    expect(readFileSync(join(path, 'sub/dir/model.Q4_0.gguf'), 'utf8')).toBe('GGUF');
    hub.add('model.Q8_0.gguf', 'GGUF', true);
    await expect(fixture.fetchAll()).rejects.toThrow(/Q4_0\.gguf, model\.Q8_0\.gguf; say which/);
    expect((await fixture.fetchAll({}, `${REPO}:Q8_0`)).files).toEqual(['model.Q8_0.gguf']);
    expect((await fixture.fetchAll({}, `${REPO}:q8_0`)).files).toEqual(['model.Q8_0.gguf']);
    hub.add('model', 'GGUF', true);
    expect((await fixture.fetchAll({}, `${REPO}:model`)).files).toEqual(['model']);
  });

  test('reports bytes that never fall and end at the total', async () => {
    const reports: { done: number; total: number }[] = [];
    await fixture.fetchAll({ onProgress: ({ done, total }) => reports.push({ done, total }) });
    const { total } = reports[0] as { total: number };
    expect(reports.at(-1)).toEqual({ done: total, total });
    expect(reports.every(({ done }, i) => i === 0 || done >= (reports[i - 1]?.done ?? 0))).toBe(true);
  });
});

test('options of the wrong kind, and a path to a file that is not there', async () => {
  for (const include of [5, {}, [5]]) {
    await expect(fixture.fetchAll({ include: include as unknown as string })).rejects.toMatchObject({
      code: 'ERR_NEOX_INVALID_ARGUMENT',
    });
  }
  await expect(Model.inspect('models/none.gguf')).rejects.toThrow(/^Cannot open 'models\/none\.gguf'/);
  await expect(verify('a\0b')).rejects.toMatchObject({ code: 'ERR_NEOX_INVALID_ARGUMENT' });
  await expect(Model.inspect('models/none')).rejects.toThrow(/neox pull models\/none/);
});

test('the environment: a token with a line break, and an endpoint that is none', async () => {
  const { HF_TOKEN, HF_ENDPOINT } = process.env;
  const set = (name: string, value: string | undefined): void => {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  };
  try {
    set('HF_TOKEN', 'mine\n');
    set('HF_ENDPOINT', `${hub.endpoint}/`);
    await pull(REPO, { cacheDir: fixture.cache, include: 'config.json' });
    expect(hub.requests.map(({ authorization }) => authorization)).toEqual(['Bearer mine', 'Bearer mine']);
    for (const endpoint of ['hub.example', 'ftp://hub.example', 'http://']) {
      set('HF_ENDPOINT', endpoint);
      await expect(pull(REPO, { cacheDir: fixture.cache })).rejects.toThrow(/an http or https URL/);
    }
  } finally {
    set('HF_TOKEN', HF_TOKEN);
    set('HF_ENDPOINT', HF_ENDPOINT);
  }
});

describe('an interrupted call', () => {
  test('what onProgress throws ends it, and is no failure of the connection', async () => {
    const onProgress = (): void => {
      throw new Error('enough');
    };
    await expect(fixture.fetchAll({ onProgress, include: 'model.safetensors' })).rejects.toThrow('enough');
    expect(fixture.fetches.length).toBeLessThan(2);
  });

  test('goes on where it stopped', async () => {
    const abort = new AbortController();
    hub.misbehave = (request, response, content) => {
      if (!request.url?.endsWith('.safetensors') || abort.signal.aborted) return false;
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 100_000));
      setTimeout(() => abort.abort(new Error('enough')), 50);
      return true;
    };
    await expect(fixture.fetchAll({ signal: abort.signal })).rejects.toThrow('enough');
    expect(fixture.leftovers).toHaveLength(1);
    await fixture.fetchAll();
    expect(fixture.fetches.at(-1)?.range).toBe('bytes=100000-');
    expect(fixture.leftovers).toEqual([]);
  });

  test('a part that was damaged meanwhile is fetched anew', async () => {
    const sha256 = createHash('sha256').update(large).digest('hex');
    mkdirSync(join(fixture.folder, 'blobs'), { recursive: true });
    writeFileSync(join(fixture.folder, 'blobs', `${sha256}.incomplete`), randomBytes(5000));
    const { path } = await fixture.fetchAll();
    expect(fixture.fetches.map(({ range }) => range)).toEqual(['bytes=5000-', undefined]);
    expect(readFileSync(join(path, 'model.safetensors')).equals(large)).toBe(true);
  });

  test('two calls at once fetch a file once', async () => {
    const [one, other] = await Promise.all([fixture.fetchAll(), fixture.fetchAll()]);
    expect(one.path).toBe(other.path);
    expect(fixture.fetches).toHaveLength(1);
  });

  test('a lock that its owner left behind is taken over', async () => {
    const sha256 = createHash('sha256').update(large).digest('hex');
    const locks = join(fixture.cache, '.locks', 'models--rinna--some-model');
    mkdirSync(locks, { recursive: true });
    const lock = join(locks, `${sha256}.lock`);
    writeFileSync(lock, '');
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(lock, longAgo, longAgo);
    expect((await fixture.fetchAll()).files).toHaveLength(3);
  });
});

describe('offline', () => {
  test('what was pulled is found, and nothing is asked', async () => {
    const { path } = await fixture.fetchAll();
    const before = hub.requests.length;
    expect(await fixture.fetchAll({ offline: true })).toMatchObject({ path, downloadedBytes: 0 });
    expect(hub.requests.length).toBe(before);
  });

  test('what was not pulled is an error', async () => {
    await expect(fixture.fetchAll({ offline: true })).rejects.toMatchObject({
      code: 'ERR_NEOX_FILE_NOT_FOUND',
    });
  });
});

describe('the cache', () => {
  test('lists and removes repositories and revisions', async () => {
    await fixture.fetchAll();
    const other = 'b'.repeat(40);
    hub.alterListing = (listing) => ({ ...listing, sha: other });
    hub.add('config.json', '{"model_type": "gpt_neox", "another": 1}');
    await fixture.fetchAll({ revision: 'v2' });
    const [model] = listModels({ cacheDir: fixture.cache });
    expect(model).toMatchObject({ repo: REPO, path: fixture.folder });
    expect(model?.revisions.map(({ commit, refs }) => [commit, refs])).toEqual([
      [COMMIT, ['main']],
      [other, ['v2']],
    ]);
    const freed = await removeModel(`${REPO}@v2`, { cacheDir: fixture.cache });
    expect(freed).toBeLessThan(1000); // the weights are main's, too
    expect(listModels({ cacheDir: fixture.cache })[0]?.revisions).toHaveLength(1);
    expect(await removeModel(REPO, { cacheDir: fixture.cache })).toBeGreaterThan(large.length);
    expect(listModels({ cacheDir: fixture.cache })).toEqual([]);
    await expect(removeModel(REPO, { cacheDir: fixture.cache })).rejects.toMatchObject({
      code: 'ERR_NEOX_FILE_NOT_FOUND',
    });
  });

  test.each(['../x', 'a/../b', 'a', '/etc/passwd', 'a/b/c', 'a--b/c', 'a/b@../x', ''])(
    '%p is no name',
    async (name) => {
      await expect(pull(name, { cacheDir: fixture.cache })).rejects.toMatchObject({
        code: 'ERR_NEOX_INVALID_ARGUMENT',
      });
      await expect(removeModel(name, { cacheDir: fixture.cache })).rejects.toMatchObject({
        code: 'ERR_NEOX_INVALID_ARGUMENT',
      });
    },
  );
});
