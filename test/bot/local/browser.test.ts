import { mkdirSync } from 'node:fs';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { formPage } from '../../../bot/local/link.ts';
import { createLocal } from '../../../bot/local/platform.ts';
import { createSender } from '../../../bot/local/sender.ts';
import type { Platform } from '../../../bot/platform.ts';
import { createServer, type Server } from '../../../bot/server.ts';
import { complaints, noBrowser, startBrowser } from '../../support/browser.ts';
import { silentLog } from '../../support/log.ts';
import { type FreshDb, freshDb } from '../../support/postgres.ts';
import { alertCard, createDispatch } from './dispatch.ts';

const people = [
  {
    id: 'ada',
    name: 'Ada Okafor',
    email: 'ada@example.com',
    title: 'Revenue operations',
    timeZone: 'Europe/Paris',
  },
  { id: 'bo', name: 'Bo Lind', email: 'bo@example.com', title: 'Account executive' },
  { id: 'chidi', name: 'Chidi Rao', email: 'chidi@example.com', title: 'Data engineer' },
];
const channels = [
  { id: 'sales', name: 'sales' },
  { id: 'data', name: 'data-team' },
  { id: 'quiet', name: 'random' },
];
const ada = { kind: 'person', platform: 'local', id: 'ada' } as const;
const sales = { kind: 'conversation', platform: 'local', id: 'sales' } as const;
const pictures = 'test-output/local';

let browser: Browser;
let fresh: FreshDb;
let server: Server;
let local: Platform;
let dispatch: ReturnType<typeof createDispatch>;
let stop: AbortController;
let opened: { page: Page; heard: readonly string[] }[];

/** A browser of its own for one person, looking at a path. */
async function visit(person: string, path = '/c/sales', look: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...look });
  await context.addCookies([{ name: 'activate_person', value: person, url: server.url }]);
  const page = await context.newPage();
  opened.push({ page, heard: complaints(page) });
  await page.goto(server.url + path);
  return page;
}

async function shot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `${pictures}/${name}.png`, animations: 'disabled' });
}

const composer = (page: Page) => page.locator('#composer');
const dialog = (page: Page) => page.getByRole('dialog');
const card = (page: Page, title: string) =>
  page.locator('#main .card', { has: page.getByRole('heading', { name: title }) });

async function type(page: Page, line: string): Promise<void> {
  await composer(page).fill(line);
  await composer(page).press('Enter');
}

