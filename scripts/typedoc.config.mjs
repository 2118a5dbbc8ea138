// `npm run docs`: pages of the public API in docs/api. A warning is a failure: everything public is documented, every link
// leads somewhere, and no type is used that users cannot name.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './steps.mjs';

const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const declarations = Object.values(exports).flatMap((subpath) => subpath.require?.types ?? []);

export default {
  name: 'gpt-neox',
  entryPoints: declarations.map((path) =>
    join(root, path.replace(/^\.\/dist\//, 'lib/').replace(/\.d\.ts$/, '.ts')),
  ),
  tsconfig: join(root, 'tsconfig.json'),
  out: join(root, 'docs', 'api'),
  readme: join(root, 'README.md'),
  excludeInternal: true,
  excludePrivate: true,
  excludeExternals: true,
  githubPages: false,
  validation: { notExported: true, invalidLink: true, notDocumented: true },
  requiredToBeDocumented: [
    ...['Class', 'Function', 'Interface', 'TypeAlias', 'Variable'],
    ...['Method', 'Property', 'Accessor', 'CallSignature'],
  ],
  treatWarningsAsErrors: true,
  treatValidationWarningsAsErrors: true,
  logLevel: 'Warn',
};
