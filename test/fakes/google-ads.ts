import { type Answer, type FakeHttp, type Received, startFakeHttp } from './http.ts';

interface List {
  readonly id: string;
  readonly displayName: string;
  readonly uploadKeyTypes: readonly string[];
  readonly readOnly: boolean;
  membershipStatus: 'OPEN' | 'CLOSED';
  /** By all that they are known by, each a text. */
  readonly people: Map<string, readonly string[]>;
}

/** How a request ends, other than well. `after`: so often it is said to be under way first. */
interface Ending {
  readonly status?: 'SUCCESS' | 'PARTIAL_SUCCESS' | 'FAILED' | 'FAILURE';
  readonly counts?: readonly { readonly recordCount: string; readonly reason: string }[];
  readonly after?: number;
}

export interface GoogleState {
  readonly lists: List[];
  /** Access tokens that are good. */
  readonly tokens: Set<string>;
  /** Uploads by their id, with the answers still to come. */
  readonly uploads: Map<string, { readonly ending: Ending; polls: number }>;
  /** Of the next uploads, in order. */
  readonly endings: Ending[];
  /** People whom Google names when it refuses a request for them. */
  namesAtMost: number;
  mayMakeLists: boolean;
}

export type FakeGoogle = FakeHttp<GoogleState>;

export const refreshToken = '1//0g-refresh-token-of-a-person';
export const account = '1234567890';
export const place = `/v1/accountTypes/GOOGLE_ADS/accounts/${account}/userLists`;

/** An error as Google's interfaces have it. */
export function googleError(
  status: number,
  name: string,
  details: readonly object[] = [],
  message = 'There was a problem with the request.',
): Answer {
  return { status, json: { error: { code: status, message, status: name, details } } };
}

export function reason(text: string, metadata: object = {}): object {
  return {
    '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
    reason: text,
    domain: 'datamanager.googleapis.com',
    metadata,
  };
}

function badRequest(fieldViolations: readonly object[]): Answer {
  return googleError(400, 'INVALID_ARGUMENT', [
    reason('INVALID_ARGUMENT'),
    { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations },
  ]);
}

