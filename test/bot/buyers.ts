import { connectors } from '../../connectors/index.ts';
import type { Caller } from '../../engine/contracts/command.ts';
import type { PersonRef } from '../../engine/contracts/refs.ts';
import { parseSchedule } from '../../engine/schedule/cron.ts';
import { startReceiver, toReceiver } from '../scenarios/receiver.ts';
import type { Installation } from './installation.ts';

/** Buyers in the warehouse, and a list of them behind a webhook, to tell a story of approvals with. */
export interface Buyers {
  /** Who is on the list now. */
  readonly members: ReadonlySet<string>;
  /** Somebody as the bot knows them. */
  caller(person: PersonRef, channel: string): Promise<Caller>;
  role(person: PersonRef, role: string): Promise<void>;
  add(from: number, to: number): Promise<void>;
  /** Makes the audience `spring-buyers`, asked about where it is made; its first run comes at once. */
  audience(by: Caller, policy?: Readonly<Record<string, unknown>>): Promise<void>;
  close(): Promise<void>;
}

export async function startBuyers(bot: Installation): Promise<Buyers> {
  const members = new Set<string>();
  const hook = await startReceiver(({ type, data }) => {
    const { identifiers } = data as { readonly identifiers: { readonly email: string } };
    if (/remove/.test(type)) {
      members.delete(identifiers.email);
    } else {
      members.add(identifiers.email);
    }
    return { status: 200 };
  });
  await bot.warehouse.query(
    'create table buyers (id int primary key, email text, first_name text, city text)',
  );
  const { services, identify, db } = bot.running.app;
  return {
    members,
    caller: async (person, channel) => {
      const { platform } = person;
      const conversation = { kind: 'conversation', platform, id: channel } as const;
      return { ...(await identify(person)), person, conversation, platform };
    },
    role: async (person, role) => {
      await db.query('update people set role = $2 where id = $1', [
        Number((await identify(person)).id),
        role,
      ]);
    },
    add: async (from, to) => {
      await bot.warehouse.query(
        `insert into buyers select i, 'buyer' || i || '@mail.example', 'Buyer' || i, 'Paris'
           from generate_series($1::int, $2::int) i`,
        [from, to],
      );
    },
    audience: async (by, policy = {}) => {
      const receiver = toReceiver(hook, 50);
      const { secrets, config } = receiver.connection(receiver.port);
      const webhook = connectors.find(({ id }) => id === 'webhook');
      if (webhook === undefined) {
        throw new Error('no webhook connector');
      }
      await services.destinations.connect('ads', webhook, { ...config, ...secrets }, by);
      const settings = { list: 'spring', listName: 'Spring buyers', identifiers: { email: 'email' } };
      const draft = { framework: 'audiences', settings, destination: 'ads' } as const;
      const usual = await services.approvals.usual(draft);
      await services.syncs.create(
        {
          ...draft,
          name: 'spring-buyers',
          source: 'warehouse',
          sql: 'select id, email, first_name, city from buyers',
          key: ['id'],
          schedule: parseSchedule('0 0 1 1 *', 'Europe/Paris'),
          startsNow: true,
          policy: { ...usual, ...policy },
        },
        by,
      );
    },
    close: () => hook.close(),
  };
}
