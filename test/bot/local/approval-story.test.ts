import { mkdirSync } from 'node:fs';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Caller } from '../../../engine/contracts/command.ts';
import type { PersonRef } from '../../../engine/contracts/refs.ts';
import { complaints, noBrowser, startBrowser } from '../../support/browser.ts';
import { type Buyers, startBuyers } from '../buyers.ts';
import { type Installation, install } from '../installation.ts';

const pictures = 'test-output/approvals';
const phone = { width: 390, height: 844 };
const desktop = { width: 1280, height: 900 };

let browser: Browser;
let bot: Installation;
let buyers: Buyers;
let opened: { readonly page: Page; readonly heard: readonly string[] }[];

async function visit(person: string, place: string): Promise<Page> {
  const url = bot.running.url ?? '';
  const context = await browser.newContext({ viewport: desktop });
  await context.addCookies([{ name: 'activate_person', value: person, url }]);
  const page = await context.newPage();
  opened.push({ page, heard: complaints(page) });
  await page.goto(`${url}/c/${place}`);
  return page;
}

/** As it looks on a desk, and in a hand. */
async function shots(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `${pictures}/${name}.png`, animations: 'disabled' });
  await page.setViewportSize(phone);
  await page.screenshot({ path: `${pictures}/${name}-phone.png`, animations: 'disabled' });
  await page.setViewportSize(desktop);
}

const dialog = (page: Page): Locator => page.getByRole('dialog');
const card = (page: Page, title: string): Locator =>
  page.locator('#main .card', { has: page.getByRole('heading', { name: title, exact: true }) }).last();

async function type(page: Page, line: string): Promise<void> {
  await page.locator('#composer').fill(line);
  await page.locator('#composer').press('Enter');
}

const person = (id: string): PersonRef => ({ kind: 'person', platform: 'local', id });
const ada = (): Promise<Caller> => buyers.caller(person('ada'), 'data-alerts');

