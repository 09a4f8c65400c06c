import { describe, expect, inject, it } from 'vitest';
import { postgres } from '../../connectors/postgres/index.ts';
import type { ObjectBatch, Operation } from '../../engine/contracts/destination.ts';
import { destinationContract } from '../contracts/destination.ts';
import { type FarSide, onStage, type Result } from '../contracts/stage.ts';
import { type Work, worksOf } from '../contracts/works.ts';
import type { Answer, Received, Reply } from '../fakes/http.ts';
import { type FakePostgres, failure, password, startFakePostgres } from '../fakes/postgres.ts';

const tables = [
  'create table customers (email text primary key, score int not null, ref int unique)',
  `insert into customers select 'old' || i || '@example.com', i, i from generate_series(0, 2) i`,
];

const rowsFor =
  (operation: Operation) =>
  (n: number, bad?: number): ObjectBatch => {
    const byRef = operation === 'delete';
    const items = Array.from({ length: n }, (_, i) => ({
      key: String(i),
      values: byRef
        ? { ref: i === bad ? 'none' : i }
        : {
            email: `${operation === 'update' ? 'old' : 'new'}${i}@example.com`,
            score: i === bad ? 'much' : i + 5,
          },
    }));
    const names = byRef ? ['ref'] : ['email', 'score'];
    const fields = names.map((name) => ({ name, onlyIfEmpty: false, sparse: false }));
    return { object: 'public.customers', operation, match: names.slice(0, 1), fields, items };
  };

const parts = {
  objects: {
    insert: rowsFor('insert'),
    update: rowsFor('update'),
    upsert: rowsFor('upsert'),
    delete: rowsFor('delete'),
  },
};

const broken = [
  failure('57P01', 'terminating connection due to administrator command', 'FATAL'),
  failure('57P03', 'the database system is starting up', 'FATAL'),
  failure('53300', 'sorry, too many clients already', 'FATAL'),
  failure('53200', 'out of memory'),
  failure('57014', 'canceling statement due to statement timeout'),
  failure('40001', 'could not serialize access due to concurrent update'),
  failure('40P01', 'deadlock detected'),
];

const quoting = ({ body }: Received): Answer =>
  failure('XX000', `what came was ${body.toString('latin1')} from ${password}`);

async function start(): Promise<FarSide & { readonly fake: FakePostgres }> {
  const fake = await startFakePostgres(inject('postgresUrl'), tables);
  return {
    fake,
    config: { url: fake.writer },
    wrongConfig: { url: fake.writer.replace(password, 'not-the-password') },
    readerConfig: { url: fake.reader },
    secrets: [password],
    stored: () => fake.ask('select email, score, ref from customers order by email'),
  };
}

/**
 * A real server, reached over a way on which requests go wrong. In its words a broken far side is one that shuts down,
 * has not started yet, is full, out of memory, ends what takes too long, or gives way to others.
 */
destinationContract('PostgreSQL', {
  connector: postgres,
  start,
  parts,
  renewsToken: false,
  says: {
    unauthorized: failure('28P01', 'password authentication failed for user', 'FATAL'),
    broken,
    quoting,
  },
  skip: {
    limited:
      'PostgreSQL names no time to wait: that it has too many connections is trouble, and tried as such',
    'limited, no time given': 'for the same reason',
  },
});

/** With these the server ends the connection, and nobody knows how far it came. */
const ends = /^(57P|53300)/;

describe('PostgreSQL: trouble at any request of a write, from the look at the table to the end', () => {
  const upsert = worksOf(parts).find(({ name }) => name === 'objects upsert') as Work;

  /** Lets the request at each place go wrong in turn; answers with what the attempts came to. */
  async function atEach(reply: Reply): Promise<readonly Result[]> {
    const far = await start();
    const lasting = { ...far, fake: { ...far.fake, close: async () => undefined } };
    const results: Result[] = [];
    try {
      for (let reached = true; reached; ) {
        // Each has a connection that knows nothing of the table yet.
        await onStage(postgres, lasting, async ({ attempt, opened }) => {
          await opened.connection.check('objects');
          far.fake.next(...results.map(() => undefined), reply);
          const before = far.fake.requests.length;
          const result = await attempt(upsert, 3, { again: results.length > 0 });
          reached = far.fake.requests.length - before > results.length;
          far.fake.heal();
          results.push(...(reached ? [result] : []));
        });
      }
    } finally {
      await far.fake.close();
    }
    return results;
  }

  const codesOf = (results: readonly Result[]): readonly string[] =>
    results.map(({ error, outcomes }) => error?.code ?? outcomes.map(({ state }) => state).join());

  it.each(broken.map((answer) => [(answer.json as { code: string }).code, answer] as const))(
    'passes, and is of unknown end where it ends the connection at COMMIT: %s',
    async (code, answer) => {
      const codes = codesOf(await atEach(answer));

      // The end of the look at the table changes nothing.
      const [, , look, ...others] = codes;
      expect(look).toBe('ok,ok,ok');
      expect(others).toEqual([
        'UNAVAILABLE',
        'UNAVAILABLE',
        ends.test(code) ? 'OUTCOME_UNKNOWN' : 'UNAVAILABLE',
      ]);
      expect(codes.slice(0, 2)).toEqual(['UNAVAILABLE', 'UNAVAILABLE']);
    },
    30_000,
  );

  it('is no different where no word of the answer can be read', async () => {
    expect(codesOf(await atEach('done-then-garbage'))).toEqual([
      'UNAVAILABLE',
      'UNAVAILABLE',
      'ok,ok,ok',
      'UNAVAILABLE',
      'UNAVAILABLE',
      'OUTCOME_UNKNOWN',
    ]);
  }, 30_000);

  it('tells no secret wherever the server quotes what it was sent', async () => {
    // Looked for on stage, in all that the attempts come to.
    expect(codesOf(await atEach(quoting))).toHaveLength(6);
  }, 30_000);

  it('is a refused login once the password was changed, and is not tried again', async () => {
    await onStage(postgres, await start(), async ({ far, attempt, opened }) => {
      const fake = far.fake as FakePostgres;
      await opened.connection.check('objects');
      const role = new URL(fake.writer).username;
      await fake.ask(`alter role ${role} password 'changed-since'`);
      fake.next('reset');
      expect((await attempt(upsert, 3)).error?.code).toBe('UNAVAILABLE');
      const before = fake.requests.length;

      const { error } = await attempt(upsert, 3);

      expect(error).toMatchObject({ code: 'AUTH_REJECTED', retry: 'never' });
      expect(fake.requests.length).toBe(before);
    });
  });
});
