// Runs the demo model with the binary that the package carries for the Node that runs this, and prints one line of JSON.
// scripts/check_prebuilds.mjs starts it in each Node that it finds. With --built it is the binary that the checkout has
// built for itself.

if (!process.argv.includes('--built')) process.env.PREBUILDS_ONLY = '1';

const { demoModelPath, Model, systemInfo } = require('../../dist/index.js');

const questions = require('./answers.json').map((each) => each.question);

async function main() {
  const model = await Model.load(demoModelPath(), { threads: 2 });
  const answers = [];
  for (const question of questions) {
    const options = { temperature: 0, maxNewTokens: 24 };
    const { tokenIds, text } = await model.chat([{ role: 'user', content: question }], options).result();
    answers.push({ question, tokenIds, text });
  }
  await model.dispose();
  const { isa, supportedIsas } = systemInfo();
  const { platform, arch, version } = process;
  process.stdout.write(`${JSON.stringify({ platform, arch, version, isa, supportedIsas, answers })}\n`);
}

main();