describe.skipIf(noBrowser !== undefined)(
  `An approval, end to end, in the local chat${noBrowser === undefined ? '' : ` (skipped: ${noBrowser})`}`,
  () => {
    beforeAll(async () => {
      mkdirSync(pictures, { recursive: true });
      browser = await startBrowser();
    });
    afterAll(() => browser.close());

    beforeEach(async () => {
      opened = [];
      bot = await install({ ACTIVATE_ADMINS: 'ada@northwind.example', ALLOWED_PRIVATE_HOSTS: '127.0.0.1' });
      buyers = await startBuyers(bot);
      await bot.connect(await ada());
      await buyers.role(person('mia'), 'approver');
      await buyers.role(person('tom'), 'editor');
      await buyers.add(1, 40);
    });
    afterEach(async () => {
      const heard = opened.flatMap((one) => one.heard);
      await Promise.all(opened.map(({ page }) => page.context().close()));
      await bot.stop();
      await buyers.close();
      expect(heard).toEqual([]);
    });

    it('holds the first run, shows its rows, is approved by a button and delivers; then it is rejected with a reason', async () => {
      await buyers.audience(await ada());
      const mia = await visit('mia', 'data-alerts');
      const asks = card(mia, 'Approve this run of spring-buyers?');
      await asks.getByText('Add 40 people to Spring buyers on ads.').waitFor();
      await asks.getByText('It is the first run that would write anything.').waitFor();
      await shots(mia, '1-asks');
      // What is in the rows is nobody's business in a channel.
      expect(await asks.innerText()).not.toMatch(/buyer1@mail/);
      expect(buyers.members.size).toBe(0);

      await asks.getByRole('button', { name: 'Show sample' }).click();
      await dialog(mia).getByText('30 of 40 changes:').waitFor();
      await shots(mia, '2-sample');
      await mia.keyboard.press('Escape');

      await asks.getByRole('button', { name: 'Approve', exact: true }).click();
      await confirmed(mia);
      const done = card(mia, 'Run of spring-buyers: approved');
      await done.getByText('Approved by Mia Lopez').waitFor();
      await done.getByText('40 added to the list').waitFor();
      await shots(mia, '3-delivered');
      expect(buyers.members.size).toBe(40);
      expect(await done.getByRole('button', { name: 'Approve', exact: true }).count()).toBe(0);

      // Ten leave: too many, and somebody asked for it.
      await bot.warehouse.query('delete from buyers where id > 30');
      const tom = await visit('tom', 'data-alerts');
      await type(tom, '/activate run spring-buyers');
      const second = card(mia, 'Approve this run of spring-buyers?');
      await second.getByText('Remove 10 of 40 people in Spring buyers on ads.').waitFor();
      await second.getByText('10 of 40 people would leave: 25 %, more than 20 %.').waitFor();
      await shots(mia, '4-many-leave');
      await second.getByRole('button', { name: 'Reject' }).click();
      await dialog(mia).getByLabel('Why', { exact: true }).fill('The segment lost Paris. Ask Tom.');
      await shots(mia, '5-why');
      await dialog(mia).locator('[data-submit]').click();
      const no = card(mia, 'Run of spring-buyers: rejected');
      await no.getByText('The segment lost Paris. Ask Tom.').waitFor();
      await dialog(mia).waitFor({ state: 'hidden' });
      await shots(mia, '6-rejected');
      expect(buyers.members.size).toBe(40);
      // Whoever asked for it is told.
      await tom
        .getByRole('link', { name: /Activate/ })
        .first()
        .click();
      await card(tom, 'Run of spring-buyers: rejected').getByText('You asked for it.').waitFor();
      await shots(tom, '7-told');
    });

    it('lets nobody decide who asked where others have to, and nobody at all once the time is over', async () => {
      await buyers.audience(await ada(), { others: true, firstRun: false, adds: 'any' });
      const mia = await visit('mia', 'data-alerts');
      const first = card(mia, 'Approve this run of spring-buyers?');
      await first.waitFor();
      await type(mia, '/activate run spring-buyers anew=true');
      await card(mia, 'Run of spring-buyers: superseded').waitFor();
      const second = card(mia, 'Approve this run of spring-buyers?');
      await second.getByText('Asked by Mia Lopez').waitFor();
      await second.getByRole('button', { name: 'Approve', exact: true }).click();
      await confirmed(mia);
      await mia.getByText('You asked for it, so somebody else has to decide.').first().waitFor();
      await shots(mia, '8-not-your-own');

      await type(mia, '/activate approvals');
      await card(mia, 'Approvals').getByText('For others').waitFor();
      const admin = await visit('ada', 'data-alerts');
      await type(admin, '/activate home');
      await card(admin, 'Activate').getByText('Waits for you').waitFor();
      await shots(admin, '9-home');

      await bot.running.app.db.query(
        `update holds set expires_at = clock_timestamp() - interval '1 second' where state = 'pending'`,
      );
      await card(mia, 'Run of spring-buyers: expired').getByText('Nobody decided in time.').waitFor();
      await shots(mia, '10-expired');
      expect(buyers.members.size).toBe(0);
    });

    it('makes a change of a protected sync wait for the same people', async () => {
      await buyers.audience(await ada());
      const tom = await visit('tom', 'data-alerts');
      await card(tom, 'Approve this run of spring-buyers?').waitFor();
      await type(tom, '/activate policy spring-buyers');
      await dialog(tom).getByText('Asks at its first run').waitFor();
      await shots(tom, '11-policy');
      await dialog(tom).getByRole('radio', { name: 'Never' }).check();
      await dialog(tom).locator('[data-submit]').click();
      await card(tom, 'Waits for approval').waitFor();
      const mia = await visit('mia', 'data-alerts');
      const change = card(mia, 'Approve this change of spring-buyers?');
      await change.getByText('Change what of spring-buyers has to be approved').first().waitFor();
      await shots(mia, '12-change');
      await change.getByRole('button', { name: 'Approve', exact: true }).click();
      await confirmed(mia);
      await card(mia, 'Change of spring-buyers: approved').getByText('It is in force.').waitFor();
      await shots(mia, '13-changed');
      expect(await bot.running.app.services.approvals.policy('spring-buyers')).toMatchObject({
        ask: 'never',
      });
    });
  },
);

/** Answers the question that a button asks before it does something. */
async function confirmed(page: Page): Promise<void> {
  await dialog(page).getByRole('button', { name: 'Approve', exact: true }).click();
}
