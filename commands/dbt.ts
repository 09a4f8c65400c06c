import { actions, ago, bold, button, code, context, count, text } from '../engine/cards/build.ts';
import type { Block, Card } from '../engine/contracts/card.ts';
import type { DbtState } from '../engine/services.ts';
import { defineCommand } from './define.ts';

export const dbt = defineCommand({
  name: 'dbt',
  title: 'dbt projects',
  summary: 'Shows the dbt projects, how old their manifests are, and what their last runs started.',
  example: '/activate dbt',
  access: 'viewer',
  fields: {},
  run: async (_input, _caller, services) => {
    const all = await services.dbt.list();
    const title = all.length === 0 ? 'No dbt project yet' : count(all.length, 'dbt project');
    const none = text('With one, its models can be chosen, and its runs start what reads them.');
    const card = {
      title,
      blocks: [
        ...(all.length === 0 ? [none] : all.flatMap((state) => stateBlocks(state, services.now()))),
        actions(
          all.length === 0
            ? button('Connect a dbt project', 'dbt-connect', {}, { style: 'primary' })
            : button('Connect another', 'dbt-connect'),
        ),
      ],
      fallback: title,
    } as const;
    return { kind: 'card', to: 'caller', card };
  },
});

/** How one project stands, on a card of its own. */
export function projectCard(state: DbtState, title: string, now: Date): Card {
  const well = state.project.trouble === null && state.warnings.length === 0;
  return { title, tone: well ? 'good' : 'warning', blocks: stateBlocks(state, now), fallback: title };
}

function stateBlocks(
  { project, models, schemas, warnings, webhook, lastEvent }: DbtState,
  now: Date,
): readonly Block[] {
  const { name, source, about, readAt, trouble } = project;
  const written =
    about?.generatedAt === undefined ? '' : `, written ${ago(new Date(about.generatedAt), now)}`;
  const read = readAt === null ? 'not read yet' : `read ${ago(readAt, now)}${written}`;
  return [
    text(bold(name), ` builds ${source} · ${count(models, 'model')} in ${schemas.join(', ') || 'no schema'}`),
    context(`Manifest ${about === null ? '' : `v${about.version}, `}${read}`),
    ...(trouble === null ? [] : [text('🔴 ', trouble)]),
    ...warnings.map((warning) => text('⚠️ ', warning)),
    webhook === undefined
      ? context('It has no webhook secret, so that nobody can tell of its runs.')
      : context('Tell of its runs at ', code(webhook)),
    ...(lastEvent === undefined
      ? []
      : [context(`Last told ${ago(lastEvent.receivedAt, now)}: ${lastEvent.note ?? 'not followed yet'}`)]),
    actions(
      button('Read again', 'dbt-refresh', { project: name }),
      button('Change', 'dbt-connect', { name, source, place: project.place, ...project.config }),
      button('Exposures', 'dbt-exposures', { project: name }),
    ),
  ];
}
