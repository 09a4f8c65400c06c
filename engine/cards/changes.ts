import type { Block, Card } from '../contracts/card.ts';
import type { Difference } from '../document/compare.ts';
import type { DocumentChange } from '../services.ts';
import { bold, code, context, count, shorten, text } from './build.ts';

const shown = 40;

/** What a file changes, or has changed. */
export function changesCard(changes: readonly DocumentChange[], how: 'planned' | 'applied'): Card {
  const real = changes.filter((change) => change.action !== 'none');
  const same = changes.length - real.length;
  const waiting = real.filter(({ waits }) => waits === true).length;
  const title =
    real.length === 0
      ? 'Nothing to change'
      : how === 'planned'
        ? `${count(real.length, 'change')} to make`
        : waiting === 0
          ? `${count(real.length, 'change')} made`
          : `${count(real.length - waiting, 'change')} made, ${waiting} to be approved`;
  return {
    title,
    tone: how === 'planned' ? 'neutral' : waiting > 0 ? 'warning' : 'good',
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

function changeBlocks({ kind, name, action, differences, waits }: DocumentChange): readonly Block[] {
  const sign = waits === true ? '⏳ ' : action === 'create' ? '➕ ' : '✏️ ';
  return [
    text(sign, `${kind} `, bold(name), ...(waits === true ? [' waits for approval'] : [])),
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
