import { verify, X509Certificate } from 'node:crypto';
import { type Answer, type FakeHttp, type Received, type Routes, startFakeHttp } from './http.ts';

type Fields = Readonly<Record<string, unknown>>;

export interface ListItem {
  readonly id: string;
  name: string;
  code?: string;
  parent?: string;
  readonly properties: Record<string, unknown>;
  readonly subsets: Record<string, unknown>;
}

interface Task {
  readonly id: string;
  polled: number;
  readonly result: Fields;
  readonly dump: string;
}

export interface AnaplanState {
  readonly items: ListItem[];
  /** By line item and coordinates. */
  readonly cells: Map<string, unknown>;
  /** What the import has made of its file: rows by their code. */
  readonly imported: Map<string, Fields>;
  readonly tasks: Task[];
  /** What was uploaded, and what an import would read. */
  uploaded: string;
  readable: string;
  tokens: string[];
  signIns: Fields[];
  /** The certificate that may sign in, as PEM text. */
  certificate: string | undefined;
  lastId: number;
  numbered: boolean;
  encoding: string;
  /** Pages are cut below what is asked for. */
  pageSize: number;
  isAdministrator: boolean;
  /** How often a task is asked for before it has ended, and how it ends. */
  polls: number;
  taskState: 'COMPLETE' | 'CANCELLED';
  /** The import itself can't be run: its mapping is broken. */
  broken: boolean;
  /** The list of failed rows has other columns than the file. */
  strangeDump: boolean;
}

export type FakeAnaplan = FakeHttp<AnaplanState> & {
  /** What every test connects with. */
  readonly config: Readonly<Record<string, string>>;
};

export const ids = {
  workspace: '8a8196b15b7dbae6015b8694411d13fe',
  model: '75A40874E6B64FA3AE07432789968500',
  list: 'list:101000000001',
  module: 'module:102000000001',
  import: 'import:112000000001',
};
const email = 'activate@acme.example';
const password = 'a-password-of-anaplan';
const home = `/2/0/workspaces/${ids.workspace}/models/${ids.model}`;
const columns = ['Code', 'Name', 'Seats', 'Plan'];
const success = { code: 200, message: 'Success' };

/** A model with a list, a module over that list and time, and an import that reads a file. */
export async function startAnaplan(): Promise<FakeAnaplan> {
  const state: AnaplanState = {
    items: [],
    cells: new Map(),
    imported: new Map(),
    tasks: [],
    uploaded: '',
    readable: `${columns.join(',')}\r\nold,Old,1,Old\r\n`,
    tokens: [],
    signIns: [],
    certificate: undefined,
    lastId: 201000000000,
    numbered: false,
    encoding: 'UTF-8',
    pageSize: 1000,
    isAdministrator: true,
    polls: 1,
    taskState: 'COMPLETE',
    broken: false,
    strangeDump: false,
  };
  const fake = await startFakeHttp(state, routes, guard);
  const { workspace, model } = ids;
  return { ...fake, config: { workspace, model, email, password, baseUrl: fake.url } };
}

/** Adds an item, as somebody else would have. */
export function seed({ state }: FakeAnaplan, code: string, properties: Fields = {}): string {
  state.lastId += 1;
  const id = String(state.lastId);
  state.items.push({ id, name: `Name of ${code}`, code, properties: { ...properties }, subsets: {} });
  return id;
}

/** An error in Anaplan's shape. */
export function problem(status: number, message: string): Answer {
  return { status, json: { status: { code: status, message }, path: '', timestamp: '' } };
}

function guard({ path, headers }: Received, { tokens, isAdministrator }: AnaplanState): Answer | undefined {
  if (path === '/token/authenticate') {
    return undefined;
  }
  const token = /^AnaplanAuthToken (.+)$/.exec(headers['authorization'] ?? '')?.[1];
  if (token === undefined || !tokens.includes(token)) {
    return problem(401, 'Token is invalid or has expired');
  }
  // What one may not see is not there.
  return path.startsWith(home) && (isAdministrator || !/\/(?:lists|modules|dimensions)/.test(path))
    ? undefined
    : problem(404, 'Resource not found');
}

