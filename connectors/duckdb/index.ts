import { defineConnector } from '../../engine/contracts/connector.ts';
import { selectAll } from '../../engine/contracts/names.ts';
import type { Limits, Source } from '../../engine/contracts/source.ts';
import { guessKey } from '../shared/key-guess.ts';
import { bestMatches } from '../shared/table-list.ts';
import { config, settingsOf } from './config.ts';
import { createSession, type Session } from './session.ts';

const checking: Limits = { timeoutMs: 30_000 };

/** A file of DuckDB, or files of rows that DuckDB reads, on the machine that Activate runs on. */
export const duckdb = defineConnector({
  id: 'duckdb',
  name: 'DuckDB',
  summary: 'Reads a DuckDB file, or CSV, Parquet and NDJSON files, on the machine that Activate runs on.',
  config,
  offers: ['source'],
  hosts: [],
  setup: [
    'An admin names one folder in `ALLOWED_FOLDER` and starts Activate again; each machine with a worker needs it at the same place. Connections read there or below, and nowhere else.',
    'For a DuckDB file, give its path as seen from that folder. It is opened to be read only, for each question anew: what writes to it, as dbt does, can have it in between, and is waited for up to ten seconds. Let it close the file when it is done.',
    'For CSV (`.csv`, `.tsv`, `.gz` too), Parquet and NDJSON (`.ndjson`, `.jsonl`) files, give one file, or a folder. Each file is a table with the name of the file without its ending; folders inside of it are left alone.',
    'Columns of CSV and NDJSON files are text, just as it stands there: write `CAST(amount AS DECIMAL(18,2))` where you need more. The first line of a CSV file has the names of its columns; what is empty is NULL, and `""` is empty text. Numbers with a fraction and more than 17 digits are rounded in NDJSON, unless they are written as text.',
    'Queries reach these tables and nothing else: no other file, no network, no extension. So a view of a DuckDB file that is made of files outside of it can not be read: make a table of it.',
    'A DuckDB file has no users, so there are no rights to look after. A file that a newer DuckDB has written may be refused: its version is said then.',
  ],
  verified: 'Tested with the DuckDB library itself and real files.',
  tried: ['software'],
  open: async (values, context) => {
    const session = createSession(settingsOf(values, context.allowedFolder));
    return {
      source: sourceOf(session),
      check: async () => {
        await session.ask({ kind: 'tables' }, checking);
        await session.ask({ kind: 'count', sql: 'SELECT 1' }, checking);
        return [];
      },
      close: () => session.close(),
    };
  },
});

function sourceOf(session: Session): Source {
  return {
    dialect: 'duckdb',
    tables: (typed) => bestMatches(() => session.ask({ kind: 'tables' }, checking), typed),
    selectAll,
    describe: (sql, limits) => session.ask({ kind: 'describe', sql }, limits),
    preview: (sql, rows, limits) => session.ask({ kind: 'preview', sql, rows }, limits),
    count: (sql, limits) => session.ask({ kind: 'count', sql }, limits),
    suggestKey: async (sql, limits) => {
      const { table, primary } = await session.ask({ kind: 'sample', sql }, limits);
      return guessKey(table, primary);
    },
    read: (query, limits) => session.read(query, limits),
  };
}
