import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isHostEntry } from '../../engine/http/hosts.ts';
import { secretPieces } from '../../engine/http/secrets.ts';
import { type Opened, secretsOf } from '../support/connect.ts';
import {
  type House,
  kinds,
  limits,
  makeBySql,
  openSource,
  refusal,
  type SourceHarness,
  type SourceStage,
} from './source-house.ts';
import { orderPoints } from './source-order.ts';
import { questionPoints } from './source-questions.ts';
import { type Point, valuePoints } from './source-values.ts';
import { wallPoints } from './source-walls.ts';

export type { House, SourceHarness, Words } from './source-house.ts';

/**
 * The tests that every source passes, over one warehouse that they share: each makes tables of its own. What is declared
 * is tested where the connector is: what follows is what a source owes.
 */
export function sourceContract(name: string, harness: SourceHarness): void {
  describe(`${name}: what every source owes`, () => {
    let house: House;
    let opened: Opened;
    let stage: SourceStage;

    beforeAll(async () => {
      house = await harness.start();
      const both = await openSource(harness, house);
      opened = both;
      const { words } = harness;
      stage = {
        harness,
        words,
        house,
        source: both.source,
        opened,
        make: async (given) => {
          await (house.make?.(given) ?? makeBySql(words, house, given));
          return words.table(given.name);
        },
      };
    });

    afterAll(async () => {
      await opened.close();
      await house.close();
    });

    const points = [...declared, ...valuePoints, ...questionPoints, ...orderPoints, ...wallPoints];
    for (const { key, title, test } of points) {
      const reason = harness.skip?.[key];
      if (reason === undefined) {
        it(title, () => test(stage), 90_000);
      } else {
        it.skip(`${title} (not here: ${reason})`);
      }
    }

    it('is skipped at no point without a reason, and all types are there but those with one', () => {
      const { skip = {}, words } = harness;
      const known = new Set(points.map(({ key }) => key));
      const untyped = kinds.filter((kind) => words.types[kind] === undefined);

      expect(Object.keys(skip).filter((key) => !known.has(key))).toEqual([]);
      expect(untyped.filter((kind) => skip[`values: ${kind}`] === undefined)).toEqual([]);
      for (const reason of Object.values(skip)) {
        expect(reason).toMatch(/\w+ \w+ \w+/);
      }
    });
  });
}

const sentence = /^[A-Z`*[][\s\S]*[.:`)]$/;

const declared: readonly Point[] = [
  {
    key: 'declares',
    title: 'declares fields, hosts, steps, what it was tried with, and its dialect',
    test: async ({ harness, source }) => {
      const { connector, dialect } = harness;

      expect(connector.offers).toContain('source');
      expect(source.dialect).toBe(dialect);
      for (const text of [connector.summary, connector.verified, ...connector.setup]) {
        expect(text).toMatch(sentence);
      }
      for (const { label, help } of Object.values(connector.config)) {
        expect(label.length, label).toBeLessThanOrEqual(24);
        expect((help ?? '').length, help).toBeLessThanOrEqual(150);
      }
      expect(connector.hosts.filter((host) => host !== '*' && !isHostEntry(host))).toEqual([]);
    },
  },
  {
    key: 'careless role',
    title: 'warns, in sentences, about what a careless role may do beyond reading',
    test: async ({ opened }) => {
      const warnings = await opened.connection.check('source');

      expect(warnings).not.toEqual([]);
      for (const warning of warnings) {
        expect(warning).toMatch(sentence);
      }
    },
  },
  {
    key: 'careful role',
    title: 'has nothing against a role that may read and nothing else',
    test: async ({ harness, house, make }) => {
      const table = await make({ name: 'for_careful', columns: [['k', 'integer']], rows: [['1']] });
      const { connection, source, close } = await openSource(harness, house, house.carefulConfig);

      expect(await connection.check('source')).toEqual([]);
      expect(await source.count(`SELECT k FROM ${table}`, limits)).toBe(1);
      await close();
    },
  },
  {
    key: 'wrong login',
    title: 'says what to do about a wrong login, and tells no secret of it',
    test: async ({ harness, house }) => {
      const { connection, source, logged, close } = await openSource(harness, house, house.wrongConfig);
      const typed = house.wrongConfig ?? {};

      const errors = [
        await refusal(connection.check('source')),
        await refusal(source.count('SELECT 1 AS k', limits)),
      ];

      const told = errors.map((error) => `${JSON.stringify(error)} ${error.message} ${String(error.cause)}`);
      expect(errors.map(({ code }) => code)).toEqual(['AUTH_REJECTED', 'AUTH_REJECTED']);
      for (const secret of [...secretsOf(harness.connector, typed), ...(house.secrets ?? [])].flatMap(
        secretPieces,
      )) {
        expect([...told, ...logged].filter((text) => text.includes(secret))).toEqual([]);
      }
      await close();
    },
  },
];
