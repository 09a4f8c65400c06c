import { createCommands } from '../commands/index.ts';
import { connectors } from '../connectors/index.ts';
import type { App } from '../engine/boot.ts';
import type { Dispatch } from '../engine/contracts/chat.ts';
import type { Raw } from '../engine/contracts/refs.ts';
import { actedBy, writeAudit } from '../engine/store/audit.ts';
import { draftOf, dropDraft, keepDraft, startDraft } from '../engine/store/drafts.ts';
import { createDispatch } from './dispatch.ts';

/** All that people can ask for. */
export const commands = createCommands(connectors);

/** The dispatcher over all commands, with the stores behind it. */
export function dispatchOf(app: App): Dispatch {
  const { db, services, log } = app;
  return createDispatch({
    commands,
    services,
    identify: app.identify,
    drafts: {
      start: (personId, command, answers) => startDraft(db, personId, command, answers),
      get: (personId, id) => draftOf(db, personId, id),
      keep: (id, step, answers) => keepDraft(db, id, step, answers),
      drop: (id) => dropDraft(db, id),
    },
    audit: ({ caller, command, input, outcome }) =>
      db.transaction((sql) =>
        writeAudit(sql, {
          at: services.now(),
          kind: refusals.includes(outcome) ? 'refusal' : 'command',
          ...actedBy(caller),
          command,
          subject: subjectOf(input),
          input,
          outcome,
        }),
      ),
    link: (command, input, caller) => services.formLink(command, input, caller),
    log,
  });
}

/** Outcomes that say that somebody was not let do something, or that what they saw is no longer so. */
const refusals = ['refused', 'NOT_ALLOWED', 'OUTDATED'];

/** What a command is about, by the names that fields have for it. */
function subjectOf({ name, alert, sync, model, person }: Raw): string | null {
  return name ?? alert ?? sync ?? model ?? person ?? null;
}
