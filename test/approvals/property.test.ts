import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ApprovalPolicy } from '../../engine/model/policy.ts';
import { decodeEntries } from '../../engine/planner/chunks.ts';
import { possibleLines } from '../../engine/planner/doubt.ts';
import { decodeLine } from '../../engine/planner/keys.ts';
import { verifyAudit } from '../../engine/store/audit.ts';
import { type Hold, holdById, holdOfRun } from '../../engine/store/holds.ts';
import { createPlans } from '../../engine/store/plans.ts';
import { type Sync, syncById } from '../../engine/store/syncs.ts';
import { type Hand, startYard, type Yard } from './yard.ts';

let yard: Yard;

beforeAll(async () => {
  yard = await startYard();
});

afterAll(() => yard.close());

beforeEach(() => yard.rig.reset());

type Kind = 'audience' | 'mirror';

/** A person on the list or off it, a record written or deleted. */
type Way = 'write' | 'take off';

/** What can happen, in any order. */
type Event =
  | { readonly what: 'run'; readonly dieAfter: number | undefined; readonly everything: boolean }
  | { readonly what: 'anew' }
  | { readonly what: 'rows'; readonly rows: readonly (readonly [id: number, version: number])[] }
  | {
      readonly what: 'click';
      readonly who: Hand;
      readonly command: 'approve' | 'reject';
      readonly back: number;
    }
  | { readonly what: 'edit'; readonly who: Hand; readonly part: 'query' | 'mapping' }
  | { readonly what: 'meddle'; readonly part: 'query' | 'mapping' | 'plan' }
  | { readonly what: 'expire' }
  | { readonly what: 'tend' };

const who = fc.constantFrom<Hand>('ada', 'erin', 'ann', 'bob');
const rows = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 2 })), {
  selector: ([id]) => id,
  minLength: 1,
});
const dieAfter = fc.option(fc.integer({ min: 1, max: 90 }), { nil: undefined });
const click = fc.record({
  what: fc.constant('click' as const),
  who,
  command: fc.oneof(
    { weight: 3, arbitrary: fc.constant('approve' as const) },
    fc.constant('reject' as const),
  ),
  back: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 3 })),
});
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ what: fc.constant('run' as const), dieAfter, everything: fc.boolean() }),
  },
  { weight: 6, arbitrary: click },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('rows' as const), rows }) },
  fc.record({ what: fc.constant('anew' as const) }),
  fc.record({
    what: fc.constant('edit' as const),
    who,
    part: fc.constantFrom('query' as const, 'mapping' as const),
  }),
  fc.record({
    what: fc.constant('meddle' as const),
    part: fc.constantFrom('query' as const, 'mapping' as const, 'plan' as const),
  }),
  fc.record({ what: fc.constant('expire' as const) }),
  fc.record({ what: fc.constant('tend' as const) }),
);

const yes = fc.constantFrom<Event>(
  ...(['ann', 'bob', 'ada'] as const).map(
    (one) => ({ what: 'click', who: one, command: 'approve', back: 0 }) as const,
  ),
);
const run = fc.record({ what: fc.constant('run' as const), dieAfter, everything: fc.constant(false) });
const perhaps = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  event.map((one) => [one]),
);

/** Planned, agreed to and delivered, with something in between or nothing. */
const round = fc
  .tuple(fc.record({ what: fc.constant('rows' as const), rows }), run, perhaps, yes, yes, perhaps, run)
  .map(([first, plan, then, one, other, last, deliver]) => [
    first,
    plan,
    ...then,
    one,
    other,
    ...last,
    deliver,
  ]);
const story: fc.Arbitrary<Event[]> = fc
  .array(
    fc.oneof(
      { weight: 2, arbitrary: round },
      event.map((one): Event[] => [one]),
    ),
    {
      minLength: 2,
      maxLength: 4,
      size: 'max',
    },
  )
  .map((parts) => parts.flat());

/** Two of them agree, and a worker dies on the way. */
const plain: Event[] = [
  { what: 'run', dieAfter: undefined, everything: false },
  { what: 'click', who: 'ann', command: 'approve', back: 0 },
  { what: 'click', who: 'bob', command: 'approve', back: 0 },
  { what: 'run', dieAfter: 20, everything: false },
];

const end: Event = { what: 'run', dieAfter: undefined, everything: false };

const settingsOf = {
  audience: [
    { list: 'list', listName: 'List', identifiers: { EMAIL: 'email' } },
    { list: 'list', listName: 'List', identifiers: { ID: 'id' } },
  ],
  mirror: ['email', 'mail'].map((name) => ({
    object: 'thing',
    mode: 'mirror',
    match: ['id'],
    fields: [field('id', 'id'), field(name, 'email')],
  })),
} as const;

