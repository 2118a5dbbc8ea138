#!/usr/bin/env node
// Stands in for node-gyp under prebuildify, which calls `node-gyp rebuild --target=... --devdir=... --arch=x64 --release` and
// then takes build/Release/*.node of its folder. Node-API needs neither headers of a Node version nor node-gyp.
//
//   prebuildify --napi --name node.napi --node-gyp scripts/node-gyp-shim.cjs      (npm run prebuild does it)

const { resolve } = require('node:path');

async function main(args) {
  const option = (name) => args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
  const { runMain } = await import('./steps.mjs');
  const { compileTarget } = await import('./prebuild/compile.mjs');
  await runMain(() => {
    const platform = process.env.PREBUILD_PLATFORM ?? process.platform;
    const name = [platform, option('arch') ?? process.arch];
    if (process.env.PREBUILD_LIBC === 'musl') name.push('musl');
    return compileTarget(name.join('-'), resolve('build', 'Release'));
  });
}

main(process.argv.slice(2));
