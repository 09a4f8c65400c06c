import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { shortPlan } from '../../engine/cards/hold.ts';
import type { Caller } from '../../engine/contracts/command.ts';
import { asActivateError } from '../../engine/contracts/errors.ts';
import { alertSettings } from '../../engine/model/alert.ts';
import type { ApprovalPolicy } from '../../engine/model/policy.ts';
import type { SyncDraft } from '../../engine/services.ts';
import { copiesOf, type Hold, pendingHolds } from '../../engine/store/holds.ts';
import { draftOf, emailOf, type House, policyWith, startHouse, wordsOf } from './house.ts';

let house: House;
let erin: Caller;

beforeAll(async () => {
  house = await startHouse();
  erin = await house.by('erin');
});

afterAll(() => house.close());

/** What a call came to: `made`, or the code of the error. */
async function cameTo(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'made',
    (thrown: unknown) => asActivateError(thrown).code,
  );
}

describe('the values of a button', () => {
  let hold: Hold;
  let other: Hold;

  beforeAll(async () => {
    house.fill([1, 2, 3]);
    hold = await house.hold(await house.audience('pressed'));
    other = await house.hold(await house.audience('beside'));
  });

  const plan = (of: Hold): string => shortPlan(of.fingerprint);
  const edits: readonly (readonly [string, () => Readonly<Record<string, string>>])[] = [
    ['another name', () => ({ name: 'beside' })],
    ['another plan', () => ({ plan: plan(other) })],
    ['both of another card', () => ({ name: 'beside', plan: plan(other) })],
    ['a name that is none', () => ({ name: 'nobody' })],
    ['a plan that is none', () => ({ plan: 'f'.repeat(12) })],
    ['a shortened plan', () => ({ plan: plan(hold).slice(0, 11) })],
    ['one letter of a plan', () => ({ plan: plan(hold).slice(0, 1) })],
    ['a longer plan that goes on otherwise', () => ({ plan: `${plan(hold)}${otherDigit(hold)}` })],
    ['a pattern', () => ({ plan: '%___________' })],
    ['a pattern in the name', () => ({ name: 'press%' })],
    ['SQL as a plan', () => ({ plan: `' or 'a'='a` })],
    ['SQL after a plan', () => ({ plan: `${plan(hold)}' or true --` })],
    ['SQL as a name', () => ({ name: `pressed'; update holds set state = 'approved'; --` })],
    ['a plan with NUL', () => ({ plan: `${plan(hold)}\0` })],
    ['a name with NUL', () => ({ name: 'pressed\0' })],
    ['half a character', () => ({ name: 'pressed\uD83D' })],
    ['a very long name', () => ({ name: 'p'.repeat(3000) })],
  ];

  it.each(edits)('edited decide nothing: %s', async (_what, edit) => {
    const before = await lastOf(house);

    const reply = await house.press('ann', hold, { input: edit() });

    expect(reply).toMatchObject({ kind: 'card', to: 'caller', card: { tone: 'bad' } });
    expect(await house.now(hold)).toEqual(hold);
    expect(await house.now(other)).toEqual(other);
    const entry = await lastOf(house);
    expect(entry.id).toBeGreaterThan(before.id);
    expect(entry).toMatchObject({ kind: 'refusal', person: 'Ann', command: 'approve' });
  });

  it.each([
    ['no plan', { plan: '' }],
    ['a plan longer than any', { plan: 'a'.repeat(65) }],
    ['no name', { name: ' ' }],
  ])('that are missing are asked for: %s', async (_what, input) => {
    expect(await house.press('ann', hold, { input })).toMatchObject({ kind: 'form' });
    expect(await house.now(hold)).toEqual(hold);
  });

  it.each(['approve', 'reject', 'delegate'] as const)(
    'do not work from another message: %s',
    async (command) => {
      const [copy] = await copiesOf(house.db, other.id);
      const input = { reason: 'No.', person: emailOf('bob') };
      const elsewhere = { ...copy?.message.conversation, id: 'other' } as NonNullable<
        typeof copy
      >['message']['conversation'];
      const [own] = await copiesOf(house.db, hold.id);
      for (const message of [
        copy?.message,
        { conversation: elsewhere, id: own?.message.id ?? '' },
        {
          conversation: { ...elsewhere, id: 'approvals', platform: 'slack' as const },
          id: own?.message.id ?? '',
        },
      ]) {
        const reply = await house.press('ann', hold, { command, input, ...(message && { message }) });

        expect(reply).toMatchObject({ kind: 'card', to: 'caller' });
        expect(wordsOf(reply)).toContain('does not belong to that plan');
        expect(await lastOf(house)).toMatchObject({ kind: 'refusal', outcome: 'NOT_ALLOWED' });
      }
      expect(await house.now(hold)).toEqual(hold);
    },
  );

  it('work in capitals, and in full', async () => {
    const whole = hold.fingerprint.toUpperCase();

    const reply = await house.press('ann', hold, { input: { plan: whole } });

    expect(reply).toMatchObject({ kind: 'card', to: 'pressed' });
    await house.ended(hold);
  });
});

