import type { Call, Item, ObjectBatch, Outcome, Value } from '../../engine/contracts/destination.ts';
import type { HttpAnswer } from '../../engine/contracts/http.ts';
import { type Result, resultOf, resultsOf, type Send, writtenShape } from './answers.ts';
import { associate } from './associate.ts';
import { type Catalog, type Key, type Kind, keyOf, linkOf, recordId } from './catalog.ts';
import { type Client, read } from './client.ts';
import { failureOf, refusalIn } from './errors.ts';
import { type Row, readBy, sameAs } from './records.ts';

/** What a batch is about, and all that is needed to write it. */
interface Work {
  readonly client: Client;
  readonly kind: Kind;
  readonly key: Key;
  readonly batch: ObjectBatch;
  readonly call: Call;
}

/** Writes at most 100 records. One outcome per item, in order. */
export async function writeBatch(
  client: Client,
  catalog: Catalog,
  batch: ObjectBatch,
  call: Call,
): Promise<readonly Outcome[]> {
  const kind = await catalog.known(batch.object, call.signal);
  const key = keyOf(kind, batch);
  const work: Work = { client, kind, key, batch, call };
  const results = new Map<number, Result>();
  const sends = sendsOf(work, results);
  const left = await lookedUp(work, sends, results);
  for (const [at, result] of left.length === 0 ? [] : await act(work, left)) {
    results.set(at, result);
  }
  if (batch.operation !== 'delete') {
    await associate({ client, kind, key, batch, results, signal: call.signal });
  }
  return batch.items.map((_, at) => results.get(at)?.outcome ?? unsaid);
}

const unsaid: Outcome = { state: 'unknown', reason: 'HubSpot does not say what became of this record.' };

function refused(reason: string, field: string): Result {
  return { outcome: { state: 'rejected', reason, field } };
}

/** What to send; rows that can't be sent get their result here. HubSpot refuses a batch that has a record twice. */
function sendsOf({ kind, key, batch }: Work, results: Map<number, Result>): readonly Send[] {
  const seen = new Set<string>();
  return batch.items.flatMap((item, at) => {
    const id = sameAs(key, item.values[key.name] ?? '');
    if (id === '' || seen.has(id)) {
      const reason =
        id === ''
          ? `The row has nothing in ${key.name}.`
          : `Another row means the same record by its ${key.name}.`;
      results.set(at, refused(reason, key.name));
      return [];
    }
    seen.add(id);
    return [{ at, id, properties: propertiesOf(kind, key, item, id) }];
  });
}

function propertiesOf(kind: Kind, key: Key, { values }: Item, id: string): Send['properties'] {
  const written = Object.entries(values).filter(
    ([name]) => name !== recordId && name !== key.name && linkOf(name) === undefined,
  );
  return {
    ...(key.idProperty === undefined ? {} : { [key.idProperty]: id }),
    ...Object.fromEntries(
      written.map(([name, value]) => [name, textOf(value, kind.properties.get(name)?.type)]),
    ),
  };
}

/** All values are texts. An empty one empties a property, where null would leave it as it is. */
function textOf(value: Value, type: string | undefined): string {
  if (Array.isArray(value)) {
    return (value as readonly Value[])
      .map((one) => (typeof one === 'object' ? JSON.stringify(one) : String(one)))
      .join(';');
  }
  if (typeof value === 'object') {
    return value === null ? '' : JSON.stringify(value);
  }
  // HubSpot keeps no more than milliseconds.
  return type === 'datetime' ? String(value).replace(/(\.\d{3})\d+/, '$1') : String(value);
}

// Looking first ------------------------------------------------------------------------------------------------------

/** What is left to send when it is known which records there are, where that has to be known. */
async function lookedUp(
  work: Work,
  sends: readonly Send[],
  results: Map<number, Result>,
): Promise<readonly Send[]> {
  const { client, kind, key, batch, call } = work;
  const guarded = batch.fields.filter((use) => use.onlyIfEmpty).map((use) => use.name);
  const looks =
    (batch.operation === 'insert' && call.again) ||
    (batch.operation === 'delete' && key.idProperty !== undefined) ||
    (batch.operation !== 'delete' && batch.operation !== 'insert' && guarded.length > 0);
  if (!looks || sends.length === 0) {
    return sends;
  }
  const ids = sends.map(({ id }) => id);
  const found = await readBy(client, kind, key, ids, guarded, call.signal);
  return sends.flatMap((send) => {
    const step = stepOf(work, send, found.get(send.id), guarded);
    if ('outcome' in step) {
      results.set(send.at, step);
      return [];
    }
    return [step];
  });
}

