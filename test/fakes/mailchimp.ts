import { createHash } from 'node:crypto';
import { type Answer, type FakeHttp, type Received, startFakeHttp } from './http.ts';

interface Contact {
  readonly address: string;
  readonly status: string;
  readonly merged: Readonly<Record<string, unknown>>;
  readonly tags: Set<number>;
}

interface Audience {
  readonly id: string;
  readonly name: string;
  readonly contacts: Map<string, Contact>;
}

interface Tag {
  readonly id: number;
  readonly audience: string;
  readonly name: string;
  readonly type: 'static' | 'saved';
}

export interface MailchimpState {
  readonly audiences: Audience[];
  readonly tags: Tag[];
  /** Addresses that may never be contacts again, with Mailchimp's sentence. */
  readonly refused: Map<string, string>;
  /** Contacts that are there, but that the next call to tag does not see yet. */
  readonly late: Set<string>;
}

export type FakeMailchimp = FakeHttp<MailchimpState>;

export const apiKey = '0123456789abcdef0123456789abcdef-us19';
const base = '/3.0';

/** An error as Mailchimp has it. */
export function problem(status: number, title: string, detail = ''): Answer {
  const type = 'https://mailchimp.com/developer/marketing/docs/errors/';
  return {
    status,
    headers: { 'content-type': 'application/problem+json; charset=utf-8' },
    text: JSON.stringify({ type, title, status, detail, instance: '9d741ebc' }),
  };
}

const missing = problem(404, 'Resource Not Found', 'The requested resource could not be found.');

/** One audience, `a1b2c3d4e5`, with the tag 7 and the saved segment 8. */
export function startMailchimp(): Promise<FakeMailchimp> {
  const state: MailchimpState = {
    audiences: [{ id: 'a1b2c3d4e5', name: 'Newsletter', contacts: new Map() }],
    tags: [
      { id: 7, audience: 'a1b2c3d4e5', name: 'Buyers', type: 'static' },
      { id: 8, audience: 'a1b2c3d4e5', name: 'Opened lately', type: 'saved' },
    ],
    refused: new Map(),
    late: new Set(),
  };
  return startFakeHttp<MailchimpState>(
    state,
    {
      [`GET ${base}/ping`]: () => ({ json: { health_status: "Everything's Chimpy!" } }),
      [`GET ${base}/lists`]: (_, { audiences }) => ({
        json: { lists: audiences.map(({ id, name }) => ({ id, name })) },
      }),
      [`GET ${base}/lists/:audience`]: (request, held) => {
        const audience = audienceOf(request, held);
        return audience === undefined ? missing : { json: { id: audience.id, name: audience.name } };
      },
      [`GET ${base}/lists/:audience/tag-search`]: ({ params, query }, { tags }) => ({
        json: {
          tags: tags
            .filter(({ audience, type }) => audience === params['audience'] && type === 'static')
            .filter(({ name }) => name.toLowerCase().startsWith((query.get('name') ?? '').toLowerCase()))
            .map(({ id, name }) => ({ id, name })),
        },
      }),
      [`GET ${base}/lists/:audience/merge-fields`]: () => ({ json: { merge_fields: mergeFields } }),
      [`GET ${base}/lists/:audience/segments/:segment`]: (request, held) => {
        const tag = tagOf(request, held);
        return tag === undefined ? missing : { json: { name: tag.name, type: tag.type } };
      },
      [`POST ${base}/lists/:audience/segments`]: make,
      [`POST ${base}/lists/:audience/segments/:segment`]: move,
      [`POST ${base}/lists/:audience/members/:id/tags`]: retag,
      [`PUT ${base}/lists/:audience/members/:id`]: put,
      [`POST ${base}/lists/:audience`]: enroll,
    },
    ({ headers }) => {
      const [user, key] = Buffer.from((headers['authorization'] ?? '').replace('Basic ', ''), 'base64')
        .toString()
        .split(':');
      return user !== '' && key === apiKey
        ? undefined
        : problem(401, 'API Key Invalid', 'Your API key may be invalid.');
    },
  );
}

