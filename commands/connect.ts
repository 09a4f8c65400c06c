import { actions, button, text } from '../engine/cards/build.ts';
import type { Connector } from '../engine/contracts/connector.ts';
import { ActivateError } from '../engine/contracts/errors.ts';
import { type Fields, field } from '../engine/contracts/form.ts';
import type { Raw } from '../engine/contracts/refs.ts';
import { slug } from './alert-fields.ts';
import { type AnyCommand, defineCommand } from './define.ts';
import { rawOf } from './raw.ts';

/** Builds the command that connects a warehouse; its fields are those that the connectors declare. */
export function connectOf(connectors: readonly Connector[]): AnyCommand {
  const kinds = Object.fromEntries(connectors.map((connector) => [connector.id, connector.name]));
  const declared: Fields = Object.fromEntries(
    connectors.flatMap((connector) =>
      Object.entries(connector.config).map(([name, one]) => [`${connector.id}_${name}`, field.optional(one)]),
    ),
  );
  return defineCommand({
    name: 'connect',
    title: 'Connect a warehouse',
    summary: 'Connects a warehouse, after trying the connection.',
    example: '/activate connect',
    access: 'editor',
    fields: {
      name: field.text({ label: 'Name', help: 'What you call it: warehouse, production, …', max: 40 }),
      kind: field.choice({ label: 'Kind', of: kinds }),
      ...declared,
    } as Fields,
    steps: [
      {
        title: 'Connect a warehouse',
        fields: () => ['name', 'kind'],
        prepare: async () => ({ initial: { name: 'warehouse', kind: connectors[0]?.id ?? '' } }),
      },
      {
        title: 'The connection',
        fields: (raw) =>
          Object.keys(declared).filter((name) => name.startsWith(`${raw['kind'] ?? connectors[0]?.id}_`)),
        prepare: async () => ({
          intro: [text('Use a role that can read and nothing else. It is tried before it is kept.')],
          submit: 'Try and connect',
        }),
      },
    ],
    run: async (input, caller, services) => {
      const { name = '', kind = '', ...given } = rawOf(input);
      const connector = services.connectors.find((one) => one.id === kind);
      if (connector === undefined) {
        throw new ActivateError('INPUT_INVALID', 'Choose a kind.', { fields: { kind: 'Choose a kind.' } });
      }
      const warnings = await atFields(connector.id, () =>
        services.sources.connect(slug(name), connector, unprefixed(connector.id, given), caller),
      );
      const card = {
        title: `${slug(name)} is connected`,
        tone: warnings.length === 0 ? 'good' : 'warning',
        blocks: [
          text('The connection works.'),
          ...warnings.map((warning) => text('⚠️ ', warning)),
          actions(button('New alert', 'new-alert', { source: slug(name) }, { style: 'primary' })),
        ],
        fallback: `${slug(name)} is connected`,
      } as const;
      return { kind: 'card', to: 'caller', card };
    },
  }) as AnyCommand;
}

function unprefixed(id: string, given: Raw): Raw {
  const own = Object.entries(given).filter(([name]) => name.startsWith(`${id}_`));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(id.length + 1), value]));
}

/** What the connector says of its own fields, said at the form's. */
async function atFields<T>(id: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof ActivateError && thrown.fields !== undefined) {
      const fields = Object.fromEntries(
        Object.entries(thrown.fields).map(([name, said]) => [`${id}_${name}`, said]),
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
