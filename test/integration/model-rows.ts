// The models that docs/models.md names, each with the tiny checkpoints that have its switches.

export interface ModelRow {
  /** On the hub. */
  name: string;
  /** Names below test/fixtures/checkpoints; several where a switch of the real file is not known. */
  checkpoints: readonly string[];
}

const row = (name: string, ...checkpoints: string[]): ModelRow => ({ name, checkpoints });

export const MODEL_ROWS: readonly ModelRow[] = [
  row('rinna/japanese-gpt-neox-3.6b', 'rinna-3.6b'),
  row('rinna/japanese-gpt-neox-3.6b-instruction-sft', 'rinna-3.6b'),
  row('rinna/japanese-gpt-neox-3.6b-instruction-sft-v2', 'rinna-3.6b'),
  row('rinna/japanese-gpt-neox-3.6b-instruction-ppo', 'rinna-3.6b'),
  row('rinna/bilingual-gpt-neox-4b', 'rinna-bilingual-4b'),
  row('rinna/bilingual-gpt-neox-4b-8k', 'rinna-bilingual-4b-8k'),
  row('rinna/bilingual-gpt-neox-4b-instruction-sft', 'rinna-bilingual-4b'),
  row('rinna/bilingual-gpt-neox-4b-instruction-ppo', 'rinna-bilingual-4b'),
  row('rinna/bilingual-gpt-neox-4b-minigpt4', 'rinna-bilingual-4b'),
  row('rinna/japanese-gpt-neox-small', 'japanese-gpt-neox-small'),
  // Whether its head is tied is read from the file.
  row('line-corporation/japanese-large-lm-3.6b', 'line-3.6b', 'rinna-bilingual-4b'),
  row('line-corporation/japanese-large-lm-3.6b-instruction-sft', 'line-3.6b', 'rinna-bilingual-4b'),
  row('EleutherAI/pythia-*', 'pythia'),
  row('EleutherAI/gpt-neox-20b', 'gpt-neox-20b'),
  row('databricks/dolly-v2-*', 'dolly-v2'),
  row('togethercomputer/RedPajama-INCITE-*', 'redpajama'),
  row('stabilityai/stablelm-base-alpha-*, -tuned-alpha-*', 'stablelm-alpha'),
  row('cyberagent/open-calm-*', 'open-calm'),
  // Its residual and rotary share are read from the file; every combination of the two is tried.
  row('matsuo-lab/weblab-10b, -instruction-sft', 'pythia', 'parallel-full-rotary', 'redpajama'),
];
