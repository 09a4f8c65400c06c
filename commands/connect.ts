import { actions, button, code, text } from '../engine/cards/build.ts';
import type { Inline } from '../engine/contracts/card.ts';
import type { Connector } from '../engine/contracts/connector.ts';
import { ActivateError } from '../engine/contracts/errors.ts';
import { type Fields, field } from '../engine/contracts/form.ts';
import type { Raw } from '../engine/contracts/refs.ts';
import { slug } from './alert-fields.ts';
import { type AnyCommand, defineCommand } from './define.ts';
import { rawOf } from './raw.ts';

/** Builds the command that connects a warehouse or a tool; its fields are those that the connectors declare. */
export function connectOf(connectors: readonly Connector[]): AnyCommand {
  const kinds = Object.fromEntries(connectors.map((connector) => [connector.id, connector.name]));
  const declared: Fields = Object.fromEntries(
    connectors.flatMap((connector) =>
      Object.entries(connector.config).map(([name, one]) => [
        prefixed(connector.id, name),
        field.optional(one),
      ]),
    ),
  );
  const chosen = (raw: Raw): Connector | undefined =>
    connectors.find((one) => one.id === (raw['kind'] ?? connectors[0]?.id));
  return defineCommand({
    name: 'connect',
    title: 'Connect',
    summary: 'Connects a warehouse to read from, or a tool to send rows to, after trying the connection.',
    example: '/activate connect',
    access: 'editor',
    fields: {
      name: field.text({ label: 'Name', help: 'What you call it: warehouse, crm, …', max: 40 }),
      kind: field.choice({ label: 'Kind', of: kinds }),
      use: field.optional(field.choice({ label: 'What for', of: uses })),
      ...declared,
    } as Fields,
    steps: [
      {
        title: 'Connect',
        fields: () => ['name', 'kind'],
        prepare: async () => ({ initial: { name: 'warehouse', kind: connectors[0]?.id ?? '' } }),
      },
      {
        title: 'The connection',
        fields: (raw) => [
          ...(isBoth(chosen(raw)) ? ['use'] : []),
          ...Object.keys(declared).filter((name) => name.startsWith(prefixed(chosen(raw)?.id ?? '', ''))),
        ],
        required: ['use'],
        prepare: async (raw) => ({
          intro: (chosen(raw)?.setup ?? []).map((sentence, at) => text(`${at + 1}. `, ...drawn(sentence))),
          initial: isBoth(chosen(raw)) ? { use: 'source' } : {},
          submit: 'Try and connect',
        }),
      },
    ],
    run: async (input, caller, services) => {
      const { name = '', kind = '', use, ...given } = rawOf(input);
      const connector = services.connectors.find((one) => one.id === kind);
      if (connector === undefined) {
        throw new ActivateError('INPUT_INVALID', 'Choose a kind.', { fields: { kind: 'Choose a kind.' } });
      }
      const toRead = isBoth(connector) ? use !== 'destination' : connector.offers.includes('source');
      const verbs = toRead ? services.sources : services.destinations;
      const warnings = await atFields(connector.id, () =>
        verbs.connect(slug(name), connector, unprefixed(connector.id, given), caller),
      );
      return { kind: 'card', to: 'caller', card: connectedCard(slug(name), connector, toRead, warnings) };
    },
  }) as AnyCommand;
}

const uses = { source: 'To read from it', destination: 'To write to it' } as const;

/** Whether a connector can be read from and written to: then it has to be said which is meant. */
function isBoth(connector: Connector | undefined): boolean {
  const offers = connector?.offers ?? [];
  return offers.includes('source') && offers.some((part) => part !== 'source');
}

function connectedCard(name: string, connector: Connector, toRead: boolean, warnings: readonly string[]) {
  const next = toRead
    ? [button('New alert', 'new-alert', { source: name }, { style: 'primary' })]
    : Object.entries(commandsFor)
        .filter(([part]) => connector.offers.some((offer) => offer === part))
        .map(([, [label, command]]) => button(label, command, { destination: name }));
  return {
    title: `${name} is connected`,
    tone: warnings.length === 0 ? 'good' : 'warning',
    blocks: [
      text('The connection works.'),
      ...warnings.map((warning) => text('⚠️ ', warning)),
      actions(...next.filter((one, at) => next.findIndex((other) => other.label === one.label) === at)),
    ],
    fallback: `${name} is connected`,
  } as const;
}

/** What can be made with a destination, by the part it offers. */
const commandsFor: Readonly<Record<string, readonly [string, string]>> = {
  objects: ['New sync', 'new-sync'],
  events: ['New sync', 'new-sync'],
  audiences: ['New audience', 'new-audience'],
  files: ['New export', 'new-export'],
  tasks: ['New tasks', 'new-task'],
  mail: ['New mailing', 'new-mail'],
};

/** A sentence of a set-up guide: its parts in backticks are code, its Markdown links are links. */
function drawn(sentence: string): readonly Inline[] {
  return sentence.split(/(`[^`]+`|\[[^\]]+\]\([^)]+\))/).map((part): Inline => {
    const [, label = '', url] = /^\[(.+)\]\((.+)\)$/.exec(part) ?? [];
    if (url !== undefined) {
      return { type: 'link', text: [label], url };
    }
    return part.startsWith('`') ? code(part.slice(1, -1)) : part;
  });
}

/** What a connector's field is called among those of all: a name has no dashes. */
function prefixed(id: string, name: string): string {
  return `${id.replaceAll('-', '_')}_${name}`;
}

function unprefixed(id: string, given: Raw): Raw {
  const prefix = prefixed(id, '');
  const own = Object.entries(given).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length), value]));
}

/** What the connector says of its own fields, said at the form's. */
async function atFields<T>(id: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof ActivateError && thrown.fields !== undefined) {
      const fields = Object.fromEntries(
        Object.entries(thrown.fields).map(([name, said]) => [prefixed(id, name), said]),
      );
      throw new ActivateError(thrown.code, thrown.message, {
        cause: thrown,
        fields,
        ...(thrown.fix === undefined ? {} : { fix: thrown.fix }),
      });
    }
    throw thrown;
  }
}
