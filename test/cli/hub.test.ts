import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FakeHub } from '../lib/fake-hub.js';
import { checkpoint, expectFailure, neox, temporaryFolder } from './program.js';

const NAME = 'rinna/japanese-gpt-neox-3.6b-instruction-ppo';
const hub = new FakeHub();
const folder = temporaryFolder();
const run = (...args: string[]) => {
  const env = { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: join(folder.path, 'hub'), HF_TOKEN: '' };
  return neox(args, { env });
};

beforeAll(async () => {
  await hub.start();
  for (const name of readdirSync(checkpoint)) {
    hub.add(name, readFileSync(join(checkpoint, name)), name.endsWith('.safetensors'));
  }
});
afterAll(async () => {
  await hub.stop();
  folder.remove();
});

test('before it is pulled, a name is an error that says what to do', async () => {
  expectFailure(await run('inspect', NAME), 3, new RegExp(`'neox pull ${NAME}' fetches it`));
  const { stderr, status } = await run('ls');
  expect(stderr).toMatch(/nothing was pulled yet/);
  expect(status).toBe(0);
});

test('what was pulled is loaded, inspected, converted, listed and removed by its name', async () => {
  const pulled = await run('pull', NAME);
  expect(pulled.stderr).toMatch(/^neox: rinna\/\S+ at a{12}: \d+ files, [\d.]+ KiB fetched\n$/);
  expect(pulled.stdout).toMatch(/snapshots\/a{40}\n$/);
  expect(pulled.status).toBe(0);

  const inspected = JSON.parse((await run('inspect', NAME, '--json')).stdout);
  expect(inspected).toMatchObject({
    name: 'japanese-gpt-neox-3.6b-instruction-ppo',
    chatFormat: { name: 'rinna-3.6b' },
  });

  const output = join(folder.path, 'model.gguf');
  expect((await run('convert', NAME, '--type', 'Q8_0', '-o', output)).status).toBe(0);
  const converted = JSON.parse((await run('inspect', output, '--json')).stdout);
  expect(converted).toMatchObject({ name: inspected.name, chatFormat: { name: 'rinna-3.6b' } });

  expect((await run('ls')).stdout).toMatch(new RegExp(`${NAME} +main +a{12} +\\d+ `));
  const verified = await run('verify', NAME);
  expect(verified.stdout).toMatch(/model\.safetensors .* intact .*\n(.*\n)*sound\n$/);
  expect(verified.status).toBe(0);

  expect((await run('pull', NAME)).stderr).toMatch(/nothing to fetch/);
  expect((await run('rm', NAME)).stderr).toMatch(/KiB freed/);
  expect(JSON.parse((await run('ls', '--json')).stdout)).toEqual([]);
  expectFailure(await run('rm', NAME), 3, /not among the pulled/);
});

test('an interrupted download is listed, so that it can be removed', async () => {
  const blobs = join(folder.path, 'hub', 'models--owner--half', 'blobs');
  mkdirSync(blobs, { recursive: true });
  writeFileSync(join(blobs, `${'c'.repeat(64)}.incomplete`), Buffer.alloc(2048));
  expect((await run('ls')).stdout).toMatch(/owner\/half +- +- +0 +2\.00 KiB/);
  expect((await run('rm', 'owner/half')).stderr).toMatch(/2\.00 KiB freed/);
});

test('what is no repository is wrong usage, and one that is not there is told of', async () => {
  expectFailure(await run('pull', 'model.gguf'), 2, /owner\/name/);
  hub.misbehave = (_, response) => {
    response.writeHead(404).end();
    return true;
  };
  expectFailure(await run('pull', 'nobody/nothing'), 6, /answered 404.*Is the name right/);
});
