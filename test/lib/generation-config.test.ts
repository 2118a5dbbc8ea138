// What generation_config.json says, and what follows from which options.

import { readGenerationConfig } from '../../lib/generation-config';
import { resolveSampler } from '../../lib/sampler-options';
import type { SamplerOptions } from '../../lib/types';

const read = (file: object) => readGenerationConfig(JSON.stringify(file)).defaults;

test.each<[object, object]>([
  [{}, {}],
  [{ _from_model_config: true, eos_token_id: 3 }, {}],
  [{ repetition_penalty: 1.1 }, { repetitionPenalty: 1.1 }],
  [{ sequence_bias: [[[4, 5], -1.5]] }, { sequenceBias: [[[4, 5], -1.5]] }],
  // do_sample is false by default.
  [{ temperature: 0.7 }, { temperature: 0.7, doSample: false }],
  [
    { do_sample: null, top_k: 50 },
    { topK: 50, doSample: false },
  ],
  [
    { do_sample: true, temperature: 0.7 },
    { temperature: 0.7, doSample: true },
  ],
  // What a file may say and a call may not.
  [
    { do_sample: false, temperature: 0, top_p: 0.9 },
    { topP: 0.9, doSample: false },
  ],
  [
    { do_sample: true, temperature: 0, top_p: 0.9 },
    { topP: 0.9, doSample: false },
  ],
  [{ do_sample: true, top_p: 0 }, { doSample: false }],
  [
    { top_p: 1, max_new_tokens: 0 },
    { topP: 1, doSample: false },
  ],
  [{ do_sample: true, typical_p: 0, epsilon_cutoff: 1 }, { doSample: true }],
  [
    { num_beams: 4, length_penalty: 0.6, early_stopping: 'never', num_return_sequences: 4 },
    { numBeams: 4, lengthPenalty: 0.6, earlyStopping: 'never' },
  ],
])('%j', (file, defaults) => {
  expect(read(file)).toEqual(defaults);
});

test('the ids that end a generation', () => {
  const eos = (file: object) => readGenerationConfig(JSON.stringify(file)).eosTokenIds;
  expect([
    eos({}),
    eos({ eos_token_id: null }),
    eos({ eos_token_id: 3 }),
    eos({ eos_token_id: [3, 4] }),
  ]).toEqual([undefined, undefined, [3], [3, 4]]);
});

const card = { doSample: true, temperature: 0.8, topP: 0.85 };
const file = { doSample: false, temperature: 0.6, topK: 5 };
const sampling = (temperature: number, topK = 50) => ({ doSample: true, temperature, topK });
const greedy = { doSample: false };

test.each<[SamplerOptions, SamplerOptions, object]>([
  // own options, defaults, what the sampler gets
  [{}, {}, greedy],
  [{ topK: 0, topP: 1, minP: 0, typicalP: 1, epsilonCutoff: 0, etaCutoff: 0 }, {}, greedy],
  [{ temperature: 0.5 }, {}, sampling(0.5)],
  [{ topP: 0.9 }, {}, { ...sampling(1), topP: 0.9 }],
  [{ topK: 3 }, {}, sampling(1, 3)],
  [{ doSample: true, topK: 0 }, {}, sampling(1, 0)],
  [{ doSample: false, temperature: 2, topP: 0.9 }, {}, greedy],
  [{ temperature: 0 }, {}, greedy],
  // Defaults hold where the call says nothing, and only there.
  [{}, card, { ...sampling(0.8), topP: 0.85 }],
  [{ temperature: 0 }, card, greedy],
  [{ doSample: false }, card, greedy],
  [{ temperature: 1.2 }, card, { ...sampling(1.2), topP: 0.85 }],
  [{ topP: 1 }, card, { ...sampling(0.8), topP: 1 }],
  [{ topK: 3 }, card, { ...sampling(0.8, 3), topP: 0.85 }],
  [{}, file, greedy],
  [{ topK: 0 }, file, greedy],
  [{ doSample: true }, file, sampling(0.6, 5)],
  [{ topP: 0.9 }, file, { ...sampling(0.6, 5), topP: 0.9 }],
  [{}, { temperature: 0.6 }, sampling(0.6)],
  [{ temperature: 0.9 }, { temperature: 0 }, sampling(0.9)],
  [{ topK: 7 }, { temperature: 0 }, sampling(1, 7)],
])('%j over %j', (own, defaults, expected) => {
  const { seed: _, eosTokenId: __, ...resolved } = resolveSampler(own, defaults, []);
  expect(resolved).toEqual(expected);
});

test('the penalties of defaults stay when the call is greedy', () => {
  const defaults = { ...card, repetitionPenalty: 1.1, noRepeatNgramSize: 3 };
  expect(resolveSampler({ temperature: 0 }, defaults, [3])).toEqual({
    doSample: false,
    seed: 0,
    eosTokenId: Int32Array.of(3),
    repetitionPenalty: 1.1,
    noRepeatNgramSize: 3,
  });
});