function otherDigit({ fingerprint }: Hold): string {
  return fingerprint[12] === '0' ? '1' : '0';
}

async function lastOf({ db }: House) {
  const [row] = await db.query<{ id: number; kind: string; outcome: string }>(
    'select id, kind, person, command, outcome from audit order by id desc limit 1',
  );
  return row ?? { id: 0, kind: '', outcome: '' };
}

describe('an editor finds no way around', () => {
  const walled: SyncDraft = {
    ...draftOf('walled'),
    model: 'shared',
    policy: policyWith({ ask: 'always', approvers: [emailOf('ann')] }),
  };
  let before: unknown;

  /** All that decides what the sync does. */
  const whole = async (): Promise<unknown> => {
    const rows = await house.db.query(
      `select s.name, s.settings, s.policy, s.cron, s.time_zone, s.report_to, s.destination_id, s.version, m.sql, m.key,
              m.source_id, d.secrets, w.secrets as source_secrets
         from syncs s join models m on m.id = s.model_id join destinations d on d.id = s.destination_id
         join sources w on w.id = m.source_id where s.name = 'walled'`,
    );
    return rows;
  };

  const expectWaits = async (subject: string, work: Promise<unknown>): Promise<void> => {
    expect(await cameTo(work)).toBe('AWAITS_APPROVAL');
    expect(await whole()).toEqual(before);
    const [hold] = await pendingHolds(house.db, subject);
    expect(hold).toMatchObject({ kind: 'change', requester: 'Erin' });
    for (const who of ['erin', 'bob', 'ada'] as const) {
      await house.press(who, hold as Hold, { message: null });
    }
    expect(await house.now(hold as Hold)).toMatchObject({ state: 'pending' });
    await house.db.query(`update holds set state = 'superseded' where id = $1`, [hold?.id]);
  };

  beforeAll(async () => {
    const [connector] = house.app.services.connectors;
    await house.app.services.sources.connect('elsewhere', connector as never, {}, erin);
    await house.app.services.syncs.create(walled, await house.by('ann'));
  });

  beforeEach(async () => {
    before = await whole();
  });

  const edits: readonly (readonly [string, Partial<SyncDraft>])[] = [
    ['its query', { sql: 'select id, email from everybody' }],
    ['its key', { key: ['email'] }],
    ['its list', { settings: { list: 'other', listName: 'Other', identifiers: { EMAIL: 'email' } } }],
    ['its schedule', { schedule: { cron: '* * * * *', timeZone: 'UTC' } }],
    ['its source', { source: 'elsewhere' }],
    ['where it reports', { reportTo: 'local:other' }],
    ['where it asks', { policy: { ...(walled.policy as ApprovalPolicy), askIn: 'local:other' } }],
    ['whom it asks', { policy: { ...(walled.policy as ApprovalPolicy), approvers: [emailOf('bob')] } }],
    ['whether it asks', { policy: policyWith({}) }],
    ['more of what it asks', { policy: { ...(walled.policy as ApprovalPolicy), quorum: 2 } }],
    ['nothing', {}],
  ];

  it.each(edits)('by a form that changes %s', async (_what, change) => {
    await expectWaits('walled', house.app.services.syncs.update('walled', { ...walled, ...change }, erin));
  });

  it.each([
    ['sql: select id, email from people', 'sql: select id, email from everybody'],
    ['list: list', 'list: other'],
    ['report_to: local:approvals', 'report_to: local:other'],
    ['ask: always', 'ask: never'],
    ['ann@house.example', 'bob@house.example'],
    ['schedule: 0 0 1 1 *', 'schedule: "* * * * *"'],
  ])('by a file that says %s otherwise', async (is, wanted) => {
    const { documents } = house.app.services;
    const yaml = await documents.write('walled');
    expect(yaml).toContain(is);

    const made = await documents.apply(yaml.replace(is, wanted), erin);

    expect(made.find(({ kind }) => kind === 'sync')).toMatchObject({ name: 'walled', waits: true });
    expect(await whole()).toEqual(before);
  });

  it('by a file that leaves out what is asked', async () => {
    const { documents } = house.app.services;
    const yaml = await documents.write('walled');
    const without = yaml.replace(/\n +approval:\n(?: {6,}.*\n)+/, '\n');
    expect(without).not.toBe(yaml);

    await documents.apply(without, erin);

    expect(await whole()).toEqual(before);
  });

  it('by the command that says what is approved', async () => {
    const input = { name: 'walled', ask: 'never' };
    const form = await house.app.services.approvals.policy('walled');
    await expectWaits(
      'walled',
      house.app.services.approvals.setPolicy('walled', { ...form, ask: 'never' }, erin),
    );

    const reply = await house.says('erin', `policy ${input.name} ask=never`);

    expect(reply.kind).toBe('form');
    expect(await whole()).toEqual(before);
  });

  it('by deleting it, to make it anew', async () => {
    const reply = await house.says('erin', 'delete walled sure=yes');

    expect(wordsOf(reply)).toContain('waits for approval');
    expect(
      await cameTo(house.app.services.syncs.create({ ...walled, policy: policyWith({}) }, erin)),
    ).not.toBe('made');
    await expectWaits('walled', house.app.services.syncs.remove('walled', erin));
  });

  it.each(['source', 'destination'] as const)('by connecting its %s anew', async (kind) => {
    const { sources, destinations, connectors } = house.app.services;
    const [connector] = connectors;
    const name = kind === 'source' ? 'warehouse' : 'far-side';

    await expectWaits(
      name,
      (kind === 'source' ? sources : destinations).connect(name, connector as never, {}, erin),
    );
  });

  it.each([
    ['another query', { sql: 'select id, email from everybody' }],
    ['another key', { key: ['email'] }],
    ['another source', { source: 'elsewhere' }],
  ])('by a sync or an alert that brings its model %s', async (_what, change) => {
    const { syncs, alerts } = house.app.services;
    const { policy: _asks, ...plain } = walled;
    await expectWaits('second', syncs.create({ ...plain, name: 'second', ...change }, erin));
    const { sql, key, source, schedule } = { ...walled, ...change };
    const settings = alertSettings.parse({
      trigger: 'added',
      mode: 'message',
      title: 'x',
      message: 'x',
      targets: [{ type: 'channel', to: 'local:other' }],
      platform: 'local',
    });
    const alert = { name: 'shared', sql, key, source, schedule, settings };
    await expectWaits('shared', alerts.create(alert, erin));
  });

  it('by editing something unguarded that reads the same model', async () => {
    const { syncs } = house.app.services;
    const plain = { ...walled, name: 'plain', policy: policyWith({ ask: 'never' }) };
    await syncs.create(plain, await house.by('ann'));

    await expectWaits(
      'plain',
      syncs.update('plain', { ...plain, sql: 'select id, email from everybody' }, erin),
    );
    await expectWaits('plain', syncs.update('plain', { ...plain, source: 'elsewhere' }, erin));
    const other = {
      ...plain,
      settings: { list: 'other', listName: 'Other', identifiers: { EMAIL: 'email' } },
    };
    expect(await cameTo(syncs.update('plain', other, erin))).toBe('made');
  });

  it('but may pause it and let it go on', async () => {
    await house.says('erin', 'pause walled');
    expect((await house.app.services.syncs.show('walled')).sync.state).toBe('paused');
    await house.says('erin', 'resume walled');
    expect((await house.app.services.syncs.show('walled')).sync.state).toBe('active');
  });

  it.each(['run walled', 'retry walled', 'resync walled how=everything'])('by "%s"', async (line) => {
    house.world.members.clear();
    house.fill([1, 2, 3]);
    await house.says('erin', line);
    const [run] = await house.app.services.runs.recent('walled', 1);

    const ended = await house.app.services.runs.finished(run?.id ?? 0, 20_000);

    expect(ended).toMatchObject({ state: 'held' });
    expect(house.members()).toEqual([]);
    const [hold] = await pendingHolds(house.db, 'walled');
    await house.press('ann', hold as Hold, {
      command: 'reject',
      input: { reason: 'No.' },
      message: null,
    });
  });
});

