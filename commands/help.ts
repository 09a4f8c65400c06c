import { actions, bold, button, code, context, text } from '../engine/cards/build.ts';
import type { Block } from '../engine/contracts/card.ts';
import { type Fields, field } from '../engine/contracts/form.ts';
import { type AnyCommand, defineCommand } from './define.ts';

/** Builds the command that explains the others, from their own declarations. */
export function helpOf(others: () => readonly AnyCommand[]) {
  return defineCommand({
    name: 'help',
    title: 'Help',
    summary: 'Shows what I can do, or how one command is used.',
    example: '/activate help new-alert',
    access: 'viewer',
    fields: {
      about: field.optional(field.text({ label: 'Command', help: 'The command you want to know about.' })),
    },
    positional: ['about'],
    run: async ({ about }) => {
      const shown = others().filter((command) => command.hidden !== true);
      const one = others().find((command) => command.name === about);
      const card = one === undefined ? overview(shown) : explained(one);
      return { kind: 'card', to: 'caller', card };
    },
  });
}

function overview(commands: readonly AnyCommand[]) {
  const lines = commands.map(
    (command): Block => text(code(`/activate ${command.name}`), ` ${command.summary}`),
  );
  return {
    title: 'What I can do',
    blocks: [
      ...lines,
      context('Every command can be typed, opened as a form, or run in a terminal: npx activate <command>.'),
      actions(button('New alert', 'new-alert', {}, { style: 'primary' }), button('My alerts', 'list')),
    ],
    fallback: `Commands: ${commands.map((command) => command.name).join(', ')}`,
  };
}

function explained(command: AnyCommand) {
  const fields = Object.entries(command.fields as Fields).map(
    ([name, one]): Block =>
      text(
        code(name),
        ` ${one.label}${one.optional ? ' (may be left out)' : ''}${one.help === undefined ? '' : `. ${one.help}`}`,
      ),
  );
  return {
    title: `/activate ${command.name}`,
    blocks: [
      text(command.summary),
      text(bold('Example '), code(command.example)),
      ...fields,
      context(`Needs the role ${command.access}.`),
    ],
    fallback: command.summary,
  };
}
