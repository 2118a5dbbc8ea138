// Requests that hold more than a host should take apart.

import { MAX_BREAKERS, MAX_BYTES, MAX_TEXT, MAX_VALUES } from '../../lib/electron/protocol.js';
import { makeStage, type Stage, user } from './pages.js';

let stage: Stage;

beforeEach(() => {
  stage = makeStage();
});
afterEach(() => stage.close());

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const knot: unknown[] = [];
knot.push(knot, knot);

test.each<[string, object, string]>([
  ['prompt', { prompt: 'あ'.repeat(MAX_TEXT) }, '1,000,000 characters'],
  ['messages', { messages: numbers(11).flatMap(() => user('あ'.repeat(100_000))) }, '1,000,000 characters'],
  ['ids', { prompt: numbers(MAX_VALUES) }, '10,000 list entries'],
  ['stop', { options: { stop: numbers(200_000).map(String) } }, '10,000 list entries'],
  ['badWordsIds', { options: { badWordsIds: numbers(5_001).map((id) => [id]) } }, '10,000 list entries'],
  ['logitBias', { options: { logitBias: new Map(numbers(MAX_VALUES).map((id) => [id, 1])) } }, '10,000 list'],
  ['nothing at all', { prompt: new Array(4e9) }, '10,000 list entries'],
  ['itself', { prompt: knot }, '10,000 list entries'],
  ['embeddings', { prompt: [{ embeddings: new Float32Array(MAX_BYTES / 4 + 1) }] }, '67,108,864 bytes'],
  ['breakers', { options: { drySequenceBreakers: numbers(MAX_BREAKERS + 1).map(String) } }, '100 `dry'],
])('a request that holds too much is refused: %s', async (_, body, limit) => {
  const { port, next } = stage.rawPage();
  port.postMessage({ id: 1, type: 'generate', target: 1, credit: 1, prompt: 'あ', ...body });
  const { error } = await next();
  expect(error?.code).toBe('ERR_NEOX_INVALID_ARGUMENT');
  expect(error?.message).toContain(`at most ${limit}`);
});

test.each<[string, object]>([
  ['text', { prompt: 'あ'.repeat(MAX_TEXT - 1_000) }],
  ['ids', { prompt: new Int32Array(2 * MAX_VALUES) }],
  ['stop', { options: { stop: numbers(MAX_VALUES - 100).map(String) } }],
  ['breakers', { options: { drySequenceBreakers: numbers(MAX_BREAKERS).map(String) } }],
])('much may be sent: %s', async (_, body) => {
  const { port, next } = stage.rawPage();
  port.postMessage({ id: 1, type: 'generate', target: 1, credit: 1, prompt: 'あ', ...body });
  expect((await next()).error?.code).toBe('ERR_NEOX_DISPOSED'); // looked at as a whole: there is no such model
});
