import type { Answer, Received } from './http.ts';

export interface Property {
  readonly name: string;
  readonly label?: string;
  readonly type?: string;
  readonly fieldType?: string;
  readonly options?: readonly { readonly value: string; readonly label: string; readonly hidden: boolean }[];
  readonly hasUniqueValue?: boolean;
  readonly calculated?: boolean;
  readonly hidden?: boolean;
  readonly externalOptions?: boolean;
  readonly modificationMetadata?: { readonly readOnlyValue: boolean };
}

export interface Stored {
  readonly id: string;
  properties: Record<string, string>;
  archived: boolean;
}

export interface Kind {
  readonly properties: readonly Property[];
  readonly records: Map<string, Stored>;
}

export interface Rules {
  /** One bad row refuses the whole batch, as HubSpot does at times. */
  wholeBatch: boolean;
  /** The next write answers that all went well, and does nothing. */
  silent: boolean;
  /** Answers name records by their ids alone, as older versions do. */
  traceless: boolean;
  lastId: number;
}

interface Input {
  readonly id?: string;
  readonly idProperty?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly objectWriteTraceId?: string;
}

interface Problem {
  readonly status: number;
  readonly category: string;
  readonly message: string;
}

const correlationId = 'aeb5f871-7f07-4993-9211-075dc63e7cbf';

/** An error as HubSpot has it. */
export function problem(status: number, category: string, message: string, more: object = {}): Answer {
  return { status, json: { status: 'error', message, correlationId, category, ...more } };
}

const stages = ['subscriber', 'lead', 'customer'];
const unreadable = (name: string, error: string, message: string): Problem => ({
  status: 400,
  category: 'VALIDATION_ERROR',
  message: `Property values were not valid: ${JSON.stringify([{ isValid: false, message, error, name }])}`,
});

/** What HubSpot has against writing these values; nothing when it takes them. */
function against({ properties }: Kind, values: Readonly<Record<string, unknown>>): Problem | undefined {
  for (const [name, value] of Object.entries(values)) {
    const property = properties.find((one) => one.name === name);
    if (property === undefined) {
      return unreadable(name, 'PROPERTY_DOESNT_EXIST', `Property "${name}" does not exist`);
    }
    if (typeof value !== 'string') {
      return { status: 400, category: 'VALIDATION_ERROR', message: `Invalid input JSON: ${name} is no text` };
    }
    if (property.modificationMetadata?.readOnlyValue === true) {
      return unreadable(name, 'READ_ONLY_VALUE', `"${name}" is a read only property`);
    }
    const wrong = value === '' ? undefined : wrongIn(property, value);
    if (wrong !== undefined) {
      return unreadable(name, ...wrong);
    }
  }
  return undefined;
}

function wrongIn({ name, type, options }: Property, value: string): [string, string] | undefined {
  if (name === 'email' && !/^[^@\s]+@[^@\s]+$/.test(value)) {
    return ['INVALID_EMAIL', `Email address ${value} is invalid`];
  }
  if (type === 'number' && Number.isNaN(Number(value))) {
    return ['INVALID_LONG', `${value} was not a valid long.`];
  }
  if (type === 'date' && !/^\d{4}-\d\d-\d\d$/.test(value)) {
    return ['INVALID_DATE', `${value} is at the wrong time of day for a date.`];
  }
  if (type === 'datetime' && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/.test(value)) {
    return ['INVALID_DATE', `${value} was not a valid date.`];
  }
  const taken = options?.map((option) => option.value);
  const unknown = value.split(';').find((one) => taken?.includes(one) === false);
  return unknown === undefined
    ? undefined
    : ['INVALID_OPTION', `${unknown} was not one of the allowed options`];
}