/** An answer that asks for a pause as Google does: in its details, not in a header. */
export function paused(seconds?: number): Answer {
  const retry = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${seconds}s` };
  return googleError(429, 'RESOURCE_EXHAUSTED', [
    reason('RATE_LIMIT_EXCEEDED', { quota_limit: 'IngestionRequestsPerMinutePerProject' }),
    ...(seconds === undefined ? [] : [retry]),
  ]);
}

const list = (
  id: string,
  displayName: string,
  uploadKeyTypes: readonly string[],
  more: Partial<List> = {},
): List => ({
  id,
  displayName,
  uploadKeyTypes,
  readOnly: false,
  membershipStatus: 'OPEN',
  people: new Map(),
  ...more,
});

/** An account with a list of each kind, one that Google fills, and one that is closed. */
export function startGoogle(): Promise<FakeGoogle> {
  const state: GoogleState = {
    lists: [
      list('9007199254740993', 'Buyers', ['CONTACT_ID']),
      list('2', 'Members', ['USER_ID']),
      list('3', 'App users', ['MOBILE_ID']),
      list('4', 'Visitors', [], { readOnly: true }),
      list('5', 'Buyers of old', ['CONTACT_ID'], { membershipStatus: 'CLOSED' }),
    ],
    tokens: new Set(),
    uploads: new Map(),
    endings: [],
    namesAtMost: 10_000,
    mayMakeLists: true,
  };
  return startFakeHttp<GoogleState>(
    state,
    {
      'POST /token': token,
      [`GET ${place}`]: page,
      [`POST ${place}`]: make,
      [`GET ${place}/:id`]: ({ params }, { lists }) => {
        const found = lists.find(({ id }) => id === params['id']);
        return found === undefined
          ? googleError(404, 'NOT_FOUND', [reason('NOT_FOUND')])
          : { json: shown(found) };
      },
      // What follows a colon is no place of its own here.
      'POST /v1/:method': (request, held) => {
        const verb = /^audienceMembers:(ingest|remove)$/.exec(request.params['method'] ?? '')?.[1];
        if (verb === undefined) {
          throw new Error('There is no such method.');
        }
        return upload(request, held, verb as Verb);
      },
      'GET /v1/:method': status,
    },
    ({ path, headers }, { tokens }) =>
      path === '/token' || tokens.has(headers['authorization']?.replace('Bearer ', '') ?? '')
        ? undefined
        : googleError(401, 'UNAUTHENTICATED', [reason('ACCESS_TOKEN_INVALID')]),
  );
}

function token({ body }: Received, { tokens }: GoogleState): Answer {
  const form = new URLSearchParams(body.toString('utf8'));
  const isGood =
    form.get('grant_type') === 'refresh_token'
      ? form.get('refresh_token') === refreshToken
      : (form.get('assertion') ?? '').split('.').length === 3;
  if (!isGood) {
    return {
      status: 400,
      json: { error: 'invalid_grant', error_description: 'Token has been expired or revoked.' },
    };
  }
  const made = `ya29.token-${tokens.size + 1}`;
  tokens.add(made);
  return { json: { access_token: made, expires_in: 3599, token_type: 'Bearer' } };
}

/** 64-bit numbers are texts in Google's JSON, and what is empty or false is left out. */
function shown({ id, displayName, uploadKeyTypes, readOnly, membershipStatus }: List): object {
  return {
    name: `accountTypes/GOOGLE_ADS/accounts/${account}/userLists/${id}`,
    id,
    displayName,
    membershipStatus,
    ...(readOnly ? { readOnly } : {}),
    ...(uploadKeyTypes.length === 0 ? {} : { ingestedUserListInfo: { uploadKeyTypes } }),
  };
}

function page({ query }: Received, { lists }: GoogleState): Answer {
  const from = Number(query.get('pageToken') ?? 0);
  const until = from + Math.min(2, Number(query.get('pageSize')));
  return {
    json: {
      userLists: lists.slice(from, until).map(shown),
      ...(until < lists.length ? { nextPageToken: String(until) } : {}),
    },
  };
}

function make(request: Received, { lists, mayMakeLists }: GoogleState): Answer {
  const {
    displayName,
    description,
    membershipDuration,
    ingestedUserListInfo: info,
  } = request.json<{
    displayName: string;
    description: string;
    membershipDuration: string;
    ingestedUserListInfo: { uploadKeyTypes: string[]; mobileIdInfo?: { appId?: string } };
  }>();
  if (!mayMakeLists) {
    return googleError(403, 'PERMISSION_DENIED', [reason('NOT_ALLOWLISTED')]);
  }
  if (lists.some((one) => one.displayName === displayName)) {
    return badRequest([{ field: 'user_list.display_name', reason: 'DISPLAY_NAME_ALREADY_USED' }]);
  }
  const days = Number(membershipDuration.replace('s', '')) / 86_400;
  if (description === '' || !Number.isInteger(days) || days > 540) {
    return badRequest([{ field: 'user_list.membership_duration', reason: 'INVALID_ARGUMENT' }]);
  }
  if (info.uploadKeyTypes[0] === 'MOBILE_ID' && info.mobileIdInfo?.appId === undefined) {
    return badRequest([{ field: 'user_list.mobile_id_info.app_id', reason: 'REQUIRED_FIELD_MISSING' }]);
  }
  const made = list(String(100 + lists.length), displayName, info.uploadKeyTypes);
  if (request.query.get('validateOnly') !== 'true') {
    lists.push(made);
  }
  return { json: shown(made) };
}

type Verb = 'ingest' | 'remove';

/** The requests that put people on lists, or take them off. */
export function uploadsOf(fake: FakeGoogle, verb: Verb): readonly Received[] {
  return fake.requests.filter(({ path }) => path === `/v1/audienceMembers:${verb}`);
}

interface Sent {
  readonly destinations: readonly {
    readonly productDestinationId: string;
    readonly operatingAccount: object;
  }[];
  readonly audienceMembers: readonly Person[];
  readonly encoding?: string;
  readonly consent?: object;
  readonly termsOfService?: { readonly customerMatchTermsOfServiceStatus: string };
}

interface Person {
  readonly userData?: { readonly userIdentifiers: readonly Known[] };
  readonly userIdData?: { readonly userId: string };
  readonly mobileData?: { readonly mobileIds: readonly string[] };
  readonly consent?: object;
}

interface Known {
  readonly emailAddress?: string;
  readonly phoneNumber?: string;
  readonly address?: Readonly<Record<'givenName' | 'familyName' | 'regionCode' | 'postalCode', string>>;
}

function upload(request: Received, state: GoogleState, verb: Verb): Answer {
  const { destinations, audienceMembers: members } = request.json<Sent>();
  const found = state.lists.find(({ id }) => id === destinations[0]?.productDestinationId);
  if (found === undefined || found.readOnly) {
    return badRequest([{ field: 'destinations[0]', reason: 'INVALID_USER_LIST_ID' }]);
  }
  const refusal = shapeRefused(request.json<Sent>(), verb) ?? kindRefused(members, found);
  if (refusal !== undefined) {
    return refusal;
  }
  const violations = members.flatMap((member, at) => violationsOf(member, at));
  if (violations.length > 0) {
    return badRequest(violations.slice(0, state.namesAtMost));
  }
  const ending = state.endings.shift() ?? {};
  if (ending.status === undefined || ending.status === 'SUCCESS') {
    apply(found, members.map(knownBy), verb);
  }
  const id = `request-${state.uploads.size + 1}`;
  state.uploads.set(id, { ending, polls: 0 });
  return { json: { requestId: id } };
}

/** Removals know no consent and no terms. */
function shapeRefused(sent: Sent, verb: Verb): Answer | undefined {
  const { audienceMembers: members, encoding, consent, termsOfService } = sent;
  const said = [consent, termsOfService, ...members.map((member) => member.consent)];
  if (encoding !== 'HEX' || (verb === 'remove' && said.some((one) => one !== undefined))) {
    return googleError(400, 'INVALID_ARGUMENT', [], 'Invalid JSON payload received. Unknown name "consent".');
  }
  if (verb === 'ingest' && termsOfService?.customerMatchTermsOfServiceStatus !== 'ACCEPTED') {
    return badRequest([{ field: 'terms_of_service', reason: 'TERMS_AND_CONDITIONS_NOT_SIGNED' }]);
  }
  return members.length > 10_000
    ? badRequest([{ field: 'audience_members', reason: 'TOO_MANY_AUDIENCE_MEMBERS' }])
    : undefined;
}

const kinds: Readonly<Record<string, string>> = {
  userData: 'CONTACT_ID',
  userIdData: 'USER_ID',
  mobileData: 'MOBILE_ID',
};

function kindRefused(members: readonly Person[], { uploadKeyTypes }: List): Answer | undefined {
  const sent = new Set(members.flatMap((member) => Object.keys(member).filter((name) => name !== 'consent')));
  return sent.size === 1 && uploadKeyTypes[0] === kinds[[...sent][0] ?? '']
    ? undefined
    : badRequest([{ field: 'audience_members', reason: 'MULTIPLE_DATA_TYPES_NOT_ALLOWED' }]);
}

function knownBy({ userData, userIdData, mobileData }: Person): readonly string[] {
  return [
    ...(userData?.userIdentifiers ?? []).map((known) => JSON.stringify(known)),
    ...(userIdData === undefined ? [] : [userIdData.userId]),
    ...(mobileData?.mobileIds ?? []),
  ];
}

/** Whoever shares one thing with somebody who is removed is removed. */
function apply({ people }: List, members: readonly (readonly string[])[], verb: Verb): void {
  for (const known of members) {
    if (verb === 'ingest') {
      people.set(known.join(), known);
    } else {
      for (const [key, theirs] of people) {
        if (theirs.some((one) => known.includes(one))) {
          people.delete(key);
        }
      }
    }
  }
}

const isHash = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);

/** Google sees of a hash whether it could be one, and quotes nothing as a rule. */
function violationsOf({ userData }: Person, at: number): readonly object[] {
  const field = `audience_members.audience_members[${at}].user_data.user_identifiers`;
  return (userData?.userIdentifiers ?? []).flatMap(({ emailAddress, phoneNumber, address }) => {
    const hashes = [emailAddress, phoneNumber, address?.givenName, address?.familyName];
    if (hashes.some((hash) => hash !== undefined && !isHash(hash))) {
      return [
        { field, description: `Email is not hex encoded: ${emailAddress}.`, reason: 'INVALID_HEX_ENCODING' },
      ];
    }
    return address !== undefined && !/^[A-Z]{2}$/.test(address.regionCode)
      ? [{ field, reason: 'INVALID_REGION_CODE' }]
      : [];
  });
}

function status({ query }: Received, { uploads }: GoogleState): Answer {
  const found = uploads.get(query.get('requestId') ?? '');
  if (found === undefined) {
    return badRequest([{ field: 'request_id', reason: 'INVALID_REQUEST_ID' }]);
  }
  const { status: ended = 'SUCCESS', counts, after = 0 } = found.ending;
  found.polls += 1;
  const requestStatus = found.polls > after ? ended : 'PROCESSING';
  const errorInfo =
    counts === undefined || requestStatus === 'PROCESSING' ? {} : { errorInfo: { errorCounts: counts } };
  return { json: { requestStatusPerDestination: [{ requestStatus, ...errorInfo }] } };
}