const mergeFields = [
  { merge_id: 1, tag: 'FNAME', name: 'First Name', type: 'text', required: true, options: { size: 25 } },
  { merge_id: 2, tag: 'LTV', name: 'Value', type: 'number', required: false, options: {} },
  { merge_id: 3, tag: 'BDAY', name: 'Birthday', type: 'birthday', options: { date_format: 'MM/DD' } },
  { merge_id: 4, tag: 'ADDRESS', name: 'Address', type: 'address', options: { default_country: 164 } },
  { merge_id: 5, tag: 'SINCE', name: 'Since', type: 'date', options: { date_format: 'MM/DD/YYYY' } },
  { merge_id: 6, tag: 'PLAN', name: 'Plan', type: 'dropdown', options: { choices: ['free', 'paid'] } },
];

const audienceOf = ({ params }: Received, { audiences }: MailchimpState): Audience | undefined =>
  audiences.find(({ id }) => id === params['audience']);

const tagOf = ({ params }: Received, { tags }: MailchimpState): Tag | undefined =>
  tags.find(({ id, audience }) => audience === params['audience'] && String(id) === params['segment']);

function shown({ address, status, tags }: Contact): object {
  return {
    email_address: address,
    status,
    tags_count: tags.size,
    tags: [...tags].map((id) => ({ id, name: `tag ${id}` })),
  };
}

function make(request: Received, state: MailchimpState): Answer {
  const { name } = request.json<{ name: string }>();
  const id = 100 + state.tags.length;
  state.tags.push({ id, audience: request.params['audience'] ?? '', name, type: 'static' });
  return { json: { id, name, member_count: 0, type: 'static' } };
}

interface Described {
  readonly email_address: string;
  readonly status?: string;
  readonly status_if_new?: string;
  readonly merge_fields?: Readonly<Record<string, unknown>>;
}

interface Batch {
  /** Each with a `status`; nothing here is `status_if_new`. */
  readonly members: readonly Omit<Described, 'status_if_new'>[];
  readonly update_existing: boolean;
  readonly sync_tags?: boolean;
}

/** 200 however many of them are refused. */
function enroll(request: Received, state: MailchimpState): Answer {
  const audience = audienceOf(request, state);
  const batch = request.json<Batch>();
  if (audience === undefined) {
    return missing;
  }
  if (batch.members.length > 500) {
    return problem(
      400,
      'Invalid Resource',
      'Maximum allowed member items exceeded, please provide at most 500 items',
    );
  }
  const made: object[] = [];
  const updated: object[] = [];
  const errors: object[] = [];
  const seen = new Set<string>();
  for (const member of batch.members) {
    const address = member.email_address.toLowerCase();
    const there = audience.contacts.get(address);
    const error = seen.has(address) ? exists : errorOf(member, there, batch, state);
    seen.add(address);
    if (error !== undefined) {
      errors.push({ email_address: `"${member.email_address}"`, ...error });
      continue;
    }
    const contact = changed(member, there, batch.sync_tags === true);
    audience.contacts.set(address, contact);
    (there === undefined ? made : updated).push(shown(contact));
  }
  const counts = { total_created: made.length, total_updated: updated.length, error_count: errors.length };
  return { json: { new_members: made, updated_members: updated, errors, ...counts } };
}

const exists = { error: 'already a list member', error_code: 'ERROR_CONTACT_EXISTS' };

function errorOf(
  { email_address: address, status }: Batch['members'][number],
  there: Contact | undefined,
  { update_existing: update }: Batch,
  state: MailchimpState,
): object | undefined {
  const reason = reasonAgainst(address, state) ?? (status === undefined ? 'A status is missing.' : undefined);
  if (there !== undefined && !update) {
    return exists;
  }
  return reason === undefined ? undefined : { error: reason, error_code: 'ERROR_GENERIC', field: '' };
}

