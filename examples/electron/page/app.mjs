// The page: what happens when.

import { Composer } from './composer.mjs';
import { Conversation } from './conversation.mjs';
import { byId, make } from './dom.mjs';
import { Engine } from './engine.mjs';
import { explain } from './errors.mjs';
import { Follower } from './follow.mjs';
import { bytes } from './format.mjs';
import { ModelDialog } from './model-dialog.mjs';

const IDEAS = [
  '富士山の高さは？',
  '日本でいちばん高い山の名前は？',
  '「犬」を英語で言うと？',
  'あなたは誰ですか？',
];

const engine = new Engine(update);
const dialog = new ModelDialog(engine);
const follower = new Follower(byId('scroller'), byId('latest'));
const conversation = new Conversation(engine, byId('log'), update);
const composer = new Composer({ onSend: say, onStop: () => conversation.stop() });
const ideas = IDEAS.map((text) => {
  const button = make('button', { className: 'idea', type: 'button', disabled: true }, text);
  button.addEventListener('click', () => say(text));
  return button;
});
/** @type {(() => void) | undefined} */
let cure;
let wasAnswering = false;

/** @param {string} text */
function say(text) {
  follower.toEnd();
  void conversation.say(text);
}

function update() {
  const { state, summary, progress } = engine;
  const isAnswering = conversation.isAnswering;
  byId('lamp').dataset.state = state;
  byId('model-name').textContent = summary?.name ?? (state === 'lost' ? 'エンジン停止' : 'モデルを選ぶ');
  byId('model-note').textContent = noteOf(state, progress);
  byId('model-button').disabled = state === 'lost';
  dialog.setProgress(progress);
  composer.set({ isReady: state === 'ready', isBusy: isAnswering });
  byId('welcome').hidden = !conversation.isEmpty;
  byId('new-button').disabled = conversation.isEmpty;
  for (const idea of ideas) idea.disabled = state !== 'ready' || isAnswering;
  if (isAnswering !== wasAnswering)
    byId('status').textContent = isAnswering ? '答えを書いています' : '書き終わりました';
  wasAnswering = isAnswering;
  if (state === 'lost') {
    dialog.close();
    notify('エンジンが止まりました。', '会話は残っています。再起動すると続けられます。', '再起動', restart);
  }
  follower.grown();
}

/** @param {import('./engine.mjs').State} state @param {number} progress */
function noteOf(state, progress) {
  if (state === 'loading') return `読み込み中 ${Math.floor(progress * 100)} %`;
  const { summary } = engine;
  return summary ? `${summary.fileType ?? summary.type}・${bytes(summary.fileBytes)}` : '';
}

/** @param {string} title @param {string} text @param {string} action @param {() => void} onAction */
function notify(title, text, action, onAction) {
  cure = onAction;
  byId('notice-title').textContent = title;
  byId('notice-cure').textContent = text;
  byId('notice-action').textContent = action;
  byId('notice').hidden = false;
}

/** Connects, and loads a model: the one before a crash, else the first that can talk. */
async function start() {
  const before = engine.summary?.id;
  byId('notice').hidden = true;
  try {
    await engine.start();
    const offers = await engine.offers();
    if (dialog.isLoading || engine.state !== 'idle') return; // somebody was faster
    const talks = offers.filter(({ summary }) => summary && summary.chatFormat !== null);
    const model = talks.find(({ id }) => id === before) ?? talks[0];
    if (model) await engine.load(model.id);
    else await dialog.open();
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') return; // another model was chosen meanwhile
    const { title, cure: text } = explain(error);
    if (engine.state !== 'lost') notify(title, text, 'モデルを選ぶ', () => dialog.open());
  }
}

function restart() {
  void start();
}

byId('ideas').append(...ideas.map((idea) => make('li', {}, idea)));
byId('notice-action').addEventListener('click', () => {
  byId('notice').hidden = true;
  cure?.();
});
byId('model-button').addEventListener('click', () => dialog.open());
byId('new-button').addEventListener('click', () => {
  conversation.clear();
  composer.focus();
});
composer.focus();
void start();
