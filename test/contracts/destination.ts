import { describe, expect, it } from 'vitest';
import type { Connector, PartName } from '../../engine/contracts/connector.ts';
import type { BatchLimits, Outcome } from '../../engine/contracts/destination.ts';
import { isHostEntry } from '../../engine/http/hosts.ts';
import { type Answer, limited, type Received } from '../fakes/http.ts';
import { openFor } from '../support/connect.ts';
import { special } from './parts.ts';
import { type FarSide, onStage, type Result, type Stage } from './stage.ts';
import { type PartCases, type Work, worksOf } from './works.ts';

export type { FarSide } from './stage.ts';

/** What a connector shows of itself to the suite: its far side, and items that this takes. */
export interface Harness {
  readonly connector: Connector;
  /** A fresh far side with nothing in it but what the items need. */
  start(): Promise<FarSide>;
  readonly parts: PartCases;
  /** It signs in for a token, and gets another when that is refused. */
  readonly renewsToken: boolean;
  /** How the far side says things, where not by a plain status. */
  readonly says?: {
    limited?(seconds?: number): Answer;
    readonly unauthorized?: Answer;
    /** Answers for when it is in trouble: 500, 502, 503 unless said otherwise. */
    readonly broken?: readonly Answer[];
    /** A refusal that quotes the whole request, in the shape of its errors. */
    quoting?(request: Received): Answer;
  };
  /** Cases that can't hold for it, each with the reason, as a sentence. */
  readonly skip?: Partial<Record<Skippable, string>>;
}

/** What is tried of each thing that a part does. */
const cases = [
  'delivers',
  'one bad row',
  'limited',
  'limited, no time given',
  'in trouble',
  'unreadable',
  'breaks off',
  'again',
  'stops',
  'refused once',
  'refused',
  'quotes',
] as const;
type Case = (typeof cases)[number];
/** A case for all parts, or for one: `files again`. */
type Skippable = Case | `${PartName} ${string}` | 'wrong key';

/** A suite in the making: what it is about, and the points that have a test, or a reason why not. */
interface Suite {
  readonly harness: Harness;
  readonly points: Set<string>;
}

/** The tests that every destination passes. */
export function destinationContract(name: string, harness: Harness): void {
  describe(`${name}: what every destination owes`, () => {
    const suite: Suite = { harness, points: new Set() };
    const works = worksOf(harness.parts);
    declares(harness.connector, harness.parts);
    checks(suite);
    for (const work of works) {
      describe(work.name, () => delivers(suite, work));
    }
    for (const { title, key, test } of special(harness.parts)) {
      trial(suite, key, title, async (stage) => test(stage));
    }
    it('is held to every point, and every reason not to be is for one that there is', () => {
      const { points } = suite;
      const owed = works.flatMap(({ name, canBeBad }) =>
        cases.filter((one) => canBeBad || one !== 'one bad row').map((one) => `${name}: ${one}`),
      );
      const parts = works.flatMap(({ part }) => cases.map((one) => `${part} ${one}`));

      expect(owed.filter((point) => !points.has(point))).toEqual([]);
      const known = new Set<string>([...cases, ...parts, ...points]);
      expect(Object.keys(harness.skip ?? {}).filter((key) => !known.has(key))).toEqual([]);
    });
  });
}

function declares(connector: Connector, parts: PartCases): void {
  it('declares fields, hosts, steps and what it was tried with', () => {
    const { id, name, summary, config, hosts, setup, verified, api } = connector;

    expect(id).toMatch(/^[a-z][a-z0-9-]*$/);
    expect(name).not.toBe('');
    for (const sentence of [summary, verified, ...setup]) {
      expect(sentence).toMatch(/^[A-Z`*[].*[.:`)]$/s);
    }
    expect(setup).not.toEqual([]);
    for (const { label, help } of Object.values(config)) {
      expect(label.length, label).toBeLessThanOrEqual(24);
      expect((help ?? '').length, help).toBeLessThanOrEqual(150);
    }
    expect(hosts.filter((host) => host !== '*' && !isHostEntry(host))).toEqual([]);
    expect(api?.endsOn ?? '2026-01-01').toMatch(/^\d{4}-\d\d-\d\d$/);
  });

  it('has items for each part that it offers', () => {
    const offered = connector.offers.filter((part) => part !== 'source');

    expect(Object.keys(parts).toSorted()).toEqual(offered.toSorted());
  });
}

