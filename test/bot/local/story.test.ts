import { mkdirSync } from 'node:fs';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { complaints, noBrowser, startBrowser } from '../../support/browser.ts';
import { type Installation, install } from '../installation.ts';

const sql = 'select id, workspace, used, owner_email from usage where used >= 10000';
const message = '{{ owner_email | mention }} *{{ workspace }}* is at {{ used | number }} events.';
const pictures = 'test-output/story';

let browser: Browser;
let bot: Installation;
let opened: { readonly page: Page; readonly heard: readonly string[] }[];

/** A browser of its own for one person, looking at a channel. */
async function visit(person: string, channel: string): Promise<Page> {
  const url = bot.running.url ?? '';
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  await context.addCookies([{ name: 'activate_person', value: person, url }]);
  const page = await context.newPage();
  opened.push({ page, heard: complaints(page) });
  await page.goto(`${url}/c/${channel}`);
  return page;
}

async function shot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `${pictures}/${name}.png`, animations: 'disabled' });
}

const dialog = (page: Page): Locator => page.getByRole('dialog');
const card = (page: Page, title: string): Locator =>
  page.locator('#main .card', { has: page.getByRole('heading', { name: title }) });
const error = (page: Page, field: string): Locator => page.locator(`#field-${field}-error`);

async function type(page: Page, line: string): Promise<void> {
  await page.locator('#composer').fill(line);
  await page.locator('#composer').press('Enter');
}

/** Presses the form's own button. */
async function submit(page: Page): Promise<void> {
  await dialog(page).locator('[data-submit]').click();
}

async function step(page: Page, title: string): Promise<void> {
  await dialog(page).getByRole('heading', { name: title, exact: true }).waitFor();
}

describe.skipIf(noBrowser !== undefined)(
  `An alert, end to end, in the local chat${noBrowser === undefined ? '' : ` (skipped: ${noBrowser})`}`,
  () => {
    beforeAll(async () => {
      mkdirSync(pictures, { recursive: true });
      browser = await startBrowser();
    });
    afterAll(() => browser.close());

    beforeEach(async () => {
      opened = [];
      bot = await install({ ACTIVATE_ADMINS: 'ada@northwind.example' });
      await bot.warehouse.query(
        'create table usage (id int primary key, workspace text not null, used int not null, owner_email text)',
      );
      await bot.warehouse.query("insert into usage values (1, 'Globex', 12000, 'ada@northwind.example')");
    });
    afterEach(async () => {
      const heard = opened.flatMap((one) => one.heard);
      await Promise.all(opened.map(({ page }) => page.context().close()));
      await bot.stop();
      expect(heard).toEqual([]);
    });

    it('goes from a typed command to a card that somebody claims', async () => {
      const ada = await visit('ada', 'data-alerts');

      // Nothing but the command itself: it says what there is.
      await ada.locator('#composer').pressSequentially('/activate');
      await ada.getByRole('option', { name: '/activate home' }).waitFor();
      await ada.keyboard.press('Enter');
      await card(ada, 'Activate').getByText('Hello Ada Park').waitFor();

      // The warehouse, with a password that is wrong at first.
      await type(ada, '/activate connect');
      await step(ada, 'Connect');
      await submit(ada);
      await step(ada, 'The connection');
      const wrong = new URL(bot.warehouseUrl);
      wrong.password = 'guessed';
      await ada.locator('#field-postgres_url').fill(wrong.href);
      await submit(ada);
      await dialog(ada)
        .getByText(/password|refused/i)
        .first()
        .waitFor();
      await shot(ada, '1-connection-refused');
      await ada.locator('#field-postgres_url').fill(bot.warehouseUrl);
      await submit(ada);
      await card(ada, 'warehouse is connected').waitFor();

      await type(ada, '/activate new-alert');
      await step(ada, 'What to watch');
      await dialog(ada).getByLabel('Query (SQL)').fill('delete from usage');
      await submit(ada);
      await error(ada, 'sql')
        .getByText(/only a SELECT/)
        .waitFor();
      await shot(ada, '2-not-a-select');
      await dialog(ada).getByLabel('Query (SQL)').fill(sql);
      await submit(ada);

      await step(ada, 'What was found');
      await dialog(ada).locator('strong', { hasText: '1 row' }).waitFor();
      await dialog(ada).getByRole('cell', { name: 'Globex' }).waitFor();
      await dialog(ada).getByRole('button', { name: 'Remove id' }).click();
      await submit(ada);
      await error(ada, 'key').getByText('Choose the column that tells rows apart.').waitFor();
      await dialog(ada).getByLabel('Key').pressSequentially('id');
      await ada.getByRole('option', { name: 'id', exact: true }).click();
      await submit(ada);

      await step(ada, 'What to say, and where');
      await dialog(ada).getByLabel('Title').fill('Free tier used up');
      await dialog(ada).getByLabel('Message', { exact: true }).fill('{{ workspac }}');
      // By keyboard: the first option is at hand once something is typed.
      await dialog(ada).getByLabel('Send to').pressSequentially('sales');
      await ada.getByRole('option', { name: '#sales-pql' }).waitFor();
      await ada.keyboard.press('Enter');
      await submit(ada);
      await error(ada, 'message').getByText('Did you mean {{ workspace }}?').waitFor();
      await shot(ada, '3-unknown-column');
      await dialog(ada).getByLabel('Message', { exact: true }).fill(message);
      await submit(ada);

      await step(ada, 'Name and schedule');
      await dialog(ada).getByLabel('Name', { exact: true }).fill('free-tier');
      await dialog(ada).getByLabel('How often').fill('now and then');
      await submit(ada);
      await error(ada, 'schedule').getByText('is not a schedule').waitFor();
      await shot(ada, '4-bad-schedule');
      await dialog(ada).getByLabel('How often').fill('every 1 second');
      await ada.keyboard.press('Enter');

      await step(ada, 'Preview');
      await dialog(ada).getByText('@Ada Park').waitFor();
      await dialog(ada).getByText('is at 12,000 events.').waitFor();
      await dialog(ada).getByText('1 row matches now.').waitFor();
      await shot(ada, '5-preview');
      await submit(ada);
      await card(ada, 'free-tier is on').waitFor();

      const mia = await visit('mia', 'sales-pql');
      await bot.ranOnce('free-tier');
      await bot.warehouse.query("insert into usage values (2, 'Acme <b>', 10500, 'mia@northwind.example')");

      const told = card(mia, 'Free tier used up');
      await told.waitFor();
      expect(await told.locator('.mention-own').innerText()).toBe('@Mia Lopez');
      await told.getByText('Acme <b>').waitFor();
      await told.getByText('is at 10,500 events.').waitFor();
      await told.getByRole('button', { name: 'Claim' }).click();
      await told.getByText('Claimed by Mia Lopez').waitFor();
      await told.getByRole('button', { name: 'Release' }).waitFor();
      await shot(mia, '6-claimed');

      await ada.getByRole('link', { name: 'sales-pql' }).click();
      await card(ada, 'Free tier used up').getByText('Claimed by Mia Lopez').waitFor();
      // The row that was there at the start was taken as known, and nothing was said twice.
      expect(await ada.locator('#main .card').count()).toBe(1);
      const runs = await bot.running.app.services.runs.recent('free-tier', 100);
      expect(new Set(runs.map((run) => run.cause))).toEqual(new Set(['schedule']));
    });
  },
);
