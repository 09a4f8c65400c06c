import { type Answer, type FakeHttp, type Received, startFakeHttp } from './http.ts';

export interface AmplitudeEvent {
  readonly user_id?: string;
  readonly device_id?: string;
  readonly event_type?: string;
  readonly time?: number;
  readonly insert_id?: string;
  readonly event_properties?: Readonly<Record<string, unknown>>;
  readonly user_properties?: unknown;
}

interface Upload {
  readonly api_key?: string;
  readonly events?: readonly AmplitudeEvent[];
  readonly options?: { readonly min_id_length?: number };
}

export interface AmplitudeState {
  readonly apiKey: string;
  now: Date;
  /** What was ingested, in the order in which it came. */
  readonly events: AmplitudeEvent[];
  /** Devices whose user properties were set. */
  readonly identified: Set<string>;
  /** When an insert id was last seen, by device and insert id. */
  readonly seen: Map<string, number>;
  readonly throttled: Set<string>;
  readonly overQuota: Set<string>;
  readonly silenced: Set<string>;
  maxBytes: number;
}

const rememberedMs = 7 * 24 * 60 * 60 * 1000;

/**
 * Amplitude's Batch Event Upload as it is documented: a request is taken as a whole or refused as a whole, a refusal
 * names events by their place, and an insert id of the same device is ignored for 7 days.
 */
export function startAmplitude(): Promise<FakeHttp<AmplitudeState>> {
  const state: AmplitudeState = {
    apiKey: '0123456789abcdef0123456789abcdef',
    now: new Date('2026-11-23T12:00:00Z'),
    events: [],
    identified: new Set(),
    seen: new Map(),
    throttled: new Set(),
    overQuota: new Set(),
    silenced: new Set(),
    maxBytes: 20_000_000,
  };
  return startFakeHttp(state, { 'POST /batch': upload });
}

function upload(request: Received, state: AmplitudeState): Answer {
  if (request.body.byteLength > state.maxBytes) {
    return refused(413, 'Payload too large');
  }
  const { api_key: key, events = [], options = {} } = request.json<Upload>();
  if (key === undefined || events.length === 0) {
    const missing = key === undefined ? 'api_key' : 'events';
    return refused(400, 'Request missing required field', { missing_field: missing });
  }
  if (key !== state.apiKey) {
    return refused(400, `Invalid API key: ${key}`);
  }
  if (events.length > 2000) {
    return refused(413, 'Payload too large');
  }
  const kept = events.map((event) => withoutShortIds(event, options.min_id_length ?? 5));
  return invalid(events, kept) ?? tooMuch(kept, state) ?? ingest(kept, state, request);
}

function refused(status: number, error: string, more: object = {}): Answer {
  return { status, json: { code: status, error, ...more } };
}

/** An id that is too short is dropped without a word, as long as the event has another one. */
function withoutShortIds(event: AmplitudeEvent, least: number): AmplitudeEvent {
  const { user_id, device_id, ...rest } = event;
  return {
    ...rest,
    ...(user_id !== undefined && user_id.length >= least ? { user_id } : {}),
    ...(device_id !== undefined && device_id.length >= least ? { device_id } : {}),
  };
}

function invalid(given: readonly AmplitudeEvent[], kept: readonly AmplitudeEvent[]): Answer | undefined {
  const nameless = placesOf(given, ({ user_id, device_id }) => (user_id ?? device_id) === undefined);
  const short = placesOf(kept, ({ user_id, device_id }) => (user_id ?? device_id) === undefined);
  const missing = {
    ...entry(
      'event_type',
      placesOf(given, ({ event_type }) => (event_type ?? '') === ''),
    ),
    ...entry('user_id', nameless),
  };
  // What is missing is looked for first: what is wrong shows when nothing is missing any more.
  if (Object.keys(missing).length > 0) {
    return refused(400, 'Request missing required field', { events_with_missing_fields: missing });
  }
  const wrong = {
    ...entry(
      'time',
      placesOf(given, ({ time }) => !Number.isInteger(time)),
    ),
    ...entry(
      'event_properties',
      placesOf(given, ({ event_properties: all = {} }) => Object.values(all).includes('refuse me')),
    ),
  };
  if (Object.keys(wrong).length + short.length > 0) {
    return refused(400, 'Invalid field values on some events', {
      events_with_invalid_fields: wrong,
      events_with_invalid_id_lengths: entry('user_id', short),
    });
  }
  return undefined;
}

function tooMuch(events: readonly AmplitudeEvent[], state: AmplitudeState): Answer | undefined {
  const among = (ids: ReadonlySet<string>) => (event: AmplitudeEvent) =>
    ids.has(event.user_id ?? '') || ids.has(event.device_id ?? '');
  const silenced = placesOf(events, among(state.silenced));
  if (silenced.length > 0) {
    return refused(400, 'Events silenced for device_id', {
      eps_threshold: 1000,
      silenced_devices: idsOf(events, 'device_id', state.silenced),
      silenced_events: silenced,
      throttled_devices: Object.fromEntries(events.map(({ device_id = '-' }) => [device_id, 0])),
    });
  }
  const throttled = placesOf(events, among(state.throttled));
  const overQuota = placesOf(events, among(state.overQuota));
  if (throttled.length + overQuota.length === 0) {
    return undefined;
  }
  const counted = (field: 'user_id' | 'device_id', ids: ReadonlySet<string>, n: number) =>
    Object.fromEntries(idsOf(events, field, ids).map((id) => [id, n]));
  return refused(429, 'Too many requests for some devices and users', {
    eps_threshold: 1000,
    throttled_users: counted('user_id', state.throttled, 4000),
    throttled_devices: counted('device_id', state.throttled, 4000),
    exceeded_daily_quota_users: counted('user_id', state.overQuota, 500_200),
    exceeded_daily_quota_devices: counted('device_id', state.overQuota, 500_900),
    throttled_events: [...throttled, ...overQuota],
  });
}

function ingest(events: readonly AmplitudeEvent[], state: AmplitudeState, { body }: Received): Answer {
  const now = state.now.getTime();
  for (const event of events) {
    const device = event.device_id ?? `hash of ${event.user_id}`;
    const key = JSON.stringify([device, event.insert_id]);
    const before = event.insert_id === undefined ? undefined : state.seen.get(key);
    if (before !== undefined && now - before < rememberedMs) {
      continue;
    }
    state.seen.set(key, now);
    if (event.event_type === '$identify') {
      state.identified.add(device);
    } else {
      state.events.push(event);
    }
  }
  return {
    json: {
      code: 200,
      events_ingested: events.length,
      payload_size_bytes: body.byteLength,
      server_upload_time: now,
    },
  };
}

function placesOf(events: readonly AmplitudeEvent[], is: (event: AmplitudeEvent) => boolean): number[] {
  return events.flatMap((event, at) => (is(event) ? [at] : []));
}

function entry(field: string, places: readonly number[]): Readonly<Record<string, readonly number[]>> {
  return places.length === 0 ? {} : { [field]: places };
}

function idsOf(
  events: readonly AmplitudeEvent[],
  field: 'user_id' | 'device_id',
  ids: ReadonlySet<string>,
): readonly string[] {
  return [...new Set(events.flatMap((event) => event[field] ?? []))].filter((id) => ids.has(id));
}
