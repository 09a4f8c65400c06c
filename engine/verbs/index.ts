import type { Services } from '../services.ts';
import { openDrafts } from '../store/drafts.ts';
import { makeLink } from '../store/links.ts';
import { listModels } from '../store/models.ts';
import { alertVerbs } from './alerts.ts';
import { approvalVerbs } from './approvals.ts';
import { auditVerbs } from './audit.ts';
import { cardVerbs } from './cards.ts';
import { createGate } from './changes.ts';
import { destinationVerbs, sourceVerbs } from './connections.ts';
import { dbtVerbs } from './dbt.ts';
import { Examiner } from './examine.ts';
import { mailVerbs } from './mails.ts';
import type { VerbParts } from './parts.ts';
import { peopleVerbs } from './people.ts';
import { personalVerbs } from './personal.ts';
import { placesVerbs } from './places.ts';
import { runVerbs } from './runs.ts';
import { syncVerbs } from './syncs.ts';

/** Builds the verbs that commands use, once per process. */
export function createServices(parts: VerbParts): Services {
  const examiner = new Examiner(parts);
  const gate = createGate(parts, examiner);
  const places = placesVerbs(parts);
  const syncs = syncVerbs(parts, examiner, gate);
  const verbs: Omit<Services, 'documents'> = {
    now: parts.now,
    connectors: parts.connectors,
    sources: sourceVerbs(parts, gate),
    destinations: destinationVerbs(parts, gate),
    models: {
      list: () => listModels(parts.db),
      examine: (source, sql, key) => examiner.examine(source, sql, key),
      recall: (source, sql, key) => examiner.recall(source, sql, key),
      columns: (source, sql) => examiner.columns(source, sql),
    },
    syncs,
    dbt: dbtVerbs(parts, syncs.list),
    alerts: alertVerbs(parts, examiner, gate),
    mail: mailVerbs(parts),
    runs: runVerbs(parts),
    cards: cardVerbs(parts),
    people: peopleVerbs(parts, places),
    places,
    approvals: approvalVerbs(parts, gate, places),
    personal: personalVerbs(parts),
    audit: auditVerbs(parts),
    drafts: { mine: (by) => openDrafts(parts.db, Number(by.id)) },
    formLink: async (command, input, by) => {
      if (parts.publicUrl === undefined) {
        return undefined;
      }
      const origin = { person: by.person, conversation: by.conversation };
      const token = await makeLink(parts.db, { invocation: { command, input }, origin }, parts.now());
      return new URL(`/form/${token}`, parts.publicUrl).href;
    },
  };
  // Loaded when somebody asks for it: a worker never does, and has its memory for rows.
  const documents = async (): Promise<Services['documents']> =>
    (await import('./documents.ts')).documentVerbs(parts, verbs);
  return {
    ...verbs,
    documents: {
      write: async (name) => (await documents()).write(name),
      plan: async (text) => (await documents()).plan(text),
      apply: async (text, by) => (await documents()).apply(text, by),
    },
  };
}