function signIn(request: Received, state: AnaplanState): Answer {
  const { authorization = '' } = request.headers;
  const body = request.body.length === 0 ? {} : request.json<Fields>();
  state.signIns.push({ authorization, ...body });
  const basic = `Basic ${Buffer.from(`${email}:${password}`).toString('base64')}`;
  if (authorization !== basic && !isProven(authorization, body, state.certificate)) {
    return { status: 401, json: { status: 'FAILURE_BAD_CREDENTIAL', statusMessage: 'Invalid credentials' } };
  }
  const tokenValue = `anaplan-token-${state.signIns.length}`;
  state.tokens.push(tokenValue);
  const tokenInfo = { tokenValue, expiresAt: 0, refreshTokenId: 'r', refreshToken: 'unknown to us' };
  return { status: 201, json: { status: 'SUCCESS', statusMessage: 'Login successful', tokenInfo } };
}

/** The second form: the time in seconds as eight bytes, and 92 more. */
function isProven(authorization: string, body: Fields, certificate: string | undefined): boolean {
  const pem = Buffer.from(authorization.replace('CACertificate ', ''), 'base64').toString();
  const data = Buffer.from(String(body['encodedData'] ?? ''), 'base64');
  if (certificate === undefined || pem !== certificate || data.length !== 100) {
    return false;
  }
  const at = Number(data.readBigUInt64BE(0)) * 1000;
  const signed = Buffer.from(String(body['encodedSignedData']), 'base64');
  return (
    body['encodedDataFormat'] === 'v2' &&
    Math.abs(at - Date.now()) < 60_000 &&
    verify('sha512', data, new X509Certificate(pem).publicKey, signed)
  );
}

function page(name: string, all: readonly object[]): (request: Received, state: AnaplanState) => Answer {
  return ({ query }, { pageSize }) => {
    const offset = Number(query.get('offset') ?? 0);
    const some = all.slice(offset, offset + Math.min(pageSize, Number(query.get('limit') ?? 5000)));
    const paging = { currentPageSize: some.length, totalSize: all.length, offset };
    return { json: { meta: { paging }, status: success, ...(some.length === 0 ? {} : { [name]: some }) } };
  };
}

// Lists --------------------------------------------------------------------------------------------------------------

const properties = [
  { name: 'Title', format: 'TEXT' },
  { name: 'Seats', format: 'NUMBER' },
  { name: 'Since', format: 'DATE' },
  { name: 'Active', format: 'BOOLEAN' },
  { name: 'Plan', format: 'TEXT' },
  { name: 'Sum', format: 'NUMBER', formula: 'Seats * 2' },
];

function metadata(_request: Received, { numbered }: AnaplanState): Answer {
  const subsets = [{ id: '109000000001', name: 'Big' }];
  return { json: { metadata: { name: 'Customers', numberedList: numbered, properties, subsets } } };
}

function lookUp(request: Received, { items }: AnaplanState): Answer {
  const { codes = [], names = [] } = request.json<{ codes?: string[]; names?: string[] }>();
  const found = items.filter(({ code = '', name }) => codes.includes(code) || names.includes(name));
  const some = found.map(({ id, name, code }) => ({ id, name, ...(code === undefined ? {} : { code }) }));
  return { json: { status: success, ...(some.length === 0 ? {} : { items: some }) } };
}

type Sent = Partial<Omit<ListItem, 'properties' | 'subsets'>> & {
  readonly properties?: Fields;
  readonly subsets?: Fields;
};

/** What Anaplan minds about an item, quoting it. */
function faultIn({ properties: given = {} }: Sent): object | undefined {
  const bad = Object.entries(given).find(
    ([name, value]) =>
      value === 'refuse me' || (name === 'Seats' && Number.isNaN(Number(value))) || name === 'Sum',
  );
  return bad === undefined
    ? undefined
    : {
        failureType: 'INCORRECT_FORMAT',
        failureMessageDetails: `incorrect format -- column name:${bad[0]}, value:${bad[1]}`,
      };
}

function found({ items }: AnaplanState, { id, code, name }: Sent): ListItem | undefined {
  return items.find((one) => one.id === id || (code !== undefined && one.code === code) || one.name === name);
}

function act(request: Received, state: AnaplanState): Answer {
  const { items } = request.json<{ items: Sent[] }>();
  const action = request.method === 'PUT' ? 'update' : request.query.get('action');
  const failures: object[] = [];
  let done = 0;
  for (const [requestIndex, item] of items.entries()) {
    const fault = action === 'add' ? addOne(state, item) : changeOne(state, item, action === 'delete');
    if (fault === undefined) {
      done += 1;
    } else if ('failureType' in fault) {
      failures.push({ requestIndex, ...fault });
    }
  }
  const some = failures.length === 0 ? {} : { failures };
  if (action === 'delete') {
    return failures.length === 0
      ? { json: { status: success, deleted: done } }
      : { json: { status: success, result: { numberOfItemsDeleted: done, failures } } };
  }
  const word = action === 'add' ? 'added' : 'updated';
  return {
    json: { status: success, [word]: done, ignored: items.length - done, total: items.length, ...some },
  };
}

