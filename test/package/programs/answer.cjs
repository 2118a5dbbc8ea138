// Asks the demo model, greedily.
exports.answer = async () => {
  const { demoModelPath, Model } = require('gpt-neox');
  const model = await Model.load(demoModelPath());
  try {
    const messages = [{ role: 'user', content: '富士山の高さは?' }];
    const { text, tokenIds } = await model.chat(messages, { temperature: 0, maxNewTokens: 32 }).result();
    return { text, tokenIds };
  } finally {
    await model.dispose();
  }
};
