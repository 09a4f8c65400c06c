import { z } from 'zod';
import type { Call, Item, ObjectBatch, Outcome, Value } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { theirWords } from '../../engine/contracts/http.ts';
import { nothingOn } from '../shared/thrown.ts';
import { untilKnown } from '../shared/wait.ts';
import type { ImportKind } from './catalog.ts';
import type { Client } from './client.ts';

/** The last of these again and again. All calls of the company together are limited. */
const pollsMs = [500, 2000, 2000, 10_000, 30_000] as const;
const longestMs = 12 * 3_600_000;

/**
 * Replaces the file of an import with these rows and runs it, or goes on with the run that an earlier attempt began. The
 * file is not locked while it is read, so that nothing else may be uploaded to it meanwhile.
 */
export async function runImport(
  client: Client,
  kind: ImportKind,
  batch: ObjectBatch,
  call: Call,
): Promise<readonly Outcome[]> {
  const earlier = call.ticket === undefined ? 'lost' : await endOf(client, kind, call.ticket, call);
  const goesOn = typeof earlier === 'object';
  const task = goesOn ? (call.ticket ?? '') : await begin(client, kind, batch, call);
  const result = goesOn ? earlier : await endOf(client, kind, task, call);
  if (typeof result !== 'object') {
    throw endless(result);
  }
  if (result.failureDumpAvailable) {
    return outcomesIn(await dumpOf(client, kind, task, call), batch, result);
  }
  if (!result.successful) {
    throw new ActivateError('INPUT_INVALID', `The import failed. ${wordsOf(result, batch.items)}`.trim(), {
      fix: 'Run it in Anaplan with the file that is there now, and compare its columns with the mapping.',
    });
  }
  return batch.items.map((): Outcome => ({ state: 'ok' }));
}

const begunShape = z.object({ task: z.object({ taskId: z.string().min(1) }) });

/** Without the last step Anaplan imports what was in the file before. */
async function begin(client: Client, kind: ImportKind, batch: ObjectBatch, call: Call): Promise<string> {
  const { file, id } = kind;
  const path = `/files/${file.id}`;
  const common = { repeatable: true, rows: batch.items, signal: call.signal } as const;
  await client.send({ method: 'POST', path, json: { chunkCount: 1 }, ...common });
  await client.send({
    method: 'PUT',
    path: `${path}/chunks/0`,
    headers: { 'content-type': 'application/octet-stream' },
    body: csvOf(kind, batch.items),
    ...common,
  });
  await client.send({
    method: 'POST',
    path: `${path}/complete`,
    json: { ...file, chunkCount: 1 },
    ...common,
  });
  const { task } = await client.ask(
    { method: 'POST', path: `/imports/${id}/tasks`, json: { localeName: 'en_US' }, ...common },
    begunShape,
  );
  await call.keep(task.taskId);
  return task.taskId;
}

const resultShape = z.object({
  successful: z.boolean(),
  failureDumpAvailable: z.boolean().catch(false),
  details: z.array(z.object({ localMessageText: z.string().catch('') })).catch([]),
});
type Result = z.output<typeof resultShape>;
const taskShape = z.object({ task: z.object({ taskState: z.string(), result: resultShape.optional() }) });

/** Why a run has no result. Another attempt begins a new one. */
function endless(why: 'lost' | 'cancelled'): ActivateError {
  return why === 'lost'
    ? new ActivateError('OUTCOME_UNKNOWN', 'Anaplan does not know the import that it began.')
    : new ActivateError('UNAVAILABLE', 'Somebody cancelled the import in Anaplan; nothing was changed.');
}

