// This project, through its public API.

import { neox } from '../dist.mjs';
import { readTask, report } from './protocol.mjs';

const { Model, systemInfo } = neox;
const task = readTask();
const { version, isa } = systemInfo();
if (task.probe) report({ version: `${version}, ${isa}` });
else await run();

async function run() {
  const begin = performance.now();
  const model = await Model.load(task.model, {
    threads: task.threads,
    contextLength: task.contextLength,
    maxSequences: 1,
  });
  const loadSeconds = (performance.now() - begin) / 1000;
  const fixed = { eosTokenId: null, temperature: 0, promptLookupNumTokens: 0 };
  const generate = (ids, maxNewTokens) => model.generate(ids, { ...fixed, maxNewTokens }).result();
  await generate(task.checkIds.slice(0, 1), 1);
  const firstTokenSeconds = (performance.now() - begin) / 1000;

  const logits = (await model.logits(task.checkIds)).data;
  const { tokenIds } = await generate(task.checkIds, task.checkTokens);
  const { prefillMs } = (await generate(task.promptIds, 1)).timings;
  const rate = async (ids) => task.gen / ((await generate(ids, task.gen + 1)).timings.decodeMs / 1000);
  const tg = await rate(task.promptIds.slice(0, 1));
  const tgDepth = task.depth > 0 ? await rate(task.depthIds) : null;
  report({
    version: `${version}, ${isa}`,
    precision: model.info.precision,
    kvCacheType: model.info.kvCacheType,
    loadSeconds,
    firstTokenSeconds,
    pp: task.promptIds.length / (prefillMs / 1000),
    tg,
    tgDepth,
    ids: tokenIds,
    logits: task.logitIds.map((id) => logits[id]),
  });
  await model.dispose();
}
