import type { Block, Card } from '../contracts/card.ts';
import { actions, bold, button, code, context, count, text } from './build.ts';
import { editButton, type Named } from './failure.ts';

/** What is wrong between a sync and the dbt model that it reads. */
export interface Drift {
  /** The model as it was, and its file. */
  readonly model: string;
  readonly file: string | undefined;
  readonly trouble:
    | {
        readonly kind: 'gone';
        readonly successor: string | undefined;
        readonly successorFile: string | undefined;
      }
    | { readonly kind: 'disabled' }
    | { readonly kind: 'moved'; readonly relation: string }
    | { readonly kind: 'fails'; readonly reason: string }
    | { readonly kind: 'columns'; readonly names: readonly string[]; readonly certain: boolean };
}

/** Whether a run would send what is wrong, or fail: then the sync is paused. */
export function mustPause({ trouble }: Drift): boolean {
  return trouble.kind !== 'columns' || trouble.certain;
}

/** Said once, in the sync's channel, before a run stumbles over it. */
export function driftCard(sync: Named, drift: Drift): Card {
  const { name } = sync;
  const pauses = mustPause(drift);
  const title = pauses ? `${name} is paused: its dbt model has changed` : `${name}: look at its dbt model`;
  const { happened, todo } = words(drift);
  return {
    title,
    tone: pauses ? 'bad' : 'warning',
    blocks: [
      text(...happened),
      ...(drift.file === undefined ? [] : [context('File: ', code(drift.file))]),
      text(bold('What now: '), todo),
      context(
        pauses
          ? 'Nothing was sent since · it goes on by itself once the model is as it was'
          : 'It goes on running · no more about this until it changes',
      ),
      actions(
        editButton(sync),
        button('Show', 'show', { name }),
        pauses ? button('Resume', 'resume', { name }) : button('Pause', 'pause', { name }),
      ),
    ],
    fallback: title,
  };
}

function words({ model, trouble }: Drift): {
  readonly happened: Parameters<typeof text>;
  readonly todo: string;
} {
  switch (trouble.kind) {
    case 'gone': {
      const { successor, successorFile } = trouble;
      const renamed =
        successor === undefined
          ? []
          : [
              ' It looks as if it was renamed to ',
              code(successor),
              successorFile === undefined ? '.' : ` (${successorFile}).`,
            ];
      return {
        happened: ['The dbt project has no model ', code(model), ' any more.', ...renamed],
        todo: `Choose ${successor === undefined ? 'another model' : 'the new one'} with Edit, or bring it back in dbt.`,
      };
    }
    case 'disabled':
      return {
        happened: ['The dbt model ', code(model), ' is disabled: its table is not built any more.'],
        todo: 'Enable it in dbt, or choose another model with Edit.',
      };
    case 'moved':
      return {
        happened: [
          'The dbt model ',
          code(model),
          ' is built as ',
          code(trouble.relation),
          ' now, and the query reads where it was.',
        ],
        todo: 'Correct the query with Edit.',
      };
    case 'fails':
      return {
        happened: ['The query over the dbt model ', code(model), ` fails: ${trouble.reason}`],
        todo: 'Correct the query with Edit, or bring back in dbt what it reads.',
      };
    case 'columns':
      return {
        happened: [
          `${count(trouble.names.length, 'column')} that it uses ${trouble.names.length === 1 ? 'is' : 'are'} ${trouble.certain ? 'gone from' : 'not written down any more in'} the dbt model `,
          code(model),
          ': ',
          ...trouble.names.flatMap((name, at) => (at === 0 ? [code(name)] : [', ', code(name)])),
          trouble.certain ? '.' : '. The warehouse still has it; the next run of dbt may take it away.',
        ],
        todo: 'Take it out with Edit, or bring it back in dbt.',
      };
    default:
      return trouble satisfies never;
  }
}

/** What the same card becomes once the model is as it should be. */
export function driftOverCard({ name }: Named, resumed: boolean): Card {
  const title = resumed ? `${name} goes on` : `${name}: its dbt model is well again`;
  return {
    title,
    tone: 'good',
    blocks: [text('Its dbt model has all that it uses again.')],
    fallback: title,
  };
}

const listed = 5;

/** A run of dbt built the model, and its tests say that its rows are not to be trusted. */
export function testsCard({ name }: Named, model: string, failed: readonly string[]): Card {
  const title = `${name} was not started: tests of its dbt model failed`;
  return {
    title,
    tone: 'bad',
    blocks: [
      text(
        'dbt has built ',
        code(model),
        ` anew, and ${count(failed.length, 'test')} of it failed. Nothing was sent.`,
      ),
      ...failed.slice(0, listed).map((id): Block => text('• ', code(testName(id)))),
      ...(failed.length > listed ? [context(`${listed} of ${failed.length}`)] : []),
      text(bold('What now: '), 'Mend the rows and run dbt again, which starts it; or send them as they are.'),
      actions(
        button(
          'Send anyway',
          'run',
          { name },
          { style: 'danger', confirm: 'Send the rows though tests failed?' },
        ),
        button('Show', 'show', { name }),
      ),
    ],
    fallback: title,
  };
}

export function testsOverCard({ name }: Named): Card {
  const title = `${name} was started: the tests of its dbt model pass again`;
  return { title, tone: 'good', blocks: [text('dbt has built it anew since.')], fallback: title };
}

/** `test.shop.unique_accounts_id.1a2b3c` is called `unique_accounts_id` by people. */
function testName(id: string): string {
  return id.split('.')[2] ?? id;
}
