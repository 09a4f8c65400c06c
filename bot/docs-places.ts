import { generateKeyPairSync } from 'node:crypto';
import type { AnyConnection, Connector, PartName, Tried } from '../engine/contracts/connector.ts';
import type { BatchLimits } from '../engine/contracts/destination.ts';
import { check } from '../engine/contracts/form.ts';
import type { Raw } from '../engine/contracts/refs.ts';
import { page, table } from './docs-page.ts';

const triedWords: Readonly<Record<Tried, string>> = {
  software: 'the software itself',
  'stand-in': 'a stand-in made by others',
  description: "the vendor's own description of its API",
  ours: 'a server of ours',
};

function triedWith({ tried = ['ours'] }: Connector): string {
  return tried.map((one) => triedWords[one]).join(', ');
}

/** What the tests of a connector ran against, in full sentences. */
export function verifiedOf({ verified, tried = [] }: Connector): string {
  return tried.includes('description')
    ? `${verified} Its requests are held against the vendor's own description of its API.`
    : verified;
}

/** Whether it stays on the machine that Activate runs on: it names no server, and none can be named to it. */
export function isLocal({ hosts, config }: Connector): boolean {
  return hosts.length === 0 && !['host', 'url', 'baseUrl'].some((name) => Object.hasOwn(config, name));
}

export function versionOf(connector: Connector): string {
  const { api } = connector;
  if (api === undefined) {
    return isLocal(connector) ? 'files of this machine' : 'its own protocol';
  }
  return api.endsOn === undefined ? api.version : `${api.version}, which ends on ${api.endsOn}`;
}

/** What the words in the column say, for both pages. */
const howTried = [
  '“Tried with” says what stood at the other end of the tests. **The software itself** is what you will connect to, as it is installed.',
  '**A stand-in made by others** behaves much like it. **The vendor’s own description of its API** says what requests have to look like, and each of ours is held against it.',
  '**A server of ours** answers as the vendor documents: where the documentation is silent or wrong, so is that server.',
  'No account of any vendor was at hand, so **nothing was ever tried against a live account**: preview first, and begin with few rows.',
].join(' ');

export function sourcesPage(connectors: readonly Connector[]): string {
  const rows = connectors
    .filter(({ offers }) => offers.includes('source'))
    .map((connector) => [
      linkTo(connector),
      versionOf(connector),
      Object.hasOwn(connector.config, 'plannerSchema') ? 'yes' : '',
      triedWith(connector),
      verifiedOf(connector),
    ]);
  return page(
    'Sources',
    'Where rows can be read from: say `/activate connect`, then write a query, or choose a table. Whatever it is, a query is proven to be one SELECT before it is sent, runs where nothing can be written and within a time limit, and gives values as exact text; a result that was cut short is a failure, never fewer rows. What a user or role may do beyond reading is said when it is connected, in sentences. Where there can be a planner schema, a place in the warehouse of our own, rows can be compared there.',
    howTried,
    table(['Source', 'Interface', 'Planner schema', 'Tried with', 'In detail'], rows),
  );
}

export async function destinationsPage(connectors: readonly Connector[]): Promise<string> {
  const rows: string[][] = [];
  for (const connector of connectors) {
    const parts = connector.offers.filter((part) => part !== 'source');
    // Only these have something to say that depends on more than what they are.
    const asked = parts.some((part) => ['objects', 'events', 'audiences', 'tasks'].includes(part));
    const connection = asked ? await openedForShow(connector) : undefined;
    rows.push(...parts.map((part, at) => rowOf(connector, part, connection, at === 0)));
    await connection?.close();
  }
  return page(
    'Destinations',
    'Where rows can go, and by which [framework](frameworks.md). Alerts speak in chats besides. Which of the modes a record knows, and which of its fields find it, can depend on what is connected: the form says so before anything is made. “At once” is the most that goes in one request, in how many at a time, and how long one waits for the one before. To add a destination, write [a file, its test and a line in a list](connectors.md).',
    howTried,
    table(
      ['Destination', 'For', 'Modes', 'Found by', 'At once', 'Interface', 'Tried with', 'In detail'],
      rows,
    ),
  );
}

function rowOf(
  connector: Connector,
  part: Exclude<PartName, 'source'>,
  connection: AnyConnection | undefined,
  isFirst: boolean,
): string[] {
  const { modes, foundBy, limits } = aboutPart(part, connection);
  return [
    linkTo(connector),
    partTitles[part],
    modes,
    foundBy,
    limits,
    versionOf(connector),
    triedWith(connector),
    isFirst ? verifiedOf(connector) : '',
  ];
}

function linkTo({ id, name }: Connector): string {
  return `[${name}](connectors/${id}.md)`;
}

const partTitles = {
  objects: '[records](frameworks.md#records)',
  events: '[events](frameworks.md#events)',
  audiences: '[audiences](frameworks.md#audiences)',
  files: '[exports](frameworks.md#exports)',
  tasks: '[tasks](frameworks.md#tasks)',
  notify: '[alerts](frameworks.md#alerts)',
  mail: '[mail](email.md)',
} as const satisfies Record<Exclude<PartName, 'source'>, string>;

