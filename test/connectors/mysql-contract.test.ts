import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mysql } from '../../connectors/mysql/index.ts';
import type { ObjectBatch, Operation } from '../../engine/contracts/destination.ts';
import { destinationContract } from '../contracts/destination.ts';
import { type FarSide, onStage, type Result } from '../contracts/stage.ts';
import { type Work, worksOf } from '../contracts/works.ts';
import type { Answer, Received, Reply } from '../fakes/http.ts';
import { type FakeMysql, failure, password, startFakeMysql } from '../fakes/mysql.ts';
import { hasMariadb, type Mariadb, startMariadb } from '../support/mariadb.ts';

const tables = [
  'create table customers (email varchar(100) primary key, score int not null, ref int unique)',
  `insert into customers values ${[0, 1, 2].map((i) => `('old${i}@example.com', ${i}, ${i})`).join()}`,
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
    return { object: 'customers', operation, match: names.slice(0, 1), fields, items };
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
  failure(1053, '08S01', 'Server shutdown in progress', true),
  failure(1040, '08004', 'Too many connections', true),
  failure(1927, '70100', 'Connection was killed', true),
  failure(1205, 'HY000', 'Lock wait timeout exceeded'),
  failure(1213, '40001', 'Deadlock found when trying to get lock'),
  failure(1114, 'HY000', 'The table is full'),
  failure(1290, 'HY000', 'The server is running with the --read-only option'),
  failure(1317, '70100', 'Query execution was interrupted'),
];

const quoting = ({ body }: Received): Answer =>
  failure(1105, 'HY000', `what came was ${body.toString('latin1')} from ${password}`);

let server: Mariadb;

async function start(): Promise<FarSide & { readonly fake: FakeMysql }> {
  const fake = await startFakeMysql(server.adminUrl, tables);
  return {
    fake,
    config: { url: fake.url },
    readerConfig: { url: fake.reader },
    wrongConfig: { url: fake.url.replace(password, 'not-the-password') },
    secrets: [password],
    stored: () => fake.ask('select email, score, ref from customers order by email'),
  };
}

describe.skipIf(!hasMariadb)('a real MariaDB server (skipped where there is no mariadbd)', () => {
  beforeAll(async () => {
    server = await startMariadb();
  }, 60_000);

  afterAll(() => server?.stop());

  destinationContract('MySQL / MariaDB', {
    connector: mysql,
    start,
    parts,
    renewsToken: false,
    says: {
      unauthorized: failure(1045, '28000', 'Access denied for user', true),
      broken,
      quoting,
    },
    skip: {
      limited:
        'the server names no time to wait: that it has too many connections is trouble, and tried as such',
      'limited, no time given': 'for the same reason',
    },
  });

  describe('trouble at any statement of a write, from the look at the table to the end', () => {
    const upsert = worksOf(parts).find(({ name }) => name === 'objects upsert') as Work;

    /** Lets the statement at each place go wrong in turn; answers with what was asked, and what the attempts came to. */
    async function atEach(reply: Reply): Promise<readonly (readonly [asked: string, result: Result])[]> {
      const far = await start();
      const lasting = { ...far, fake: { ...far.fake, close: async () => undefined } };
      const results: (readonly [string, Result])[] = [];
      try {
        for (let reached = true; reached; ) {
          // Each has a connection that knows nothing of the table yet.
          await onStage(mysql, lasting, async ({ attempt, opened }) => {
            await opened.connection.check('objects');
            far.fake.next(...results.map(() => undefined), reply);
            const before = far.fake.requests.length;
            const result = await attempt(upsert, 3, { again: results.length > 0 });
            const asked = far.fake.requests[before + results.length]?.body.toString('latin1') ?? '';
            reached = far.fake.requests.length - before > results.length;
            far.fake.heal();
            results.push(...(reached ? [[asked, result] as const] : []));
          });
        }
      } finally {
        await far.fake.close();
      }
      return results;
    }

    it.each(broken.map((answer) => [(answer.json as { errno: number }).errno, answer] as const))(
      'passes, and is of unknown end where it ends the connection at COMMIT: %s',
      async (errno, answer) => {
        const results = await atEach(answer);

        expect(results.length).toBeGreaterThan(15);
        for (const [asked, { error, outcomes }] of results) {
          const code = error?.code ?? outcomes.map(({ state }) => state).join();
          // What comes after the end may fail, and takes nothing back.
          const wanted = asked.startsWith('DROP TEMPORARY')
            ? 'ok,ok,ok'
            : asked === 'COMMIT' && [1053, 1927].includes(errno)
              ? 'OUTCOME_UNKNOWN'
              : 'UNAVAILABLE';
          expect(code, asked).toBe(wanted);
        }
      },
      60_000,
    );

    it('tells no secret wherever the server quotes what it was sent', async () => {
      // Looked for on stage, in all that the attempts come to.
      expect((await atEach(quoting)).length).toBeGreaterThan(15);
    }, 60_000);
  });
});
