// The page of examples/electron in headless Chromium, with the real host and the demo model.
// NEOX_SCREENSHOTS=<folder> keeps pictures of it.

import { ContextFullError, Model, Session } from '../../lib/index.js';
import { answer, ask, open, openEndless, pictures, ready, shoot, stand, testPage } from './page-setup.js';

testPage('it loads a model by itself, and answers', async () => {
  const page = await open();
  await ready(page);
  await shoot(page, 'welcome');
  expect(await page.locator('#model-name').textContent()).toBe('デモモデル');
  expect(await page.locator('#model-note').textContent()).toMatch(/^Q8_0・4\.\d MB$/);
  expect(await ask(page, '富士山の高さは?')).toContain('3776');
  expect(await page.locator('.meta').last().textContent()).toMatch(/^\d+ トークン・[\d,]+ トークン\/秒$/);
  expect(await ask(page, '日本の首都はどこですか？')).toContain('東京');
  expect(await page.locator('.user').allTextContents()).toEqual([
    '富士山の高さは?',
    '日本の首都はどこですか？',
  ]);
  expect(stand.problems).toEqual([]);
});

testPage('Enter while composing accepts the candidate and does not send', async () => {
  const page = await open();
  await ready(page);
  await page.locator('#input').focus();
  const session = await page.context().newCDPSession(page);
  const compose = (text: string) =>
    session.send('Input.imeSetComposition', { text, selectionStart: text.length, selectionEnd: text.length });
  await page.evaluate(() => {
    const events: string[] = [];
    Object.assign(window, { events });
    for (const type of ['compositionstart', 'compositionend'])
      addEventListener(type, () => events.push(type));
  });
  await compose('ふじさん');
  await compose('富士山');
  // What a browser sends for the Enter that accepts: isComposing by itself while the composition is under way.
  const enter = { key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 13 };
  await session.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', ...enter });
  expect(await page.locator('.user').count()).toBe(0);
  await compose('富士山の高さは?');
  await page.evaluate(() => {
    const options = { key: 'Enter', keyCode: 229, bubbles: true, cancelable: true };
    document.querySelector('#input')?.dispatchEvent(new KeyboardEvent('keydown', options));
  });
  expect(await page.locator('.user').count()).toBe(0);
  await session.send('Input.insertText', { text: '富士山の高さは?' });
  expect(await page.evaluate(() => (window as unknown as { events: string[] }).events)).toEqual([
    'compositionstart',
    'compositionend',
  ]);
  await page.keyboard.press('Shift+Enter');
  expect(await page.locator('#input').inputValue()).toBe('富士山の高さは?\n');
  expect(await page.locator('.user').count()).toBe(0);
  await page.keyboard.press('Enter');
  await answer(page).waitFor();
  expect(await page.locator('.user').textContent()).toBe('富士山の高さは?');
  expect(await answer(page).textContent()).toContain('3776');
  expect(await page.locator('#input').inputValue()).toBe('');
});

testPage(
  'an answer grows while it is made; the stop button and Escape end it, and the conversation goes on',
  async () => {
    const page = await openEndless();
    await ready(page);
    await page.locator('#input').fill('お話を聞かせて');
    await page.locator('#send').click();
    await page.locator('#stop').waitFor();
    expect(await page.locator('#send').isVisible()).toBe(false);
    const lengths = new Set<number>();
    while (lengths.size < 5) lengths.add((await page.locator('.assistant .text').textContent())?.length ?? 0);
    expect([...lengths]).toEqual([...lengths].sort((a, b) => a - b));
    await page.locator('#stop').click();
    await page.locator('.assistant[aria-busy="false"]').waitFor();
    expect(await page.locator('.meta').textContent()).toContain('途中で止めました');
    expect(await stand.sent()).toContain('cancel');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('input');
    await page.locator('#input').fill('もう一度');
    await page.keyboard.press('Enter');
    await page.locator('.assistant .text:not(:empty)').nth(1).waitFor();
    await page.keyboard.press('Escape');
    await page.locator('.assistant[aria-busy="false"]').nth(1).waitFor();
    expect(await page.locator('.error').count()).toBe(0);
    await page.locator('#new-button').click();
    expect(await page.locator('#log > *').count()).toBe(0);
    expect(await page.locator('#welcome').isVisible()).toBe(true);
    expect(stand.problems).toEqual([]);
  },
);

