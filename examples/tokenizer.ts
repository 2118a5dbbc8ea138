// Text to ids and back, without the weights: node tokenizer.js [model, directory or tokenizer file] [text]

import { demoModelPath, Tokenizer } from 'gpt-neox';

async function main(path = demoModelPath(), text = '猫は🍣が好き。Cats, too.'): Promise<void> {
  const tokenizer = await Tokenizer.load(path);
  const ids = tokenizer.encode(text, { addSpecialTokens: false });
  console.log(`${tokenizer.vocabSize} tokens in the vocabulary, ${ids.length} in the text`);
  console.log(tokenizer.tokenize(text).join(' | '));
  console.log(tokenizer.decode(ids) === text ? 'decodes to itself' : tokenizer.decode(ids));

  // What a user types is text, whatever it looks like; a template's special tokens are tokens.
  const typed = tokenizer.encode('</s>', { splitSpecialTokens: true, addSpecialTokens: false });
  const meant = tokenizer.encode('</s>', { addSpecialTokens: false });
  console.log(`</s>: ${typed.length} tokens as text, ${meant.length} as itself`);

  // Token by token: a character that takes several tokens comes with its last.
  const stream = tokenizer.createDecodeStream();
  const parts = ids.map((id) => stream.push([id]));
  console.log(JSON.stringify([...parts, stream.flush()].filter((part) => part !== '')));
}

void main(...process.argv.slice(2));
