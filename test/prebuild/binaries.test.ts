// The binaries in prebuilds/, by their own tables. `npm run prebuild` builds the one of this machine, and so does
// NEOX_PREBUILD=1 npm test; `npm run prebuild -- --all` builds all.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { machoWith } from './macho.js';
import { peWith } from './pe.js';

const root = join(__dirname, '..', '..');

/** The scripts are ES modules, which this Jest does not load: a child asks them. */
function ask<T>(code: string): T {
  const imports = `
    import { existsSync, readFileSync } from 'node:fs';
    import { wrongAnswer } from './scripts/prebuild/answers.mjs';
    import { closeMacho } from './scripts/prebuild/close_macho.mjs';
    import { entryPoints, problemsOf, readBinary } from './scripts/prebuild/problems.mjs';
    import { targetByName, targets } from './scripts/prebuild/targets.mjs';`;
  const args = ['--input-type=module', '--eval', `${imports}\nconsole.log(JSON.stringify((${code})))`];
  const done = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', maxBuffer: 64 << 20 });
  if (done.status !== 0) throw new Error(done.stderr);
  return JSON.parse(done.stdout) as T;
}

const built = ask<{ name: string; file: string }[]>('targets.filter((each) => existsSync(each.file))');
const linux = built.find((each) => each.name === 'linux-x64');
const bytesOf = `readFileSync('${linux?.file}')`;
const problemsWith = (change: string): string[] =>
  ask(`(() => { const b = ${bytesOf}; ${change}; return problemsOf(targetByName('linux-x64'), b); })()`);

test('the names are those that node-gyp-build and @electron/rebuild look for', () => {
  expect(ask<{ file: string }[]>('targets').map((each) => each.file)).toEqual([
    'prebuilds/linux-x64/node.napi.node',
    'prebuilds/linux-arm64/node.napi.armv8.node',
    'prebuilds/linux-x64/node.napi.musl.node',
    'prebuilds/linux-arm64/node.napi.armv8.musl.node',
    'prebuilds/win32-x64/node.napi.node',
    'prebuilds/darwin-arm64/node.napi.armv8.node',
    'prebuilds/darwin-x64/node.napi.node',
  ]);
});

if (built.length === 0)
  process.stderr.write('Skipped the checks of binaries: `npm run prebuild` has built none.\n');
const each = built.length > 0 ? test.each(built) : test.skip.each([{ name: 'nothing is built', file: '' }]);
each(
  '$name exports two symbols, needs a plain system only, and holds no path of its builder',
  ({ name, file }) => {
    expect(ask(`problemsOf(targetByName('${name}'), readFileSync('${file}'))`)).toEqual([]);
  },
);

const withLinux = linux ? test : test.skip;
if (!linux) process.stderr.write('Skipped their negative controls: none is for Linux on x86-64.\n');

withLinux('a binary that is wrong is found out', () => {
  expect(problemsWith('b.writeUInt16LE(183, 18)')).toEqual([expect.stringContaining('the machine is arm64')]);
  expect(problemsWith("b.write('2.29', b.indexOf('GLIBC_2.') + 6)")).toEqual([
    expect.stringContaining('needs glibc 2.29'),
  ]);
  expect(problemsWith("b.write('ABI', b.indexOf('GLIBC_2.') + 6)")).toEqual([
    expect.stringMatching(/needs GLIBC_ABI\S*, which have no number/),
  ]);
  expect(problemsWith("b.write('libx.so', b.indexOf('libc.so.6'))")).toEqual(
    expect.arrayContaining([expect.stringContaining('needs libx.so')]),
  );
  expect(problemsWith("b.write('/ho' + 'me/someone/file', b.length - 100)")).toEqual(
    expect.arrayContaining([expect.stringContaining('paths of the machine')]),
  );
  expect(problemsWith("b.write('napi_other_module', b.indexOf('napi_register_module'))").length).toBe(2);
});

// As Microsoft's linker makes them under cmake-js.
test('node.exe may be loaded late, and only late', () => {
  const problems = (imports: string[], delayed: string[]) => {
    const bytes = peWith({ imports, delayed }).toString('base64');
    return ask(`problemsOf(targetByName('win32-x64'), Buffer.from('${bytes}', 'base64'))`);
  };
  expect(problems(['KERNEL32.dll'], ['node.exe'])).toEqual([]);
  expect(problems(['KERNEL32.dll'], [])).toEqual([]);
  expect(problems(['KERNEL32.dll', 'node.exe'], [])).toEqual(['needs node.exe']);
  expect(problems(['KERNEL32.dll'], ['node.exe', 'MSVCP140.dll'])).toEqual(['needs, later on, msvcp140.dll']);
});