/** By its id, or by a unique property. A contact is found by its other addresses too. */
export function found(kind: Kind, idProperty: string | undefined, id: string): Stored | undefined {
  if (idProperty === undefined) {
    const record = kind.records.get(id);
    return record?.archived === false ? record : undefined;
  }
  return [...kind.records.values()].find(({ archived, properties }) => {
    const names = [properties[idProperty], ...(properties['hs_additional_emails'] ?? '').split(';')];
    return !archived && (idProperty === 'email' ? names : names.slice(0, 1)).includes(id);
  });
}

function isUnique({ properties }: Kind, name: string | undefined): boolean {
  return properties.find((one) => one.name === name)?.hasUniqueValue === true;
}

/** `batch/create`, `batch/update` and `batch/upsert`. Answers in another order than it was asked in. */
export function write(verb: string, kind: Kind, rules: Rules, request: Received): Answer {
  const { inputs } = request.json<{ inputs: readonly Input[] }>();
  const whole = wholeProblem(verb, kind, inputs);
  if (whole !== undefined) {
    return whole;
  }
  if (rules.silent) {
    rules.silent = false;
    return answerOf(200, [], []);
  }
  const problems = inputs.map((input) => problemOf(verb, kind, input));
  const first = problems.find((one) => one !== undefined && one.category !== 'OBJECT_NOT_FOUND');
  const hasNames = inputs.every((input) => input.objectWriteTraceId !== undefined);
  if (first !== undefined && (rules.wholeBatch || !hasNames)) {
    return problem(first.status, first.category, first.message);
  }
  const errors = inputs.flatMap(({ id, objectWriteTraceId }, at) => {
    const { category, message } = problems[at] ?? {};
    const name = rules.traceless ? {} : { objectWriteTraceId: [objectWriteTraceId] };
    return category === undefined
      ? []
      : [{ status: 'error', category, message, context: { ids: [id], ...name } }];
  });
  const results = inputs
    .filter((_, at) => problems[at] === undefined)
    .map((input) => shown(apply(verb, kind, rules, input), rules.traceless ? undefined : input));
  const status = errors.length > 0 ? 207 : verb === 'create' ? 201 : 200;
  return answerOf(status, results.toReversed(), errors.toReversed());
}

function wholeProblem(verb: string, kind: Kind, inputs: readonly Input[]): Answer | undefined {
  if (inputs.length > 100) {
    return problem(
      400,
      'VALIDATION_ERROR',
      'The maximum number of inputs supported in a batch request is 100',
    );
  }
  const ids = inputs.map(({ id }) => id).filter((id) => id !== undefined);
  if (new Set(ids).size < ids.length) {
    return problem(400, 'VALIDATION_ERROR', `Duplicate IDs found in batch input: [${ids.join(', ')}].`);
  }
  const { idProperty } = inputs[0] ?? {};
  if ((verb === 'upsert' || idProperty !== undefined) && !isUnique(kind, idProperty)) {
    return problem(
      400,
      'VALIDATION_ERROR',
      `Unable to perform update/upsert by non-unique property ${idProperty}`,
    );
  }
  const unknown = inputs
    .map((input) => against(kind, input.properties ?? {}))
    .find((one) => one?.message.includes('PROPERTY_DOESNT_EXIST'));
  return unknown === undefined ? undefined : problem(400, unknown.category, unknown.message);
}

function problemOf(
  verb: string,
  kind: Kind,
  { id = '', idProperty, properties = {} }: Input,
): Problem | undefined {
  const there = verb === 'create' ? undefined : found(kind, idProperty, id);
  // An address that is taken for a record id changes nothing, and is no error.
  if (verb === 'update' && there === undefined && !(idProperty === undefined && id.includes('@'))) {
    return {
      status: 404,
      category: 'OBJECT_NOT_FOUND',
      message:
        'Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid.',
    };
  }
  const wrong = against(kind, properties);
  if (wrong !== undefined) {
    return wrong;
  }
  for (const { name } of kind.properties.filter((one) => one.hasUniqueValue === true)) {
    const other = found(kind, name, String(properties[name] ?? ''));
    if (properties[name] !== undefined && other !== undefined && other !== there) {
      return name === 'email'
        ? { status: 409, category: 'CONFLICT', message: `Contact already exists. Existing ID: ${other.id}` }
        : unreadable(name, 'CONFLICTING_UNIQUE_VALUE', `${other.id} already has that value.`);
    }
  }
  return undefined;
}

