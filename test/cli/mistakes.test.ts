// Mistakes that one can type: one line that names what was wrong, nothing on stdout, and an exit code by kind.

import { EXIT } from '../../lib/cli/exit-codes.js';
import { expectFailure, neox } from './program.js';

test.concurrent.each<[string[], number, RegExp]>([
  [['-n', '0', 'a'], EXIT.usage, /--max-new-tokens.*'0'.*at least 1/],
  [['-n', '5', '--min-new-tokens', '9', 'a'], EXIT.usage, /`minNewTokens: 9`.*`maxNewTokens: 5`/],
  [['--temperature', '-1', 'a'], EXIT.usage, /`temperature`.*-1/],
  [['--temperature', 'warm', 'a'], EXIT.usage, /--temperature.*'warm'/],
  [['--temperature', '0', '--top-p', '0.5', 'a'], EXIT.usage, /`temperature: 0`.*`topP: 0.5`/],
  [['--top-p', '2', 'a'], EXIT.usage, /`topP`.*2/],
  [['--repetition-penalty', '0', 'a'], EXIT.usage, /`repetitionPenalty`.*0/],
  [['--eos-token-id', '99999', 'a'], EXIT.usage, /eosTokenId.*99999/],
  [['--stop', '', 'a'], EXIT.usage, /`stop`/],
  [['--max-time', '0', 'a'], EXIT.usage, /`maxTime`.*0/],
  [['--raw', ''], EXIT.usage, /prompt/],
  [['-n', '4000', 'a'], EXIT.capacity, /4000 new tokens.*1024.*\(ERR_NEOX_CONTEXT_FULL\)/],
  [['-c', '16', '富士山の高さは?'.repeat(9)], EXIT.capacity, /context of 16.*\(ERR_NEOX_CONTEXT_FULL\)/],
])('neox run %j', async (args, exitCode, message) => {
  expectFailure(await neox(['run', '-q', ...args]), exitCode, message);
});