describe('a sync at a place where others decide', () => {
  const records = (mode: string): unknown => ({
    object: 'thing',
    mode,
    match: ['email'],
    fields: [{ field: 'email', from: { type: 'column', column: 'email' } }],
  });
  const draft = (changes: Partial<SyncDraft>): SyncDraft => {
    const { policy: _asks, ...plain } = draftOf('new');
    return { ...plain, framework: 'objects', destination: 'crm', settings: records('upsert'), ...changes };
  };

  beforeAll(async () => {
    const { services } = house.app;
    const [connector] = services.connectors;
    for (const name of ['crm', 'open']) {
      await services.destinations.connect(name, connector as never, {}, erin);
    }
    await services.approvals.setApproversAt(
      { kind: 'destination', name: 'crm' },
      [emailOf('bob')],
      await house.by('ada'),
    );
  });

  it.each([
    ['never', { ask: 'never' }],
    ['not at its first run', { ask: 'unusual', removes: 'any' }],
    ['others than those there', { ask: 'always', approvers: [emailOf('ann')] }],
    ['others later on', { ask: 'always', escalateTo: [emailOf('ann')], escalateHours: 0.01 }],
  ] as const)('is not made by an editor to ask %s', async (_what, policy) => {
    const { syncs } = house.app.services;
    const asked = policyWith(policy as Partial<ApprovalPolicy>);

    expect(await cameTo(syncs.create(draft({ policy: asked }), erin))).toBe('NOT_ALLOWED');
    expect(await cameTo(syncs.create(draft({ policy: asked }), await house.by('ann')))).toBe('NOT_ALLOWED');
    expect(
      await cameTo(
        syncs.create(draft({ policy: asked, name: `by-bob-${policy.ask}` }), await house.by('bob')),
      ),
    ).toMatch(/made|INPUT_INVALID/);
  });

  it('asks as is usual when nothing was said, and may ask more', async () => {
    const { syncs, approvals } = house.app.services;
    await syncs.create(draft({ name: 'as-usual' }), erin);
    expect(await approvals.policy('as-usual')).toMatchObject({ ask: 'unusual', firstRun: true });
    const more = policyWith({ ask: 'always', approvers: ['BOB@house.example'] });
    expect(await cameTo(syncs.create(draft({ name: 'more', policy: more }), erin))).toBe('made');
  });

  it('is not moved there to ask less', async () => {
    const { syncs } = house.app.services;
    await syncs.create(draft({ name: 'mover', destination: 'open' }), erin);

    expect(await cameTo(syncs.update('mover', draft({ name: 'mover' }), erin))).toBe('NOT_ALLOWED');
    expect(await cameTo(syncs.update('mover', draft({ name: 'mover' }), await house.by('ann')))).toBe(
      'NOT_ALLOWED',
    );
    const asking = policyWith({ ask: 'unusual', firstRun: true });
    expect(await cameTo(syncs.update('mover', draft({ name: 'mover', policy: asking }), erin))).toBe('made');
  });

  it('does not begin to delete without asking', async () => {
    const { syncs } = house.app.services;
    const mirror = { name: 'deleter', destination: 'open', settings: records('mirror') };
    await syncs.create(draft({ name: 'deleter', destination: 'open' }), erin);

    expect(await cameTo(syncs.update('deleter', draft(mirror), erin))).toBe('NOT_ALLOWED');
    const asking = policyWith({ ask: 'unusual', removes: '20 %', shrinks: true });
    expect(await cameTo(syncs.update('deleter', draft({ ...mirror, policy: asking }), erin))).toBe('made');
    expect(await cameTo(syncs.update('deleter', draft(mirror), erin))).toBe('AWAITS_APPROVAL');
  });
});
