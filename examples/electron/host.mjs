// Runs in a utility process: the models, for the pages that main sends ports of.

import { setTimeout } from 'node:timers/promises';
import { demoModelPath, listModels, Model } from 'gpt-neox';
import { ModelHost } from 'gpt-neox/electron-host';

const LONGEST_WAIT_MS = 1000;

const host = new ModelHost({ models: [{ id: 'demo', path: demoModelPath(), name: 'デモモデル' }] });

/** What may be models in the cache: its repositories, and their .gguf files where one has several. */
function pulledNames() {
  return listModels().flatMap(({ repo, revisions }) => {
    const files = revisions.find(({ refs }) => refs.includes('main'))?.files ?? [];
    const ggufs = files.map(({ name }) => name).filter((name) => name.endsWith('.gguf'));
    return ggufs.length > 1 ? [repo, ...ggufs.map((name) => `${repo}:${name}`)] : [repo];
  });
}

// The cache is shared with Python's tools: what is no model of this family is not offered, nor a repository that leaves open which.
async function addPulled() {
  for (const name of pulledNames()) {
    const isOurs = await Model.inspect(name).then(
      () => true,
      () => false,
    );
    if (isOurs) host.addModel({ id: name, path: name, name });
  }
}

// A page that begins again looks for the model that it had. What is not inspected in this time, on a slow disk, is there when it
// looks next. The names alone are read at once, and everything waits for them.
const pulled = Promise.race([
  addPulled().catch((error) => console.error('The pulled models cannot be listed:', error)),
  setTimeout(LONGEST_WAIT_MS),
]);

process.parentPort.on('message', async ({ data, ports: [port] }) => {
  await pulled;
  if (data.type === 'serve') host.serve(port, { page: data.page });
  else {
    host.addModel(data.model);
    process.parentPort.postMessage({ added: data.model.id });
  }
});