function addOne(state: AnaplanState, item: Sent): object | undefined {
  if (found(state, item) !== undefined) {
    // Ignored without a word.
    return {};
  }
  const fault = faultIn(item);
  if (fault === undefined) {
    state.lastId += 1;
    const { name = `#${state.lastId}`, ...more } = item;
    const own = { properties: { ...item.properties }, subsets: { ...item.subsets } };
    state.items.push({ ...more, id: String(state.lastId), name, ...own });
  }
  return fault;
}

function changeOne(state: AnaplanState, item: Sent, deletes: boolean): object | undefined {
  const called = [item.id, item.code, item.name].filter((one) => one !== undefined);
  if (called.length !== 1) {
    return { failureType: 'Ambiguous criteria', failureMessageDetails: 'Specifying both is not supported' };
  }
  const there = found(state, item);
  if (there === undefined) {
    return { failureType: 'Not found', failureMessageDetails: `Code '${called[0]}' not found` };
  }
  if (deletes) {
    state.items.splice(state.items.indexOf(there), 1);
    return undefined;
  }
  const fault = faultIn(item);
  if (fault === undefined) {
    Object.assign(there.properties, item.properties);
    Object.assign(there.subsets, item.subsets);
    Object.assign(there, item.parent === undefined ? {} : { parent: item.parent });
  }
  return fault;
}

// Modules ------------------------------------------------------------------------------------------------------------

const products = { id: '101000000001', name: 'Products' };
const none = 'Not Applicable';
const lineItems = [
  { name: 'Price', format: 'NUMBER', appliesTo: [products], timeScale: 'Month', version: { name: none } },
  { name: 'Note', format: 'TEXT', appliesTo: [products], timeScale: none, version: { name: none } },
  { name: 'Total', format: 'NUMBER', formula: 'Price * 2', appliesTo: [products], timeScale: 'Month' },
  { name: '----', format: 'NONE', timeScale: none },
].map((one, i) => ({ id: String(i), isSummary: false, ...one }));

interface CellWrite {
  readonly lineItemName: string;
  readonly dimensions: readonly { dimensionName: string; itemCode?: string; itemName?: string }[];
  readonly value: unknown;
}

function writeCells(request: Received, state: AnaplanState): Answer {
  const failures: object[] = [];
  const cells = request.json<CellWrite[]>();
  for (const [requestIndex, { lineItemName, dimensions, value }] of cells.entries()) {
    const at = dimensions.map(({ dimensionName, itemCode, itemName }) => {
      const item = state.items.find(({ code, name }) => code === itemCode || name === itemName);
      return dimensionName === 'Products' ? item?.code : itemName;
    });
    if (
      value === null ||
      (lineItemName === 'Price' && Number.isNaN(Number(value))) ||
      at.includes(undefined)
    ) {
      const failureMessageDetails = `the cell could not be found or resolved: ${String(value)}`;
      failures.push({ requestIndex, failureType: 'cellIsInvalid', failureMessageDetails });
    } else {
      state.cells.set(`${lineItemName} ${at.join(' ')}`, value);
    }
  }
  const numberOfCellsChanged = cells.length - failures.length;
  return { json: { numberOfCellsChanged, ...(failures.length === 0 ? {} : { failures }) } };
}

// Imports ------------------------------------------------------------------------------------------------------------

function imported(_request: Received, { encoding: textEncoding }: AnaplanState): Answer {
  const source = { textEncoding, columnSeparator: ',', textDelimiter: '"', headerNames: columns };
  return { json: { importMetadata: { name: 'Customers from a file', type: 'FILE', source } } };
}

function upload({ body, headers }: Received, state: AnaplanState): Answer {
  if (headers['content-type'] !== 'application/octet-stream') {
    return problem(415, 'Unsupported media type');
  }
  state.uploaded = body.toString();
  return { status: 204 };
}

function complete(request: Received, state: AnaplanState): Answer {
  const { id, chunkCount } = request.json();
  if (id !== '113000000001' || chunkCount !== 1) {
    return problem(400, 'Bad file');
  }
  state.readable = state.uploaded;
  return { json: { file: { id, chunkCount } } };
}

