import { type Answer, type FakeHttp, type Received, startFakeHttp } from './http.ts';
import { found, type Kind, type Property, problem, type Rules, readMany, write } from './hubspot-records.ts';

export interface List {
  readonly listId: string;
  readonly name: string;
  readonly processingType: 'MANUAL' | 'SNAPSHOT' | 'DYNAMIC';
  readonly members: Set<string>;
}

export interface HubspotState extends Rules {
  readonly kinds: Map<string, Kind>;
  readonly lists: List[];
  /** `from kind/id to kind/id`. */
  readonly links: Set<string>;
  readonly owners: { readonly id: string; readonly email?: string }[];
  /** Scopes that the token lacks, by the beginnings of paths. */
  readonly forbidden: Map<string, string>;
}

export type FakeHubspot = FakeHttp<HubspotState>;

export const token = 'pat-eu1-51c0a9d3-e7f2-4b68-9d0a-2f6e1c7b8a90';
const v = '2026-03';

const choices = (...values: readonly string[]) =>
  values.map((value) => ({ value, label: value.toUpperCase(), hidden: false }));

const contactProperties: readonly Property[] = [
  { name: 'email', label: 'Email', type: 'string', fieldType: 'text', hasUniqueValue: true },
  { name: 'customer_key', label: 'Customer key', type: 'string', fieldType: 'text', hasUniqueValue: true },
  { name: 'firstname', label: 'First Name', type: 'string', fieldType: 'text' },
  { name: 'jobtitle', label: 'Job Title', type: 'string', fieldType: 'text' },
  { name: 'seats', label: 'Seats', type: 'number', fieldType: 'number' },
  { name: 'plan', label: 'Plan', type: 'enumeration', fieldType: 'select', options: choices('free', 'pro') },
  {
    name: 'interests',
    label: '',
    type: 'enumeration',
    fieldType: 'checkbox',
    options: choices('tea', 'rum'),
  },
  {
    name: 'lifecyclestage',
    label: 'Lifecycle Stage',
    type: 'enumeration',
    fieldType: 'radio',
    options: choices('subscriber', 'lead', 'customer'),
  },
  {
    name: 'is_vip',
    label: 'VIP',
    type: 'bool',
    fieldType: 'booleancheckbox',
    options: choices('true', 'false'),
  },
  { name: 'born_on', label: 'Born', type: 'date', fieldType: 'date' },
  { name: 'seen_at', label: 'Seen', type: 'datetime', fieldType: 'date' },
  {
    name: 'hubspot_owner_id',
    label: 'Owner',
    type: 'enumeration',
    fieldType: 'select',
    externalOptions: true,
  },
  { name: 'hs_additional_emails', type: 'enumeration', modificationMetadata: { readOnlyValue: true } },
  { name: 'hs_object_id', label: 'Record ID', type: 'number', modificationMetadata: { readOnlyValue: true } },
  { name: 'num_notes', label: 'Notes', type: 'number', calculated: true },
  { name: 'hs_secret', label: 'Hidden', type: 'string', hidden: true },
];

const kindOf = (...properties: readonly Property[]): Kind => ({ properties, records: new Map() });

/** Contacts, companies, deals and one custom object, all without records; a static list 7 and an active one 8. */
export function startHubspot(): Promise<FakeHubspot> {
  const state: HubspotState = {
    kinds: new Map([
      ['contacts', kindOf(...contactProperties)],
      ['companies', kindOf({ name: 'domain', type: 'string' }, { name: 'name', type: 'string' })],
      ['deals', kindOf({ name: 'dealname', type: 'string' }, { name: 'dealstage', type: 'string' })],
      [
        'p1_cars',
        kindOf({ name: 'vin', type: 'string', hasUniqueValue: true }, { name: 'make', type: 'string' }),
      ],
    ]),
    lists: [
      { listId: '7', name: 'Buyers', processingType: 'MANUAL', members: new Set() },
      { listId: '8', name: 'Opened lately', processingType: 'DYNAMIC', members: new Set() },
    ],
    links: new Set(),
    owners: [],
    forbidden: new Map([['/crm/properties', 'crm.objects.contacts.sensitive.read']]),
    wholeBatch: false,
    silent: false,
    traceless: false,
    lastId: 100,
  };
  return startFakeHttp<HubspotState>(state, { ...objectRoutes, ...listRoutes }, guard);
}

