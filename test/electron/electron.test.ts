// The example in the real Electron, where ELECTRON_PATH names one. Its page, preload script, main and utility process are then the
// ones that users start.

import { _electron } from 'playwright-core';
import { type InstalledExample, installExample } from './installed-example.js';

const executablePath = process.env.ELECTRON_PATH;
const testElectron = executablePath ? test : test.skip;
// Not by console.warn: what a file says in which every test is skipped, Jest keeps to itself.
if (!executablePath) process.stderr.write('The real Electron was not run: ELECTRON_PATH names none.\n');

let example: InstalledExample | undefined;
afterAll(() => example?.remove());

testElectron(
  'the example answers in Electron, and survives a crash of its host',
  async () => {
    example = installExample();
    const app = await _electron.launch({
      executablePath: executablePath as string,
      args: ['--no-sandbox', example.folder],
    });
    try {
      const page = await app.firstWindow();
      await page.locator('#lamp[data-state="ready"]').waitFor();
      const ask = async (text: string): Promise<string> => {
        const before = await page.locator('.assistant').count();
        await page.locator('#input').fill(text);
        await page.keyboard.press('Enter');
        await page.locator('.assistant[aria-busy="false"]').nth(before).waitFor();
        return (await page.locator('.assistant .text').last().textContent()) ?? '';
      };
      expect(await ask('富士山の高さは?')).toContain('3776');
      const rights = await page.evaluate(() => [typeof require, typeof process]);
      expect(rights).toEqual(['undefined', 'undefined']);
      await app.evaluate(({ app: electron }) => {
        const processes: { pid: number; name?: string; serviceName?: string }[] = electron.getAppMetrics();
        const host = processes.find(({ name, serviceName }) => [name, serviceName].includes('gpt-neox'));
        if (!host) throw new Error('there is no utility process');
        process.kill(host.pid, 'SIGKILL');
      });
      await page.locator('#notice').waitFor();
      await page.locator('#notice-action').click();
      await page.locator('#lamp[data-state="ready"]').waitFor();
      expect(await ask('日本の首都はどこですか？')).toContain('東京');
    } finally {
      await app.close();
    }
  },
  120_000,
);
