import { type Answer, type FakeHttp, type Received, startFakeHttp } from './http.ts';

type Row = Readonly<Record<string, unknown>>;

export interface Column {
  readonly name: string;
  readonly type: string;
  readonly length?: number;
  readonly isPrimaryKey: boolean;
  readonly isNullable: boolean;
}

interface Extension {
  readonly id: string;
  readonly name: string;
  readonly fields: readonly Column[];
  /** By their key in small letters: Marketing Cloud does not tell them apart. */
  readonly rows: Map<string, Row>;
}

interface Result {
  readonly status: 'OK' | 'Error';
  readonly errorCode?: string;
  readonly message?: string;
}

/** How a job goes on, other than at once and well. */
interface Going {
  /** What is said of it first, one answer after the other; `none` is no status at all. */
  readonly first?: readonly ('none' | 'Pending' | 'Executing' | 'Error')[];
  /** Results in place of those that come of the rows. */
  readonly results?: readonly Result[];
  /** Rows that stand in the way of others, by their key. */
  readonly deadlocks?: readonly string[];
}

interface Job {
  readonly id: string;
  readonly first: ('none' | 'Pending' | 'Executing' | 'Error')[];
  readonly results: readonly Result[];
}

export interface SfmcState {
  readonly extensions: Extension[];
  /** Access tokens that are good. */
  readonly tokens: Set<string>;
  readonly jobs: Map<string, Job>;
  /** Of the next jobs, in order. */
  readonly goings: Going[];
  /** Keys of rows that can't be deleted. */
  readonly stuck: Set<string>;
}

export type FakeSfmc = FakeHttp<SfmcState>;

export const client = { clientId: 'k2j4h5g6f7d8s9a0', clientSecret: 'S3cr3t-of-the-installed-package' };
export const businessUnit = '7221234';
export const buyers = '2f6f0d6c-0000-4000-8000-000000000001';
export const rowsOfBuyers = `PUT /data/v1/async/dataextensions/${buyers}/rows`;

/** An error as the REST interface has it. */
export function refused(status: number, errorcode: number, message: string, more: object = {}): Answer {
  return {
    status,
    json: { message, errorcode, documentation: 'https://developer.salesforce.com/', ...more },
  };
}

export const key = (name = 'SubscriberKey', type = 'Text'): Column => ({
  name,
  type,
  length: 254,
  isPrimaryKey: true,
  isNullable: false,
});
export const plain = (name: string, type: string, more: Partial<Column> = {}): Column => ({
  name,
  type,
  isPrimaryKey: false,
  isNullable: true,
  ...more,
});

const member = plain('IsMember', 'Boolean');

/** A business unit with a data extension of people by subscriber key, and one by address. */
export function startSfmc(): Promise<FakeSfmc> {
  const extension = (n: number, name: string, fields: readonly Column[]): Extension => ({
    id: `2f6f0d6c-0000-4000-8000-${String(n).padStart(12, '0')}`,
    name,
    fields,
    rows: new Map(),
  });
  const state: SfmcState = {
    extensions: [
      extension(1, 'Buyers', [
        key(),
        plain('EmailAddress', 'EmailAddress', { length: 254 }),
        member,
        plain('Plan', 'Text', { length: 10 }),
        plain('Seats', 'Number'),
        plain('TrialEnd', 'Date'),
      ]),
      extension(2, 'Big_buyers', [key('Email', 'EmailAddress'), member]),
    ],
    tokens: new Set(),
    jobs: new Map(),
    goings: [],
    stuck: new Set(),
  };
  return startFakeHttp<SfmcState>(
    state,
    {
      'POST /v2/token': token,
      'GET /data/v1/customobjects': page,
      'POST /data/v1/customobjects': make,
      'GET /data/v1/customobjects/:id': ({ params }, { extensions }) => {
        const found = extensions.find(({ id }) => id === params['id']);
        return found === undefined
          ? refused(404, 30003, 'CustomObject not found')
          : { json: { id: found.id, key: keyOf(found), name: found.name } };
      },
      'POST /Service.asmx': soap,
      'GET /data/v1/customobjects/:id/fields': ({ params }, { extensions }) => {
        const found = extensions.find(({ id }) => id === params['id']);
        return found === undefined
          ? refused(404, 30003, 'CustomObject not found')
          : { json: { id: found.id, fields: found.fields } };
      },
      'PUT /data/v1/async/dataextensions/:id/rows': upsert,
      'GET /data/v1/async/:id/status': status,
      'GET /data/v1/async/:id/results': results,
    },
    ({ path, headers }, { tokens }) =>
      path === '/v2/token' ||
      path === '/Service.asmx' ||
      tokens.has(headers['authorization']?.replace('Bearer ', '') ?? '')
        ? undefined
        : refused(401, 0, 'Not Authorized'),
  );
}