const reasonAgainst = (address: string, { refused }: MailchimpState): string | undefined =>
  refused.get(address) ?? (address.endsWith('@example.com') ? `${address} looks fake or invalid` : undefined);

/** One contact: changed, or made with the status that new ones get. */
function put(request: Received, state: MailchimpState): Answer {
  const audience = audienceOf(request, state);
  const member = request.json<Described>();
  const address = member.email_address.toLowerCase();
  if (audience === undefined || request.params['id'] !== idOf(address)) {
    return missing;
  }
  const there = audience.contacts.get(address);
  const reason =
    reasonAgainst(address, state) ??
    (there === undefined && member.status_if_new === undefined ? 'A status is missing.' : undefined);
  if (reason !== undefined) {
    return problem(400, 'Invalid Resource', reason);
  }
  const contact = changed(member, there, false);
  audience.contacts.set(address, contact);
  return { json: shown(contact) };
}

const idOf = (address: string): string => createHash('md5').update(address).digest('hex');

/** As Mailchimp has it: null leaves a field as it is, and `sync_tags` takes all other tags away. */
function changed(member: Described, there: Contact | undefined, syncTags: boolean): Contact {
  const { email_address: address, status, status_if_new: first = '', merge_fields: fields = {} } = member;
  const given = Object.entries(fields).filter(([, value]) => value !== null);
  return {
    address: there?.address ?? address,
    status: status ?? there?.status ?? first,
    merged: { ...there?.merged, ...Object.fromEntries(given) },
    tags: new Set(syncTags ? [] : there?.tags),
  };
}

/** Says the same of somebody who is in the segment already, and of somebody whom nobody knows. */
function move(request: Received, state: MailchimpState): Answer {
  const audience = audienceOf(request, state);
  const tag = tagOf(request, state);
  if (audience === undefined || tag === undefined) {
    return missing;
  }
  const body = request.json<{ members_to_add?: readonly string[]; members_to_remove?: readonly string[] }>();
  const { members_to_add: entering = [], members_to_remove: leaving = [] } = body;
  if (Math.max(entering.length, leaving.length) > 500) {
    return problem(
      400,
      'Invalid Resource',
      'Maximum allowed member items exceeded, please provide at most 500 items',
    );
  }
  const visible = (address: string): Contact | undefined =>
    state.late.delete(address) ? undefined : audience.contacts.get(address.toLowerCase());
  const added = entering
    .map(visible)
    .filter((one) => one !== undefined && !one.tags.has(tag.id)) as Contact[];
  const removed = leaving.map(visible).filter((one) => one?.tags.has(tag.id)) as Contact[];
  for (const one of added) {
    one.tags.add(tag.id);
  }
  for (const one of removed) {
    one.tags.delete(tag.id);
  }
  const done = new Set([...added, ...removed].map(({ address }) => address.toLowerCase()));
  const rest = [...entering, ...leaving].filter((address) => !done.has(address.toLowerCase()));
  return {
    json: {
      members_added: added.map(shown),
      members_removed: removed.map(shown),
      errors:
        rest.length === 0
          ? []
          : [{ email_addresses: rest, error: 'Email addresses are not valid for this segment' }],
      total_added: added.length,
      total_removed: removed.length,
      error_count: rest.length,
    },
  };
}

/** 204 whether or not there was anything to change; 404 for nobody. */
function retag(request: Received, state: MailchimpState): Answer {
  const { tags } = request.json<{ tags: readonly { name: string; status: string }[] }>();
  const contact = [...(audienceOf(request, state)?.contacts ?? [])].find(
    ([address]) => idOf(address) === request.params['id'],
  )?.[1];
  if (contact === undefined) {
    return missing;
  }
  for (const { name, status } of tags) {
    const id = state.tags.find((tag) => tag.name === name)?.id ?? 0;
    contact.tags[status === 'active' ? 'add' : 'delete'](id);
  }
  return { status: 204 };
}
