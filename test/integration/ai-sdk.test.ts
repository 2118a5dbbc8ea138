// The AI SDK itself over the built package: version 6 here, version 7, which asks for Node 22, there.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { demoModelPath, Model } from '../../lib/index.js';
import { obtainNode } from '../package/nodes.js';

const root = join(__dirname, '..', '..');
const question = [{ role: 'user', content: '富士山の高さは?' }] as const;

let model: Model;
beforeAll(async () => {
  model = await Model.load(demoModelPath());
});
afterAll(() => model.dispose());

test.each([
  ['ai', '20'],
  ['ai-7', '22'],
])(
  '%s',
  async (name, version) => {
    const isOwn = Number(process.versions.node.split('.')[0]) >= Number(version);
    const isLinux = process.platform === 'linux'; // whose binaries are obtained
    const node = isOwn ? process.execPath : isLinux ? obtainNode(version) : undefined;
    if (node === undefined) {
      if (isLinux && process.env.CI === 'true')
        throw new Error(`Node ${version} could not be obtained from npm.`);
      console.warn(`skipped: Node ${version} could not be obtained from npm.`);
      return;
    }
    const script = join(__dirname, 'ai-sdk.mjs');
    const done = spawnSync(node, [script, name], { cwd: root, encoding: 'utf8', timeout: 60_000 });
    expect({ status: done.status, stderr: done.stderr }).toEqual({ status: 0, stderr: '' });
    const outcome = JSON.parse(done.stdout);

    const expected = await model.chat(question, { temperature: 0 }).result();
    const tokens = {
      inputTokens: expected.usage.promptTokens,
      outputTokens: expected.usage.completionTokens,
    };
    expect(expected.finishReason).toBe('eos');
    expect(outcome.generate).toEqual({
      ...tokens,
      text: expected.text,
      finishReason: 'stop',
      named: { modelId: demoModelPath(), hasTime: true },
      warnings: [],
      metadata: {
        seed: 0,
        finishReason: 'eos',
        timings: expect.objectContaining({ queueMs: expect.any(Number) }),
      },
    });
    expect(outcome.stream).toEqual({ ...tokens, deltas: expect.any(Array), finishReason: 'stop' });
    expect(outcome.stream.deltas.join('')).toBe(expected.text);
    expect(outcome.response).toBe(expected.text);
    expect(outcome.registry).toBe(expected.text);

    const messages = [
      ...question,
      { role: 'assistant', content: expected.text },
      { role: 'user', content: '日本の首都は?' },
    ] as const;
    const second = await model.chat(messages, { temperature: 0 }).result();
    expect(outcome.conversation).toEqual({ text: second.text, cached: expect.any(Number) });
    expect(outcome.conversation.cached).toBeGreaterThanOrEqual(expected.usage.promptTokens);

    // What was under way when the consumer aborted may still come.
    expect(outcome.abortStream.last).toBe('abort');
    expect(outcome.abortStream.deltas).toBeLessThan(100);
    expect(outcome.abortGenerate).toBe('TimeoutError');
    expect(outcome.sampled).toEqual({ isSame: true, seed: 7 });
    expect(outcome.stopped).toEqual({ text: expected.text.split('メートル')[0], finishReason: 'stop' });
    expect(outcome.cut).toEqual({ hasText: true, finishReason: 'length', outputTokens: 2 });
    expect(outcome.image).toBe('ERR_NEOX_UNSUPPORTED');
    expect(outcome.failingStream).toEqual({ errors: ['a broken processor'], types: ['error', 'finish'] });
    expect(outcome.embeddings).toEqual({
      sizes: [model.config.hiddenSize, model.config.hiddenSize],
      hasTokens: true,
    });
    expect(outcome.disposed).toBe('ERR_NEOX_DISPOSED');
  },
  320_000,
);