/** How a run ended: complete is not successful. */
async function endOf(
  client: Client,
  { id }: ImportKind,
  task: string,
  { signal }: Call,
): Promise<Result | 'lost' | 'cancelled'> {
  const end = await untilKnown(
    async (): Promise<Result | 'lost' | 'cancelled' | undefined> => {
      const path = `/imports/${id}/tasks/${encodeURIComponent(task)}`;
      const asked = client.ask({ method: 'GET', path, signal }, taskShape);
      const found = await asked.catch(nothingOn('NOT_FOUND'));
      if (found === undefined) {
        return 'lost';
      }
      const { taskState, result } = found.task;
      if (taskState === 'CANCELLED') {
        return 'cancelled';
      }
      return taskState === 'COMPLETE' || taskState === 'FAILED'
        ? (result ?? { successful: false, failureDumpAvailable: false, details: [] })
        : undefined;
    },
    { pollsMs, longestMs, signal },
  );
  if (end === undefined) {
    throw new ActivateError('OUTCOME_UNKNOWN', 'The import has not ended for 12 hours.');
  }
  return end;
}

/** Empty when another import of this user has taken its place: Anaplan keeps the last one only. */
async function dumpOf(client: Client, { id }: ImportKind, task: string, { signal }: Call): Promise<string> {
  const path = `/imports/${id}/tasks/${encodeURIComponent(task)}/dump`;
  const asked = client.send({ method: 'GET', path, headers: { accept: '*/*' }, signal });
  return (await asked.catch(nothingOn('NOT_FOUND')))?.text ?? '';
}

/**
 * What the list of failed rows says of each. It has their columns, and some more with what is wrong. ROW_REJECTED when
 * it can't be told which rows it means: then smaller files tell.
 */
function outcomesIn(dump: string, { items, match }: ObjectBatch, result: Result): readonly Outcome[] {
  const [header = [], ...rows] = rowsOf(dump);
  const places = match.map((name) => header.indexOf(name));
  const mapped = new Set(items.flatMap(({ values }) => Object.keys(values)));
  const failed = new Map<string, string>();
  for (const row of rows) {
    const says = row.filter((text, at) => text !== '' && !mapped.has(header[at] ?? '')).join(' ');
    failed.set(places.map((at) => row[at] ?? '').join('\0'), says);
  }
  const keyOf = ({ values }: Item): string => match.map((name) => textOf(values[name])).join('\0');
  const known = items.filter((item) => failed.has(keyOf(item))).length;
  if (items.length > 1 && (places.includes(-1) || known === 0 || known < failed.size)) {
    throw new ActivateError('ROW_REJECTED', `Anaplan refuses rows. ${wordsOf(result, items)}`.trim());
  }
  return items.map((item): Outcome => {
    const says = items.length === 1 ? [...failed.values()].join(' ') : failed.get(keyOf(item));
    if (says === undefined) {
      return { state: 'ok' };
    }
    const words = says === '' ? wordsOf(result, [item]) : `It says: ${theirWords(says, item.values)}`;
    return { state: 'rejected', reason: `Anaplan did not import this row. ${words}`.trim() };
  });
}

function wordsOf({ details }: Result, items: readonly Item[]): string {
  const says = details.map(({ localMessageText }) => localMessageText).join(' ');
  return says.trim() === '' ? '' : `It says: ${theirWords(says, items)}`;
}

// Files --------------------------------------------------------------------------------------------------------------

/** All columns of the import, in its order. */
function csvOf({ columns, separator }: ImportKind, items: readonly Item[]): string {
  const lines = items.map(({ values }) => columns.map((name) => textOf(values[name])));
  return [columns, ...lines]
    .map((line) => `${line.map((text) => cellOf(text, separator)).join(separator)}\r\n`)
    .join('');
}

function textOf(value: Value | undefined): string {
  return value === undefined || value === null
    ? ''
    : typeof value === 'object'
      ? JSON.stringify(value)
      : String(value);
}

function cellOf(text: string, separator: string): string {
  return text.includes(separator) || /["\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The rows of a CSV with commas; quoted texts may hold anything. */
function rowsOf(text: string): readonly (readonly string[])[] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const [, quoted, bare, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/g)) {
    row.push(quoted === undefined ? (bare ?? '') : quoted.replaceAll('""', '"'));
    if (end !== ',') {
      rows.push(row);
      row = [];
    }
  }
  // What ends with a line break has an empty line after it.
  return rows.filter((one) => one.some((cell) => cell !== ''));
}
