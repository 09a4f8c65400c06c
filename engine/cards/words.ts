import { type AlertSettings, triggers } from '../model/alert.ts';
import { type AudiencesSettings, audiencesSettings } from '../model/audiences.ts';
import { eventsSettings } from '../model/events.ts';
import { fileFormats, filesSettings } from '../model/files.ts';
import { mailSettings } from '../model/mail.ts';
import { type ObjectsSettings, objectsSettings } from '../model/objects.ts';
import { taskRemovals, tasksSettings } from '../model/tasks.ts';
import type { FrameworkId, Sync } from '../store/syncs.ts';

/** What a sync of a framework is called. */
export const frameworkWords: Readonly<Record<FrameworkId, string>> = {
  notify: 'alert',
  objects: 'sync of records',
  events: 'sync of events',
  audiences: 'audience',
  files: 'export',
  tasks: 'sync of tasks',
  mail: 'mailing',
};

/** What triggers an alert, in words. */
export function triggerWords({ settings }: { readonly settings: AlertSettings }): string {
  const { threshold, trigger, watch } = settings;
  if (trigger === 'threshold' && threshold !== undefined) {
    const what = threshold.on === 'count' ? 'the number of rows' : (threshold.column ?? 'the value');
    const tests = {
      above: `is above ${threshold.limit}`,
      below: `is below ${threshold.limit}`,
      moved: `moves by more than ${threshold.limit} %`,
      unusual: `is ${threshold.limit} standard deviations off its usual range`,
    };
    return `${what} ${tests[threshold.test]}`;
  }
  return trigger === 'changed' && watch.length > 0
    ? `${watch.join(', ')} changes`
    : triggers[trigger].toLowerCase();
}

const writing: Readonly<Record<ObjectsSettings['mode'], string>> = {
  upsert: 'adds and updates',
  insert: 'only adds to',
  update: 'only updates',
  mirror: 'mirrors the rows in',
};

const leaving: Readonly<Record<ObjectsSettings['removal'], string>> = {
  delete: 'has its record deleted',
  archive: 'has its record marked',
  clear: 'has its record emptied',
};

/** What a sync that is no alert does, in words: "adds and updates Contact, found by Email". */
export function syncWords(sync: Pick<Sync, 'framework' | 'settings'>): string {
  switch (sync.framework) {
    case 'objects': {
      const { mode, object, match, removal } = objectsSettings.parse(sync.settings);
      const leaves = mode === 'mirror' ? `; a row that leaves ${leaving[removal]}` : '';
      return `${writing[mode]} ${object}, found by ${match.join(' and ')}${leaves}`;
    }
    case 'events': {
      const { event, time } = eventsSettings.parse(sync.settings);
      const name = event.type === 'static' ? `"${event.value}"` : 'an event';
      return `sends ${name} for each row, timed by ${time}`;
    }
    case 'audiences':
      return audienceWords(audiencesSettings.parse(sync.settings));
    case 'files': {
      const { format, path, content } = filesSettings.parse(sync.settings);
      return `writes ${content === 'full' ? 'all rows' : 'what changed'} to ${path} as ${fileFormats[format]}`;
    }
    case 'tasks': {
      const { projectName, removal, update } = tasksSettings.parse(sync.settings);
      const keeps = update ? ', kept up to date' : '';
      return `makes a task per row in ${projectName}${keeps}; when a row leaves: ${taskRemovals[removal].toLowerCase()}`;
    }
    case 'mail': {
      const { to, subject, trigger } = mailSettings.parse(sync.settings);
      return `writes "${subject}" to the person in ${to} when: ${triggers[trigger].toLowerCase()}`;
    }
    case 'notify':
      return 'says something';
    default:
      return sync.framework satisfies never;
  }
}

function audienceWords({ listName, identifiers, holdoutPercent }: AudiencesSettings): string {
  const held = holdoutPercent > 0 ? `, ${holdoutPercent} % held out` : '';
  return `keeps ${listName} as the query gives it, by ${Object.keys(identifiers).join(', ')}${held}`;
}
