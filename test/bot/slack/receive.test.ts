import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Platform } from '../../../bot/platform.ts';
import { createSlack } from '../../../bot/slack/platform.ts';
import type { Card } from '../../../engine/contracts/card.ts';
import type { Dispatch, Origin, Reply } from '../../../engine/contracts/chat.ts';
import { type Form, field, type Options } from '../../../engine/contracts/form.ts';
import type { Invocation, Raw } from '../../../engine/contracts/refs.ts';
import type { Json } from '../../fakes/slack/blocks.ts';
import { type FakeSlack, signedRequest, startFakeSlack, TOKENS } from '../../fakes/slack.ts';
import { silentLog } from '../../support/log.ts';

function card(title: string): Card {
  return {
    title,
    fallback: title,
    blocks: [
      { type: 'text', text: ['Hello'] },
      {
        type: 'actions',
        actions: [{ type: 'button', label: 'Claim', run: { command: 'claim', input: { id: '7' } } }],
      },
    ],
  };
}

const FORM: Form = {
  command: 'new-alert',
  title: 'New alert',
  intro: [],
  fields: {
    name: field.text({ label: 'Name' }),
    source: field.lookup({ label: 'Source', lookup: 'sources' }),
  },
  initial: {},
  errors: {},
  hidden: { draft: '7' },
  submit: 'Next',
  back: { draft: '7', step: '1' },
};

type Answer = (invocation: Invocation, origin: Origin) => Reply | Promise<Reply>;

/** A dispatch whose answers the test decides, and that notes what it was asked. */
class Scripted implements Dispatch {
  readonly asked: { readonly invocation: Invocation; readonly origin: Origin }[] = [];
  answer: Answer = () => ({ kind: 'done' });
  choices: (typed: string, input: Raw) => Promise<Options> = async () => [];

  async run(invocation: Invocation, origin: Origin): Promise<Reply> {
    this.asked.push({ invocation, origin });
    return this.answer(invocation, origin);
  }
  typed(line: string, origin: Origin): Promise<Reply> {
    return this.run(this.parse(line), origin);
  }
  options(_command: string, _field: string, typed: string, input: Raw): Promise<Options> {
    return this.choices(typed, input);
  }
  complete(): Promise<Options> {
    return Promise.resolve([]);
  }
  mayOpenForm(invocation: Invocation): boolean {
    return invocation.command === 'new-alert';
  }
  parse(line: string): Invocation {
    const [command = '', ...rest] = line.split(' ');
    return { command, input: rest.length === 0 ? {} : { text: rest.join(' ') } };
  }
}

/** A promise that the test settles: the answer of a database that hangs. */
function later<T>(): { readonly promise: Promise<T>; readonly settle: (value: T) => void } {
  let settle: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => {
    settle = resolve;
  });
  return { promise, settle };
}

