// What to say of llama-bench's flags that `neox bench` has not.

const NOTHING = 'has nothing to set here: leave it out';
const OTHER_TYPES = 'is --kv-cache-type here, for keys and values alike';

/** Of llama-bench, which would be read as another flag or as none. */
export const LLAMA_BENCH_FLAGS: Readonly<Record<string, string>> = {
  ...{
    '-ctk': OTHER_TYPES,
    '-ctv': OTHER_TYPES,
    '--cache-type-k': OTHER_TYPES,
    '--cache-type-v': OTHER_TYPES,
  },
  ...{ '-b': NOTHING, '-ub': NOTHING, '-ncmoe': NOTHING, '-fa': NOTHING, '-nkvo': NOTHING },
  ...{ '-mmp': NOTHING, '-sm': NOTHING, '-mg': NOTHING, '-ts': NOTHING, '-embd': NOTHING, '-dev': NOTHING },
};