/** No line breaks in values here. */
const cellsIn = (line: string): readonly string[] =>
  [...line.matchAll(/(?:"((?:[^"]|"")*)"|([^",]*))(?:,|$)/g)]
    .map(([, quoted, bare = '']) => quoted?.replaceAll('""', '"') ?? bare)
    .slice(0, columns.length);

function run(request: Received, state: AnaplanState): Answer {
  if (request.json()['localeName'] !== 'en_US') {
    return problem(400, 'No locale');
  }
  const [, ...lines] = state.readable.trimEnd().split('\r\n').map(cellsIn);
  const failed: (readonly string[])[] = [];
  for (const line of state.broken ? [] : lines) {
    const { Code = '', ...row } = Object.fromEntries(columns.map((name, at) => [name, line[at] ?? '']));
    if (row['Plan'] === 'refuse me' || Number.isNaN(Number(row['Seats']))) {
      failed.push(line);
    } else {
      state.imported.set(Code, row);
    }
  }
  const header = ['_Line_', ...(state.strangeDump ? [] : columns), 'Error'];
  const rows = failed.map((line) => [
    '2',
    ...(state.strangeDump ? [] : line),
    `Invalid value "${line[3]}" in ${line[0]}`,
  ]);
  const quoted = (row: readonly string[]): string =>
    row.map((text) => `"${text.replaceAll('"', '""')}"`).join(',');
  const result = {
    successful: !state.broken,
    failureDumpAvailable: failed.length > 0,
    details: [{ localMessageText: state.broken ? 'Column 3 is not there' : '', type: 'x', occurrences: 1 }],
  };
  const id = `TASK${state.tasks.length + 1}`;
  state.tasks.push({ id, polled: 0, result, dump: [header, ...rows].map(quoted).join('\n') });
  return { json: { task: { taskId: id } } };
}

function statusOf({ params }: Received, state: AnaplanState): Answer {
  const task = state.tasks.find(({ id }) => id === params['task']);
  if (task === undefined) {
    return problem(404, 'Task not found');
  }
  task.polled += 1;
  return task.polled < state.polls
    ? { json: { task: { taskId: task.id, taskState: 'IN_PROGRESS', progress: 0.5 } } }
    : { json: { task: { taskId: task.id, taskState: state.taskState, progress: 1, result: task.result } } };
}

const routes: Routes<AnaplanState> = {
  'POST /token/authenticate': signIn,
  [`GET ${home}/lists`]: page('lists', [{ id: '101000000001', name: 'Customers' }]),
  [`GET ${home}/lists/101000000001`]: metadata,
  [`POST ${home}/dimensions/101000000001/items`]: lookUp,
  [`POST ${home}/lists/101000000001/items`]: act,
  [`PUT ${home}/lists/101000000001/items`]: act,
  [`GET ${home}/modules`]: page('modules', [{ id: '102000000001', name: 'Prices' }]),
  [`GET ${home}/modules/102000000001/lineItems`]: () => ({ json: { items: lineItems } }),
  [`POST ${home}/modules/102000000001/data`]: writeCells,
  [`GET ${home}/imports`]: page('imports', [
    { id: '112000000002', name: 'From a model', importType: 'MODULE_DATA', importDataSourceId: '' },
    {
      id: '112000000001',
      name: 'Customers',
      importType: 'HIERARCHY_DATA',
      importDataSourceId: '113000000001',
    },
  ]),
  [`GET ${home}/imports/112000000001`]: imported,
  [`GET ${home}/files`]: page('files', [
    { id: '113000000000', name: 'other.csv', chunkCount: 0 },
    { id: '113000000001', name: 'customers.csv', chunkCount: 0, encoding: 'UTF-8', separator: ',' },
  ]),
  [`POST ${home}/files/113000000001`]: () => ({ json: { file: { id: '113000000001' } } }),
  [`PUT ${home}/files/113000000001/chunks/0`]: upload,
  [`POST ${home}/files/113000000001/complete`]: complete,
  [`POST ${home}/imports/112000000001/tasks`]: run,
  [`GET ${home}/imports/112000000001/tasks/:task`]: statusOf,
  [`GET ${home}/imports/112000000001/tasks/:task/dump`]: ({ params }, { tasks }) => ({
    headers: { 'content-type': 'text/csv' },
    text: tasks.find(({ id }) => id === params['task'])?.dump ?? '',
  }),
};
