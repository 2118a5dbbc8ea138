// Runs in a utility process: the models, for whoever main sends a port of.

import { demoModelPath, listModels, Model } from 'gpt-neox';
import { ModelHost } from 'gpt-neox/electron-host';

const host = new ModelHost({ models: [{ id: 'demo', path: demoModelPath(), name: 'デモモデル' }] });

// The cache is shared with Python's tools: what is no model of this family is not offered.
async function addPulled() {
  for (const { repo } of listModels()) {
    const isOurs = await Model.inspect(repo).then(
      () => true,
      () => false,
    );
    if (isOurs) host.addModel({ id: repo, path: repo, name: repo });
  }
}
const pulled = addPulled().catch((error) => console.error('The pulled models cannot be listed:', error));

process.parentPort.on('message', async ({ data, ports: [port] }) => {
  await pulled;
  if (data.type === 'serve') return host.serve(port);
  host.addModel(data.model);
  process.parentPort.postMessage({ added: data.model.id });
});
