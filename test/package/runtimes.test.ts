// The installed package under every version of Node, in every way that a program may take it, with the same greedy ids.

import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeVersions } from './nodes.js';
import { installPackage, node, root, run, say } from './project.js';

jest.setTimeout(120_000);
const project = installPackage();
afterAll(() => project.remove());
const when = project.skipped === undefined ? test : test.skip;
const cwd = project.folder;
for (const name of ['answer.cjs', 'everywhere.cjs', 'imported.mjs', 'shared.cjs']) {
  cpSync(join(__dirname, 'programs', name), join(cwd, name));
}
const versions = project.skipped === undefined ? nodeVersions() : [{ name: 'any', path: undefined }];
const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { exports: object };
const subpaths = Object.keys(exports)
  .filter((name) => name !== './package.json')
  .map((name) => name.replace(/^\./, 'gpt-neox'));

// Pages have no CommonJS, so what is imported there is whole, and no face of what is required.
const forPages = 'gpt-neox/electron-client';
const printIds = 'answer().then(({ tokenIds }) => console.log(JSON.stringify(tokenIds)))';
let expected: number[] | undefined;

/** What this process's Node answers in its main thread. */
function expectedIds(): number[] {
  expected ??= JSON.parse(node(['-e', `require('./answer.cjs').${printIds}`], { cwd })) as number[];
  return expected;
}

function expectSame(ids: number[]): void {
  expect(ids.length).toBeGreaterThan(8);
  expect(ids).toEqual(expectedIds());
}

describe.each(versions)('Node $name', ({ name, path }) => {
  if (path === undefined) {
    const reason = "npm's registry does not give it here, and none is kept";
    if (process.env.CI === 'true') throw new Error(`Node ${name} is missing: ${reason}.`);
    process.stderr.write(`Skipped Node ${name}: ${reason}.\n`);
    test.skip('is not here', () => {});
    return;
  }

  test('require, import, workers and a child process', () => {
    const done = run(path, ['everywhere.cjs'], { cwd });
    expect({ status: done.status, stderr: done.stderr }).toEqual({ status: 0, stderr: '' });
    const { version, text, answers } = JSON.parse(done.stdout) as {
      version: string;
      text: string;
      answers: Record<string, number[]>;
    };
    if (name !== 'newest') expect(version.split('.')[0]).toBe(`v${name}`);
    expect(text).toBe('富士山の高さは3776メートルです。');
    expect(Object.keys(answers)).toEqual(['main', 'imported', 'worker 0', 'worker 1', 'worker 2', 'child']);
    for (const ids of Object.values(answers)) expectSame(ids);
    say(`package: Node ${version.slice(1)} gives the same ids in ${Object.keys(answers).join(', ')}`);
  });

  test('every subpath by require and by import, without optional peers', () => {
    const required = subpaths.map((each) => `require('${each}')`).join(', ');
    const imported = subpaths.map((each) => `import('${each}')`).join(', ');
    const code = `Promise.all([${imported}]).then((modules) => [${required}].forEach((each, index) => {
      const path = ${JSON.stringify(subpaths)}[index];
      for (const [key, value] of Object.entries(each)) {
        const isSame = path === '${forPages}' ? key in modules[index] : value === modules[index][key];
        if (!isSame) throw new Error(path + ': ' + key);
      }
      if (Object.keys(each).length === 0) throw new Error(path + ' exports nothing');
    })).then(() => console.log('same'))`;
    const done = run(path, ['-e', code], { cwd });
    expect({ stdout: done.stdout, stderr: done.stderr }).toEqual({ stdout: 'same\n', stderr: '' });
  });
});

const emulator = ['qemu-x86_64', '-cpu', 'Nehalem'] as const;
const isEmulated = process.arch === 'x64' && run(emulator[0], ['--version'], { cwd: root }).status === 0;
if (!isEmulated) process.stderr.write('Skipped the processor without AVX: no qemu-x86_64 is at hand.\n');
(isEmulated ? when : test.skip)('on a processor without AVX', () => {
  const [program, ...flags] = emulator;
  const code = `console.log(require('gpt-neox').systemInfo().supportedIsas.join());
    require('./answer.cjs').${printIds};`;
  const done = run(program, [...flags, process.execPath, '-e', code], { cwd });
  const [sets, ids = ''] = done.stdout.split('\n');
  expect({ sets, stderr: done.stderr }).toEqual({ sets: 'scalar', stderr: '' });
  expectSame(JSON.parse(ids) as number[]);
});

when('loads of one model in several workers share its weights', () => {
  const model = join(cwd, 'shared.gguf');
  node(
    ['node_modules/gpt-neox/dist/cli/main.js', 'synth', '--shape', 'small', '--type', 'Q8_0', '-o', model],
    {
      cwd,
    },
  );
  const { weightsBytes, grownBytes } = JSON.parse(node(['shared.cjs', model], { cwd })) as {
    weightsBytes: number;
    grownBytes: number;
  };
  expect(weightsBytes).toBeGreaterThan(80e6);
  // Three more copies would be three times the weights.
  expect(grownBytes).toBeLessThan(weightsBytes);
});

