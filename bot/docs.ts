import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { connectors } from '../connectors/index.ts';
import type { Connector, PartName } from '../engine/contracts/connector.ts';
import { ERRORS } from '../engine/contracts/errors.ts';
import type { Fields } from '../engine/contracts/form.ts';
import { settings } from '../engine/env.ts';
import { type Able, type Capability, capabilities } from './capabilities.ts';
import { commands } from './commands.ts';
import { page, table } from './docs-page.ts';
import { destinationsPage, isLocal, sourcesPage, verifiedOf, versionOf } from './docs-places.ts';
import { localAbilities } from './local/capabilities.ts';
import { mattermostAbilities } from './mattermost/capabilities.ts';
import { slackAbilities } from './slack/capabilities.ts';
import { teamsAbilities } from './teams/capabilities.ts';

const retries = {
  never: 'not before somebody acts',
  later: 'later, waiting longer each time',
  after: 'after the time that the other side names',
  unknown: 'after looking whether it happened',
} as const;

/** What each part lets people make, and where docs/ says more about it. */
const partWords: Readonly<Record<PartName, string>> = {
  source: 'a source to read from',
  objects: '[records](../frameworks.md#records)',
  events: '[events](../frameworks.md#events)',
  audiences: '[audiences](../frameworks.md#audiences)',
  files: '[exports of files](../frameworks.md#exports)',
  tasks: '[tasks](../frameworks.md#tasks)',
  notify: '[messages of alerts](../frameworks.md#alerts)',
  mail: '[mail to customers](../email.md)',
};

/**
 * Writes the tables in docs/ out of the declarations they are about. With `--check` it writes nothing, and ends with
 * exit code 1 when a page is not what it should be.
 */
const pages: Readonly<Record<string, string>> = {
  'commands.md': commandsPage(),
  'configuration.md': configurationPage(),
  'destinations.md': await destinationsPage(connectors),
  'errors.md': errorsPage(),
  'platforms.md': platformsPage(),
  'sources.md': sourcesPage(connectors),
  ...Object.fromEntries(
    connectors.map((connector) => [`connectors/${connector.id}.md`, connectorPage(connector)]),
  ),
};

const stale: string[] = [];
for (const [name, text] of Object.entries(pages)) {
  const file = new URL(`../docs/${name}`, import.meta.url);
  if ((await readFile(file, 'utf8').catch(() => '')) === text) {
    continue;
  }
  stale.push(name);
  if (!process.argv.includes('--check')) {
    await mkdir(new URL('.', file), { recursive: true });
    await writeFile(file, text);
  }
}
if (process.argv.includes('--check') && stale.length > 0) {
  process.stderr.write(`Out of date in docs/: ${stale.join(', ')}. Run: npm run docs\n`);
  process.exitCode = 1;
} else if (stale.length > 0) {
  process.stdout.write(`Written in docs/: ${stale.join(', ')}\n`);
}

function commandsPage(): string {
  const all = commands.filter((command) => command.hidden !== true);
  const sections = all.map((command) => {
    const fields = Object.entries(command.fields as Fields).map(([name, field]) => [
      `\`${name}\``,
      field.label,
      field.optional ? '' : 'yes',
      `${field.help ?? ''}${choicesOf(field.widget)}`,
    ]);
    return [
      `## ${command.name}`,
      `${command.summary} Needs the role ${command.access}.`,
      `    ${command.example}`,
      ...(fields.length === 0 ? [] : [table(['Field', 'Label', 'Required', 'What it is'], fields)]),
    ].join('\n\n');
  });
  return page(
    'Commands',
    'Each of them can be typed after `/activate`, opened as a form, pressed as a button, or run in a terminal as `npx activate <command>`. Fields are given as `name=value` or `--name value`, values with spaces in quotes. In a terminal `--json` answers with data, and the exit code is 1 when a command could not be done. `npx activate manifest slack` prints the manifest of the Slack app, `npx activate manifest teams` that of the Teams app, or makes its package.',
    table(
      ['Command', 'What it does', 'Role'],
      all.map((command) => [`[${command.name}](#${command.name})`, command.summary, command.access]),
    ),
    ...sections,
  );
}