/** Adds a record, as somebody else would have. */
export function seed(
  { state }: FakeHubspot,
  kind: string,
  properties: Readonly<Record<string, string>>,
): string {
  state.lastId += 1;
  const id = String(state.lastId);
  state.kinds.get(kind)?.records.set(id, { id, archived: false, properties: { ...properties } });
  return id;
}

function guard({ headers, path, query }: Received, { forbidden }: HubspotState): Answer | undefined {
  if (headers['authorization'] !== `Bearer ${token}`) {
    return problem(401, 'INVALID_AUTHENTICATION', 'Authentication credentials not found.');
  }
  const [, scope] = [...forbidden].find(([begin]) => path.startsWith(begin)) ?? [];
  // Only sensitive properties are kept from this token.
  if (scope === undefined || (path.startsWith('/crm/properties') && query.get('dataSensitivity') === null)) {
    return undefined;
  }
  return problem(
    403,
    'MISSING_SCOPES',
    'This app hasn’t been granted all required scopes to make this call.',
    {
      errors: [{ message: 'One or more scopes are required.', context: { requiredGranularScopes: [scope] } }],
    },
  );
}

const withKind =
  (then: (kind: Kind, request: Received, state: HubspotState) => Answer) =>
  (request: Received, state: HubspotState): Answer => {
    const name = request.params['kind'] ?? '';
    const kind = state.kinds.get(name);
    return kind === undefined
      ? problem(400, 'VALIDATION_ERROR', `Unable to infer object type from: ${name}`)
      : then(kind, request, state);
  };

const objects = `/crm/objects/${v}/:kind`;

const objectRoutes = {
  [`GET /crm/objects/${v}/contacts`]: () => ({ json: { results: [] } }),
  [`GET /crm/properties/${v}/:kind`]: withKind(({ properties }) => ({ json: { results: properties } })),
  [`GET /crm-object-schemas/${v}/schemas`]: () => ({ json: { results: [carSchema] } }),
  [`GET /crm-object-schemas/${v}/schemas/:kind`]: () => ({ json: carSchema }),
  [`POST ${objects}/batch/read`]: withKind(readMany),
  [`POST ${objects}/batch/archive`]: withKind((kind, request) => {
    for (const { id } of request.json<{ inputs: readonly { id: string }[] }>().inputs) {
      const record = kind.records.get(id);
      if (record !== undefined) {
        record.archived = true;
      }
    }
    return { status: 204 };
  }),
  [`POST ${objects}/batch/:verb`]: withKind((kind, request, state) =>
    write(request.params['verb'] ?? '', kind, state, request),
  ),
  [`POST ${objects}/search`]: withKind(search),
  [`POST /crm/associations/${v}/:from/:to/batch/associate/default`]: associate,
  [`GET /crm/owners/${v}`]: ({ query }: Received, { owners }: HubspotState): Answer => {
    const from = Number(query.get('after') ?? 0);
    const after = from + 1 < owners.length ? { paging: { next: { after: String(from + 1) } } } : {};
    return { json: { results: owners.slice(from, from + 1), ...after } };
  },
};

const carSchema = {
  name: 'cars',
  fullyQualifiedName: 'p1_cars',
  objectTypeId: '2-1',
  labels: { singular: 'Car', plural: 'Cars' },
  requiredProperties: ['make'],
};

/** `IN` knows texts in small letters only; two to a page. */
function search(kind: Kind, request: Received): Answer {
  const { filterGroups, after } = request.json<{
    filterGroups: readonly { filters: readonly { propertyName: string; values: readonly string[] }[] }[];
    after: string;
  }>();
  const { propertyName = '', values = [] } = filterGroups[0]?.filters[0] ?? {};
  const all = [...kind.records.values()].filter(({ properties }) =>
    values.includes((properties[propertyName] ?? '').toLowerCase()),
  );
  const from = Number(after);
  const next = from + 2 < all.length ? { paging: { next: { after: String(from + 2) } } } : {};
  return { json: { total: all.length, results: all.slice(from, from + 2), ...next } };
}