function field(name: string, column: string) {
  return { field: name, from: { type: 'column', column } } as const;
}

/** One sync, everything that happens to it, and each plan that anybody could have approved as it was asked about. */
class Story {
  readonly sync: Sync;
  readonly kind: Kind;
  /** What each run may do, by its id, as text. */
  readonly plans = new Map<number, ReadonlySet<string>>();
  private edits = 0;

  constructor(kind: Kind, sync: Sync) {
    this.kind = kind;
    this.sync = sync;
  }

  async happens(one: Event): Promise<void> {
    const { rig, app } = yard;
    switch (one.what) {
      case 'run': {
        const scope = one.everything ? ('everything' as const) : ('changes' as const);
        await rig.run(this.sync, {
          scope,
          ...(one.dieAfter === undefined ? {} : { dieAfter: one.dieAfter }),
        });
        return this.capture();
      }
      case 'anew':
        await app.services.runs
          .start(this.sync.name, await this.by('erin'), 'manual', { anew: true })
          .catch(ignore);
        return;
      case 'rows':
        rig.world.rows = one.rows.map(([id, version]) => [String(id), `p${id}v${version}@people.example`]);
        return;
      case 'click': {
        const hold = (await this.holds())[one.back];
        if (hold !== undefined) {
          await yard.decides(one.who, hold, one.command);
        }
        return;
      }
      case 'edit':
        return this.edit(one.who, one.part);
      case 'meddle':
        return this.meddle(one.part);
      case 'expire':
        await rig.db.query(`update holds set expires_at = clock_timestamp() where subject = $1`, [
          this.sync.name,
        ]);
        return;
      case 'tend':
        return yard.tend();
      default:
        return one satisfies never;
    }
  }

  private async by(name: Hand) {
    const person = { kind: 'person', platform: 'local', id: name } as const;
    const conversation = { kind: 'conversation', platform: 'local', id: 'approvals' } as const;
    return { ...(await yard.app.identify(person)), person, conversation, platform: 'local' } as const;
  }

  private async holds(): Promise<readonly Hold[]> {
    const found = await yard.rig.db.query<{ id: string }>(
      'select id from holds where subject = $1 order by created_at desc',
      [this.sync.name],
    );
    const holds = await Promise.all(found.map(({ id }) => holdById(yard.rig.db, id)));
    return holds.flatMap((hold) => (hold === undefined ? [] : [hold]));
  }

  private async edit(name: Hand, part: 'query' | 'mapping'): Promise<void> {
    this.edits += 1;
    const detail = await yard.app.services.syncs.show(this.sync.name);
    const sql =
      part === 'query' ? `select * from rows where ${this.edits} = ${this.edits}` : detail.model.sql;
    const draft = {
      name: this.sync.name,
      framework: this.kind === 'audience' ? ('audiences' as const) : ('objects' as const),
      source: 'warehouse',
      destination: 'far side',
      sql,
      key: ['id'],
      settings: part === 'mapping' ? this.otherSettings(detail.sync) : detail.sync.settings,
      schedule: this.sync,
      startsNow: false,
    };
    await yard.app.services.syncs.update(this.sync.name, draft, await this.by(name)).catch(ignore);
  }

  private otherSettings({ settings }: Sync): object {
    const [one, other] = settingsOf[this.kind];
    const names = JSON.stringify(settings);
    const isOne = this.kind === 'audience' ? names.includes('EMAIL') : !names.includes('"mail"');
    return (isOne ? other : one) as object;
  }

  /** Behind everybody's back, in the database. A plan of which something is on its way is followed chunk by chunk. */
  private async meddle(part: 'query' | 'mapping' | 'plan'): Promise<void> {
    const { db } = yard.rig;
    this.edits += 1;
    if (part === 'query') {
      const sql = `select * from rows where ${this.edits} > 0`;
      await db.query('update models set sql = $2 where id = $1', [this.sync.modelId, sql]);
    } else if (part === 'mapping') {
      const now = (await syncById(db, this.sync.id)) ?? this.sync;
      await db.query('update syncs set settings = settings || $2 where id = $1', [
        this.sync.id,
        JSON.stringify(this.otherSettings(now)),
      ]);
    } else {
      await db.query(
        `update plan_chunks p set entries = (select o.entries from plan_chunks o where o.run_id <> p.run_id
             order by o.run_id desc limit 1)
          where run_id in (select id from runs where sync_id = $1 and state in ('held', 'delivering'))
            and exists (select from plan_chunks o where o.run_id <> p.run_id)
            and not exists (select from plan_chunks q where q.run_id = p.run_id and q.state <> 'planned')`,
        [this.sync.id],
      );
    }
  }

