// What tests of the page begin with: a browser, the example's page, and the real host behind it.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import type { HostedModel } from '../../lib/electron/host.js';
import { Session, synth } from '../../lib/index.js';
import { findBrowser, launch, openPage, type Stand, servePage } from './browser-page.js';
import { type InstalledExample, installExample } from './installed-example.js';
import { DEMO, makeStage, type Stage } from './pages.js';

const found = findBrowser();
jest.setTimeout(60_000); // a browser beside other work
export const testPage = found.path ? test : test.skip;
// Not by console.warn: what a file says in which every test is skipped, Jest keeps to itself.
if (found.reason) process.stderr.write(`The page was not tested: ${found.reason}.\n`);

/** Whether pictures are kept. */
export const pictures = found.path ? process.env.NEOX_SCREENSHOTS : undefined;
let browser: Browser;
let example: InstalledExample;
let server: { url: string; close(): void };
let folder: string;
let endless: HostedModel;
let stage: Stage | undefined;
/** Of the page that is open. */
export let stand: Stand;

beforeAll(async () => {
  if (!found.path) return;
  folder = mkdtempSync(join(tmpdir(), 'neox-test-'));
  example = installExample();
  // Random weights do not find an end.
  const path = join(folder, 'endless.gguf');
  await synth(path, { shape: 'tiny', type: 'Q8_0', tokenizer: true });
  endless = {
    id: 'endless',
    path,
    name: '終わらないモデル',
    options: { chatFormat: 'rinna-bilingual', threads: 1 },
  };
  // One after the other: what is running when the next one fails, afterAll ends.
  server = await servePage(example.folder);
  browser = await launch(found.path);
});
afterAll(async () => {
  await browser?.close();
  server?.close();
  example?.remove();
  if (folder) rmSync(folder, { recursive: true, force: true });
});
afterEach(async () => {
  await leave();
  jest.restoreAllMocks();
});

async function leave(): Promise<void> {
  await stand?.close();
  await stage?.close();
}

/** A page whose answers go on until somebody stops them. */
export function openEndless(look: BrowserContextOptions = {}): Promise<Page> {
  const { chat } = Session.prototype;
  jest.spyOn(Session.prototype, 'chat').mockImplementation(function (this: Session, messages, options) {
    return chat.call(this, messages, { ...options, maxNewTokens: 1e6 });
  });
  return open(look, [endless]);
}

/** The page, with a host of its own; both go with the next one, or with the test. */
export async function open(look: BrowserContextOptions = {}, models?: HostedModel[]): Promise<Page> {
  await leave();
  const made = makeStage({ models: models ?? [DEMO, endless] });
  stage = made;
  const chooseModel = (): string => {
    const path = join(folder, 'broken.gguf');
    writeFileSync(path, 'no model at all');
    made.host.addModel({ id: 'broken', path });
    return 'broken';
  };
  stand = await openPage({ browser, url: server.url, host: () => made.host, chooseModel, look });
  return stand.page;
}

export const ready = (page: Page) => page.locator('#lamp[data-state="ready"]').waitFor();
export const answer = (page: Page) => page.locator('.assistant[aria-busy="false"] .text').last();

export async function ask(page: Page, text: string): Promise<string> {
  const before = await page.locator('.assistant').count();
  await page.locator('#input').fill(text);
  await page.keyboard.press('Enter');
  await page.locator('.assistant[aria-busy="false"]').nth(before).waitFor();
  return (await answer(page).textContent()) ?? '';
}

export async function shoot(page: Page, name: string): Promise<void> {
  if (!pictures) return;
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `${name}.png`) });
}