function choicesOf(widget: Fields[string]['widget']): string {
  return widget.type === 'choice'
    ? ` One of ${widget.options.map((option) => `\`${option.value}\``).join(', ')}.`
    : '';
}

function configurationPage(): string {
  const rows = Object.entries(settings).map(([name, schema]) => {
    const unset = schema.safeParse(undefined);
    const usual = unset.success && unset.data !== undefined ? String(unset.data) : '';
    return [`\`${name}\``, schema.description ?? '', usual === '' ? '' : `\`${usual}\``];
  });
  return page(
    'Configuration',
    'Everything is set by environment variables, or in a file `.env` in the folder that Activate is started from. None is required: without any, Activate starts with a database of its own and the local chat. All mistakes are named at once when it starts.',
    table(['Setting', 'What it does', 'Default'], rows),
  );
}

function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(([code, { retry, owner }]) => [
    `\`${code}\``,
    owner,
    retries[retry],
  ]);
  return page(
    'Errors',
    'Every way Activate can fail has a code. What people read is a sentence about what happened and one about what to do now; the code is what the log, the tables and the retry policy go by.',
    table(['Code', 'Who has to act', 'Tried again'], rows),
  );
}

function connectorPage(connector: Connector): string {
  const { id, name, summary, config, offers, setup } = connector;
  const rows = Object.entries(config).map(([key, field]) => [
    `\`${id.replaceAll('-', '_')}_${key}\``,
    field.label,
    field.optional ? '' : 'yes',
    field.widget.type === 'secret' ? 'yes' : '',
    `${field.help ?? ''}${choicesOf(field.widget)}`,
  ]);
  const twice = offers.includes('source') && offers.length > 1;
  return page(
    name,
    summary,
    table(
      ['About', name],
      [
        ['Offers', offers.map((part) => partWords[part]).join(', ')],
        ['Interface', versionOf(connector)],
        ['Calls', hostsOf(connector)],
        ['Verified', verifiedOf(connector)],
      ],
    ),
    '## Set it up',
    setup.map((sentence, at) => `${at + 1}. ${sentence}`).join('\n'),
    '## Connect it',
    `Say \`/activate connect\`, or in a terminal \`npx activate connect\`. What is secret is encrypted where it is kept, never shown again, and never asked for inside a chat.${twice ? ' To read from it and to write to it are two connections, with a role of its own for each.' : ''}`,
    table(['Field', 'Label', 'Required', 'Secret', 'What it is'], rows),
  );
}

function hostsOf(connector: Connector): string {
  const { hosts, config } = connector;
  const named = hosts.map((host) => (host === '*' ? 'any host outside private networks' : `\`${host}\``));
  const base = Object.hasOwn(config, 'baseUrl') ? ['the host of its Base URL'] : [];
  if (named.length + base.length > 0) {
    return [...named, ...base].join(', ');
  }
  return isLocal(connector)
    ? 'nothing: it stays on the machine that Activate runs on'
    : 'the server that its fields name';
}

function platformsPage(): string {
  const columns = [slackAbilities, teamsAbilities, mattermostAbilities, localAbilities];
  const rows = (Object.keys(capabilities) as Capability[]).map((name) => [
    capabilities[name],
    ...columns.map((abilities) => ableWords(abilities[name])),
  ]);
  return page(
    'Chat platforms',
    'The same commands, forms, cards and approvals are on all of them, and several can be set up at once: a sync can report to one and notify in another, an approval can be asked for on two and is decided once, and whoever has one verified e-mail address is one person. What they differ in, and what stands in where one of them lacks something:',
    table(
      ['', '[Slack](slack.md)', '[Microsoft Teams](teams.md)', '[Mattermost](mattermost.md)', 'Local chat'],
      rows,
    ),
    'One story is played on each of them by the tests, in the same steps: an alert made with mistakes on the way, previewed, said, claimed, broken and mended; an audience held, looked at, refused to whoever may not, approved, and rejected with a reason; refused rows as a file; a history with its chart. Each line of this table is looked at in the same way. What could be tried against a pretended server alone stands in the guide of each platform.',
  );
}

function ableWords({ can, how }: Able): string {
  return [can, ...(how === undefined ? [] : [how])].join(can === 'no' ? '; instead: ' : ': ');
}