  /** Keeps what a run that waits would do, as it is stored when it begins to wait. */
  private async capture(): Promise<void> {
    const { db } = yard.rig;
    const [run] = await db.query<{ id: number; columns: readonly string[] }>(
      `select id, layout->'columns' as columns from runs where sync_id = $1 and state = 'held'`,
      [this.sync.id],
    );
    if (run === undefined || this.plans.has(run.id)) {
      return;
    }
    const { settings } = (await syncById(db, this.sync.id)) ?? this.sync;
    this.plans.set(run.id, await this.deedsOf(run, settings));
  }

  private async deedsOf(
    { id, columns }: { readonly id: number; readonly columns: readonly string[] },
    settings: Sync['settings'],
  ): Promise<ReadonlySet<string>> {
    const may = new Set<string>();
    const note = (way: Way, line: Buffer): void => {
      may.add(deed(this.kind, way, decodeLine(line, columns), settings));
    };
    for await (const { entries } of createPlans(yard.rig.db).read(id)) {
      for (const { line, previous } of decodeEntries(entries, 1)) {
        for (const before of previous === undefined ? [] : possibleLines(previous, columns.length)) {
          note('take off', before);
        }
        if (line !== undefined) {
          note('write', line);
        }
      }
    }
    return may;
  }

  /** What was done at the far side and in no approved plan. */
  async unasked(): Promise<readonly string[]> {
    const found: string[] = [];
    for (const { run, verb, items } of yard.rig.world.calls) {
      const hold = await holdOfRun(yard.rig.db, Number(run));
      const may = hold?.state === 'approved' ? this.plans.get(Number(run)) : undefined;
      for (const item of items) {
        const done = doneBy(this.kind, verb, item);
        if (may?.has(done) !== true) {
          found.push(`run ${run}, ${hold?.state ?? 'not held'}: ${done}`);
        }
      }
    }
    return found;
  }
}

function ignore(): void {
  // Most of it is refused, and has to be.
}

/** A deed of a plan, as text. */
function deed(
  kind: Kind,
  way: Way,
  [id = null, email = null]: readonly (string | null)[],
  settings: Sync['settings'],
): string {
  const names = JSON.stringify(settings);
  if (kind === 'audience') {
    return JSON.stringify([way, id, names.includes('EMAIL') ? { EMAIL: email } : { ID: id }]);
  }
  return JSON.stringify([
    way,
    id,
    way === 'write' ? { [names.includes('"mail"') ? 'mail' : 'email']: email } : {},
  ]);
}

function doneBy(kind: Kind, verb: string, item: unknown): string {
  const { key, identifiers, values } = item as {
    readonly key: string;
    readonly identifiers?: unknown;
    readonly values?: Readonly<Record<string, unknown>>;
  };
  const way = verb === 'remove' || verb === 'delete' ? 'take off' : 'write';
  const { id: _id, ...rest } = values ?? {};
  return JSON.stringify([way, key, kind === 'audience' ? identifiers : way === 'write' ? rest : {}]);
}

describe('of syncs whose runs are all looked at', () => {
  it.each([
    ['audience', {}],
    ['mirror', {}],
    ['audience', { quorum: 2, others: true }],
  ] as const)('%s %j: nothing is ever delivered that was not in an approved plan', async (kind, policy) => {
    let delivered = 0;
    await fc.assert(
      fc.asyncProperty(story, async (events) => {
        await yard.rig.reset();
        yard.rig.world.limits = { rows: 2, concurrency: 2 };
        const one = new Story(kind, await yard[kind]([1, 2, 3], policy as Partial<ApprovalPolicy>));

        for (const each of [...events, end]) {
          await one.happens(each);
        }

        expect(await one.unasked()).toEqual([]);
        delivered += yard.rig.world.calls.length;
      }),
      { numRuns: 25, examples: [[plain]], interruptAfterTimeLimit: 14_000, markInterruptAsFailure: false },
    );
    expect(delivered).toBeGreaterThan(0);
  });

  it('the log holds from its beginning to its end', async () => {
    const verdict = await verifyAudit(yard.rig.db);

    expect(verdict.broken).toBeUndefined();
    expect(verdict.count).toBeGreaterThan(50);
  });
});
