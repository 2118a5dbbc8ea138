// Holds the tree to CONVENTIONS.md: layers, line ceilings, ASCII, what the core may not do, and the source lists of CMake.
// Prints one line per violation and `structure: N files, M violations`.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { isMain, root, runMain } from './steps.mjs';
import * as rules from './structure_rules.mjs';

const problems = [];
const report = (file, line, text) => problems.push(`${file}${line ? `:${line}` : ''}: ${text}`);

function checkNative(file, lines) {
  const [, folder, name] = file.split('/');
  const allowed = rules.nativeLayers[folder];
  if (!allowed) return report(file, 0, `native/${folder} is not in the layer table`);
  const includes = [];
  lines.forEach((line, index) => {
    if (/[^\x20-\x7e\t]/.test(line)) report(file, index + 1, 'not ASCII');
    const code = line.replace(/\/\/.*/, '');
    for (const [pattern, places, text] of rules.reserved) {
      if (pattern.test(code) && !places.some((place) => file.startsWith(place)))
        report(file, index + 1, text);
    }
    const included = /^\s*#\s*include "([^"]+)"/.exec(code)?.[1];
    if (!included) return;
    includes.push(included);
    const target = included.split('/')[0];
    const own = rules.isaFolder.test(file)
      ? posix.dirname(included) === posix.join(folder, name)
      : target === folder;
    const lower = rules.isaFolder.test(file) ? rules.isaIncludes : allowed;
    if (!own && !lower.some((each) => included === each || included.startsWith(each.replace(/\/?$/, '/')))) {
      report(
        file,
        index + 1,
        `${rules.isaFolder.test(file) ? dirname(file) : folder} may not include "${included}"`,
      );
    }
  });
  const header = file.replace(/^native\/(.*)\.(cpp|cu)$/, '$1.h');
  if (/\.(cpp|cu)$/.test(file) && existsSync(join(root, 'native', header)) && includes[0] !== header) {
    report(file, 0, `its own header "${header}" comes first`);
  }
}

const imports = new Map(); // lib file -> the lib files it imports, for the search for cycles

function checkLib(file, lines) {
  const folder = file.split('/').length > 2 ? file.split('/')[1] : null;
  const layerOf = (path) => rules.libLayers.findIndex((names) => names.includes(posix.basename(path, '.ts')));
  const packages = rules.filePackages[file] ?? rules.folderPackages[folder] ?? [];
  const isKnown = folder ? folder in rules.folderImports : layerOf(file) >= 0;
  if (!isKnown) report(file, 0, 'not in the tables of scripts/structure_rules.mjs');
  const text = lines.join('\n');
  if (/^export default\b/m.test(text)) report(file, 0, 'no default exports');
  const targets = [...text.matchAll(/\b(?:from|import|require)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]);
  for (const target of targets) {
    if (!target.startsWith('.')) {
      if (!target.startsWith('node:') && !packages.includes(target))
        report(file, 0, `may not import '${target}'`);
      continue;
    }
    const path = posix.join(posix.dirname(file), target.replace(/\.js$/, '.ts'));
    imports.set(file, [...(imports.get(file) ?? []), path]);
    const inFolder = path.split('/').length > 2 ? path.split('/')[1] : null;
    const good = folder
      ? path === 'lib/index.ts' ||
        inFolder === folder ||
        (rules.folderImports[folder] ?? []).includes(inFolder)
      : !inFolder && layerOf(path) >= 0 && layerOf(path) <= layerOf(file);
    if (!good) report(file, 0, `may not import '${target}'`);
  }
}

function checkCycles(file, trail = [], done = new Set()) {
  if (trail.includes(file)) return report(file, 0, `import cycle: ${[...trail, file].join(' -> ')}`);
  if (done.has(file)) return;
  for (const next of imports.get(file) ?? []) checkCycles(next, [...trail, file], done);
  done.add(file);
}

// The CMake file `list` names every source under `places`, and no other.
function checkSources(files, list, places) {
  if (!existsSync(join(root, list))) return;
  const sources = files.filter((file) => places.test(file));
  const named = readFileSync(join(root, list), 'utf8').match(/\b(native|test)\/[\w/]+\.(cpp|cu)\b/g) ?? [];
  for (const file of sources) if (!named.includes(file)) report(file, 0, `not in ${list}`);
  for (const file of named) if (!sources.includes(file)) report(list, 0, `${file} does not exist`);
}

function main() {
  const listed = spawnSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], {
    cwd: root,
    encoding: 'utf8',
  });
  const files = listed.stdout.split('\0').filter((file) => file && existsSync(join(root, file)));
  for (const file of files) {
    const text = readFileSync(join(root, file), 'utf8');
    if (text.includes('\0')) continue; // a binary file
    const lines = text.split('\n');
    if (lines.length - 1 > rules.ceiling(file))
      report(file, 0, `${lines.length - 1} lines, at most ${rules.ceiling(file)}`);
    const line = lines.findIndex((each) => rules.machinePath.test(each));
    if (line >= 0) report(file, line + 1, 'a path of one machine');
    if (/^native\/.*\.(cpp|h|cu|cuh)$/.test(file)) checkNative(file, lines);
    if (/^lib\/.*\.ts$/.test(file)) checkLib(file, lines);
    if (file === 'package-lock.json' && /"resolved": "http/.test(text))
      report(file, 0, 'holds registry addresses');
  }
  for (const [list, places] of rules.sourceLists) checkSources(files, list, places);
  for (const file of imports.keys()) checkCycles(file);

  for (const problem of [...new Set(problems)]) console.log(problem);
  console.log(`structure: ${files.length} files, ${new Set(problems).size} violations`);
  return problems.length > 0 ? 1 : 0;
}

if (isMain(import.meta.url)) await runMain(main);
