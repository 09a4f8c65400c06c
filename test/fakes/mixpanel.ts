import { type Answer, type FakeHttp, type Received, startFakeHttp } from './http.ts';

export interface MixpanelEvent {
  readonly event?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
}

export interface MixpanelState {
  readonly username: string;
  readonly secret: string;
  readonly projectId: string;
  now: Date;
  /** As reports show them: of copies the one that came last. */
  readonly events: Map<string, MixpanelEvent>;
  /** Copies too, as the raw export has them. */
  readonly raw: MixpanelEvent[];
  maxBytes: number;
}

/**
 * Mixpanel's import as it is documented: what passes is stored even when the answer is 400, and events are one when they
 * agree in name, person, time and insert id.
 */
export function startMixpanel(): Promise<FakeHttp<MixpanelState>> {
  const state: MixpanelState = {
    username: 'activate.1a2b3c.mp-service-account',
    secret: 's3cretOfTheAccount',
    projectId: '1234567',
    now: new Date('2026-11-23T12:00:00Z'),
    events: new Map(),
    raw: [],
    maxBytes: 2_097_152,
  };
  return startFakeHttp(state, { 'POST /import': importEvents }, guard);
}

function guard({ headers, query }: Received, { username, secret, projectId }: MixpanelState) {
  const known = `Basic ${Buffer.from(`${username}:${secret}`).toString('base64')}`;
  return headers['authorization'] === known && query.get('project_id') === projectId
    ? undefined
    : { status: 401, json: { code: 401, error: 'Invalid credentials', status: 'Unauthorized' } };
}

interface Failure {
  readonly index: number;
  readonly insert_id: unknown;
  readonly field: string;
  readonly message: string;
}

function importEvents(request: Received, state: MixpanelState): Answer {
  const events = request.json<readonly MixpanelEvent[]>();
  if (request.body.byteLength > state.maxBytes || events.length > 2000) {
    const error = `request exceeds max limit of ${state.maxBytes} bytes`;
    return { status: 413, json: { code: 413, error, status: 'Request Entity Too Large' } };
  }
  const failures = events.flatMap((event, index): Failure[] => {
    const [field, message] = wrongIn(event, state.now) ?? [];
    return field === undefined || message === undefined
      ? []
      : [{ index, insert_id: event.properties?.['$insert_id'], field, message }];
  });
  for (const [at, event] of events.entries()) {
    if (!failures.some(({ index }) => index === at)) {
      const { distinct_id, time, $insert_id } = event.properties ?? {};
      state.raw.push(event);
      state.events.set(JSON.stringify([event.event, distinct_id, millisecondsOf(time), $insert_id]), event);
    }
  }
  const imported = events.length - failures.length;
  if (failures.length === 0) {
    return { json: { code: 200, num_records_imported: imported, status: 'OK' } };
  }
  const error = 'some data points in the request failed validation';
  return request.query.get('strict') === '1'
    ? {
        status: 400,
        json: {
          code: 400,
          error,
          status: 'Bad Request',
          num_records_imported: imported,
          failed_records: failures,
        },
      }
    : { json: { code: 200, error, num_records_imported: imported, status: 0 } };
}

const badIds = [
  '00000000-0000-0000-0000-000000000000',
  'anon',
  'anonymous',
  'nil',
  'none',
  'null',
  'n/a',
  'na',
  'undefined',
  'unknown',
  '<nil>',
  '0',
  '-1',
  'true',
  'false',
  '[]',
  '{}',
];

/** The field at fault and what is wrong with it. */
function wrongIn({ event, properties }: MixpanelEvent, now: Date): readonly [string, string] | undefined {
  const { time, distinct_id, $insert_id } = properties ?? {};
  if (typeof event !== 'string' || event === '') {
    return ['event', "'event' must not be missing or blank"];
  }
  if (properties === undefined || Object.keys(properties).length >= 255) {
    return ['properties', "'properties' must have fewer than 255 keys"];
  }
  if (typeof distinct_id !== 'string' || badIds.includes(distinct_id)) {
    return ['properties.distinct_id', `'properties.distinct_id' is invalid: '${distinct_id}' is not allowed`];
  }
  if (!/^[A-Za-z0-9-]{1,36}$/.test(String($insert_id)) || badIds.includes(String($insert_id))) {
    return ['properties.$insert_id', "'properties.$insert_id' is invalid"];
  }
  const moment = millisecondsOf(time);
  if (!(moment >= Date.UTC(1971) && moment <= now.getTime() + 3_600_000)) {
    return ['properties.time', "'properties.time' is invalid: must be specified as seconds since epoch"];
  }
  const [name] = Object.entries(properties).find(([, value]) => value === 'refuse me') ?? [];
  if (name !== undefined) {
    return [`properties.${name}`, `'properties.${name}' is invalid: 'refuse me' is not allowed`];
  }
  const [deep] = Object.entries(properties).find(([, value]) => depthOf(value) > 3) ?? [];
  if (deep !== undefined) {
    return [`properties.${deep}`, `'properties.${deep}' is invalid: it is nested too deep`];
  }
  return undefined;
}

/** Small numbers are seconds. */
function millisecondsOf(time: unknown): number {
  const number = typeof time === 'number' && Number.isInteger(time) ? time : Number.NaN;
  return number < Date.UTC(1971) ? number * 1000 : number;
}

function depthOf(value: unknown): number {
  return typeof value === 'object' && value !== null
    ? 1 + Math.max(0, ...Object.values(value).map(depthOf))
    : 0;
}
