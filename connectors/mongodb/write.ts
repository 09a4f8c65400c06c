import type { AnyBulkWriteOperation, BulkWriteResult, Document, WriteError } from 'mongodb';
import type { Call, Item, ObjectBatch, Outcome, Value } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Far } from './client.ts';
import type { CollectionFacts } from './collection.ts';
import { explain, isPassing } from './errors.ts';
import { keyText, toBson, Unfit } from './values.ts';

const done: Outcome = { state: 'ok' };
/** With room for what the server adds to a document. */
const largestBytes = 16 * 1024 * 1024 - 16 * 1024;

/** One row on its way: its place in the batch, and what finds its document. */
interface Op {
  readonly row: number;
  readonly filter: Document;
  readonly write: AnyBulkWriteOperation<Document>;
}

type Rejected = Outcome & { readonly state: 'rejected' };

/** What became of some operations, by their place among them. */
interface Answer {
  readonly failures: readonly WriteError[];
  readonly counts: Pick<BulkWriteResult, 'matchedCount' | 'upsertedCount' | 'insertedCount'>;
  /** Written, though not yet by as many servers as was asked for. */
  readonly unsure: boolean;
}

/** Writes a batch; one outcome per item, in order. Each item is an operation of its own: one that fails stops no other. */
export async function writeBatch(
  far: Far,
  facts: CollectionFacts,
  batch: ObjectBatch,
  call: Call,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = batch.items.map(() => done);
  const ops = batch.items.flatMap((item, row) => {
    const op = opOf(far, facts, batch, item, row);
    if ('reason' in op) {
      outcomes[row] = op;
      return [];
    }
    return [op];
  });
  if (ops.length === 0) {
    return outcomes;
  }
  const answer = await send(far, batch, ops, call);
  const failed = new Set(answer.failures.map(({ index }) => index));
  if (answer.unsure) {
    for (const { row } of ops.filter((_, i) => !failed.has(i))) {
      outcomes[row] = {
        state: 'unknown',
        reason: 'MongoDB has it, but did not say in time that it is safe.',
      };
    }
  }
  await settleFailures(far, facts, batch, call, ops, answer.failures, outcomes);
  if (batch.operation === 'update') {
    const others = ops.filter((_, i) => !failed.has(i));
    if (answer.counts.matchedCount < others.length) {
      const there = await existing(far, batch, others, call);
      for (const { row } of others.filter((op) => !there.has(op))) {
        const reason = `There is no document in ${batch.object} with this ${batch.match.join(' and ')}.`;
        outcomes[row] = { state: 'rejected', reason, ...fieldOf(batch.match) };
      }
    }
  }
  return outcomes;
}

function fieldOf(names: readonly string[]): { readonly field?: string } {
  return names.length === 1 ? { field: names[0] as string } : {};
}

/** The operation for an item, or why there can be none. */
function opOf(
  far: Far,
  facts: CollectionFacts,
  { operation, match, fields }: ObjectBatch,
  { values }: Item,
  row: number,
): Op | Rejected {
  const names = operation === 'delete' ? match : fields.map(({ name }) => name);
  const named: [string, unknown][] = [];
  for (const name of names) {
    const value = values[name];
    if (value !== undefined) {
      const stored = storedAs(far, facts, name, value, match.includes(name));
      if (typeof stored === 'string') {
        return { state: 'rejected', reason: `${name} ${stored}.`, field: name };
      }
      named.push([name, stored.value]);
    }
  }
  // Wrapped, so that no value can ever be read as an operator.
  const keys = named.filter(([name]) => match.includes(name));
  const filter = Object.fromEntries(keys.map(([name, value]) => [name, { $eq: value }]));
  const written = named.filter(([name]) => !match.includes(name));
  const size = far.bson.calculateObjectSize(Object.fromEntries(named), { ignoreUndefined: true });
  return size > largestBytes
    ? { state: 'rejected', reason: 'The row is larger than the 16 MB that a document can have.' }
    : { row, filter, write: writeOf(operation, filter, written, named) };
}

/** A value as it is stored, or what is wrong with it. */
function storedAs(
  far: Far,
  facts: CollectionFacts,
  name: string,
  value: Value,
  isKey: boolean,
): { readonly value: unknown } | string {
  if (isKey && (value === null || typeof value === 'object')) {
    return 'finds the document: it takes a single value';
  }
  try {
    return { value: toBson(far.bson, facts.fields.get(name)?.kind ?? 'any', value) };
  } catch (thrown) {
    if (thrown instanceof Unfit) {
      return thrown.message;
    }
    throw thrown;
  }
}

