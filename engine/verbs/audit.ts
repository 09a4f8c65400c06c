import type { Services } from '../services.ts';
import { auditEntries, auditSubjects, verifyAudit } from '../store/audit.ts';
import type { VerbParts } from './parts.ts';

/** Looking into the audit log. What it says is written where it happens. */
export function auditVerbs({ db }: VerbParts): Services['audit'] {
  return {
    entries: (about, limit, before) => auditEntries(db, about, limit, before),
    subjects: (typed) => auditSubjects(db, typed),
    verify: (expect) => verifyAudit(db, { expect }),
  };
}