function checks(suite: Suite): void {
  const { harness } = suite;
  it('has the parts that it offers, with limits that let something through', async () => {
    await onStage(harness.connector, await harness.start(), async ({ opened }) => {
      for (const part of harness.connector.offers) {
        expect(opened.connection[part], part).toBeDefined();
        const { limits } = opened.connection[part] as { readonly limits?: BatchLimits };
        const { rows, bytes = 1, concurrency, paceMs = 0 } = limits ?? { rows: 1, concurrency: 1 };
        expect(Math.min(rows, bytes, concurrency), part).toBeGreaterThanOrEqual(1);
        expect(paceMs).toBeGreaterThanOrEqual(0);
      }
    });
  });

  it('finds nothing wrong with a connection that is right', async () => {
    for (const part of harness.connector.offers) {
      const far = await harness.start();
      const config = part === 'source' ? (far.readerConfig ?? far.config) : far.config;
      await onStage(harness.connector, { ...far, config }, async ({ opened }) => {
        expect(await opened.connection.check(part)).toEqual([]);
      });
    }
  });

  trial(suite, 'wrong key', 'says what to do about a wrong key', async ({ far, hear }) => {
    const open = async (): Promise<void> => {
      const { connection, close } = await openFor(harness.connector, far.wrongConfig, {
        standIns: far.standIns ?? {},
      });
      try {
        await connection.check(harness.connector.offers[0] as PartName);
      } finally {
        await close();
      }
    };

    const error = await open().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );

    hear(error);
    expect(error).toMatchObject({
      code: expect.stringMatching(/^(AUTH_REJECTED|CONFIG_INVALID)$/),
      fix: expect.any(String),
    });
    for (const secret of Object.values(far.wrongConfig).filter((value) => value.length > 7)) {
      expect(String(error)).not.toContain(secret);
    }
  });
}

function delivers(suite: Suite, work: Work): void {
  const { harness } = suite;
  const { says = {} } = harness;
  const { unauthorized = { status: 401, json: { message: 'Unauthorized' } } } = says;
  const slow = says.limited ?? limited;
  const broken = says.broken ?? [500, 502, 503].map((status) => ({ status, json: { message: 'Trouble' } }));
  const trialOf = (key: Case, title: string, test: (stage: Stage, far: FarSide) => Promise<void>): void =>
    trial(
      suite,
      key,
      title,
      async (stage) => {
        await work.prepare?.(stage.opened.connection, n);
        await stage.opened.connection.check(work.part);
        await test(stage, stage.far);
      },
      work,
    );

  trialOf('delivers', 'answers for each item, and what was sent is there', async (stage, far) => {
    const before = structuredClone(await far.stored());

    expectOk(await stage.attempt(work, n));
    expect(await far.stored()).not.toEqual(before);
  });

  if (work.canBeBad) {
    trialOf('one bad row', 'says which item was refused, and delivers the others', async (stage) => {
      const result = await stage.attempt(work, n, { bad: 1 });

      if (result.error === undefined) {
        expect(result.outcomes.map(({ state }) => state)).toEqual(['ok', 'rejected', 'ok']);
        expect(result.outcomes[1]).toMatchObject({ reason: expect.stringMatching(/\S/) });
      } else {
        // It does not say which: then the batch is halved, down to the one.
        expect(result.error.code).toBe('ROW_REJECTED');
        await onStage(harness.connector, await harness.start(), async (other) => {
          const alone = await other.attempt(work, 1, { bad: 0 });
          expect(alone.error?.code ?? alone.outcomes[0]?.state).toMatch(/^(ROW_REJECTED|rejected)$/);
        });
        expectOk(await stage.attempt(work, n));
      }
    });
  }

  trialOf('limited', 'waits as long as it is asked to', async (stage, far) => {
    far.fake.always(slow(30));

    const result = await stage.attempt(work, n);

    expect(result.error?.code ?? 'RATE_LIMITED').toBe('RATE_LIMITED');
    expect(waitsOf(result)).toEqual([30_000]);
  });

  trialOf('limited, no time given', 'leaves the wait open when none is named', async (stage, far) => {
    far.fake.always(slow());

    const result = await stage.attempt(work, n);

    expect(result.error?.code ?? 'RATE_LIMITED').toBe('RATE_LIMITED');
    expect(waitsOf(result)).toEqual([undefined]);
  });

  trialOf('in trouble', 'takes trouble at the far side for what passes', async (stage, far) => {
    for (const answer of broken) {
      far.fake.always(answer);
      expectPassing(await stage.attempt(work, n));
    }
  });

  trialOf('unreadable', 'does not know what was done when the answer can not be read', async (stage, far) => {
    far.fake.always('done-then-garbage');

    const { error, outcomes } = await stage.attempt(work, n);

    expect(error?.code ?? 'OUTCOME_UNKNOWN').toBe('OUTCOME_UNKNOWN');
    expect(new Set(error === undefined ? outcomes.map(({ state }) => state) : ['unknown'])).toEqual(
      new Set(['unknown']),
    );
  });

  trialOf('again', 'does no harm with the same items once more', async (stage, far) => {
    const tickets = new Map<string, string>();
    expectOk(await stage.attempt(work, n, { tickets }));
    const once = structuredClone(await far.stored());

    expectOk(await stage.attempt(work, n, { tickets, again: true }));
    expect(await far.stored()).toEqual(once);
  });

  trialOf('breaks off', 'ends in the same place whichever of its requests breaks off', async (stage, far) => {
    const before = far.fake.requests.length;
    expectOk(await stage.attempt(work, n));
    const wanted = structuredClone(await far.stored());
    const requests = far.fake.requests.length - before;

    for (let broken = 0; broken < Math.min(requests, 12); broken += 1) {
      await onStage(harness.connector, await harness.start(), async (other) => {
        await work.prepare?.(other.opened.connection, n);
        await other.opened.connection.check(work.part);
        await breakOff(other, work, broken);
        expect(await other.far.stored(), `request ${broken + 1} of ${requests}`).toEqual(wanted);
      });
    }
  });

  trialOf('stops', 'stops at once with the signal', async (stage, far) => {
    far.fake.always('hang');
    const gone = new AbortController();
    const reason = new Error('stopped');

    const sending = work.send(stage.opened.connection, n, {
      signal: gone.signal,
      again: false,
      bad: undefined,
      tickets: new Map(),
    });
    await far.fake.arrival();
    gone.abort(reason);

    await expect(sending).rejects.toBe(reason);
  });

  trialOf('refused once', 'gets a new token, once, or says that the key is refused', async (stage, far) => {
    far.fake.next(unauthorized);

    const result = await stage.attempt(work, n);

    if (harness.renewsToken) {
      expectOk(result);
    } else {
      expect(result.error).toMatchObject({ code: 'AUTH_REJECTED', fix: expect.any(String) });
    }
  });

  trialOf('refused', 'says what to do when its key is refused for good', async (stage, far) => {
    far.fake.always(unauthorized);

    expect((await stage.attempt(work, n)).error).toMatchObject({
      code: 'AUTH_REJECTED',
      fix: expect.any(String),
    });
    expect(far.fake.requests.length).toBeLessThan(20);
  });

  // What is told to people is searched for secrets after each test; here it has all of them to repeat.
  trialOf('quotes', 'repeats no secret when the far side quotes the request', async (stage, far) => {
    for (const status of [400, 401, 422, 429, 500]) {
      far.fake.always((request) => says.quoting?.(request) ?? quoted(status, request));
      const { error, outcomes } = await stage.attempt(work, n);
      expect(outcomes.filter(({ state }) => state === 'ok')).toEqual([]);
      expect(error === undefined && outcomes.length === 0).toBe(false);
    }
  });
}