function associate(request: Received, { kinds, links }: HubspotState): Answer {
  const { from = '', to = '' } = request.params;
  const { inputs } = request.json<{ inputs: readonly { from: { id: string }; to: { id: string } }[] }>();
  const good = inputs.filter(
    (input) =>
      found(kinds.get(from)!, undefined, input.from.id) && found(kinds.get(to)!, undefined, input.to.id),
  );
  for (const input of good) {
    links.add(`${from}/${input.from.id} ${to}/${input.to.id}`);
  }
  const message = 'Some of the objects to be associated do not exist.';
  const errors = [{ status: 'error', category: 'OBJECT_NOT_FOUND', message, context: {} }];
  return good.length === inputs.length
    ? { json: { status: 'COMPLETE', results: good } }
    : { status: 207, json: { status: 'COMPLETE', results: good, errors, numErrors: 1 } };
}

const shown = ({ listId, name, processingType }: List): object => ({
  listId,
  name,
  processingType,
  objectTypeId: '0-1',
});
const missing = problem(404, 'OBJECT_NOT_FOUND', 'List does not exist.');

const listRoutes = {
  [`POST /crm/lists/${v}/search`]: (request: Received, { lists }: HubspotState): Answer => {
    const asked = request.json<{ query?: string; processingTypes: readonly string[]; count: number }>();
    const fitting = lists
      .filter(({ name }) => name.toLowerCase().includes((asked.query ?? '').toLowerCase()))
      .filter(
        (list) => asked.processingTypes.length === 0 || asked.processingTypes.includes(list.processingType),
      );
    return { json: { total: fitting.length, hasMore: false, offset: 0, lists: fitting.map(shown) } };
  },
  [`GET /crm/lists/${v}/object-type-id/0-1/name/:name`]: (
    { params }: Received,
    { lists }: HubspotState,
  ): Answer => {
    const list = lists.find(({ name }) => name === params['name']);
    return list === undefined ? missing : { json: { list: shown(list) } };
  },
  [`GET /crm/lists/${v}/:list`]: ({ params }: Received, { lists }: HubspotState): Answer => {
    const list = lists.find(({ listId }) => listId === params['list']);
    return list === undefined ? missing : { json: { list: shown(list) } };
  },
  [`POST /crm/lists/${v}`]: (request: Received, { lists }: HubspotState): Answer => {
    const { name, processingType } = request.json<Pick<List, 'name' | 'processingType'>>();
    const list: List = { listId: String(20 + lists.length), name, processingType, members: new Set() };
    lists.push(list);
    return { json: { list: shown(list) } };
  },
  [`PUT /crm/lists/${v}/:list/memberships/add-and-remove`]: changeMembers,
};

/** Takes record ids only, and says which of them nobody has. */
function changeMembers(request: Received, { kinds, lists }: HubspotState): Answer {
  const list = lists.find(({ listId }) => listId === request.params['list']);
  if (list === undefined) {
    return missing;
  }
  if (list.processingType === 'DYNAMIC') {
    return problem(
      400,
      'VALIDATION_ERROR',
      'Memberships of lists of this processing type cannot be changed.',
    );
  }
  const { recordIdsToAdd: entering, recordIdsToRemove: leaving } = request.json<{
    recordIdsToAdd: readonly string[];
    recordIdsToRemove: readonly string[];
  }>();
  const isThere = (id: string): boolean => found(kinds.get('contacts')!, undefined, id) !== undefined;
  for (const id of entering.filter(isThere)) {
    list.members.add(id);
  }
  for (const id of leaving) {
    list.members.delete(id);
  }
  const recordIdsMissing = [...entering, ...leaving].filter((id) => !isThere(id));
  return { json: { recordsIdsAdded: entering.filter(isThere), recordIdsRemoved: leaving, recordIdsMissing } };
}
