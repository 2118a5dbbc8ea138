// Runs the example's main process on the stand-in, plays its pages, and prints what they saw as JSON. In node_modules/electron of
// an installed example: node drive.mjs <what to play> [path of a model]

import { setImmediate } from 'node:timers/promises';
import { connect } from 'gpt-neox/electron-client';
import { desk, ipcMain } from './electron.mjs';

const ENDLESS = { eosTokenId: null, maxNewTokens: 1e6, contextOverflow: 'shift', temperature: 0 };
const [, , play, path] = process.argv;

/** A page asks for a port: the client at its end, or undefined where main gives none. */
function page(id, url = 'app://chat/index.html') {
  let port;
  const senderFrame = {
    url,
    postMessage: (_channel, _message, [given]) => {
      port = given;
    },
  };
  ipcMain.emit('neox:connect', { sender: { id }, senderFrame });
  return port && connect(port);
}

async function ask(client, model) {
  const loaded = await client.load(model);
  return (await loaded.chat([{ role: 'user', content: '富士山の高さは?' }]).result()).text;
}

const ids = async (client) => (await client.models()).map(({ id }) => id);
const codeOf = (error) => error.code;

const plays = {
  async models() {
    const client = page(1);
    const offered = await ids(client);
    const texts = {};
    for (const id of offered) texts[id] = await ask(client, id);
    return { texts, isForeignServed: page(1, 'https://example.org/') !== undefined };
  },

  async ports() {
    const first = page(1);
    const neighbour = page(2);
    const running = (await first.load('demo')).generate('むかし', ENDLESS);
    await running[Symbol.asyncIterator]().next();
    const second = page(1);
    await first.closed;
    const cut = await running.result().catch(codeOf);
    const refused = await first.models().catch(codeOf);
    return { cut, refused, second: await ask(second, 'demo'), neighbour: await ask(neighbour, 'demo') };
  },

  async restart() {
    desk.chosen = [path];
    const event = { senderFrame: { url: 'app://chat/index.html' } };
    const before = page(1);
    await before.models();
    const id = await ipcMain.invoked('neox:add-model', event);
    const again = await ipcMain.invoked('neox:add-model', event);
    const added = await ask(before, id);
    await desk.utility.kill();
    await before.closed;
    const after = page(1);
    return {
      ...{ id, again, added, told: desk.told, refused: await before.models().catch(codeOf) },
      ...{ offered: await ids(after), restarted: await ask(after, id) },
    };
  },

  async stalled() {
    const client = page(1);
    return { offered: await ids(client), text: await ask(client, 'demo') };
  },

  async hoarding() {
    const first = page(1);
    await first.models();
    const inspected = first.inspect('demo').catch(codeOf); // does not end, and cannot be cancelled
    await first.models();
    const second = page(1);
    const replaced = second.models().catch(codeOf);
    const third = page(1);
    const waiting = third.models().then(() => 'served while the first port had not ended');
    await second.closed;
    const firstAnswer = await Promise.race([waiting, ask(page(2), 'demo')]);
    return { cut: await inspected, replaced: await replaced, firstAnswer };
  },
};

await import('../../main.mjs');
await setImmediate(); // the window is there when the app is ready
process.stdout.write(`${JSON.stringify(await plays[play]())}\n`);
process.exit();