const n = 3;

function trial(
  { harness, points }: Suite,
  key: Skippable | string,
  title: string,
  test: (stage: Stage) => Promise<void>,
  work?: Work,
): void {
  points.add(work === undefined ? key : `${work.name}: ${key}`);
  const { skip = {} } = harness;
  const timeoutMs = key === 'stops' ? 5_000 : 30_000;
  const reason = skip[`${work?.part} ${key}` as Skippable] ?? skip[key as Skippable];
  if (reason === undefined) {
    it(title, async () => onStage(harness.connector, await harness.start(), test), timeoutMs);
  } else {
    it.skip(`${title} (not here: ${reason})`);
  }
}

/** Tries until all is done, as the engine does; only what passes may keep it from being done. */
async function breakOff({ far, attempt }: Stage, work: Work, broken: number): Promise<void> {
  const tickets = new Map<string, string>();
  far.fake.next(...Array.from({ length: broken }, () => undefined), 'done-then-reset');
  for (let again = false; ; again = true) {
    const result = await attempt(work, n, { again, tickets });
    if (result.error === undefined && result.outcomes.every(({ state }) => state === 'ok')) {
      return;
    }
    expect(again, 'a second attempt has to do').toBe(false);
    expectPassing(result, ['ok']);
  }
}

function expectOk({ error, outcomes }: Result): void {
  expect(error).toBeUndefined();
  expect(outcomes.map(({ state }) => state)).toEqual(Array.from({ length: n }, () => 'ok'));
}

function expectPassing({ error, outcomes }: Result, also: readonly Outcome['state'][] = []): void {
  if (error === undefined) {
    expect(outcomes).toHaveLength(n);
    const passing: readonly string[] = ['retry', 'unknown', ...also];
    expect(outcomes.filter(({ state }) => !passing.includes(state))).toEqual([]);
  } else {
    expect(error.code).toMatch(/^(RATE_LIMITED|UNAVAILABLE|OUTCOME_UNKNOWN)$/);
  }
}

function waitsOf({ error, outcomes }: Result): readonly (number | undefined)[] {
  if (error !== undefined) {
    return [error.retryAfterMs];
  }
  const waits = outcomes.map((outcome) => (outcome.state === 'retry' ? outcome.afterMs : Number.NaN));
  return [...new Set(waits)];
}

function quoted(status: number, { headers, path, query, body }: Received): Answer {
  const all = `${JSON.stringify(headers)} ${path} ${query} ${body}`;
  return { status, json: { message: all, error: all, detail: all, errors: [{ message: all, detail: all }] } };
}
