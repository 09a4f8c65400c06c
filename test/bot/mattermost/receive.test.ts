import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHeard } from '../../../bot/mattermost/heard.ts';
import { createMattermost } from '../../../bot/mattermost/platform.ts';
import type { Platform } from '../../../bot/platform.ts';
import type { Card } from '../../../engine/contracts/card.ts';
import type { Dispatch, Origin, Reply } from '../../../engine/contracts/chat.ts';
import { type Form, field, type Options } from '../../../engine/contracts/form.ts';
import type { Invocation, Raw } from '../../../engine/contracts/refs.ts';
import {
  actionsOf,
  BOT,
  elementsOf,
  type FakeMattermost,
  type FakeOptions,
  type FakePost,
  HIDDEN,
  type Json,
  MAYA,
  SALES,
  SAM,
  startFakeMattermost,
  TOKEN,
  textOf,
  VERSIONS,
} from '../../fakes/mattermost.ts';
import { silentLog } from '../../support/log.ts';
import { type FreshDb, freshDb } from '../../support/postgres.ts';

function card(title: string, ...more: Card['blocks']): Card {
  const run = { command: 'claim', input: { id: '7' } };
  const actions = [{ type: 'button', label: 'Claim', run }] as const;
  return {
    title,
    fallback: title,
    blocks: [{ type: 'text', text: ['Hello'] }, { type: 'actions', actions }, ...more],
  };
}