function stepOf(
  { batch }: Work,
  send: Send,
  row: Row | undefined,
  guarded: readonly string[],
): Send | Result {
  const done: Result = { outcome: { state: 'ok', ...(row === undefined ? {} : { id: row.id }) } };
  switch (batch.operation) {
    case 'insert':
      return row === undefined ? send : { ...done, id: row.id };
    case 'delete':
      return row === undefined ? done : { ...send, id: row.id };
    case 'update':
    case 'upsert': {
      const kept = guarded.filter((name) => (row?.properties[name] ?? '') !== '');
      const left = Object.entries(send.properties).filter(([name]) => !kept.includes(name));
      const nothing = left.every(([name]) => batch.match.includes(name));
      return row !== undefined && nothing
        ? { ...done, id: row.id }
        : { ...send, properties: Object.fromEntries(left) };
    }
    default:
      return batch.operation satisfies never;
  }
}

// Writing ------------------------------------------------------------------------------------------------------------

async function act(work: Work, sends: readonly Send[]): Promise<ReadonlyMap<number, Result>> {
  const { batch, key, call } = work;
  switch (batch.operation) {
    case 'insert':
      return new Map(
        [...(await post(work, 'create', sends))].map(([at, result]) => [
          at,
          // An earlier attempt may have made it a moment ago.
          call.again && result.because === 'taken' ? { ...result, outcome: { state: 'ok' } } : result,
        ]),
      );
    case 'update':
      return post(work, 'update', sends);
    case 'upsert':
      if (key.idProperty === undefined) {
        return post(work, 'update', sends);
      }
      return key.isEmail ? upsertByEmail(work, sends) : post(work, 'upsert', sends);
    case 'delete':
      return archive(work, sends);
    default:
      return batch.operation satisfies never;
  }
}

/**
 * By e-mail address HubSpot does not promise that an upsert leaves alone what is not in it. So contacts are updated, and
 * those are made that there were none of; when it breaks off in between, the next attempt finds them.
 */
async function upsertByEmail(work: Work, sends: readonly Send[]): Promise<ReadonlyMap<number, Result>> {
  const results = new Map(await post(work, 'update', sends));
  const missing = sends.filter(({ at }) => results.get(at)?.because === 'missing');
  if (missing.length > 0) {
    for (const [at, result] of await post(work, 'create', missing)) {
      results.set(at, result.because === 'taken' ? { outcome: madeMeanwhile } : result);
    }
  }
  return results;
}

const madeMeanwhile: Outcome = { state: 'retry', reason: 'Somebody else has made this contact just now.' };

type Verb = 'create' | 'update' | 'upsert';

async function post(
  { client, kind, key, call }: Work,
  verb: Verb,
  sends: readonly Send[],
): Promise<ReadonlyMap<number, Result>> {
  const rows = sends.map(({ id, properties }) => [id, properties]);
  const request = {
    method: 'POST',
    of: 'crm/objects',
    path: `${kind.object}/batch/${verb}`,
    json: { inputs: sends.map((send) => inputOf(verb, key, send)) },
    repeatable: verb !== 'create',
    signal: call.signal,
  } as const;
  const answer = await client.send(request);
  const [only, another] = sends;
  if (!answer.ok && only !== undefined && another === undefined && isAboutRow(answer)) {
    const error = failureOf(answer, rows);
    if (error.code !== 'ROW_REJECTED') {
      throw error;
    }
    return new Map([[only.at, resultOf(refusalIn(answer), only)]]);
  }
  if (!answer.ok) {
    throw failureOf(answer, rows);
  }
  return resultsOf(read(writtenShape, answer.json()), sends);
}

function isAboutRow({ status }: HttpAnswer): boolean {
  return status === 400 || status === 409 || status === 413 || status === 414;
}

/** `objectWriteTraceId` is what makes HubSpot answer for each record, too. */
function inputOf(verb: Verb, key: Key, { at, id, properties }: Send): object {
  const objectWriteTraceId = String(at);
  if (verb === 'create') {
    return { properties, associations: [], objectWriteTraceId };
  }
  // Without it an address is taken for a record id, which changes nothing and is no error.
  const idProperty = key.idProperty === undefined ? {} : { idProperty: key.idProperty };
  return { id, ...idProperty, properties, objectWriteTraceId };
}

/** Puts records into the recycle bin. The answer says nothing, whether they were there or not. */
async function archive(
  { client, kind, call }: Work,
  sends: readonly Send[],
): Promise<ReadonlyMap<number, Result>> {
  // Two addresses can be those of one contact.
  const ids = [...new Set(sends.map(({ id }) => id))];
  const answer = await client.send({
    method: 'POST',
    of: 'crm/objects',
    path: `${kind.object}/batch/archive`,
    json: { inputs: ids.map((id) => ({ id })) },
    repeatable: true,
    signal: call.signal,
  });
  if (!answer.ok) {
    throw failureOf(answer, ids);
  }
  return new Map(sends.map(({ at }) => [at, { outcome: { state: 'ok' } }]));
}
