import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { dispatchOf } from '../../bot/commands.ts';
import { createLocal } from '../../bot/local/platform.ts';
import { createSlack } from '../../bot/slack/platform.ts';
import type { Dispatch, Origin, Reply } from '../../engine/contracts/chat.ts';
import type { PersonRef } from '../../engine/contracts/refs.ts';
import { demoChannels, demoPeople } from '../../engine/demo/people.ts';
import { People } from '../../engine/store/people.ts';
import { type FakeSlack, startFakeSlack, TOKENS } from '../fakes/slack.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { silentLog } from '../support/log.ts';
import { type FreshDb, freshDb } from '../support/postgres.ts';

const users = [
  { id: 'U0ADA', name: 'Ada P.', email: 'Ada@northwind.example', tz: 'Europe/Paris' },
  { id: 'U0GUEST', name: 'Gus Guest', email: 'gus@agency.example', more: { is_restricted: true } },
  // Whoever runs another workspace can write any address into it.
  { id: 'U0STRANGER', name: 'Not Ada', email: 'ada@northwind.example', more: { team_id: 'T0THEIRS' } },
  { id: 'U0LATE', name: 'Late', email: 'late@northwind.example' },
];

let slack: FakeSlack;
let app: TestApp;
let dispatch: Dispatch;

beforeAll(async () => {
  slack = await startFakeSlack({ users });
  app = await startApp({
    worker: false,
    senders: (db) => [
      createLocal({ db, log: silentLog, people: demoPeople, channels: demoChannels }),
      createSlack({ botToken: TOKENS.bot, apiUrl: slack.apiUrl, log: silentLog }),
    ],
  });
  dispatch = dispatchOf(app.app);
});
afterAll(async () => {
  await app.close();
  await slack.close();
});

function local(id: string, direct = false): Origin {
  const person = { kind: 'person', platform: 'local', id } as const;
  return { person, conversation: app.by.conversation, ...(direct ? { direct: true } : {}) };
}

function inSlack(id: string): Origin {
  const person = { kind: 'person', platform: 'slack', id } as const;
  return { person, conversation: { kind: 'conversation', platform: 'slack', id: 'C0SALES' } };
}

const terminal: Origin = {
  person: { kind: 'person', platform: 'cli', id: 'root' },
  conversation: { kind: 'conversation', platform: 'cli', id: 'terminal' },
  direct: true,
};

async function roleOf(person: PersonRef): Promise<string> {
  return (await app.app.identify(person)).role;
}

function said(reply: Reply): string {
  expect(reply.kind).toBe('card');
  return JSON.stringify(reply);
}

async function changes(): Promise<readonly object[]> {
  return app.db.query(
    `select person, subject, before, after from audit where kind = 'change' and command = 'role' order by id`,
  );
}

describe('a role', () => {
  it('is given from the chat, by name and by address, and it is written down what it was', async () => {
    const mia = local('mia').person;
    expect(await roleOf(mia)).toBe('editor');

    expect(said(await dispatch.typed('role @Mia Lopez role=approver', local('ada')))).toContain(
      'Mia Lopez is approver now, and was editor.',
    );
    expect(await roleOf(mia)).toBe('approver');
    await dispatch.typed('role mia@northwind.example viewer', local('ada'));
    expect(await roleOf(mia)).toBe('viewer');
    await dispatch.typed('role local:@mia viewer', local('ada'));

    expect(await changes()).toEqual([
      {
        person: 'Ada Park',
        subject: 'mia@northwind.example',
        before: { role: 'editor' },
        after: { role: 'approver' },
      },
      {
        person: 'Ada Park',
        subject: 'mia@northwind.example',
        before: { role: 'approver' },
        after: { role: 'viewer' },
      },
    ]);
  });

  it('can be given in a terminal to somebody who was never met: it holds once a platform vouches for the address', async () => {
    expect(said(await dispatch.typed('role Late@northwind.example approver', terminal))).toContain(
      'approver now',
    );

    expect(await roleOf(inSlack('U0LATE').person)).toBe('approver');
  });

  it('none keeps somebody from everything', async () => {
    await dispatch.typed('role tom@northwind.example none', local('ada'));

    expect(said(await dispatch.typed('home', local('tom')))).toContain('You may not do that');
    await dispatch.typed('role tom@northwind.example editor', local('ada'));
    expect(said(await dispatch.typed('home', local('tom')))).not.toContain('You may not do that');
  });

  it('of an admin by configuration stays', async () => {
    const before = (await changes()).length;

    const reply = said(await dispatch.typed('role ada@northwind.example editor', terminal));

    expect(reply).toContain('admin by configuration');
    expect(await roleOf(local('ada').person)).toBe('admin');
    expect(await changes()).toHaveLength(before);
    const [last] = await app.db.query('select kind, outcome from audit order by id desc limit 1');
    expect(last).toEqual({ kind: 'refusal', outcome: 'NOT_ALLOWED' });
  });

  it.each([
    ['role @Nobody editor', 'nobody called'],
    ['role nobody@northwind.example editor', 'Nobody here has the e-mail address'],
    ['role local:@nobody editor', 'There is nobody'],
    ['role local:general editor', 'no person'],
  ])('%s is answered with what is wrong', async (line, sentence) => {
    expect(JSON.stringify(await dispatch.typed(line, local('ada')))).toContain(sentence);
  });
});