describe.each(['socket', 'http'] as const)('receiving over %s', (mode) => {
  let fake: FakeSlack;
  let dispatch: Scripted;
  let stop: AbortController;
  let server: Server | undefined;
  let requestUrl: string;

  beforeEach(async () => {
    fake = await startFakeSlack();
    dispatch = new Scripted();
    stop = new AbortController();
    const config = { botToken: TOKENS.bot, apiUrl: fake.apiUrl, log: silentLog };
    const slack = createSlack(
      mode === 'socket' ? { ...config, appToken: TOKENS.app } : { ...config, signingSecret: TOKENS.secret },
    );
    if (slack.routes !== undefined) {
      [server, requestUrl] = await serve(slack);
      fake.setRequestUrl(requestUrl);
    }
    await slack.receive(dispatch, stop.signal);
  });
  afterEach(async () => {
    stop.abort();
    await fake.close();
    await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
    server = undefined;
  });

  const sales = () => fake.messages('C0SALES');
  const dialog = () => JSON.stringify(fake.view()?.view ?? {});

  it('answers a command: to its caller, and to everybody', async () => {
    dispatch.answer = ({ command }) => ({
      kind: 'card',
      card: card(command),
      to: command === 'help' ? 'caller' : 'conversation',
    });

    await fake.command('help');
    await fake.command('status now');

    const [help, status] = await fake.until(() => sales().length === 2 && sales());
    expect([help?.ephemeral, status?.ephemeral]).toEqual(['U0MAYA', undefined]);
    expect(dispatch.asked[1]).toEqual({
      invocation: { command: 'status', input: { text: 'now' } },
      origin: {
        person: { kind: 'person', platform: 'slack', id: 'U0MAYA' },
        conversation: { kind: 'conversation', platform: 'slack', id: 'C0SALES' },
      },
    });
    expect(fake.violations).toEqual([]);
  });

  it('answers everybody in a private channel that the bot is not in', async () => {
    dispatch.answer = () => ({ kind: 'card', card: card('status'), to: 'conversation' });

    await fake.command('status', { channel: 'C0HIDDEN' });

    await expect(fake.until(() => fake.state.responses.get('R2')?.uses === 1)).resolves.toBe(true);
  });

  it('opens a form, shows errors at their fields, takes what was typed, and goes back', async () => {
    dispatch.answer = ({ command, input }) =>
      command === 'new-alert' && input['name'] === 'taken'
        ? { kind: 'form', form: { ...FORM, errors: { name: 'Taken.' } } }
        : { kind: 'form', form: { ...FORM, title: `Step ${input['step'] ?? input['name'] ?? 'first'}` } };

    await fake.command('new-alert');
    await fake.until(() => dialog().includes('Step first'));
    const refused = await fake.submit({ name: 'taken', source: 's1' });
    const next = await fake.submit({ name: 'good', source: 's1' });

    expect(refused).toEqual({ response_action: 'errors', errors: { 'f:name': 'Taken.' } });
    expect(next?.['response_action']).toBe('update');
    expect(dispatch.asked.at(-1)?.invocation).toEqual({
      command: 'new-alert',
      input: { draft: '7', name: 'good', source: 's1' },
    });
    await fake.pressInView('← Back');
    await fake.until(() => dialog().includes('Step 1'));
    expect(fake.violations).toEqual([]);
  });

  it('an error about the whole form redraws it', async () => {
    dispatch.answer = ({ input }) => ({
      kind: 'form',
      form: input['name'] === undefined ? FORM : { ...FORM, errors: { '': 'The source is away.' } },
    });
    await fake.command('new-alert');
    await fake.until(() => fake.view());

    const ack = await fake.submit({ name: 'x' });

    expect(ack?.['response_action']).toBe('update');
    expect(dialog()).toContain('The source is away.');
  });

  it('closes the dialog and tells the caller when a submission ends in a card', async () => {
    dispatch.answer = ({ input }) =>
      input['name'] === undefined
        ? { kind: 'form', form: FORM }
        : { kind: 'card', card: card('Created'), to: 'caller' };
    await fake.command('new-alert');
    await fake.until(() => fake.view());

    await fake.submit({ name: 'x' });

    const [message] = await fake.until(() => sales().length === 1 && sales());
    expect(message).toMatchObject({ ephemeral: 'U0MAYA', text: 'Created' });
    expect(fake.view()).toBeUndefined();
  });

  it('edits the pressed message, and replaces one that only its reader sees', async () => {
    dispatch.answer = ({ command }) =>
      command === 'claim'
        ? { kind: 'card', card: card('Claimed'), to: 'pressed' }
        : { kind: 'card', card: card('New'), to: command === 'all' ? 'conversation' : 'caller' };
    await fake.command('all');
    await fake.command('mine');
    const [shared, own] = await fake.until(() => sales().length === 2 && sales());

    await fake.press(shared!, 'Claim');
    await fake.press(own!, 'Claim');

    await fake.until(() => sales().every(({ text, edits }) => text === 'Claimed' && edits === 1));
    expect(dispatch.asked.at(-2)?.invocation).toEqual({ command: 'claim', input: { id: '7' } });
    expect(dispatch.asked.at(-2)?.origin.message?.id).toBe(shared?.ts);
    expect(fake.violations).toEqual([]);
  });

  it('holds a dialog open while the answer takes its time, and says nothing is broken', async () => {
    const slow = later<Reply>();
    dispatch.answer = () => slow.promise;

    await fake.command('new-alert');
    await fake.until(() => dialog().includes('Working on it'));
    slow.settle({ kind: 'form', form: FORM });

    await fake.until(() => dialog().includes('"f:name"'));
    expect(fake.calls('views.open')).toBe(1);
    expect(fake.violations).toEqual([]);
  });

  it('keeps the three seconds when a submission hangs, then shows what it came to', async () => {
    const slow = later<Reply>();
    dispatch.answer = ({ input }) =>
      input['name'] === undefined ? { kind: 'form', form: FORM } : slow.promise;
    await fake.command('new-alert');
    await fake.until(() => fake.view());

    const ack = await fake.submit({ name: 'x' });
    expect(ack?.['response_action']).toBe('update');
    expect(dialog()).toContain('Working on it');
    slow.settle({ kind: 'card', card: card('Created'), to: 'caller' });

    await fake.until(() => dialog().includes('Created'));
    expect(fake.violations).toEqual([]);
  });

  it('tells the caller when the dialog was closed before its answer came', async () => {
    const slow = later<Reply>();
    dispatch.answer = () => slow.promise;
    await fake.command('new-alert');
    await fake.until(() => dialog().includes('Working on it'));

    await fake.closeView({});
    slow.settle({ kind: 'card', card: card('Found'), to: 'caller' });

    const [message] = await fake.until(() => sales().length === 1 && sales());
    expect(message).toMatchObject({ ephemeral: 'U0MAYA', text: 'Found' });
  });

  it('offers a button when the permission to open a dialog has run out, and it opens then', async () => {
    dispatch.answer = () => ({ kind: 'form', form: FORM });
    fake.fail('views.open', { kind: 'error', error: 'expired_trigger_id' });

    await fake.command('new-alert');
    const [message] = await fake.until(() => sales().length === 1 && sales());
    expect(message?.ephemeral).toBe('U0MAYA');
    await fake.press(message!, 'Open form');

    await fake.until(() => dialog().includes('"f:name"'));
    expect(dispatch.asked.at(-1)?.invocation).toEqual({ command: 'new-alert', input: { draft: '7' } });
  });

  it('gives choices while somebody types, with what the form holds', async () => {
    dispatch.answer = () => ({ kind: 'form', form: FORM });
    dispatch.choices = async (typed, input) => [
      { value: `${typed}-1`, label: `${typed} of ${input['draft']}` },
    ];
    await fake.command('new-alert');
    await fake.until(() => fake.view());

    expect(await fake.suggest('source', 'prod')).toEqual([
      { text: { type: 'plain_text', text: 'prod of 7', emoji: false }, value: 'prod-1' },
    ]);
  });

  it('answers with no choices rather than too late', async () => {
    dispatch.answer = () => ({ kind: 'form', form: FORM });
    dispatch.choices = () => new Promise(() => undefined);
    await fake.command('new-alert');
    await fake.until(() => fake.view());

    expect(await fake.suggest('source', 'prod')).toEqual([]);
    expect(fake.violations).toEqual([]);
  });

  it('hands on what was typed into a form that was closed', async () => {
    dispatch.answer = () => ({ kind: 'form', form: FORM });
    await fake.command('new-alert');
    await fake.until(() => fake.view());

    await fake.closeView({ name: 'half done' });

    await expect
      .poll(() => dispatch.asked.at(-1)?.invocation)
      .toEqual({
        command: 'new-alert',
        input: { draft: '7', name: 'half done', source: '', closed: 'true' },
      });
  });

  it('publishes the Home tab', async () => {
    dispatch.answer = () => ({ kind: 'card', card: card('Your alerts'), to: 'caller' });

    await fake.openHome();

    const home = await fake.until(() => fake.state.homes.get('U0MAYA'));
    expect(JSON.stringify(home)).toContain('Your alerts');
    expect(dispatch.asked[0]?.invocation).toEqual({ command: 'home', input: {} });
  });

  it('answers a mention in a thread and a direct message where it is, once for a repeated event', async () => {
    dispatch.answer = ({ command }) => ({ kind: 'card', card: card(command), to: 'conversation' });

    await fake.say('<@U0BOT> status a &lt; b', { channel: 'C0SALES', eventId: 'Ev1' });
    await fake.say('<@U0BOT> status a &lt; b', { channel: 'C0SALES', eventId: 'Ev1' });
    await fake.say('help', { channel: '', direct: true });

    await fake.until(() => fake.messages('U0MAYA').length === 1);
    expect(sales()).toHaveLength(1);
    expect(sales()[0]?.thread_ts).toMatch(/\.9/);
    expect(fake.messages('U0MAYA')[0]?.thread_ts).toBeUndefined();
    expect(dispatch.asked.map(({ invocation }) => invocation)).toEqual([
      { command: 'status', input: { text: 'a < b' } },
      { command: 'help', input: {} },
    ]);
  });

  it('sends the files of an answer to the one who asked, in their direct messages', async () => {
    const files = [{ name: 'rows.csv', type: 'text/csv', bytes: Buffer.from('a') }];
    dispatch.answer = () => ({ kind: 'card', card: card('Rows'), to: 'caller', files });

    await fake.command('rows');

    const [file] = await fake.until(
      () =>
        [...fake.state.files.values()].some(({ channel }) => channel !== undefined) && [
          ...fake.state.files.values(),
        ],
    );
    expect(file).toMatchObject({ name: 'rows.csv', channel: 'D0MAYA' });
  });

  it('says so when an answer could not be shown', async () => {
    dispatch.answer = () => ({ kind: 'form', form: FORM });
    fake.fail('views.open', { kind: 'error', error: 'invalid_arguments' });

    await fake.command('new-alert');

    const [message] = await fake.until(() => sales().length === 1 && sales());
    expect(message?.text).toContain('Slack refused views.open: invalid_arguments');
  });

  if (mode === 'socket') {
    it('keeps two connections and comes back after Slack closes them', async () => {
      await fake.until(() => fake.sockets() === 2);
      const before = fake.calls('apps.connections.open');

      fake.dropSockets();

      await fake.until(() => fake.calls('apps.connections.open') >= before + 2 && fake.sockets() === 2);
      dispatch.answer = () => ({ kind: 'card', card: card('help'), to: 'caller' });
      await fake.command('help');
      await fake.until(() => sales().length === 1);
    });
  } else {
    it.each([
      ['a forged signature', { secret: 'guess' }],
      ['a request of ten minutes ago', { at: Math.floor(Date.now() / 1000) - 600 }],
      ['a request from the future', { at: Math.floor(Date.now() / 1000) + 600 }],
    ])('refuses %s', async (_, options) => {
      const { body, headers } = signedRequest(
        'slash_commands',
        { command: '/activate', text: 'help' } as Json,
        options,
      );

      const response = await fetch(requestUrl, { method: 'POST', body, headers });

      expect(response.status).toBe(401);
      expect(dispatch.asked).toEqual([]);
    });

    it("answers Slack's greeting, and refuses what isn't Slack's", async () => {
      const { body, headers } = signedRequest('events_api', { type: 'url_verification', challenge: 'c-1' });

      expect(await (await fetch(requestUrl, { method: 'POST', body, headers })).text()).toBe('c-1');
      expect((await fetch(requestUrl)).status).toBe(405);
      expect((await fetch(requestUrl, { method: 'POST', body: 'x'.repeat(1_100_000) })).status).toBe(413);
    });
  }
});

it('says which token is wrong', async () => {
  const fake = await startFakeSlack();
  const stop = new AbortController();
  const slack = createSlack({
    botToken: TOKENS.bot,
    appToken: 'xapp-wrong',
    apiUrl: fake.apiUrl,
    log: silentLog,
  });

  await expect(slack.receive(new Scripted(), stop.signal)).rejects.toMatchObject({
    code: 'AUTH_REJECTED',
    fix: expect.stringContaining('SLACK_APP_TOKEN'),
  });
  stop.abort();
  await fake.close();
});

it('says what is missing when there is no way to hear', async () => {
  const slack = createSlack({ botToken: TOKENS.bot, log: silentLog });

  await expect(slack.receive(new Scripted(), new AbortController().signal)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
  });
});

async function serve(slack: Platform): Promise<[Server, string]> {
  const app = express();
  app.use(slack.routes?.path ?? '', slack.routes?.handler ?? ((_request, response) => response.end()));
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return [server, `http://127.0.0.1:${(server.address() as AddressInfo).port}/slack`];
}
