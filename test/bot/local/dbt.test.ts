import { mkdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { v12 } from '../../engine/dbt/manifests.ts';
import { complaints, noBrowser, startBrowser } from '../../support/browser.ts';
import { type Installation, install } from '../installation.ts';

const pictures = 'test-output/dbt';

let browser: Browser;
let bot: Installation;
let folder: string;
let page: Page;
let heard: readonly string[];

const dialog = (): Locator => page.getByRole('dialog');
const step = (title: string): Promise<void> =>
  dialog().getByRole('heading', { name: title, exact: true }).waitFor();
const submit = (): Promise<void> => dialog().locator('[data-submit]').click();
const card = (title: string): Locator =>
  page.locator('#main .card', { has: page.getByRole('heading', { name: title }) });

async function type(line: string): Promise<void> {
  await page.locator('#composer').fill(line);
  await page.locator('#composer').press('Enter');
}

async function shot(name: string): Promise<void> {
  await page.screenshot({ path: `${pictures}/${name}.png`, animations: 'disabled' });
}

describe.skipIf(noBrowser !== undefined)(
  `A dbt project in the local chat${noBrowser === undefined ? '' : ` (skipped: ${noBrowser})`}`,
  () => {
    beforeAll(async () => {
      mkdirSync(pictures, { recursive: true });
      browser = await startBrowser();
    });
    afterAll(() => browser.close());

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'activate-dbt-'));
      await writeFile(join(folder, 'manifest.json'), JSON.stringify(v12({}, { schema: 'dbt_ada' })));
      bot = await install({ ACTIVATE_ADMINS: 'ada@northwind.example', ALLOWED_FOLDER: folder });
      await bot.connect({
        person: { kind: 'person', platform: 'local', id: 'ada' },
        conversation: { kind: 'conversation', platform: 'local', id: 'data-alerts' },
      });
      await bot.warehouse.query('create schema dbt_ada');
      await bot.warehouse.query('create table dbt_ada.accounts (id int, name text, email text, seats int)');
      await bot.warehouse.query(
        "insert into dbt_ada.accounts values (1, 'Globex', 'ada@northwind.example', 12)",
      );
      const url = bot.running.url ?? '';
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
      await context.addCookies([{ name: 'activate_person', value: 'ada', url }]);
      page = await context.newPage();
      heard = complaints(page);
      await page.goto(`${url}/c/data-alerts`);
    });
    afterEach(async () => {
      await page.context().close();
      await bot.stop();
      await rm(folder, { recursive: true, force: true });
      expect(heard).toEqual([]);
    });

    it('is connected in a form, and its model becomes an alert that runs after dbt', async () => {
      await type('/activate dbt-connect');
      await step('A dbt project');
      await dialog().getByLabel('Name').fill('shop');
      await shot('1-project');
      await dialog().getByText('A file of this machine').click();
      await submit();
      await step('Its manifest');
      await dialog().getByLabel('Path').fill('nowhere');
      await shot('2-manifest');
      await submit();
      await step('Its secrets');
      await dialog()
        .getByLabel('Webhook secret')
        .fill(`whsec_${'QUJD'.repeat(11)}`);
      await shot('3-secrets');
      await submit();
      await step('Its manifest');
      await page.locator('#field-path-error').getByText('There is no manifest at this path').waitFor();
      await shot('4-no-manifest');
      await dialog().getByLabel('Path').fill('manifest.json');
      await submit();
      await step('Its secrets');
      await dialog()
        .getByLabel('Webhook secret')
        .fill(`whsec_${'QUJD'.repeat(11)}`);
      await submit();
      await card('The dbt project shop is connected')
        .getByText(/looks like a developer/)
        .waitFor();
      await shot('5-connected');

      await type('/activate new-alert');
      await step('What to watch');
      await dialog().getByLabel('Or a table or dbt model').pressSequentially('acc');
      await page.getByRole('option', { name: /accounts \(dbt\)/ }).waitFor();
      await shot('6-choose');
      await page.getByRole('option', { name: /accounts \(dbt\)/ }).click();
      await submit();
      await step('What was found');
      await dialog().getByText('One row per paying account.').waitFor();
      await dialog().getByRole('button', { name: 'Remove id' }).waitFor();
      await shot('7-found');
      await submit();
      await step('What to say, and where');
      await dialog().getByLabel('Send to').pressSequentially('data-al');
      await page
        .getByRole('option', { name: /data-alerts/ })
        .first()
        .click();
      await submit();
      await step('Name and schedule');
      expect(await dialog().getByLabel('How often').inputValue()).toBe('after dbt');
      expect(await dialog().getByRole('textbox', { name: 'Name' }).inputValue()).toBe('new-accounts');
      await shot('8-schedule');
      await submit();
      await step('Preview');
      await dialog().getByText('After each run of dbt that builds its model').waitFor();
      await shot('9-preview');
      await submit();
      await card('new-accounts is on').waitFor();
      await type('/activate dbt');
      await card('1 dbt project').waitFor();
      await shot('10-projects');
    }, 120_000);
  },
);
