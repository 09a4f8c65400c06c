import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import type { Platform } from '../../../bot/platform.ts';
import { createTeams, type TeamsConfig } from '../../../bot/teams/platform.ts';
import type { Card } from '../../../engine/contracts/card.ts';
import type { Dispatch, Origin, Reply } from '../../../engine/contracts/chat.ts';
import { type Form, field, type Options } from '../../../engine/contracts/form.ts';
import type { Invocation, Raw } from '../../../engine/contracts/refs.ts';
import {
  APP,
  type FakeOptions,
  type FakeTeams,
  MAYA,
  SECRET,
  startFakeTeams,
  TENANT,
} from '../../fakes/teams.ts';
import { silentLog } from '../../support/log.ts';
import { type FreshDb, freshDb } from '../../support/postgres.ts';

type Answer = (invocation: Invocation, origin: Origin) => Reply | Promise<Reply>;

/** A dispatch whose answers the test decides, and that notes what it was asked. */
export class Scripted implements Dispatch {
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
  mayOpenForm({ command }: Invocation): boolean {
    return command === 'new-alert';
  }
  parse(line: string): Invocation {
    const [command = '', ...rest] = line.split(' ');
    return { command, input: rest.length === 0 ? {} : { name: rest.join(' ') } };
  }
}

/** The platform, heard over HTTP, with a pretended Microsoft and a real database. */
export interface TeamsStage {
  readonly fake: FakeTeams;
  readonly teams: Platform;
  readonly dispatch: Scripted;
  readonly botUrl: string;
  readonly store: FreshDb;
  /** Another process of the same installation; where it is reached. */
  another(): Promise<string>;
  close(): Promise<void>;
}

export async function openStage(
  options: FakeOptions & { readonly config?: Partial<TeamsConfig> } = {},
): Promise<TeamsStage> {
  const fake = await startFakeTeams(options);
  const store = await freshDb();
  const dispatch = new Scripted();
  const stop = new AbortController();
  const servers: Server[] = [];
  const launch = async (): Promise<{ readonly teams: Platform; readonly url: string }> => {
    const [server, url, mount] = await serve();
    servers.push(server);
    const teams = createTeams({
      db: store.db,
      appId: APP,
      tenantId: TENANT,
      credential: { type: 'secret', secret: SECRET },
      publicUrl: url,
      loginUrl: fake.loginUrl,
      openIdUrl: fake.openIdUrl,
      serviceUrl: fake.serviceUrl,
      buttons: {
        opensForm: (run) => dispatch.mayOpenForm(run),
        restricted: ({ command }) => command === 'approve',
        // `approve` is for Maya alone.
        allowed: async (_run, person) => person.id === MAYA,
      },
      log: silentLog,
      ...options.config,
    });
    mount(teams);
    await teams.receive(dispatch, stop.signal);
    return { teams, url };
  };
  const { teams, url } = await launch();
  return {
    fake,
    teams,
    dispatch,
    botUrl: url,
    store,
    another: async () => (await launch()).url,
    close: async () => {
      stop.abort();
      for (const server of servers) {
        await new Promise((resolve) => {
          server.close(resolve);
          server.closeAllConnections();
        });
      }
      await fake.close();
      await store.close();
    },
  };
}

async function serve(): Promise<readonly [Server, string, (platform: Platform) => void]> {
  const app = express();
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const mount = ({ routes }: Platform): void => {
    if (routes !== undefined) {
      app.use(routes.path, routes.handler);
    }
  };
  return [server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`, mount];
}

export function card(title: string, ...commands: readonly string[]): Card {
  const names = commands.length === 0 ? ['claim'] : commands;
  return {
    title,
    fallback: title,
    blocks: [
      { type: 'text', text: ['Hello'] },
      {
        type: 'actions',
        actions: names.map((command) => ({
          type: 'button',
          label: `${command[0]?.toUpperCase()}${command.slice(1)}`,
          run: { command, input: { id: '7' } },
        })),
      },
    ],
  };
}

export const FORM: Form = {
  command: 'new-alert',
  title: 'New alert',
  intro: [],
  fields: {
    name: field.text({ label: 'Name' }),
    source: field.lookup({ label: 'Source', lookup: 'sources' }),
    keys: field.lookups({ label: 'Key', lookup: 'columns' }),
  },
  initial: {},
  errors: {},
  hidden: { draft: '7' },
  submit: 'Next',
  back: { draft: '7', step: '1', back: 'true' },
};
