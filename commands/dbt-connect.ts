import { code, context, text } from '../engine/cards/build.ts';
import type { Step } from '../engine/contracts/command.ts';
import { type Fields, field } from '../engine/contracts/form.ts';
import type { Raw } from '../engine/contracts/refs.ts';
import { fieldsOf, isNeeded, isSecret, type Place, places, projectFields } from '../engine/dbt/settings.ts';
import type { Services } from '../engine/services.ts';
import { slug } from './alert-fields.ts';
import { projectCard } from './dbt.ts';
import { defineCommand } from './define.ts';
import { sources } from './lookups.ts';
import { rawOf } from './raw.ts';

const declared: Fields = Object.fromEntries(
  Object.entries(projectFields).map(([name, one]) => [
    name,
    one.optional ? one : field.optional(one as Fields[string]),
  ]),
);

/** The sentence above the fields of a place: where to find what is asked. */
const guides: Readonly<Record<Place, Parameters<typeof text>>> = {
  platform: [
    'Make a service token in the dbt platform that may read jobs: Account settings, Service tokens.',
  ],
  url: ['Have CI put ', code('target/manifest.json'), ' where this address finds it, after each run.'],
  file: [
    'An admin names a folder in ',
    code('ALLOWED_FOLDER'),
    ', and dbt writes its manifest there or below.',
  ],
};

function manifestOf(place: Place): Step<Services> {
  const names = fieldsOf(place).filter((name) => !isSecret(name));
  return {
    title: 'Its manifest',
    fields: (raw) => (raw['place'] === place ? names : []),
    required: names.filter((name) => isNeeded(place, name)),
    prepare: async () => ({ intro: [text(...guides[place])], initial: { failedTests: 'ask' } }),
  };
}

const standardSecret = { type: 'code', text: 'echo "whsec_$(openssl rand -base64 32)"' } as const;

/** No draft keeps secrets, so that they are asked for last. */
function secretsOf(place: Place): Step<Services> {
  const names = fieldsOf(place).filter(isSecret);
  return {
    title: 'Its secrets',
    fields: (raw) => (raw['place'] === place ? names : []),
    required: names.filter((name) => isNeeded(place, name)),
    prepare: async () => ({
      intro: [
        text(
          'With a webhook, runs of dbt start what reads their models. Its address is shown once this is connected.',
        ),
        ...(place === 'platform'
          ? [
              context(
                'In the dbt platform: Account settings, Webhooks, event Run completed. It shows its secret once.',
              ),
            ]
          : [context('CI signs with a secret of your own. This makes one:'), standardSecret]),
      ],
      submit: 'Read and connect',
    }),
  };
}

export const dbtConnect = defineCommand({
  name: 'dbt-connect',
  title: 'Connect a dbt project',
  summary:
    'Connects a dbt project to its warehouse, so that its models can be chosen and its runs start syncs.',
  example: '/activate dbt-connect',
  access: 'editor',
  fields: {
    name: field.text({ label: 'Name', help: 'What you call it: shop.', max: 30 }),
    source: field.lookup({ label: 'Source', lookup: 'sources', help: 'The warehouse that dbt builds in.' }),
    place: field.choice({ label: 'Manifest', of: places }),
    ...declared,
  } as Fields,
  lookups: { sources },
  steps: [
    {
      title: 'A dbt project',
      fields: () => ['name', 'source', 'place'],
      prepare: async (_raw, _caller, services) => {
        const source = (await services.sources.list())[0]?.name;
        return {
          intro: [text('The manifest says which models there are. It is read again after each run.')],
          initial: { name: 'dbt', place: 'platform', ...(source === undefined ? {} : { source }) },
        };
      },
      check: async (raw): Promise<Raw> =>
        slug(raw['name'] ?? '') === '' ? { name: 'Use letters and digits.' } : {},
    },
    manifestOf('platform'),
    manifestOf('url'),
    manifestOf('file'),
    secretsOf('platform'),
    secretsOf('url'),
    secretsOf('file'),
  ],
  run: async (input, caller, services) => {
    const { name = '', source = '', place, ...given } = rawOf(input);
    const draft = { name: slug(name), source, place: place as Place, given };
    const state = await services.dbt.connect(draft, caller);
    const card = projectCard(state, `The dbt project ${state.project.name} is connected`, services.now());
    return { kind: 'card', to: 'caller', card };
  },
});
