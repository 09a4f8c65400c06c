import type { Caller } from '../contracts/command.ts';
import { ActivateError } from '../contracts/errors.ts';
import { personalColumns } from '../personal/columns.ts';
import { mayBeShown, maySee } from '../personal/may-see.ts';
import type { Services } from '../services.ts';
import { actedBy, writeAudit } from '../store/audit.ts';
import { markPersonal, modelNamed } from '../store/models.ts';
import type { VerbParts } from './parts.ts';

/** Who may see personal data, and which columns hold it. */
export function personalVerbs(parts: VerbParts): Services['personal'] {
  return {
    mayBeShown: (by) => mayBeShown(by, parts.personalDataRole),
    of: async (name) => {
      const model = await modelNamed(parts.db, name);
      const { columns, personal } = model;
      return { model, columns: personalColumns(columns, personal), named: personal != null };
    },
    mark: (name, columns, by) => mark(parts, name, columns, by),
  };
}

/** Whoever takes a mask away shows what is behind it to others. */
const marksNeed = 'approver';

async function mark(
  parts: VerbParts,
  name: string,
  columns: readonly string[] | null,
  by: Caller,
): Promise<void> {
  if (!maySee(by, marksNeed)) {
    const sentence = `What is masked is said by people with the role ${marksNeed}; yours is ${by.role}.`;
    throw new ActivateError('NOT_ALLOWED', sentence, { fix: 'Ask an approver or an admin.' });
  }
  const model = await modelNamed(parts.db, name);
  const known = model.columns.map((column) => column.name);
  const missing = columns?.find((column) => !known.includes(column));
  if (missing !== undefined) {
    const sentence = `There is no column "${missing}". The columns are: ${known.join(', ')}.`;
    throw new ActivateError('INPUT_INVALID', sentence, { fields: { columns: sentence } });
  }
  await parts.db.transaction(async (sql) => {
    await markPersonal(sql, model.id, columns);
    await writeAudit(sql, {
      at: parts.now(),
      kind: 'change',
      ...actedBy(by),
      command: 'mask',
      subject: name,
      input: {},
      before: { personal: model.personal ?? 'recognised' },
      after: { personal: columns ?? 'recognised' },
      outcome: 'ok',
    });
  });
}