test('a library for macOS is known by what its loader is told', () => {
  const problems = (library: Parameters<typeof machoWith>[0]) => {
    const bytes = machoWith(library).toString('base64');
    return ask(`problemsOf(targetByName('darwin-arm64'), Buffer.from('${bytes}', 'base64'))`);
  };
  const plain = {
    fromProcess: ['_napi_create_object', '_node_api_post_finalizer'],
    fromLibrary: ['_malloc'],
  };
  expect(problems(plain)).toEqual([]);
  expect(problems({ fromProcess: ['_malloc', '_napi_throw'] })).toEqual(['expects of the process malloc']);
  expect(problems({ exported: ['__Znwm'] })).toEqual(['exports 1 symbols more than two: _Znwm']);
  expect(problems({ shared: ['__Znwm'] })).toEqual(['shares with other libraries _Znwm,_Znwm']);
  expect(problems({ importedWeakly: ['__Znwm'] })).toEqual([]);
  expect(problems({ library: '/opt/lib/libx.dylib' })).toEqual(
    expect.arrayContaining(['needs /opt/lib/libx.dylib']),
  );
  expect(problems({ oldest: [11, 1] })).toEqual(['needs macOS 11.1, at most 11.0']);
  expect(problems({ isSigned: false })).toEqual(['is not signed, which this processor demands']);
});

test('a library for macOS that is cut off is no end of waiting', () => {
  const bytes = machoWith({ shared: ['__Znwm'], fromProcess: ['_napi_throw'] }).toString('base64');
  const outcomes = ask<string[]>(`(() => {
    const whole = Buffer.from('${bytes}', 'base64');
    return Array.from({ length: whole.length }, (_, length) => {
      try {
        problemsOf(targetByName('darwin-arm64'), whole.subarray(0, length));
        return 'read';
      } catch (error) {
        return error.constructor.name;
      }
    });
  })()`);
  expect(outcomes).toContain('RangeError');
});

test('a library for macOS is closed, and its signature fits again', () => {
  const folder = mkdtempSync(join(tmpdir(), 'neox-macho-'));
  const path = join(folder, 'neox.node');
  const close = () =>
    ask<string[] | { thrown: string }>(`(() => {
      try {
        closeMacho('${path}', entryPoints);
        return problemsOf(targetByName('darwin-arm64'), readFileSync('${path}'));
      } catch (error) {
        return { thrown: error.message };
      }
    })()`);
  try {
    writeFileSync(
      path,
      machoWith({ exported: ['__Znwm'], shared: ['__Znwm'], fromProcess: ['_napi_throw'] }),
    );
    expect(close()).toEqual([]);
    expect(close()).toEqual([]); // which begins with a look at the signature
    const bytes = readFileSync(path);
    expect(bytes.readUInt32LE(24)).toBe(0); // the loader need not look for what is shared
    bytes.writeUInt8(1, bytes.length - 200);
    writeFileSync(path, bytes);
    const misfit = expect.stringMatching(/^The signature does not fit page \d/);
    expect(ask(`problemsOf(targetByName('darwin-arm64'), readFileSync('${path}'))`)).toContainEqual(misfit);
    expect(close()).toEqual({ thrown: misfit });
    writeFileSync(path, machoWith({ shared: ['__Znwm'], hasOwn: false }));
    expect(close()).toEqual({ thrown: '__Znwm is bound weakly, and has no address of its own.' });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("the answers that binaries are held to are those of this checkout's own build, and others are found out", () => {
  const script = join('scripts', 'prebuild', 'answer.cjs');
  const done = spawnSync(process.execPath, [script, '--built'], { cwd: root, encoding: 'utf8' });
  const { answers } = JSON.parse(done.stdout) as { answers: { tokenIds: number[] }[] };
  const wrong = (given: object[]) => ask(`{ wrong: wrongAnswer(${JSON.stringify(given)}) }`);
  expect(wrong(answers)).toEqual({ wrong: null });
  const last = answers.at(-1);
  const others = [...answers.slice(0, -1), { ...last, tokenIds: last?.tokenIds.map((id) => id + 1) }];
  expect(wrong(others)).toEqual({ wrong: expect.stringContaining('gave') });
  expect(wrong(answers.slice(1))).toEqual({ wrong: expect.stringContaining('gave') });
  expect(wrong([...answers, ...answers])).toEqual({ wrong: expect.stringContaining('answers, not') });
});

withLinux('what readelf says is what is read here', () => {
  if (spawnSync('readelf', ['--version']).status !== 0) return;
  const file = join(root, linux?.file ?? '');
  const dynamic = spawnSync('readelf', ['-dW', file], { encoding: 'utf8' }).stdout;
  const versions = spawnSync('readelf', ['-VW', file], { encoding: 'utf8' }).stdout;
  const binary = ask<{ needed: string[]; versions: string[]; staysLoaded: boolean }>(
    `readBinary(${bytesOf})`,
  );
  expect(binary.needed).toEqual([...dynamic.matchAll(/NEEDED.*\[(.*)\]/g)].map((match) => match[1]));
  expect(binary.staysLoaded).toBe(/FLAGS_1.*NODELETE/.test(dynamic));
  const names = [...versions.matchAll(/Name: (GLIBC_[\d.]+)/g)].map((match) => match[1]);
  expect([...binary.versions].sort()).toEqual([...new Set(names)].sort());
});
