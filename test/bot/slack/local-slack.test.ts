import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSlack } from '../../../bot/slack/platform.ts';
import type { Card } from '../../../engine/contracts/card.ts';
import type { Dispatch, Reply } from '../../../engine/contracts/chat.ts';
import { field } from '../../../engine/contracts/form.ts';
import type { Invocation } from '../../../engine/contracts/refs.ts';
import { hasLocalSlack, startLocalSlack } from '../../support/local-slack.ts';
import { silentLog } from '../../support/log.ts';

const PEOPLE = {
  users: [{ id: 'U1MAYA', name: 'Maya Ortiz', email: 'maya@example.com' }],
  channels: [{ id: 'C1SALES', name: 'sales' }],
};

function created(name: string): Card {
  return {
    title: `Alert ${name}`,
    blocks: [
      {
        type: 'actions',
        actions: [{ type: 'button', label: 'Pause', run: { command: 'pause', input: { name } } }],
      },
    ],
    fallback: `Alert ${name}`,
  };
}

async function run({ command, input }: Invocation): Promise<Reply> {
  if (command === 'pause') {
    return { kind: 'card', to: 'pressed', card: { ...created(`${input['name']} paused`), blocks: [] } };
  }
  if (input['name'] !== undefined) {
    return { kind: 'card', to: 'conversation', card: created(input['name']) };
  }
  return {
    kind: 'form',
    form: {
      command,
      title: 'New alert',
      intro: [],
      fields: { name: field.text({ label: 'Name' }) },
      initial: {},
      errors: {},
      hidden: { draft: '1' },
      submit: 'Create',
    },
  };
}

const dispatch: Dispatch = {
  run,
  typed: (line) => run({ command: line, input: {} }),
  options: async () => [],
  complete: async () => [],
  mayOpenForm: () => true,
  parse: (line) => ({ command: line, input: {} }),
};

describe.runIf(hasLocalSlack).each(['socket', 'http'] as const)('with local-slack over %s', (mode) => {
  it('goes from a command to a form to a message to its edit', async () => {
    const app = express();
    const server = createServer(app);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const requestUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/slack`;
    const local = await startLocalSlack(mode === 'http' ? { ...PEOPLE, requestUrl } : PEOPLE);
    const stop = new AbortController();
    onTestFinished(async () => {
      stop.abort();
      await local.stop();
      await new Promise((resolve) => server.close(resolve));
    });
    const config = { botToken: local.tokens.bot, apiUrl: local.apiUrl, log: silentLog };
    const slack = createSlack(
      mode === 'http'
        ? { ...config, signingSecret: local.tokens.secret }
        : { ...config, appToken: local.tokens.app },
    );
    if (slack.routes !== undefined) {
      app.use(slack.routes.path, slack.routes.handler);
    }
    await slack.receive(dispatch, stop.signal);

    await local.command('new-alert');
    const modal = await local.until(async () => (await local.modals())[0]);
    expect(modal.title?.text).toBe('New alert');
    await local.submit({ name: 'Big deals' });
    const message = await local.until(async () => (await local.messages('C1SALES'))[0]);
    expect(message.text).toBe('Alert Big deals');
    expect(await local.modals()).toEqual([]);
    await local.press(message, 'Pause');
    await local.until(async () =>
      (await local.messages('C1SALES'))[0]?.text === 'Alert Big deals paused' ? true : undefined,
    );
    // Once, although local-slack sends every envelope to both connections.
    expect(await local.messages('C1SALES')).toHaveLength(1);
    expect(await slack.personByEmail('maya@example.com')).toEqual({
      kind: 'person',
      platform: 'slack',
      id: 'U1MAYA',
    });
  });
});
