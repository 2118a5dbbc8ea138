// Runs the demo model with the binary that the package carries for the Node that runs this, and prints one line of JSON.
// scripts/check_prebuilds.mjs starts it in each Node that it finds.

process.env.PREBUILDS_ONLY = '1'; // not what the checkout has built for itself

const { demoModelPath, Model, systemInfo } = require('../../dist/index.js');

const questions = ['富士山の高さは?', '5たす3は?', 'What is the capital of France?'];

async function main() {
  const model = await Model.load(demoModelPath(), { threads: 2 });
  const answers = [];
  for (const content of questions) {
    const options = { temperature: 0, maxNewTokens: 24 };
    const { tokenIds, text } = await model.chat([{ role: 'user', content }], options).result();
    answers.push({ tokenIds, text });
  }
  await model.dispose();
  const { isa, supportedIsas } = systemInfo();
  const { platform, arch, version } = process;
  process.stdout.write(`${JSON.stringify({ platform, arch, version, isa, supportedIsas, answers })}\n`);
}

main();