testPage('it follows what is written, until the reader scrolls away', async () => {
  const page = await openEndless({ viewport: { width: 400, height: 500 } });
  await ready(page);
  await page.locator('#input').fill('お話を聞かせて');
  await page.keyboard.press('Enter');
  const scroller = page.locator('#scroller');
  // Where it does not follow, the end only gets farther away; where it does, a frame that came late may show more than it has followed.
  const atEnd = async () =>
    page.waitForFunction(
      (each) => {
        const { scrollHeight = 0, scrollTop = 0, clientHeight = 0 } = each ?? {};
        return scrollHeight - scrollTop - clientHeight < 60;
      },
      await scroller.elementHandle(),
    );
  const height = () => scroller.evaluate((each) => each.scrollHeight);
  while ((await height()) < 900) await page.waitForTimeout(20);
  await atEnd();
  await scroller.evaluate((each) => each.scrollTo(0, 100));
  await page.locator('#latest').waitFor();
  const before = await height();
  while ((await height()) < before + 100) await page.waitForTimeout(20);
  expect(await scroller.evaluate((each) => each.scrollTop)).toBe(100);
  await page.locator('#latest').click();
  await atEnd();
  expect(await page.locator('#latest').isVisible()).toBe(false);
  await page.keyboard.press('Escape');
  await page.locator('.assistant[aria-busy="false"]').waitFor();
});

testPage('the picker shows headers, loads another model, and says what is wrong with a file', async () => {
  const page = await open();
  await ready(page);
  await page.locator('#model-button').click();
  const cards = page.locator('.card');
  await cards.nth(1).waitFor();
  expect(await cards.first().textContent()).toMatch(
    /^デモモデル使用中Q8_0・4\.\d MB・文脈 1,024 トークン・メモリ \d+ MB$/,
  );
  expect(await page.evaluate(() => (document.activeElement as HTMLInputElement).value)).toBe('demo');
  await page.locator('#add-model').click();
  await cards.nth(2).waitFor();
  expect(await cards.nth(2).textContent()).toContain('モデルのファイルを読み取れません。');
  expect(await cards.nth(2).locator('input').isDisabled()).toBe(true);
  await shoot(page, 'models');
  // A load that takes its time: it shows how far it is, and can be given up.
  jest.spyOn(Model, 'load').mockImplementationOnce(
    (_path, { onProgress, signal } = {}) =>
      new Promise((_resolve, reject) => {
        setImmediate(() => onProgress?.({ done: 1, total: 4 }));
        signal?.addEventListener('abort', () => reject(signal.reason));
      }),
  );
  await cards.nth(1).click();
  await page.keyboard.press('Enter');
  await page.locator('#model-note', { hasText: '読み込み中 25 %' }).waitFor();
  expect(
    await cards
      .nth(1)
      .locator('progress')
      .evaluate((bar: HTMLProgressElement) => bar.value),
  ).toBe(0.25);
  expect(await page.locator('#close-models').textContent()).toBe('中止');
  await page.locator('#close-models').click();
  await page.locator('#load-model:enabled').click();
  await page.locator('#models').waitFor({ state: 'hidden' });
  await ready(page);
  expect(await page.locator('#model-name').textContent()).toBe('終わらないモデル');
  expect(stand.problems).toEqual([]);
});

testPage('an error is shown with its cure, and the message can be sent again', async () => {
  const page = await open();
  await ready(page);
  const full = new ContextFullError('ERR_NEOX_CONTEXT_FULL', 'The prompt has 9,000 tokens and 1,024 fit.');
  jest.spyOn(Session.prototype, 'chat').mockImplementationOnce(() => {
    throw full;
  });
  await page.locator('#input').fill('日本の首都はどこですか？');
  await page.keyboard.press('Enter');
  const error = page.locator('.error');
  await error.waitFor();
  expect(await error.textContent()).toContain('文脈に収まりません');
  expect(await error.textContent()).toContain('新しい会話を始めるか');
  await error.locator('summary').click();
  expect(await error.locator('code').textContent()).toContain('ERR_NEOX_CONTEXT_FULL');
  await shoot(page, 'error');
  await error.locator('button').click();
  await answer(page).waitFor();
  expect(await answer(page).textContent()).toContain('東京');
  expect(await page.locator('.error').count()).toBe(0);
});