when('under Jest, in two files of one process', () => {
  const code = `const { answer } = require('./answer.cjs');
    test('answers', async () => expect((await answer()).tokenIds).toEqual(${JSON.stringify(expectedIds())}));`;
  mkdirSync(join(cwd, 'jest'));
  for (const name of ['one', 'two']) writeFileSync(join(cwd, `${name}.test.cjs`), code);
  writeFileSync(
    join(cwd, 'jest.config.json'),
    '{ "testMatch": ["**/*.test.cjs"], "moduleFileExtensions": ["js", "cjs", "json"] }',
  );
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const done = run(
    process.execPath,
    [jest, '--runInBand', '--rootDir', cwd, '--config', 'jest.config.json'],
    { cwd },
  );
  expect({ status: done.status, stderr: done.stderr }).toMatchObject({ status: 0 });
  expect(done.stderr).toContain('Tests:       2 passed, 2 total');
});

when('in a bundle of esbuild that leaves the package outside', () => {
  const esbuild = join(root, 'node_modules', 'esbuild', 'bin', 'esbuild');
  const bundle = (format: string, out: string, ...more: string[]) =>
    run(
      esbuild,
      ['answer.cjs', '--bundle', '--platform=node', `--format=${format}`, `--outfile=${out}`, ...more],
      {
        cwd,
      },
    );
  expect(bundle('cjs', 'out/bundle.cjs', '--external:gpt-neox').status).toBe(0);
  expectSame(JSON.parse(node(['-e', `require('./out/bundle.cjs').${printIds}`], { cwd })) as number[]);
  // One that takes the package in has left its binaries behind, and says so.
  expect(bundle('cjs', 'out/within/bundle.cjs').status).toBe(0);
  const within = `require('./out/within/bundle.cjs').answer().catch((error) => console.log(error.code, error.message))`;
  expect(node(['-e', within], { cwd })).toMatch(/^ERR_NEOX_ADDON .*mark gpt-neox as external/);
});

describe('TypeScript, strict and without skipLibCheck', () => {
  const use = `const model: Model = await Model.load(demoModelPath(), { contextLength: 256 });
    for await (const chunk of model.chat([{ role: 'user', content: 'x' }], { temperature: 0 })) {
      const text: string = chunk.text;
      const id: number | undefined = chunk.tokens[0]?.id;
      void [text, id];
    }
    // @ts-expect-error a misspelt option
    model.generate('x', { maxNewToken: 1 });
    const result: Result = await model.generate('x').result();
    await model.dispose();
    return result.finishReason;`;
  const imports = subpaths.map((path, index) => `import * as s${index} from '${path}';`).join('\n');
  const requires = subpaths.map((path, index) => `import s${index} = require('${path}');`).join('\n');
  const types = "import type { Model as M } from 'gpt-neox';\nexport type Same = M;";
  const all = `export const all = [${subpaths.map((_, index) => `s${index}`).join(', ')}];`;
  const esm = `import { demoModelPath, Model, type Result } from 'gpt-neox';\n${imports}\n${types}\n${all}
    export async function use(): Promise<string> { ${use} }`;
  const cjs = `import neox = require('gpt-neox');\n${requires}\n${all}
    import Model = neox.Model; import demoModelPath = neox.demoModelPath; type Result = neox.Result;
    export async function use(): Promise<string> { ${use} }`;

  const compile = (name: string, files: Record<string, string>, options: object): string => {
    const folder = join(cwd, name);
    mkdirSync(folder);
    for (const [file, code] of Object.entries(files)) writeFileSync(join(folder, file), code);
    const compilerOptions = {
      ...{ target: 'es2022', lib: ['es2023', 'esnext.disposable'], strict: true, noEmit: true },
      ...{ exactOptionalPropertyTypes: true, types: ['node'] },
      typeRoots: [join(root, 'node_modules', '@types')],
      ...options,
    };
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: Object.keys(files) }),
    );
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    return run(process.execPath, [tsc, '-p', folder], { cwd }).stdout.trim();
  };

  // The one error that must come shows that the files were looked at.
  const wrong = "import * as none from 'gpt-neox/none';\nexport { none };";
  const error = (file: string): RegExp =>
    new RegExp(`^[^\\n]*${file}\\(1,23\\): error TS2307: Cannot find module 'gpt-neox/none'[^\\n]*$`);

  when('node16, an ES module and CommonJS', () => {
    const files = { 'module.mts': esm, 'common.cts': cjs, 'wrong.mts': wrong };
    const options = { module: 'node16', moduleResolution: 'node16' };
    expect(compile('types-node16', files, options)).toMatch(error('wrong.mts'));
  });

  when('bundler', () => {
    const options = { module: 'esnext', moduleResolution: 'bundler' };
    expect(compile('types-bundler', { 'bundled.ts': esm, 'wrong.ts': wrong }, options)).toMatch(
      error('wrong.ts'),
    );
  });
});
