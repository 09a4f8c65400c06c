import { describe, expect, it } from 'vitest';
import { textOf as bigquery } from '../../../connectors/bigquery/text.ts';
import { textOf as databricks } from '../../../connectors/databricks/text.ts';
import { textOf as redshift } from '../../../connectors/redshift/text.ts';
import { textOf as snowflake } from '../../../connectors/snowflake/text.ts';
import type { Column, Dialect } from '../../../engine/contracts/source.ts';
import {
  type Comparison,
  differences,
  drop,
  fillKept,
  fillTold,
  makeFound,
  makeKept,
  makeTold,
  selectTold,
  settle,
  tablesOf,
  takeAsTold,
} from '../../../engine/warehouse/statements.ts';

interface Spoken {
  readonly textOf: (column: Column, expression: string) => string;
  /** What a number that is the key, a text and a time are called. */
  readonly natives: readonly [key: string, text: string, time: string];
}

/** The text of a value is made by the connectors' own functions; that of PostgreSQL is proven by its own tests. */
const spoken: Readonly<Partial<Record<Dialect, Spoken>>> = {
  postgresql: {
    textOf: (_, expression) => `${expression}::text`,
    natives: ['bigint', 'text', 'timestamp with time zone'],
  },
  redshift: { textOf: redshift, natives: ['bigint', 'character varying(20)', 'timestamp with time zone'] },
  snowflake: { textOf: snowflake, natives: ['NUMBER(38,0)', 'VARCHAR', 'TIMESTAMP_TZ'] },
  bigquery: { textOf: bigquery, natives: ['INT64', 'STRING', 'TIMESTAMP'] },
  databricks: { textOf: databricks, natives: ['BIGINT', 'STRING', 'TIMESTAMP'] },
};

function columnsIn(dialect: Dialect): readonly Column[] {
  const [key = '', text = '', time = ''] = spoken[dialect]?.natives ?? [];
  return [
    { name: 'id', type: 'number', native: key },
    { name: 'na"m`e', type: 'text', native: text },
    { name: 'at', type: 'time', native: time },
  ];
}

/** It reads no quote within a quoted name. */
const plainly = (dialect: Dialect): readonly Column[] =>
  columnsIn(dialect).map((column) => ({ ...column, name: column.name.replaceAll(/\W/g, '') }));

/** What parser of `node-sql-parser` knows the dialect; none knows Databricks, and it reads Hive's way of it worst. */
const parsers: Readonly<Partial<Record<Dialect, string>>> = {
  postgresql: 'postgresql',
  redshift: 'redshift',
  snowflake: 'snowflake',
  bigquery: 'bigquery',
};

/**
 * What the parser does not know of a dialect, though its documentation has it: a collation behind parentheses, how a table
 * is spread over nodes, a time zone in parentheses, a DELETE that asks another table, and a DROP of what may not be there.
 */
const unknownTo: Readonly<Partial<Record<Dialect, readonly string[]>>> = {
  postgresql: ['make found', 'look without a table', 'take as told'],
  redshift: ['make told', 'make found', 'look without a table', 'take as told', 'make kept', 'drop'],
  snowflake: ['what goes', 'what was in doubt', 'what goes, few taken', 'drop'],
  bigquery: ['what goes', 'what was in doubt', 'what goes, few taken', 'drop'],
};

const dialects: readonly Dialect[] = ['postgresql', 'redshift', 'snowflake', 'bigquery', 'databricks'];

function comparisonIn(dialect: Dialect, named = columnsIn(dialect)): Comparison {
  const quote = /bigquery|databricks/.test(dialect) ? '`' : '"';
  const scratch = {
    table: (name: string) => `${quote}planner${quote}.${quote}${name}${quote}`,
    textOf: (column: Column, expression: string) => spoken[dialect]?.textOf(column, expression) ?? expression,
  };
  return {
    dialect,
    scratch,
    tables: tablesOf(scratch, '0a1b'),
    sql: 'select * from accounts; -- all of them',
    columns: named,
    keyWidth: 1,
    layout: 2,
    everything: false,
  };
}

function statementsIn(dialect: Dialect, named = columnsIn(dialect)): Readonly<Record<string, string>> {
  const comparison = comparisonIn(dialect, named);
  const { tables } = comparison;
  const [goes = '', wasInDoubt = '', comes = '', doubts = ''] = settle(tables, 2, 'all but');
  const [goesOnly = '', , comesOnly = ''] = settle(tables, 2, 'only');
  return {
    'make told': makeTold(dialect, tables),
    'make found': makeFound(comparison),
    'look without a table': differences({ ...comparison, everything: true }),
    'take as told': takeAsTold(comparison),
    'fill told': fillTold(dialect, tables, 2, [{ key: "it's", line: "it's\t\\N" }]),
    'make kept': makeKept(dialect, tables),
    'fill kept': fillKept(dialect, tables, [
      { key: '1', act: 'leave' },
      { key: '2', act: 'put', line: '2\tdoubt' },
    ]),
    'what goes': goes,
    'what was in doubt': wasInDoubt,
    'what comes': comes,
    'what is in doubt now': doubts,
    'what goes, few taken': goesOnly,
    'what comes, few taken': comesOnly,
    'one key': selectTold(dialect, tables, "x'; drop table y; --"),
    drop: drop(tables.found),
  };
}

describe.each(dialects)('in the SQL of %s', (dialect) => {
  it('the statements are these', async () => {
    const all = Object.entries(statementsIn(dialect)).map(([name, sql]) => `-- ${name}\n${sql};\n`);
    await expect(all.join('\n')).toMatchFileSnapshot(`statements/${dialect}.sql`);
  });

  it('nothing that stood in a row or was typed stands in a statement as it is', () => {
    for (const sql of Object.values(statementsIn(dialect))) {
      expect(sql).not.toContain("it's");
      expect(sql).not.toContain('drop table y');
    }
  });

  it.skipIf(parsers[dialect] === undefined)(
    'a parser reads them, as far as it knows the dialect',
    async () => {
      const { default: library } = (await import(`node-sql-parser/build/${parsers[dialect]}.js`)) as {
        default: { Parser: new () => { parse(sql: string, how: { database: string }): unknown } };
      };
      const parser = new library.Parser();
      const unread = Object.entries(statementsIn(dialect, plainly(dialect))).flatMap(([name, sql]) => {
        try {
          parser.parse(sql, { database: parsers[dialect] ?? '' });
          return [];
        } catch {
          return [name];
        }
      });
      expect(unread).toEqual(unknownTo[dialect] ?? []);
    },
  );
});