testPage('what was never answered is not part of the conversation', async () => {
  const page = await open();
  await ready(page);
  const chat = jest.spyOn(Session.prototype, 'chat').mockImplementationOnce(() => {
    throw new ContextFullError('ERR_NEOX_CONTEXT_FULL', 'The prompt has 9,000 tokens and 1,024 fit.');
  });
  await page.locator('#input').fill('日本の首都はどこですか？');
  await page.keyboard.press('Enter');
  await page.locator('.error').waitFor();
  expect(await ask(page, '3+4は？')).toContain('7');
  expect(chat.mock.calls.at(-1)?.[0]).toEqual([{ role: 'user', content: '3+4は？' }]);
  expect(await page.locator('.error').count()).toBe(0);
});

testPage('a model that is chosen while another one loads takes its place', async () => {
  let first: AbortSignal | undefined;
  jest.spyOn(Model, 'load').mockImplementationOnce((_path, { onProgress, signal } = {}) => {
    first = signal;
    setImmediate(() => onProgress?.({ done: 1, total: 4 }));
    return new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason));
    });
  });
  const page = await open();
  await page.locator('#model-note', { hasText: '読み込み中 25 %' }).waitFor();
  await page.locator('#model-button').click();
  await page.locator('.card').nth(1).click();
  await page.keyboard.press('Enter');
  await page.locator('#models').waitFor({ state: 'hidden' });
  await ready(page);
  expect(first?.aborted).toBe(true);
  expect(await page.locator('#model-name').textContent()).toBe('終わらないモデル');
  expect(await page.locator('#notice').isVisible()).toBe(false);
  expect(stand.problems).toEqual([]);
});

testPage('when the host dies it says so, and goes on after a restart', async () => {
  const page = await open();
  await ready(page);
  await ask(page, 'こんにちは！');
  await stand.crash();
  await page.locator('#notice').waitFor();
  expect(await page.locator('#notice').textContent()).toContain('エンジンが止まりました');
  expect(await page.locator('#send').isDisabled()).toBe(true);
  expect(await page.locator('#model-button').isDisabled()).toBe(true);
  await shoot(page, 'lost');
  await page.locator('#notice-action').click();
  await ready(page);
  expect(await page.locator('#notice').isVisible()).toBe(false);
  expect(await ask(page, '日本の首都はどこですか？')).toContain('東京');
});

testPage('it can be used by keyboard alone', async () => {
  const page = await open();
  await ready(page);
  const stops: string[] = [];
  await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  for (let i = 0; i < 8; i++) {
    await page.keyboard.press('Tab');
    stops.push(
      await page.evaluate(() => document.activeElement?.id || document.activeElement?.className || ''),
    );
  }
  expect(stops).toEqual(expect.arrayContaining(['model-button', 'idea', 'input']));
  await page.locator('.idea').first().focus();
  await page.keyboard.press('Enter');
  await answer(page).waitFor();
  expect(await page.locator('#log').getAttribute('role')).toBe('log');
  expect(await page.locator('#status').textContent()).toBe('書き終わりました');
});

const looks = pictures ? (['light', 'dark'] as const) : [];
for (const colorScheme of looks)
  test(`pictures: ${colorScheme}`, async () => {
    const look = { colorScheme, deviceScaleFactor: 1 };
    for (const [name, size] of [
      ['wide', { width: 960, height: 720 }],
      ['narrow', { width: 380, height: 720 }],
    ] as const) {
      const page = await open({ ...look, viewport: size });
      await ready(page);
      await ask(page, 'あなたは誰ですか？');
      await ask(page, '富士山の高さは?');
      await ask(page, '「ありがとう」は英語で何と言いますか？');
      await shoot(page, `${name}-${colorScheme}`);
    }
    const page = await openEndless({ ...look, viewport: { width: 380, height: 720 } });
    await ready(page);
    await page.locator('#input').fill('長い文章も、途中で改行しながら書けます。\n'.repeat(4));
    await page.keyboard.press('Enter');
    await page
      .locator('#input')
      .fill('次の質問を書いておくこともできます。\n送るのは答えが終わってからです。');
    while (((await page.locator('.assistant .text').textContent()) ?? '').length < 200);
    await shoot(page, `long-${colorScheme}`);
    await page.locator('#model-button').click();
    await page.locator('.card').waitFor();
    await shoot(page, `models-${colorScheme}`);
  });