const FORM: Form = {
  command: 'new-alert',
  title: 'New alert',
  step: { number: 2, of: 3 },
  intro: [],
  fields: {
    name: field.text({ label: 'Name' }),
    source: field.lookup({ label: 'Source', lookup: 'sources' }),
  },
  initial: {},
  errors: {},
  hidden: { draft: '7', step: '1' },
  submit: 'Next',
  back: { draft: '7', step: '1', back: 'true' },
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

describe.each(VERSIONS)('hearing %s', (version) => {
  const old = version.startsWith('6.');
  let own: FreshDb;
  let fake: FakeMattermost;
  let dispatch: Scripted;
  let stop: AbortController;
  let server: Server;
  let base: string;
  let clock: () => Date;

  beforeEach(async () => {
    own = await freshDb();
    clock = () => new Date();
    await start();
  });
  afterEach(async () => {
    await end();
    await own.close();
  });

  async function start(
    options: FakeOptions = {},
    commandTokens: readonly string[] = [],
    callbackUrl = 'https://bot.example',
  ): Promise<void> {
    fake = await startFakeMattermost({ version, ...options });
    await listen(commandTokens, callbackUrl);
  }

  async function listen(
    commandTokens: readonly string[] = [],
    callbackUrl = 'https://bot.example',
  ): Promise<void> {
    dispatch = new Scripted();
    stop = new AbortController();
    const mattermost = createMattermost({
      url: fake.url,
      token: TOKEN,
      callbackUrl,
      secretKey: 'k'.repeat(32),
      heard: createHeard(own.db),
      log: silentLog,
      now: () => clock(),
      reconnectMs: 10,
      submitWithinMs: 500,
      commandTokens,
    });
    [server, base] = await serve(mattermost);
    fake.behind = base;
    await mattermost.receive(dispatch, stop.signal);
  }

  async function end(): Promise<void> {
    stop.abort();
    await fake.close();
    await new Promise((resolve) => server.close(resolve));
  }

  const sales = () => fake.posts(SALES);
  const newest = (posts: readonly FakePost[]) => posts.at(-1)!;
  const shown = () => fake.dialog()?.dialog;
  const commands = () => dispatch.asked.map(({ invocation }) => invocation.command);

  /** A dialog as it is open after the command, or by the button that brings it where there is no other way. */
  async function openForm(): Promise<void> {
    dispatch.answer = ({ input }) => ({
      kind: 'form',
      form: { ...FORM, title: input['name'] || 'New alert' },
    });
    await fake.command('new-alert');
  }

  it('registers its command in each team, and mends the address of one that is there', async () => {
    expect(fake.state.commands).toMatchObject([
      { trigger: 'activate', url: 'https://bot.example/mattermost/command', username: 'activate' },
    ]);

    fake.state.commands[0]!.url = 'https://elsewhere.example/command';
    stop.abort();
    await new Promise((resolve) => server.close(resolve));
    await listen();

    expect(fake.state.commands.map(({ url }) => url)).toEqual(['https://bot.example/mattermost/command']);
  });

  it('waits for a server that is still starting, and shares the command with a process that starts beside it', async () => {
    await end();
    fake = await startFakeMattermost({ version });
    fake.fail('GET /users/me', { kind: 'status', status: 503 }, { kind: 'reset' });
    const heard = createHeard(own.db);
    const twin = createMattermost({
      url: fake.url,
      token: TOKEN,
      callbackUrl: 'https://bot.example',
      secretKey: 'k'.repeat(32),
      heard,
      log: silentLog,
      reconnectMs: 10,
    });
    const signal = new AbortController();

    await Promise.all([listen(), twin.receive(new Scripted(), signal.signal)]);

    expect(fake.state.commands).toHaveLength(1);
    expect(await fake.command('help')).toBe(200);
    signal.abort();
  });

  it('takes the token of a command that an admin made by hand, when it may make none itself', async () => {
    await end();
    await start({ rights: { commands: false } }, ['t'.repeat(26)]);
    const url = 'https://bot.example/mattermost/command';
    fake.state.commands.push({
      id: 'c',
      token: 't'.repeat(26),
      team_id: 'x',
      creator_id: MAYA,
      trigger: 'activate',
      delete_at: 0,
      url,
      username: '',
    });

    expect(await fake.command('help')).toBe(200);
    expect(await fake.command('help', { token: 'w'.repeat(26) })).toBe(401);
  });

  it('answers a command: to its caller, and to everybody', async () => {
    dispatch.answer = ({ command }) => ({
      kind: 'card',
      card: card(command),
      to: command === 'help' ? 'caller' : 'conversation',
    });

    await fake.command('help');
    await fake.command('status now');

    const [help, status] = sales();
    expect([help?.ephemeral, status?.ephemeral, status?.user_id]).toEqual([MAYA, undefined, BOT]);
    expect(dispatch.asked[1]).toEqual({
      invocation: { command: 'status', input: { text: 'now' } },
      origin: {
        person: { kind: 'person', platform: 'mattermost', id: MAYA },
        conversation: { kind: 'conversation', platform: 'mattermost', id: SALES },
      },
    });
    expect(fake.violations).toEqual([]);
  });

  it('answers everybody in a private channel that the bot is not in, and edits that answer when it is pressed', async () => {
    dispatch.answer = ({ command }) =>
      command === 'claim'
        ? { kind: 'card', card: card('Claimed'), to: 'pressed' }
        : { kind: 'card', card: card('status'), to: 'conversation' };

    await fake.command('status', { channel: HIDDEN });
    const [post] = fake.posts(HIDDEN);
    expect([post?.user_id, post?.ephemeral]).toEqual([MAYA, undefined]);
    await fake.press(post!, 'Claim');

    expect(fake.posts(HIDDEN).map(({ message }) => message)).toEqual(['#### Claimed\n\nHello']);
    expect(fake.violations).toEqual([]);
  });

  it('edits the pressed message, and answers beside one that only its reader sees', async () => {
    dispatch.answer = ({ command }) =>
      command === 'claim'
        ? { kind: 'card', card: card('Claimed'), to: 'pressed' }
        : { kind: 'card', card: card('New'), to: command === 'all' ? 'conversation' : 'caller' };
    await fake.command('all');
    await fake.command('mine');
    const [shared, mine] = sales();

    await fake.press(shared!, 'Claim');
    await fake.press(mine!, 'Claim');

    expect(sales().map(({ message, ephemeral }) => [message, ephemeral])).toEqual([
      ['#### Claimed\n\nHello', undefined],
      ['#### New\n\nHello', MAYA],
      ['#### Claimed\n\nHello', MAYA],
    ]);
    expect(dispatch.asked.at(-2)).toMatchObject({
      invocation: { command: 'claim', input: { id: '7' } },
      origin: { message: { id: shared?.id, conversation: { id: SALES } } },
    });
    expect(fake.violations).toEqual([]);
  });

  it('removes the buttons when the card that takes its place has none', async () => {
    dispatch.answer = ({ command }) =>
      command === 'claim'
        ? { kind: 'card', card: { title: 'Done', blocks: [], fallback: 'Done' }, to: 'pressed' }
        : { kind: 'card', card: card('New'), to: 'conversation' };
    await fake.command('all');

    await fake.press(newest(sales()), 'Claim');

    expect(actionsOf(newest(sales()))).toEqual([]);
  });

  it('runs what was chosen from a menu', async () => {
    const options = ['a', 'b'].map((label) => ({ label, run: { command: label, input: { x: '1' } } }));
    const menu = { type: 'actions', actions: [{ type: 'menu', label: 'Snooze', options }] } as const;
    dispatch.answer = ({ command }) =>
      command === 'all'
        ? { kind: 'card', card: card('New', menu), to: 'conversation' }
        : { kind: 'done', note: 'Later.' };
    await fake.command('all');

    await fake.press(newest(sales()), 'Snooze', { option: 'b' });

    expect(dispatch.asked.at(-1)?.invocation).toEqual({ command: 'b', input: { x: '1' } });
    expect(newest(sales())).toMatchObject({ ephemeral: MAYA, message: 'Later.' });
  });

  it('asks before it does what has a question, and then edits the message with the button', async () => {
    const run = { command: 'stop', input: {} };
    const stopButton = { type: 'button', label: 'Stop', confirm: 'Stop *all*?', run } as const;
    dispatch.answer = ({ command }) =>
      command === 'stop'
        ? { kind: 'card', card: { title: 'Stopped', blocks: [], fallback: 'x' }, to: 'pressed' }
        : { kind: 'card', card: card('New', { type: 'actions', actions: [stopButton] }), to: 'conversation' };
    await fake.command('all');

    await fake.press(newest(sales()), 'Stop');
    expect(dispatch.asked.map(({ invocation }) => invocation.command)).toEqual(['all']);
    expect(shown()).toMatchObject({
      title: 'Stop',
      introduction_text: 'Stop \\*all\\*?',
      submit_label: 'Stop',
    });
    await fake.submit({});

    expect(newest(sales()).message).toBe('#### Stopped');
    expect(fake.dialog()).toBeUndefined();
    expect(fake.violations).toEqual([]);
  });

  it('asks the same below a message that only its reader sees, and answers beside it', async () => {
    const run = { command: 'stop', input: {} };
    const stopButton = { type: 'button', label: 'Stop', confirm: 'Stop?', run } as const;
    dispatch.answer = ({ command }) =>
      command === 'stop'
        ? { kind: 'card', card: { title: 'Stopped', blocks: [], fallback: 'x' }, to: 'pressed' }
        : { kind: 'card', card: card('New', { type: 'actions', actions: [stopButton] }), to: 'caller' };
    await fake.command('mine');

    await fake.press(newest(sales()), 'Stop');
    await fake.submit({});

    expect(sales().map(({ message, ephemeral }) => [message, ephemeral])).toEqual([
      ['#### New\n\nHello', MAYA],
      ['#### Stopped', MAYA],
    ]);
    expect(fake.violations).toEqual([]);
  });

  it('opens a form, shows errors at their fields, and takes what was typed', async () => {
    const errors = { name: 'Taken.', '': 'And the source is away.' };
    const next: Form = { ...FORM, title: 'What was found', hidden: { draft: '7', step: '2' } };
    dispatch.answer = ({ input }) => {
      if (input['name'] === 'taken') {
        return { kind: 'form', form: { ...FORM, errors } };
      }
      return { kind: 'form', form: input['name'] === 'good' || input['step'] === '2' ? next : FORM };
    };

    await fake.command('new-alert');
    const refused = await fake.submit({ name: 'taken', source: 's1' });
    const said = await fake.submit({ name: 'good', source: 's1' });

    expect(refused).toEqual({ error: 'And the source is away.', errors: { name: 'Taken.' } });
    expect(dispatch.asked.at(-1)?.invocation).toEqual({
      command: 'new-alert',
      input: { draft: '7', step: '1', name: 'good', source: 's1' },
    });
    if (old) {
      expect(said).toEqual({});
      expect(newest(sales())).toMatchObject({ ephemeral: MAYA, message: 'Step 2 of 3: **What was found**' });
      expect(actionsOf(newest(sales())).map(({ name }) => name)).toEqual(['Next', '← Back']);
      await fake.press(newest(sales()), 'Next');
    }
    expect(shown()).toMatchObject({ title: 'What was found' });
    expect(fake.violations).toEqual([]);
  });

  it('leads back to the step before, with what was typed', async () => {
    await openForm();

    if (old) {
      await fake.submit({ name: 'x', source: 's1' });
      await fake.press(newest(sales()), '← Back');
      expect(dispatch.asked.at(-1)?.invocation.input).toEqual({ draft: '7', step: '1', back: 'true' });
    } else {
      const went = await fake.refresh('goback1', 'back');
      expect(went['type']).toBe('form');
      expect(dispatch.asked.at(-1)?.invocation.input).toMatchObject({ draft: '7', step: '1', back: 'true' });
      expect(await fake.refresh('goback1', 'on')).toEqual({});
    }
    expect(fake.violations).toEqual([]);
  });

  it('sends nothing on of what a client brings along from the dialogs before', async () => {
    await openForm();
    fake.dialog()!.values = { earlier: 'step', draft: '9' };

    await fake.submit({ name: 'x', source: 's1' });

    expect(dispatch.asked.at(-1)?.invocation.input).toEqual({
      draft: '7',
      step: '1',
      name: 'x',
      source: 's1',
    });
  });

  it('gives choices while somebody types, or lists them where the server can not ask', async () => {
    dispatch.choices = async (typed, input) => [
      { value: `${typed}-1`, label: `${typed} of ${input['draft']}`, hint: 'live' },
    ];
    await openForm();

    if (old) {
      const source = elementsOf(shown()!).find(({ name }) => name === 'source');
      expect(source?.['options']).toEqual([{ text: ' of 7 — live', value: '-1' }]);
    } else {
      expect(await fake.lookup('source', 'prod')).toEqual([{ text: 'prod of 7 — live', value: 'prod-1' }]);
    }
    expect(fake.violations).toEqual([]);
  });

  it('takes the name of a choice that had to be typed, and says what may have been meant', async () => {
    await end();
    // Over HTTP no server asks for choices.
    await start({}, [], 'http://bot.example');
    const all = Array.from({ length: 40 }, (_, index) => ({
      value: `id-${index}`,
      label: `Warehouse ${index}`,
    }));
    dispatch.choices = async (typed) =>
      all.filter(({ label }) => label.toLowerCase().includes(typed.toLowerCase())).slice(0, 20);
    dispatch.answer = ({ input }) =>
      input['source'] === undefined || all.some(({ value }) => value === input['source'])
        ? {
            kind: 'form',
            form: { ...FORM, hidden: { ...FORM.hidden, step: String(dispatch.asked.length) } },
          }
        : {
            kind: 'form',
            form: { ...FORM, hidden: { ...FORM.hidden, step: '1' }, errors: { source: 'Unknown.' } },
          };
    await fake.command('new-alert');
    expect(elementsOf(shown()!).find(({ name }) => name === 'source')).toMatchObject({ type: 'text' });

    const refused = await fake.submit({ name: 'x', source: 'Warehouse 3x' });
    await fake.submit({ name: 'x', source: 'warehouse 31' });

    expect(refused).toEqual({
      errors: { source: 'Unknown. Did you mean Warehouse 0, Warehouse 1, Warehouse 2?' },
    });
    expect(dispatch.asked.at(-1)?.invocation.input['source']).toBe('id-31');
  });

  it('closes the dialog and tells the caller what a submission ended in', async () => {
    dispatch.answer = ({ input }) =>
      input['name'] === undefined
        ? { kind: 'form', form: FORM }
        : { kind: 'card', card: card('Created'), to: 'caller' };
    await fake.command('new-alert');

    await fake.submit({ name: 'x', source: 's1' });

    expect(newest(sales())).toMatchObject({ ephemeral: MAYA, message: '#### Created\n\nHello' });
    expect(fake.dialog()).toBeUndefined();
  });

  it('offers a button when a form can no longer be opened, and opens it at the press', async () => {
    fake.triggerMs = -1;
    await openForm();
    expect(fake.dialog()).toBeUndefined();
    expect(newest(sales())).toMatchObject({ ephemeral: MAYA });
    fake.triggerMs = 3000;

    await fake.press(newest(sales()), 'Open form');

    expect(dispatch.asked.at(-1)?.invocation).toEqual({
      command: 'new-alert',
      input: { draft: '7', step: '1' },
    });
    expect(shown()).toMatchObject({ title: 'New alert' });
    expect(fake.violations).toEqual([]);
  });

  it('says that it works on it when the answer takes its time, and gives it afterwards', async () => {
    const slow = later<Reply>();
    dispatch.answer = () => slow.promise;

    await fake.command('status');
    expect(newest(sales()).message).toContain('Working on it');
    slow.settle({ kind: 'card', card: card('Status'), to: 'caller' });

    await fake.until(() => sales().length === 2);
    expect(newest(sales())).toMatchObject({ ephemeral: MAYA, message: '#### Status\n\nHello' });
  });

  it('closes a dialog whose submission hangs, and tells what it came to', async () => {
    const slow = later<Reply>();
    dispatch.answer = ({ input }) =>
      input['name'] === undefined ? { kind: 'form', form: FORM } : slow.promise;
    await fake.command('new-alert');

    await fake.submit({ name: 'x', source: 's1' });
    expect(fake.dialog()).toBeUndefined();
    slow.settle({ kind: 'form', form: { ...FORM, title: 'Preview', hidden: { draft: '7', step: '2' } } });

    await fake.until(() => sales().length === 1);
    expect(textOf(newest(sales()))).toContain('**Preview** is ready.');
    await fake.press(newest(sales()), 'Open form');
    expect(shown()).toBeDefined();
  });

  it('writes directly once the address for answers is used up, and the answers there still go to the channel', async () => {
    dispatch.answer = ({ command }) => ({
      kind: 'card',
      card: card(command),
      to: command === 'all' ? 'conversation' : 'caller',
    });
    await fake.command('help');
    const [help] = sales();
    for (let pressed = 0; pressed < 5; pressed += 1) {
      await fake.press(help!, 'Claim');
    }

    const said = await fake.press(help!, 'Claim');

    expect(said).toMatchObject({ ephemeral_text: 'I wrote to you directly.' });
    expect(fake.direct(MAYA).map(({ message }) => message)).toEqual(['#### claim\n\nHello']);
    await fake.press(fake.direct(MAYA)[0]!, 'Claim');
    expect(dispatch.asked.at(-1)?.origin).toMatchObject({ conversation: { id: SALES } });
    expect(fake.violations).toEqual([]);
  });

  it('whispers where it may', async () => {
    await end();
    await start({ rights: { admin: true } });
    dispatch.answer = () => ({ kind: 'card', card: card('help'), to: 'caller' });

    fake.say('@activate help');

    await fake.until(() => sales().some(({ ephemeral }) => ephemeral === MAYA));
    expect(fake.direct(MAYA)).toEqual([]);
    await fake.press(newest(sales()), 'Claim');
    expect(fake.violations).toEqual([]);
  });

  it('answers a mention in its thread and a direct message where it is, each once', async () => {
    dispatch.answer = ({ command }) => ({ kind: 'card', card: card(command), to: 'conversation' });

    const mention = fake.say('hey @activate status a < b');
    fake.say('nobody is asked here, activate@example.com');
    fake.say('@activate-not status');
    fake.say('help', { direct: true });

    await fake.until(() => fake.direct(MAYA).length === 2 && sales().length === 4);
    expect(newest(sales())).toMatchObject({ root_id: mention.id, user_id: BOT });
    expect(fake.direct(MAYA)[1]).toMatchObject({ root_id: '', message: '#### help\n\nHello' });
    const heard = [...dispatch.asked].sort((a, b) => (a.invocation.command < b.invocation.command ? -1 : 1));
    expect(heard.map(({ invocation, origin }) => [invocation, origin.direct])).toEqual([
      [{ command: 'help', input: {} }, true],
      [{ command: 'hey', input: { text: 'status a < b' } }, undefined],
    ]);
  });

  it('listens to no machine: not to itself, to bots, or to what a webhook writes in a name that is not its own', async () => {
    fake.say('@activate help', { props: { from_webhook: 'true' } });
    fake.say('@activate help', { props: { from_bot: 'true' } });
    fake.say('@activate help', { user: BOT });
    fake.say('@activate status', { user: SAM });

    await expect.poll(commands).toEqual(['status']);
  });

  it('writes directly to somebody who mentions it and is to see the answer alone', async () => {
    await fake.until(() => fake.sockets() === 1);
    dispatch.answer = () => ({ kind: 'form', form: FORM });

    fake.say('@activate new-alert');
    const [post] = await fake.until(() => fake.direct(MAYA).length === 1 && fake.direct(MAYA));
    await fake.press(post!, 'Open form');

    expect(shown()).toMatchObject({ title: 'New alert' });
    expect(dispatch.asked.at(-1)?.origin).toMatchObject({
      conversation: { id: SALES, thread: sales()[0]?.id },
    });
  });

  it('catches up on what was written while it was cut off, once', async () => {
    dispatch.answer = ({ command }) => ({ kind: 'card', card: card(command), to: 'conversation' });
    fake.dropSockets(true);
    fake.say('@activate status');
    fake.say('nothing for the bot');
    fake.say('help', { direct: true });

    fake.takeSockets();

    await fake.until(() => fake.direct(MAYA).length === 2 && sales().length === 3);
    fake.dropSockets();
    await fake.until(() => fake.sockets() === 0);
    await fake.until(() => fake.sockets() === 1);
    fake.say('@activate again');
    await fake.until(() => dispatch.asked.some(({ invocation }) => invocation.command === 'again'));
    expect(dispatch.asked.map(({ invocation }) => invocation.command).sort()).toEqual([
      'again',
      'help',
      'status',
    ]);
  });

  it('catches up after a restart, but says nothing about what is older than an hour', async () => {
    dispatch.answer = () => ({ kind: 'done' });
    fake.say('@activate first');
    await expect.poll(commands).toEqual(['first']);
    stop.abort();
    await fake.until(() => fake.sockets() === 0);
    await new Promise((resolve) => server.close(resolve));
    fake.say('@activate missed');

    await listen();
    await expect.poll(commands).toEqual(['missed']);
    stop.abort();
    await fake.until(() => fake.sockets() === 0);
    await new Promise((resolve) => server.close(resolve));

    fake.say('@activate long ago');
    clock = () => new Date(Date.now() + 2 * 3_600_000);
    await listen();
    fake.say('@activate now');
    await expect.poll(commands).toEqual(['now']);
  });

  it('answers one post once, however many processes hear it', async () => {
    const second = new Scripted();
    const signal = new AbortController();
    const twin = createMattermost({
      url: fake.url,
      token: TOKEN,
      callbackUrl: 'https://bot.example',
      secretKey: 'k'.repeat(32),
      heard: createHeard(own.db),
      log: silentLog,
    });
    await twin.receive(second, signal.signal);

    for (let said = 0; said < 20; said += 1) {
      fake.say(`@activate c${said}`);
    }

    await fake.until(() => fake.sockets() === 2);
    await expect.poll(() => dispatch.asked.length + second.asked.length).toBe(20);
    const all = [...dispatch.asked, ...second.asked].map(({ invocation }) => invocation.command);
    expect(new Set(all).size).toBe(20);
    signal.abort();
  });

  it('registers its command in a team that it is added to', async () => {
    fake.state.teams.push({ id: 'team2'.padEnd(26, '0'), name: 'south', display_name: 'South' });

    fake.tell({ event: 'added_to_team', data: { team_id: 'team2'.padEnd(26, '0'), user_id: BOT } });

    await fake.until(() => fake.state.commands.length === 2);
    expect(fake.state.commands[1]).toMatchObject({ team_id: 'team2'.padEnd(26, '0'), trigger: 'activate' });
  });

  it('does what came twice once, and answers both alike', async () => {
    dispatch.answer = () => ({ kind: 'card', card: card('all'), to: 'conversation' });
    await fake.command('all');
    const { integration } = actionsOf(newest(sales()))[0] as { integration: { context: Json } };
    const body = {
      user_id: MAYA,
      channel_id: SALES,
      post_id: newest(sales()).id,
      trigger_id: 'same',
      type: 'button',
      context: integration.context,
    };

    dispatch.answer = () => ({ kind: 'done', note: 'Claimed.' });
    const answers = await Promise.all([
      send(`${base}/mattermost/action`, body),
      send(`${base}/mattermost/action`, body),
    ]);

    expect(dispatch.asked.filter(({ invocation }) => invocation.command === 'claim')).toHaveLength(1);
    expect(answers.map(({ said }) => said)).toEqual([
      { ephemeral_text: 'Claimed.', skip_slack_parsing: true },
      { ephemeral_text: 'Claimed.', skip_slack_parsing: true },
    ]);
  });

  it('refuses calls that do not come from the server, or not from where they should', async () => {
    dispatch.answer = ({ command }) =>
      command === 'all'
        ? { kind: 'card', card: card('all'), to: 'conversation' }
        : { kind: 'form', form: FORM };
    await fake.command('all');
    await fake.command('new-alert');
    const { integration } = actionsOf(sales()[0]!)[0] as { integration: { context: Json } };
    const press = { user_id: MAYA, channel_id: SALES, post_id: 'p', context: integration.context };
    const state = shown()?.['state'];
    const submission = { user_id: MAYA, channel_id: SALES, state, submission: { name: 'x' } };
    const asked = dispatch.asked.length;

    const refused = await Promise.all([
      send(`${base}/mattermost/command`, { user_id: MAYA, text: 'help', token: 'guess' }),
      send(`${base}/mattermost/action`, { ...press, context: {} }),
      send(`${base}/mattermost/action`, { ...press, context: { token: state } }),
      send(`${base}/mattermost/action`, { ...press, channel_id: HIDDEN }),
      send(`${base}/mattermost/dialog`, { ...submission, user_id: SAM }),
      send(`${base}/mattermost/dialog`, { ...submission, state: integration.context['token'] }),
      send(`${base}/mattermost/dialog`, { ...submission, state: `${String(state).slice(0, -2)}AA` }),
      send(`${base}/mattermost/lookup`, {
        ...submission,
        submission: { selected_field: 'source', query: '' },
      }),
    ]);

    expect(refused.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 401));
    expect(dispatch.asked).toHaveLength(asked);
    expect((await fetch(`${base}/mattermost/action`)).status).toBe(405);
    expect((await fetch(`${base}/mattermost/other`, { method: 'POST' })).status).toBe(404);
    expect(
      (await fetch(`${base}/mattermost/action`, { method: 'POST', body: 'x'.repeat(1_100_000) })).status,
    ).toBe(413);
    expect((await fetch(`${base}/mattermost/action`, { method: 'POST', body: 'x' })).status).toBe(400);
  });

  it('says of a button or a form that is too old that it is too old', async () => {
    dispatch.answer = ({ command }) =>
      command === 'all'
        ? { kind: 'card', card: card('all'), to: 'conversation' }
        : { kind: 'form', form: FORM };
    await fake.command('all');
    await fake.command('new-alert');
    const asked = dispatch.asked.length;

    clock = () => new Date(Date.now() + 25 * 3_600_000);
    expect(await fake.submit({ name: 'x', source: 's' })).toEqual({
      error: 'This form is too old. Close it and open it again.',
    });
    clock = () => new Date(Date.now() + 366 * 24 * 3_600_000);
    await fake.press(sales()[0]!, 'Claim');

    expect(newest(sales()).message).toContain('too old');
    expect(dispatch.asked).toHaveLength(asked);
  });

  it('sends the files of an answer to the one who asked, in their direct messages', async () => {
    const files = [{ name: 'rows.csv', type: 'text/csv', bytes: Buffer.from('a') }];
    dispatch.answer = () => ({ kind: 'card', card: card('Rows'), to: 'caller', files });

    await fake.command('rows');

    const [post] = fake.direct(MAYA);
    expect(fake.state.files.get(post?.file_ids[0] ?? '')).toMatchObject({ name: 'rows.csv' });
  });

  it('says so when an answer could not be shown', async () => {
    fake.fail('POST /actions/dialogs/open', { kind: 'status', status: 400, id: 'odd' });

    await openForm();

    expect(newest(sales())).toMatchObject({ ephemeral: MAYA });
    expect(newest(sales()).message).toContain('Mattermost refused POST');
  });
});

it('says which token is wrong', async () => {
  const fake = await startFakeMattermost();
  const mattermost = createMattermost({
    url: fake.url,
    token: 'a-wrong-token',
    callbackUrl: 'https://bot.example',
    secretKey: 'k'.repeat(32),
    heard: { claim: async () => true, last: async () => undefined },
    log: silentLog,
  });

  await expect(mattermost.receive(new Scripted(), new AbortController().signal)).rejects.toMatchObject({
    code: 'AUTH_REJECTED',
    fix: expect.stringContaining('MATTERMOST_TOKEN'),
  });
  await fake.close();
});

async function send(url: string, body: Json): Promise<{ status: number; said: Json }> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, said: (await response.json()) as Json };
}

async function serve(mattermost: Platform): Promise<[Server, string]> {
  const app = express();
  app.use(
    mattermost.routes?.path ?? '',
    mattermost.routes?.handler ?? ((_request, response) => response.end()),
  );
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return [server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
}
