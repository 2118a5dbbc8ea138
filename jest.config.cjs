// CommonJS on purpose: the addon is loaded by Node's real require, once per Jest process.
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  testTimeout: 30_000,
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'commonjs' },
      },
    ],
  },
  // Sources import './x.js', as the compiled package does.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
};