function apply(
  verb: string,
  kind: Kind,
  rules: Rules,
  { id = '', idProperty, properties = {} }: Input,
): Stored {
  const there = verb === 'create' ? undefined : found(kind, idProperty, id);
  const values = properties as Record<string, string>;
  if (there === undefined) {
    rules.lastId += verb === 'update' ? 0 : 1;
    const record: Stored = { id: String(rules.lastId), archived: false, properties: filled({}, values) };
    if (verb !== 'update') {
      kind.records.set(record.id, record);
    }
    return record;
  }
  // "Partial upserts are not supported when using email", taken at its worst.
  const kept = verb === 'upsert' && idProperty === 'email' ? {} : there.properties;
  const { email: primary } = there.properties;
  there.properties = filled(kept, values, there.properties['lifecyclestage']);
  if (idProperty === 'email' && primary !== undefined) {
    there.properties['email'] = primary;
  }
  return there;
}

/** Stages move forward only, unless they are emptied first. */
function filled(
  before: Readonly<Record<string, string>>,
  values: Readonly<Record<string, string>>,
  stage = '',
): Record<string, string> {
  const after = { ...before, ...values };
  const wanted = after['lifecyclestage'] ?? '';
  if (wanted !== '' && stages.indexOf(wanted) < stages.indexOf(stage)) {
    after['lifecyclestage'] = stage;
  }
  return Object.fromEntries(Object.entries(after).filter(([, value]) => value !== ''));
}

function shown({ id, properties, archived }: Stored, input?: Input): object {
  return {
    id,
    properties,
    archived,
    new: false,
    createdAt: '2026-11-23T12:00:00.000Z',
    updatedAt: '2026-11-23T12:00:00.000Z',
    url: `https://app.hubspot.com/contacts/1/record/0-1/${id}`,
    ...(input?.objectWriteTraceId === undefined ? {} : { objectWriteTraceId: input.objectWriteTraceId }),
  };
}

function answerOf(status: number, results: readonly object[], errors: readonly object[]): Answer {
  const times = { startedAt: '2026-11-23T12:00:00.000Z', completedAt: '2026-11-23T12:00:00.100Z' };
  const wrong = errors.length === 0 ? {} : { numErrors: errors.length, errors };
  return { status, json: { status: 'COMPLETE', results, ...times, ...wrong } };
}

/** `batch/read`: who is missing is an error beside the results. */
export function readMany(kind: Kind, request: Received): Answer {
  const { inputs, idProperty, properties } = request.json<{
    inputs: readonly { id: string }[];
    idProperty?: string;
    properties: readonly string[];
  }>();
  if (inputs.length > 100) {
    return problem(
      400,
      'VALIDATION_ERROR',
      'The maximum number of inputs supported in a batch request is 100',
    );
  }
  const there = inputs.map(({ id }) => found(kind, idProperty, id));
  const results = [...new Set(there.filter((one) => one !== undefined))].map((record) => ({
    ...shown(record),
    properties: Object.fromEntries(properties.map((name) => [name, record.properties[name] ?? null])),
  }));
  const ids = inputs.filter((_, at) => there[at] === undefined).map(({ id }) => id);
  const message = 'Could not get some objects, they may be deleted or not exist. Check that ids are valid.';
  const missing = { status: 'error', category: 'OBJECT_NOT_FOUND', message, context: { ids } };
  return ids.length === 0 ? answerOf(200, results, []) : answerOf(207, results.toReversed(), [missing]);
}
