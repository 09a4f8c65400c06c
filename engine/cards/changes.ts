import type { Block, Card } from '../contracts/card.ts';
import type { Difference } from '../document/compare.ts';
import type { DocumentChange } from '../services.ts';
import { bold, code, context, count, shorten, text } from './build.ts';

const shown = 40;

/** What a file changes, or has changed. */
export function changesCard(changes: readonly DocumentChange[], how: 'planned' | 'applied'): Card {
  const real = changes.filter((change) => change.action !== 'none');
  const same = changes.length - real.length;
  const title =
    real.length === 0
      ? 'Nothing to change'
      : how === 'planned'
        ? `${count(real.length, 'change')} to make`
        : `${count(real.length, 'change')} made`;
  return {
    title,
    tone: how === 'applied' ? 'good' : 'neutral',
    blocks: [
      ...real.slice(0, shown).flatMap(changeBlocks),
      ...(real.length > shown ? [context(`${shown} of ${real.length}`)] : []),
      context(
        `${same === 0 ? '' : `${count(same, 'thing')} as in the file already. `}What is not in the file is left as it is.`,
      ),
    ],
    fallback: title,
  };
}

function changeBlocks({ kind, name, action, differences }: DocumentChange): readonly Block[] {
  return [
    text(action === 'create' ? '➕ ' : '✏️ ', `${kind} `, bold(name)),
    ...differences.slice(0, 10).map((one) => context(code(one.path), ` ${words(one)}`)),
  ];
}

function words({ before, after }: Difference): string {
  return `${said(before)} → ${said(after)}`;
}

function said(value: unknown): string {
  if (value === undefined) {
    return 'nothing';
  }
  return shorten(typeof value === 'string' ? value : JSON.stringify(value), 120);
}