describe('people', () => {
  it('are joined where two platforms vouch for the same address', async () => {
    const reply = said(await dispatch.typed('whoami', inSlack('U0ADA')));

    expect(reply).toContain('local:@ada, slack:@U0ADA');
    expect(reply).toContain('admin, by configuration');
    expect(await roleOf(inSlack('U0ADA').person)).toBe('admin');
  });

  it('from another workspace are not who they claim to be, and may do nothing until an admin says otherwise', async () => {
    const stranger = inSlack('U0STRANGER');

    expect(said(await dispatch.typed('whoami', stranger))).toContain('You may not do that');
    const identity = await app.app.identify(stranger.person);
    expect(identity).toMatchObject({ name: 'Not Ada', email: undefined, role: 'none' });

    await dispatch.typed('role slack:@U0STRANGER viewer', inSlack('U0ADA'));
    expect(said(await dispatch.typed('whoami', stranger))).toContain(
      'No platform has confirmed an e-mail address',
    );
  });

  it('who are guests look, and do no more', async () => {
    expect(await app.app.identify(inSlack('U0GUEST').person)).toMatchObject({
      email: 'gus@agency.example',
      role: 'viewer',
    });
  });

  it('are listed with their roles, most powerful first; addresses masked in a channel', async () => {
    const open = said(await dispatch.typed('people', local('ada', true)));
    const channel = said(await dispatch.typed('people', local('ada')));

    expect(open).toContain('ada@northwind.example');
    expect(channel).not.toContain('ada@northwind.example');
    expect(channel).toContain('admin by configuration · a•••@n•••.example · local, slack');
    expect(channel.indexOf('Ada P')).toBeLessThan(channel.indexOf('Gus'));
    expect(said(await dispatch.typed('people gus', local('ada')))).toContain('1 person');
  });
});

describe('the last admin', () => {
  let own: FreshDb;
  let people: People;
  const now = new Date();
  beforeAll(async () => {
    own = await freshDb();
  });
  afterAll(() => own.close());
  beforeEach(async () => {
    await own.db.query('delete from people');
    people = new People(own.db, { admins: [], defaultRole: 'admin' });
  });

  const meet = (id: string) => people.meet({ kind: 'person', platform: 'local', id }, { name: id }, now);
  const lower = (id: number) => own.db.transaction((sql) => people.giveRole(sql, id, 'viewer'));

  it('stays one', async () => {
    const [one, other] = [await meet('one'), await meet('other')];

    expect(await lower(one.id)).toMatchObject({ before: { role: 'admin' } });
    expect(await lower(other.id)).toMatchObject({ refused: 'last admin' });
    expect(await people.byId(other.id)).toMatchObject({ role: 'admin' });
  });

  it('stays one when two lower each other at once', async () => {
    for (let round = 0; round < 10; round += 1) {
      const [one, other] = [await meet(`a${round}`), await meet(`b${round}`)];
      await own.db.query(`update people set role = 'viewer' where id not in ($1, $2)`, [one.id, other.id]);

      const results = await Promise.all([lower(one.id), lower(other.id)]);

      expect(results.filter(({ refused }) => refused === 'last admin')).toHaveLength(1);
      expect(await people.deciding(['admin'])).toHaveLength(1);
    }
  });
});