function token({ body }: Received, { tokens }: SfmcState): Answer {
  const form = new URLSearchParams(body.toString('utf8'));
  const isGood =
    form.get('grant_type') === 'client_credentials' &&
    form.get('client_id') === client.clientId &&
    form.get('client_secret') === client.clientSecret &&
    form.get('account_id') === businessUnit;
  if (!isGood) {
    return {
      status: 401,
      json: { error: 'invalid_client', error_description: 'Invalid client ID.', error_uri: '' },
    };
  }
  const made = `eyJhbGciOiJIUzI1NiJ9.token-${tokens.size + 1}`;
  tokens.add(made);
  return {
    json: {
      access_token: made,
      token_type: 'Bearer',
      expires_in: 1079,
      rest_instance_url: 'https://evil.example/',
      soap_instance_url: 'https://evil.example/',
    },
  };
}

/** Nothing is found without a term. Two at a time. */
function page({ query }: Received, { extensions }: SfmcState): Answer {
  const term = (query.get('$search') ?? '').toLowerCase();
  if (term === '') {
    return refused(400, 10003, 'request parameter $search could not be resolved');
  }
  const at = Number(query.get('$page') ?? 1);
  const size = Math.min(2, Number(query.get('$pageSize')));
  const found = extensions.filter(({ name }) => term === '_' || name.toLowerCase().includes(term));
  const items = found.slice((at - 1) * size, at * size).map(({ id, name }) => ({ id, name, key: id }));
  return { json: { count: found.length, page: at, pageSize: size, items } };
}

const said = ['isTemplateField', 'isHidden', 'isReadOnly', 'isInheritable', 'isOverridable', 'mustOverride'];