describe.skipIf(noBrowser !== undefined)(
  `the local chat in a browser${noBrowser === undefined ? '' : ` (skipped: ${noBrowser})`}`,
  () => {
    beforeAll(async () => {
      mkdirSync(pictures, { recursive: true });
      browser = await startBrowser();
    });
    afterAll(() => browser.close());

    beforeEach(async () => {
      fresh = await freshDb();
      stop = new AbortController();
      opened = [];
      dispatch = createDispatch();
      local = createLocal({ db: fresh.db, log: silentLog, people, channels });
      await local.receive(dispatch, stop.signal);
      server = await createServer({
        platforms: [local],
        port: 0,
        log: silentLog,
        metrics: async () => '',
        ready: async () => ({ ok: true, checks: {} }),
      });
    });
    afterEach(async () => {
      const heard = opened.flatMap((one) => one.heard);
      await Promise.all(opened.map(({ page }) => page.context().close()));
      stop.abort();
      await server.close();
      await fresh.close();
      expect(heard).toEqual([]);
    });

    it('goes from a typed line over a form of two steps to a card that others act on', async () => {
      const ada = await visit('ada');
      const bo = await visit('bo');
      await shot(ada, '01-empty-channel');
      await composer(ada).pressSequentially('/act');
      await ada.getByRole('option', { name: 'new-alert' }).waitFor();
      await composer(ada).press('ArrowDown');
      await composer(ada).press('ArrowUp');
      await shot(ada, '02-completion');
      await composer(ada).press('Tab');
      expect(await composer(ada).inputValue()).toBe('/activate new-alert ');
      await composer(ada).press('Enter');

      // A mistake is told at its field, and what was typed stays.
      await dialog(ada).getByRole('heading', { name: 'New alert' }).waitFor();
      await shot(ada, '03-form');
      await dialog(ada).getByLabel('Table').fill('public.deal');
      await ada.getByRole('option', { name: 'public.deals' }).waitFor();
      await shot(ada, '04-lookup');
      await dialog(ada).getByLabel('Table').press('Escape');
      await dialog(ada).getByRole('button', { name: 'Next' }).click();
      await dialog(ada).getByText('Fill this in.').waitFor();
      await dialog(ada).getByText('Did you mean public.deals?').waitFor();
      expect(await dialog(ada).getByLabel('Table').inputValue()).toBe('public.deal');
      expect(
        await dialog(ada)
          .getByLabel('Name')
          .evaluate((one) => one === one.ownerDocument.activeElement),
      ).toBe(true);
      await shot(ada, '05-form-errors');

      await dialog(ada).getByLabel('Name').fill('Deals won');
      await dialog(ada).getByLabel('Table').fill('deals');
      await ada.getByRole('option', { name: 'public.deals' }).click();
      const columns = dialog(ada).getByLabel('Columns to show');
      await columns.fill('acc');
      await ada.getByRole('option', { name: 'account' }).click();
      await columns.fill('own');
      await ada.getByRole('option', { name: 'owner' }).click();
      await dialog(ada).getByRole('button', { name: 'Next' }).click();
      await dialog(ada).getByText('Step 2 of 2').waitFor();
      expect(dispatch.asked.at(-1)?.run.input).toMatchObject({
        table: 'public.deals',
        watch: '["account","owner"]',
      });
      await shot(ada, '06-form-second-step');

      // Back and forth again loses nothing.
      await dialog(ada).getByRole('button', { name: 'Back' }).click();
      await dialog(ada).getByText('Step 1 of 2').waitFor();
      expect(await dialog(ada).getByLabel('Name').inputValue()).toBe('Deals won');
      expect(await dialog(ada).locator('.chip').allInnerTexts()).toHaveLength(2);
      await dialog(ada).getByRole('button', { name: 'Next' }).click();
      await dialog(ada).getByText('Every morning at 9').click();
      await dialog(ada).getByRole('button', { name: 'Create alert' }).click();

      await card(ada, 'Deals won is on').waitFor();
      await card(bo, 'Deals won is on').waitFor();
      await bo.locator('.mention-own').waitFor();
      await card(bo, 'Deals won is on').locator('summary').click();
      await shot(bo, '07-menu');
      await bo.keyboard.press('Escape');
      await card(bo, 'Deals won is on').getByRole('button', { name: 'Claim' }).click();
      await card(bo, 'Claimed by bo').waitFor();
      await card(ada, 'Claimed by bo').waitFor();
      expect(await card(ada, 'Deals won is on').count()).toBe(0);
      await shot(ada, '08-claimed');
    });

    it('asks before a button that says so, and takes no for an answer', async () => {
      await local.post(sales, { card: alertCard('Deal won') });
      const ada = await visit('ada');

      await card(ada, 'Deal won').getByRole('button', { name: 'Mute' }).click();
      await dialog(ada).getByText('Mute this alert for everybody').waitFor();
      await shot(ada, '09-confirm');
      await ada.keyboard.press('Escape');
      await dialog(ada).waitFor({ state: 'detached' });
      expect(dispatch.asked).toEqual([]);

      await card(ada, 'Deal won').getByRole('button', { name: 'Mute' }).click();
      await dialog(ada).getByRole('button', { name: 'Mute' }).click();
      await card(ada, 'Muted by ada').waitFor();
    });

    it('runs a choice of a menu by keyboard alone', async () => {
      await local.post(sales, { card: alertCard('Deal won') });
      const ada = await visit('ada');

      await card(ada, 'Deal won').locator('summary').focus();
      await ada.keyboard.press('Enter');
      await ada.keyboard.press('ArrowDown');
      await ada.keyboard.press('ArrowDown');
      await ada.keyboard.press('Enter');

      await card(ada, 'Snoozed for 7 days by ada').waitFor();
      expect(dispatch.asked[0]?.origin.message).toMatchObject({ conversation: sales });
    });

    it('fills in a form by keyboard alone, and closes it without losing what was typed', async () => {
      const ada = await visit('ada');
      await ada.keyboard.type('/activate new-a');
      await ada.getByRole('option', { name: 'new-alert' }).waitFor();
      await ada.keyboard.press('Enter');
      await ada.keyboard.press('Enter');
      await dialog(ada).waitFor();
      await ada.keyboard.type('Churn');
      await ada.keyboard.press('Tab');
      await ada.keyboard.type('users');
      await ada.getByRole('option', { name: 'public.users' }).waitFor();
      await ada.keyboard.press('Enter');
      await ada.keyboard.press('Escape');

      await ada.getByText('Kept as a draft.').waitFor();
      await dialog(ada).waitFor({ state: 'detached' });
      expect(dispatch.asked.at(-1)?.run.input).toMatchObject({
        closed: 'true',
        name: 'Churn',
        table: 'public.users',
      });
      await ada.keyboard.press('ArrowUp');
      expect(await composer(ada).inputValue()).toBe('/activate new-alert');
      await ada.keyboard.press('Enter');
      await dialog(ada).waitFor();
      expect(await dialog(ada).getByLabel('Name').inputValue()).toBe('Churn');
    });

    it('keeps the focus in an open dialog', async () => {
      const ada = await visit('ada');
      await type(ada, '/activate new-source');
      await dialog(ada).waitFor();

      for (let presses = 0; presses < 9; presses += 1) {
        await ada.keyboard.press('Tab');
        const inside = await ada.evaluate(
          "document.activeElement === document.body || document.activeElement.closest('dialog') !== null",
        );
        expect(inside).toBe(true);
      }
    });

    it('takes a secret as a password and answers where only the caller sees it', async () => {
      const ada = await visit('ada');
      const bo = await visit('bo');
      await type(ada, '/activate new-source');
      await dialog(ada).getByLabel('Host').fill('warehouse.example.com');
      await dialog(ada).getByLabel('Password').fill('hunter2');
      await shot(ada, '10-secret');
      await dialog(ada).getByRole('button', { name: 'Connect' }).click();

      await card(ada, 'warehouse is connected').waitFor();
      await ada.getByText('Only visible to you').waitFor();
      await shot(ada, '11-only-for-you');
      await local.post(sales, { card: alertCard('Everybody sees this') });
      await card(bo, 'Everybody sees this').waitFor();
      expect(await card(bo, 'warehouse is connected').count()).toBe(0);
      await ada.getByRole('button', { name: 'Dismiss' }).click();
      await card(ada, 'warehouse is connected').waitFor({ state: 'detached' });
    });

    it('talks between people, marks what is unread, and draws nothing a person wrote as markup', async () => {
      const ada = await visit('ada');
      const bo = await visit('bo', '/c/data');
      const elsewhere = createSender({ db: fresh.db, people, channels, now: () => new Date() });

      await type(ada, 'Look at <b>this</b>: https://example.com/a?b=1&c=2.');
      await bo.locator('.entry.unread', { hasText: 'sales' }).waitFor();
      await elsewhere.post(sales, { card: alertCard('Deal won by another process') });
      await bo.locator('.entry', { hasText: 'sales' }).locator('.count', { hasText: '1' }).waitFor();
      await shot(bo, '12-unread');
      await bo.getByRole('link', { name: 'sales' }).click();

      await bo.getByText('Look at <b>this</b>:').waitFor();
      expect(await bo.getByRole('link', { name: 'https://example.com' }).getAttribute('href')).toBe(
        'https://example.com/a?b=1&c=2',
      );
      await bo.locator('.entry.unread').waitFor({ state: 'detached' });
      expect(await bo.locator('.entry .dot, .entry .count').count()).toBe(0);
      await bo.reload();
      expect(await bo.locator('.entry.unread').count()).toBe(0);
    });

    it('opens a thread beside the channel and answers there', async () => {
      const posted = await local.post(sales, { card: alertCard('Deal won') });
      const ada = await visit('ada');
      const bo = await visit('bo');
      await ada.getByText('Northwind Traders').first().hover();
      await ada.getByRole('link', { name: 'Reply in thread' }).click();
      await ada.locator('#composer-thread').fill('I called them, all good.');
      await ada.locator('#composer-thread').press('Enter');

      await bo.getByRole('link', { name: '1 reply' }).click();
      await bo.locator('#thread').getByText('I called them, all good.').waitFor();
      await local.post({ ...sales, thread: posted.id }, { card: alertCard('Details', 'neutral') });
      await bo.locator('#thread').getByRole('heading', { name: 'Details' }).waitFor();
      await shot(ada, '13-thread');
      await ada.locator('#composer-thread').press('Escape');
      await ada.locator('#thread').waitFor({ state: 'detached' });
    });

    it('draws a long table in a box of its own', async () => {
      const ada = await visit('ada');
      await type(ada, '/activate report');

      await ada.getByText('20 of 431 rows').waitFor();
      await shot(ada, '14-table');
      expect(await ada.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    });

    it('shows a home for each person, and its buttons answer in the direct messages', async () => {
      const ada = await visit('ada', '/home');
      await ada.getByRole('heading', { name: 'Good morning' }).waitFor();
      await shot(ada, '15-home');

      await ada.getByRole('button', { name: 'Report' }).click();

      await card(ada, 'Deals of this quarter').waitFor();
      expect(new URL(ada.url()).pathname).toBe('/c/direct-ada');
    });

    it('lets a browser act as somebody else', async () => {
      const ada = await visit('ada');
      await ada.locator('#acting summary').click();
      await shot(ada, '16-acting');
      await ada.getByRole('button', { name: 'Chidi Rao' }).click();
      await ada.locator('[data-viewer=chidi] form.composer[data-alive]').waitFor();
      await type(ada, 'Hello');

      await ada.locator('#main').getByText('Hello').waitFor();
      expect(await ada.locator('.message b').first().innerText()).toBe('Chidi Rao');
    });

    it('tells a mistyped command where it was typed, and gives the line back', async () => {
      const ada = await visit('ada');
      await type(ada, '/remind me');
      await ada.getByText('There is no command /remind here.').waitFor();
      expect(await composer(ada).inputValue()).toBe('/remind me');
      opened = opened.map((one) => ({ ...one, heard: one.heard.filter((line) => !line.includes('404')) }));
    });

    it('sends a name that is typed out, although a longer one begins with it', async () => {
      const ada = await visit('ada');
      await composer(ada).fill('/activate report');
      await ada.getByRole('option').nth(1).waitFor();
      await composer(ada).press('Enter');

      await ada.locator('#main .card').first().waitFor();
      expect(await composer(ada).inputValue()).toBe('');
    });

    it('says that it works on something that takes long', async () => {
      let finish = (): void => undefined;
      dispatch.slow = new Promise((resolve) => {
        finish = resolve;
      });
      const ada = await visit('ada');
      await type(ada, '/activate slow');

      await ada.getByText('Activate is working…').waitFor();
      finish();

      await ada.getByText('That took a while.').waitFor();
      await ada.getByText('Activate is working…').waitFor({ state: 'hidden' });
    });

    it('draws the form behind a one-time link, with errors and then the end', async () => {
      await server.close();
      const first = await dispatch.run(
        { command: 'new-alert', input: {} },
        { person: ada, conversation: sales },
      );
      const form = formPage({
        openLink: async () =>
          first.kind === 'form'
            ? { form: first.form, origin: { person: ada, conversation: sales } }
            : undefined,
        closeLink: async () => undefined,
        dispatch,
      });
      server = await createServer({
        platforms: [],
        form,
        port: 0,
        log: silentLog,
        metrics: async () => '',
        ready: async () => ({ ok: true, checks: {} }),
      });
      const page = await visit('ada', '/form/token');
      await page.getByLabel('Name').fill('Deals');
      await page.getByRole('button', { name: 'Next' }).click();
      await page.getByText('Did you mean public.deals?').waitFor();
      // A page that has just arrived: the field searches once its script has run.
      await page.getByRole('combobox', { name: 'Table' }).fill('deals');
      await page.getByRole('option', { name: 'public.deals' }).click();
      await shot(page, '24-link');
      await page.getByRole('button', { name: 'Next' }).click();
      await page.getByRole('button', { name: 'Create alert' }).click();
      await page.getByRole('heading', { name: 'Deals is on' }).waitFor();
      await shot(page, '25-link-end');
      opened = opened.map((one) => ({ ...one, heard: one.heard.filter((line) => !line.includes('422')) }));
    });

    it('goes on showing the end of the talk when the window gets smaller', async () => {
      for (let at = 1; at <= 9; at += 1) {
        await local.post(sales, { card: alertCard(`Deal ${at} won`) });
      }
      const ada = await visit('ada');
      await card(ada, 'Deal 9 won').waitFor();

      await ada.setViewportSize({ width: 600, height: 500 });

      await ada.waitForFunction(
        'document.querySelector("#main .message:last-child").getBoundingClientRect().bottom <= document.querySelector("#composer").getBoundingClientRect().top',
      );
    });

    it('shows what came in while the page was still connecting', async () => {
      const ada = await visit('ada', '/home');
      let connect = (): void => undefined;
      const connected = new Promise<void>((resolve) => {
        connect = resolve;
      });
      await ada.route('**/events', async (route) => {
        await connected;
        await route.continue();
      });
      await ada.goto(`${server.url}/c/sales`);
      await local.post(sales, { card: alertCard('Deal won') });

      connect();

      await card(ada, 'Deal won').waitFor();
    });

    it('keeps what is being typed while messages come in', async () => {
      const ada = await visit('ada');
      await composer(ada).pressSequentially('half a sen');
      await local.post(sales, { card: alertCard('Deal won') });
      await card(ada, 'Deal won').waitFor();
      await composer(ada).pressSequentially('tence');

      expect(await composer(ada).inputValue()).toBe('half a sentence');
    });

    it('stays usable in the dark and on a phone', async () => {
      await local.post(sales, { card: alertCard('Northwind signed') });
      const dark = await visit('bo', '/c/sales', { colorScheme: 'dark' });
      await type(dark, '/activate report');
      await dark.getByText('20 of 431 rows').waitFor();
      await shot(dark, '17-dark');
      await type(dark, '/activate new-alert');
      await dialog(dark).waitFor();
      await shot(dark, '18-dark-form');
      const phone = await visit('bo', '/c/sales', {
        viewport: { width: 390, height: 844 },
        hasTouch: true,
        isMobile: true,
      });
      await phone.getByText('20 of 431 rows').waitFor();
      await shot(phone, '19-phone');
      expect(await phone.evaluate('document.documentElement.scrollWidth')).toBe(390);
      await phone.getByRole('button', { name: 'Open the list of channels' }).click();
      await phone.getByRole('link', { name: 'random' }).waitFor();
      await shot(phone, '20-phone-menu');
      await phone.getByRole('link', { name: 'random' }).click();
      await phone.getByRole('heading', { name: 'The beginning of #random' }).waitFor();
      await type(phone, '/activate new-alert');
      await dialog(phone).getByRole('button', { name: 'Next' }).click();
      await dialog(phone).getByText('Fill this in.').waitFor();
      await shot(phone, '21-phone-form');
    });

    it('asks for the password, and shows errors as pages in plain words', async () => {
      const locked = createLocal({
        db: fresh.db,
        log: silentLog,
        people,
        channels,
        password: 'correct horse',
      });
      await server.close();
      server = await createServer({
        platforms: [locked],
        port: 0,
        log: silentLog,
        metrics: async () => '',
        ready: async () => ({ ok: true, checks: {} }),
      });
      await locked.receive(dispatch, stop.signal);
      const ada = await visit('ada', '/');
      await ada.getByLabel('Password').fill('wrong');
      await ada.getByRole('button', { name: 'Open the chat' }).click();
      await ada.getByText('That is not the password.').waitFor();
      await shot(ada, '22-login');
      await ada.getByLabel('Password').fill('correct horse');
      await ada.keyboard.press('Enter');
      await composer(ada).waitFor();
      await ada.goto(`${server.url}/nothing-here`);
      await shot(ada, '23-not-found');
      opened = opened.map((one) => ({ ...one, heard: one.heard.filter((line) => !/40[14]/.test(line)) }));
    });
  },
);