interface About {
  readonly modes: string;
  readonly foundBy: string;
  readonly limits: string;
}

function aboutPart(part: Exclude<PartName, 'source'>, connection: AnyConnection | undefined): About {
  const { objects, events, audiences, tasks } = connection ?? {};
  switch (part) {
    case 'objects':
      return {
        modes: [
          ...(objects?.operations ?? []),
          ...(objects?.onlyIfEmpty === true ? ['only where empty'] : []),
        ].join(', '),
        foundBy: 'fields that it keeps unique',
        limits: limitsOf(objects?.limits),
      };
    case 'events':
      return {
        modes: 'append',
        foundBy: `${labelsOf(events?.people)}; ${repeatsOf(events?.repeatsKnownForMs)}`,
        limits: limitsOf(events?.limits),
      };
    case 'audiences':
      return {
        modes: 'add, remove',
        foundBy: labelsOf(audiences?.identifiers),
        limits: limitsOf(audiences?.limits),
      };
    case 'files':
      return { modes: 'write', foundBy: 'path', limits: 'one file' };
    case 'tasks':
      return {
        modes: 'open, change, comment, close',
        foundBy: 'a mark of ours',
        limits: limitsOf(tasks?.limits),
      };
    case 'notify':
      return { modes: 'post', foundBy: '', limits: 'one message' };
    case 'mail':
      return { modes: 'send', foundBy: 'e-mail address', limits: 'one mail' };
    default:
      return part satisfies never;
  }
}

function labelsOf(named: readonly { readonly label: string }[] = []): string {
  return named.map(({ label }) => label).join(', ');
}

const dayMs = 86_400_000;

function repeatsOf(knownForMs: number | undefined): string {
  if (knownForMs === undefined) {
    return 'repeats are known for ever';
  }
  return knownForMs === 0 ? 'repeats are not known' : `repeats are known for ${knownForMs / dayMs} days`;
}

function limitsOf(limits: BatchLimits | undefined): string {
  if (limits === undefined) {
    return '';
  }
  const { rows, bytes, concurrency, paceMs = 0 } = limits;
  return [
    rows === 1 ? 'one' : `${rows.toLocaleString('en')} rows`,
    ...(bytes === undefined ? [] : [bytes < 1e6 ? `${Math.floor(bytes / 1024)} KB` : `${bytes / 1e6} MB`]),
    `${concurrency} at a time`,
    ...(paceMs === 0 ? [] : [`${paceMs / 1000} s apart`]),
  ].join(', ');
}

/** Opens one with made-up values, to be asked what it can do. It calls nobody before it is asked for more. */
async function openedForShow(connector: Connector): Promise<AnyConnection> {
  const checked = check(connector.config, sampleOf(connector));
  if (!checked.ok) {
    throw new Error(`A sample is missing for ${connector.id}: ${JSON.stringify(checked.errors)}`);
  }
  return connector.open(checked.values, {
    applicationName: 'activate/docs',
    now: () => new Date(0),
    http: { send: () => Promise.reject(new Error('Nothing is called for a page.')) },
  });
}

/** The placeholders of its fields that have to be filled in, and what else it takes. */
function sampleOf({ id, config }: Connector): Raw {
  const needed = Object.entries(config).filter(([, { optional }]) => !optional);
  return {
    ...Object.fromEntries(
      needed.map(([name, { widget }]) => [
        name,
        widget.type === 'choice'
          ? (widget.options[0]?.value ?? '')
          : ((widget.type === 'text' ? widget.placeholder : undefined) ?? 'sample'),
      ]),
    ),
    ...samples[id]?.(),
  };
}

/** For those that take more than placeholders to open. */
const samples: Readonly<Record<string, () => Raw>> = {
  anaplan: () => ({
    workspace: '0'.repeat(32),
    model: '0'.repeat(32),
    email: 'a@example.com',
    password: 'x',
  }),
  asana: () => ({ token: 'x' }),
  'google-ads': () => ({ clientId: 'x', clientSecret: 'x', refreshToken: 'x' }),
  jira: () => ({ email: 'a@example.com' }),
  mailchimp: () => ({ apiKey: `${'0'.repeat(32)}-us1` }),
  mongodb: () => ({ url: 'mongodb://db.example.com/shop' }),
  mysql: () => ({ url: 'mysql://user@db.example.com/shop' }),
  netsuite: () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    return { privateKey: String(privateKey.export({ type: 'pkcs8', format: 'pem' })) };
  },
  postgres: () => ({ url: 'postgres://user@db.example.com/shop' }),
  salesforce: () => ({ clientSecret: 'x' }),
  sendgrid: () => ({ apiKey: 'SG.x.y' }),
  webhook: () => ({
    url: 'https://example.com/hook',
    secret: `whsec_${Buffer.alloc(32).toString('base64')}`,
  }),
  zendesk: () => ({ clientId: 'x', clientSecret: 'x' }),
};