function make(request: Received, { extensions }: SfmcState): Answer {
  const sent = request.json<{ name: string; categoryId?: number; fields: (Column & Row)[] }>();
  if (/[!@#$%^*()={}[\]\\.<>/":?|,&]/.test(sent.name) || sent.categoryId === undefined) {
    return refused(400, 10005, 'name or categoryId is invalid');
  }
  if (extensions.some(({ name }) => name.toLowerCase() === sent.name.toLowerCase())) {
    return refused(400, 10006, 'A data extension of this name exists');
  }
  const bad = sent.fields.find(
    (one) =>
      said.some((name) => typeof one[name] !== 'boolean') ||
      (one.type !== 'Boolean' && one.length === undefined),
  );
  if (bad !== undefined) {
    return refused(400, 10006, `Length is invalid for field ${bad.name}`);
  }
  const id = `2f6f0d6c-0000-4000-8000-${String(extensions.length + 1).padStart(12, '0')}`;
  extensions.push({ id, name: sent.name, fields: sent.fields, rows: new Map() });
  return { status: 201, json: { id, key: id, name: sent.name } };
}

/** Taken as a whole, at once; what becomes of each row is told later. */
function upsert(request: Received, { extensions, jobs, goings }: SfmcState): Answer {
  const found = extensions.find(({ id }) => id === request.params['id']);
  if (found === undefined) {
    return refused(404, 30003, 'DataExtension not found');
  }
  const { items } = request.json<{ items: Row[] }>();
  const { first = [], results: given, deadlocks = [] } = goings.shift() ?? {};
  const own = items.map((row): Result => {
    const [primary] = found.fields.filter(({ isPrimaryKey }) => isPrimaryKey);
    const value = String(row[primary?.name ?? '']);
    const message = deadlocks.includes(value)
      ? 'Transaction (Process ID 71) was deadlocked on lock resources with another process and has been chosen as the deadlock victim. Rerun the transaction.'
      : complaint(row, found);
    if (message !== undefined) {
      return { status: 'Error', errorCode: '2', message };
    }
    found.rows.set(value.toLowerCase(), { ...found.rows.get(value.toLowerCase()), ...row });
    return { status: 'OK' };
  });
  const id = `request-${jobs.size + 1}`;
  jobs.set(id, { id, first: [...first], results: given ?? own });
  return { status: 202, json: { requestId: id, resultMessages: [] } };
}

function complaint(row: Row, { fields }: Extension): string | undefined {
  for (const { name, type, length, isNullable } of fields) {
    const value = row[name];
    if (!isNullable && (value === undefined || value === null)) {
      return `Cannot insert the value NULL into column '${name}'`;
    }
    if (
      type === 'EmailAddress' &&
      typeof value === 'string' &&
      !/^[^@\s]+@(?!no-mail\.)[^@\s]+$/.test(value)
    ) {
      return `The value '${value}' is no address in field ${name}`;
    }
    if (length !== undefined && typeof value === 'string' && value.length > length) {
      return `The value '${value}' is too long for field ${name}`;
    }
  }
  return undefined;
}

function status({ params }: Received, { jobs }: SfmcState): Answer {
  const job = jobs.get(params['id'] ?? '');
  const next = job?.first.shift();
  if (job === undefined || next === 'none') {
    // So it is said with a job that is forgotten, too.
    const message = { resultType: 'Error', resultCode: 'AsyncRequestStatusNotFound', message: 'Not found' };
    return { json: { requestId: 'of-this-answer', resultMessages: [message] } };
  }
  const hasErrors = job.results.some((one) => one.status === 'Error') || next === 'Error';
  return {
    json: {
      status: {
        requestId: job.id,
        requestStatus: next ?? 'Complete',
        resultStatus: hasErrors ? 'Has Errors' : 'OK',
        hasErrors,
      },
      requestId: 'of-this-answer',
    },
  };
}

function results({ params, query }: Received, { jobs }: SfmcState): Answer {
  const all = jobs.get(params['id'] ?? '')?.results ?? [];
  const at = Number(query.get('page') ?? 1);
  return { json: { page: at, pageSize: 50, count: all.length, items: all.slice((at - 1) * 50, at * 50) } };
}

/** Who is on a list: those whose column says so. */
export function on({ extensions }: SfmcState, list = buyers): readonly Row[] {
  const rows = extensions.find(({ id }) => id === list)?.rows.values() ?? [];
  return [...rows].filter((row) => row['IsMember'] === true);
}

// SOAP ---------------------------------------------------------------------------------------------------------------

/** The external key, which is another than the id. */
const keyOf = ({ name }: Extension): string => `${name} & Co`;

const envelope = (xml: string): string =>
  `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soap:Body>${xml}</soap:Body></soap:Envelope>`;

export function fault(says: string, code = 'q0:Security'): Answer {
  const xml = `<soap:Fault><faultcode xmlns:q0="http://docs.oasis-open.org/wss">${code}</faultcode><faultstring>${says}</faultstring></soap:Fault>`;
  return { status: 500, headers: { 'content-type': 'text/xml' }, text: envelope(xml) };
}

const plainText = (xml: string): string =>
  xml.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
const xmlOf = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll("'", '&#39;');
const inside = (xml: string, name: string): readonly string[] =>
  [...xml.matchAll(new RegExp(`<${name}[^>]*>(.*?)</${name}>`, 'gs'))].map(([, text = '']) =>
    plainText(text),
  );

function soap({ headers, body }: Received, state: SfmcState): Answer {
  const xml = body.toString('utf8');
  if (!state.tokens.has(inside(xml, 'fueloauth')[0] ?? '')) {
    return fault('Token Expired');
  }
  return {
    headers: { 'content-type': 'text/xml' },
    text: envelope(headers['soapaction'] === 'Delete' ? erase(xml, state) : retrieve(xml, state)),
  };
}

function retrieve(xml: string, { extensions }: SfmcState): string {
  const of = /DataExtensionObject\[(.*)\]/.exec(inside(xml, 'ObjectType')[0] ?? '')?.[1];
  const found = extensions.find((one) => keyOf(one) === of);
  const values = inside(xml, 'Value');
  const operator = inside(xml, 'SimpleOperator')[0];
  const column = inside(xml, 'Property')[0] ?? '';
  if (found === undefined || (operator === 'IN') !== values.length > 1) {
    return '<RetrieveResponseMsg><OverallStatus>Error: The filter is invalid</OverallStatus></RetrieveResponseMsg>';
  }
  const rows = values.flatMap((value) => {
    const row = found.rows.get(value.toLowerCase());
    return row === undefined ? [] : [row];
  });
  const results = rows.map(
    (row) =>
      `<Results xsi:type="DataExtensionObject"><Properties><Property><Name>${column}</Name><Value>${xmlOf(String(row[column]))}</Value></Property></Properties></Results>`,
  );
  return `<RetrieveResponseMsg xmlns="http://exacttarget.com/wsdl/partnerAPI"><OverallStatus>OK</OverallStatus>${results.join('')}</RetrieveResponseMsg>`;
}

function erase(xml: string, { extensions, stuck }: SfmcState): string {
  const results = inside(xml, 'Objects').map((_, at) => {
    const object = [...xml.matchAll(/<Objects[^>]*>(.*?)<\/Objects>/gs)][at]?.[1] ?? '';
    const rows = extensions.find((one) => keyOf(one) === inside(object, 'CustomerKey')[0])?.rows;
    const value = inside(object, 'Value')[0] ?? '';
    const isDone = !stuck.has(value) && rows?.delete(value.toLowerCase()) === true;
    const says = isDone
      ? '<StatusCode>OK</StatusCode><StatusMessage>Deleted DataExtensionObject</StatusMessage>'
      : `<StatusCode>Error</StatusCode><StatusMessage>Row ${xmlOf(value)} can't be deleted</StatusMessage><ErrorCode>2</ErrorCode>`;
    return `<Results xsi:type="DataExtensionDeleteResult">${says}<OrdinalID>${at}</OrdinalID></Results>`;
  });
  return `<DeleteResponse xmlns="http://exacttarget.com/wsdl/partnerAPI">${results.join('')}<OverallStatus>OK</OverallStatus></DeleteResponse>`;
}