function writeOf(
  operation: ObjectBatch['operation'],
  filter: Document,
  written: readonly [string, unknown][],
  all: readonly [string, unknown][],
): AnyBulkWriteOperation<Document> {
  // MongoDB takes no empty $set. Fields of the filter may be named here: they are what they are already.
  const update =
    written.length > 0 ? { $set: Object.fromEntries(written) } : { $setOnInsert: Object.fromEntries(all) };
  switch (operation) {
    case 'insert':
      return { insertOne: { document: nested(all) } };
    case 'update':
      return { updateOne: { filter, update, upsert: false } };
    case 'upsert':
      return { updateOne: { filter, update, upsert: true } };
    case 'delete':
      return { deleteOne: { filter } };
    default:
      return operation satisfies never;
  }
}

/** `address.city` in an update means a field inside another; in a new document it would be a name with a dot. */
function nested(values: readonly [string, unknown][]): Document {
  const document: Document = {};
  for (const [path, value] of values) {
    const names = path.split('.');
    let at = document;
    for (const name of names.slice(0, -1)) {
      at[name] ??= {};
      at = at[name] as Document;
    }
    at[names.at(-1) as string] = value;
  }
  return document;
}

/** Sends them in one unordered call. Throws what is about all of them. */
async function send(
  far: Far,
  { object, operation }: ObjectBatch,
  ops: readonly Op[],
  call: Call,
): Promise<Answer> {
  const writes = ops.map(({ write }) => write);
  const sending = far
    .collection(object)
    .bulkWrite(writes, { ordered: false })
    .then((counts): Answer => ({ failures: [], counts, unsure: false }), partial);
  const answer = await far.wait(sending, call.signal, true);
  const { matchedCount, upsertedCount, insertedCount } = answer.counts;
  const counted = matchedCount + upsertedCount + insertedCount + answer.failures.length;
  if ((operation === 'upsert' || operation === 'insert') && counted < ops.length) {
    throw new ActivateError('OUTCOME_UNKNOWN', `MongoDB answered for ${counted} of ${ops.length} rows.`);
  }
  return answer;
}

/** A bulk write throws when any row failed, with all that did not fail done: this is no error then. */
function partial(thrown: unknown): Answer {
  const { name, result } = thrown as { readonly name?: string; readonly result?: BulkWriteResult };
  // Those of the error itself are left out when the servers were too few as well, and one alone comes without a list.
  const failures = result?.getWriteErrors() ?? [];
  const unsure = result?.getWriteConcernError() !== undefined;
  if (name !== 'MongoBulkWriteError' || result === undefined || (failures.length === 0 && !unsure)) {
    throw thrown;
  }
  return { failures, counts: result, unsure };
}

/** Codes of single rows that are about the connection or its rights all the same. */
const fatal: ReadonlySet<number> = new Set([13, 18, 20, 26]);

async function settleFailures(
  far: Far,
  facts: CollectionFacts,
  batch: ObjectBatch,
  call: Call,
  ops: readonly Op[],
  failures: readonly WriteError[],
  outcomes: Outcome[],
): Promise<void> {
  const stop = failures.find(({ code }) => fatal.has(code));
  if (stop !== undefined) {
    throw explain(Object.assign(new Error('A row was refused'), { code: stop.code }), far.login);
  }
  const duplicates = failures.filter(({ code }) => code === 11000);
  const doubled =
    duplicates.length === 0
      ? new Map<number, Outcome>()
      : await settleDuplicates(far, facts, batch, call, ops, duplicates);
  for (const failure of failures) {
    const { row } = ops[failure.index] as Op;
    outcomes[row] = doubled.get(failure.index) ?? failureOf(facts, failure);
  }
}

/** What became of those that another document stood in the way of, by their place among all. */
async function settleDuplicates(
  far: Far,
  facts: CollectionFacts,
  batch: ObjectBatch,
  call: Call,
  ops: readonly Op[],
  duplicates: readonly WriteError[],
): Promise<ReadonlyMap<number, Outcome>> {
  if (batch.operation === 'upsert') {
    // Two writers with the same new key: one of them comes second, and finds the document when it looks again.
    const left = await retryRace(far, batch, ops, duplicates, call);
    return new Map(
      duplicates.map(({ index }) => {
        const failure = left.get(index);
        return [index, failure === undefined ? done : failureOf(facts, failure)];
      }),
    );
  }
  if (batch.operation !== 'insert' || batch.match.length === 0) {
    return new Map();
  }
  const their = duplicates.map(({ index }) => [index, ops[index] as Op] as const);
  const there = await existing(
    far,
    batch,
    their.map(([, op]) => op),
    call,
  );
  const reason = `There is a document in ${batch.object} with this ${batch.match.join(' and ')} already.`;
  const outcome: Outcome = call.again ? done : { state: 'rejected', reason, ...fieldOf(batch.match) };
  return new Map(their.filter(([, op]) => there.has(op)).map(([index]) => [index, outcome]));
}

/** Tries these once more; what fails now, by their place among all. */
async function retryRace(
  far: Far,
  batch: ObjectBatch,
  ops: readonly Op[],
  duplicates: readonly WriteError[],
  call: Call,
): Promise<ReadonlyMap<number, WriteError>> {
  const indexes = duplicates.map(({ index }) => index);
  const { failures } = await send(
    far,
    batch,
    indexes.map((index) => ops[index] as Op),
    call,
  );
  return new Map(failures.map((failure) => [indexes[failure.index] as number, failure]));
}

/** Why one document was not written. The text of the server is not repeated: it holds values. */
function failureOf(facts: CollectionFacts, { code, errmsg, errInfo }: WriteError): Outcome {
  if (isPassing(code) || code === 16500) {
    const waitMs = Number(/RetryAfterMs=(\d+)/.exec(errmsg ?? '')?.[1] ?? Number.NaN);
    const reason = `MongoDB could not write it now (code ${code}).`;
    return { state: 'retry', reason, ...(Number.isNaN(waitMs) ? {} : { afterMs: waitMs }) };
  }
  if (code === 11000) {
    const index = facts.indexes.find(({ name }) => errmsg?.includes(`index: ${name} `) === true);
    const same = index === undefined ? 'value where each has to have its own' : index.fields.join(' and ');
    const reason = `Another document of ${facts.name} has the same ${same}.`;
    return { state: 'rejected', reason, ...fieldOf(index?.fields ?? []) };
  }
  if (code === 121) {
    const names = failedRules(errInfo);
    const about = names.length === 0 ? '' : `: ${names.join(', ')}`;
    return {
      state: 'rejected',
      reason: `The validator of ${facts.name} refused it${about}.`,
      ...fieldOf(names),
    };
  }
  const known = reasons[code];
  return { state: 'rejected', reason: known ?? `MongoDB did not take it (code ${code}).` };
}

const reasons: Readonly<Record<number, string>> = {
  28: 'A field is to go inside another that holds a single value.',
  40: 'A field and another inside it are both to be written.',
  66: 'The _id of a document can not be changed.',
  10334: 'The document would be larger than the 16 MB that it can have.',
  17419: 'The document would be larger than the 16 MB that it can have.',
  17280: 'A value is too large for an index.',
};

/** The names of the properties that a validator complains of, without their values. */
function failedRules(errInfo: Document | undefined): readonly string[] {
  const rules = (errInfo?.['details']?.['schemaRulesNotSatisfied'] ?? []) as readonly Document[];
  return rules.flatMap((rule) => [
    ...((rule['missingProperties'] ?? []) as readonly string[]),
    ...((rule['propertiesNotSatisfied'] ?? []) as readonly Document[]).map((one) =>
      String(one['propertyName']),
    ),
  ]);
}

/** Those whose documents are there. */
async function existing(
  far: Far,
  { object, match }: ObjectBatch,
  ops: readonly Op[],
  call: Call,
): Promise<ReadonlySet<Op>> {
  const [name] = match;
  const query =
    match.length === 1 && name !== undefined
      ? { [name]: { $in: ops.map(({ filter }) => filter[name].$eq as unknown) } }
      : { $or: ops.map(({ filter }) => filter) };
  const projection = { _id: 0, ...Object.fromEntries(match.map((one) => [one, 1])) };
  const found = await far.wait(
    far.collection(object).find(query, { projection, promoteValues: false }).toArray(),
    call.signal,
  );
  const keys = new Set(found.flatMap((document) => keysOf(document, match)));
  return new Set(
    ops.filter(({ filter }) => keys.has(match.map((one) => keyText(filter[one].$eq)).join('\n'))),
  );
}

/** A list is found by each of its items. */
function keysOf(document: Document, match: readonly string[]): readonly string[] {
  return match.reduce<readonly string[]>(
    (keys, path) => {
      const value = path
        .split('.')
        .reduce<unknown>((at, name) => (at as Document | undefined)?.[name], document);
      const texts = Array.isArray(value) ? value.map(keyText) : [keyText(value)];
      return keys.flatMap((key) => texts.map((text) => (key === '' ? text : `${key}\n${text}`)));
    },
    [''],
  );
}
