import type { z } from 'zod';
import type { Connections } from '../connections.ts';
import { ActivateError, asActivateError } from '../contracts/errors.ts';
import { audiencesSettings } from '../model/audiences.ts';
import { eventsSettings } from '../model/events.ts';
import { filesSettings } from '../model/files.ts';
import { mailSettings } from '../model/mail.ts';
import { objectsSettings } from '../model/objects.ts';
import { tasksSettings } from '../model/tasks.ts';
import type { ConnectionRecord } from '../store/connections.ts';
import type { FrameworkId } from '../store/syncs.ts';
import type { About } from './about.ts';
import { checkAudiences } from './audiences.ts';
import { checkEvents } from './events.ts';
import { checkFiles } from './files.ts';
import { checkMail } from './mail.ts';
import { checkObjects } from './objects.ts';
import { checkTasks } from './tasks.ts';

/** All frameworks but notify, which speaks in chats. */
export type DeliveryFramework = Exclude<FrameworkId, 'notify'>;

const settingsOf = {
  objects: objectsSettings,
  events: eventsSettings,
  audiences: audiencesSettings,
  files: filesSettings,
  tasks: tasksSettings,
  mail: mailSettings,
} as const satisfies Record<DeliveryFramework, z.ZodType>;

/** All settings that a framework has. */
export function settingNames(framework: DeliveryFramework): readonly string[] {
  return Object.keys(settingsOf[framework].shape);
}

/** Reads settings as they were written down. Throws INPUT_INVALID with a sentence for each field at fault. */
export function parseSettings(framework: DeliveryFramework, given: unknown): Record<string, unknown> {
  const parsed = settingsOf[framework].safeParse(given);
  if (parsed.success) {
    return parsed.data as Record<string, unknown>;
  }
  const fields: Record<string, string> = {};
  for (const issue of parsed.error.issues) {
    const name = String(issue.path[0] ?? '');
    fields[name] ??= `${issue.path.join('.')}: ${issue.message}`;
  }
  throw new ActivateError('INPUT_INVALID', Object.values(fields).join(' '), { fields });
}

/**
 * Whether a sync can work like this, asked of the destination itself; answers with warnings, in sentences. The same for
 * forms and files. Throws INPUT_INVALID, TEMPLATE_INVALID or CONFIG_INVALID, at the field where it can be told.
 */
export async function checkSettings(
  connections: Connections,
  destination: ConnectionRecord,
  framework: DeliveryFramework,
  given: unknown,
  about: About,
): Promise<readonly string[]> {
  const part = <P extends DeliveryFramework>(name: P) => connections.part(destination, name);
  if (framework !== 'files' && about.key.length === 0) {
    throw new ActivateError('INPUT_INVALID', 'Choose the column that tells rows apart.', {
      fields: { key: 'Choose the column that tells rows apart.' },
    });
  }
  const settings = parseSettings(framework, given);
  try {
    switch (framework) {
      case 'objects':
        return await checkObjects(objectsSettings.parse(settings), await part('objects'), about);
      case 'events':
        return await checkEvents(eventsSettings.parse(settings), await part('events'), about);
      case 'audiences':
        return await checkAudiences(audiencesSettings.parse(settings), await part('audiences'), about);
      case 'files':
        await part('files');
        return await checkFiles(filesSettings.parse(settings), about);
      case 'tasks':
        return await checkTasks(tasksSettings.parse(settings), await part('tasks'), about);
      case 'mail':
        await part('mail');
        return await checkMail(mailSettings.parse(settings), about);
      default:
        return framework satisfies never;
    }
  } catch (thrown) {
    throw atField(thrown, fieldsAtFault[framework]);
  }
}

/** Where a mistake in a mapping or a template belongs when it does not say so itself. */
const fieldsAtFault: Readonly<Record<DeliveryFramework, string>> = {
  objects: 'fields',
  events: 'properties',
  audiences: 'traits',
  files: 'path',
  tasks: 'title',
  mail: 'text',
};

function atField(thrown: unknown, field: string): unknown {
  const error = asActivateError(thrown);
  const mapping = ['CONFIG_INVALID', 'TEMPLATE_INVALID', 'INPUT_INVALID'].includes(error.code);
  if (!mapping || error.fields !== undefined) {
    return thrown;
  }
  const sentence = error.fix === undefined ? error.message : `${error.message} ${error.fix}`;
  return new ActivateError(error.code, error.message, {
    cause: error,
    fields: { [field]: sentence },
    ...(error.fix === undefined ? {} : { fix: error.fix }),
  });
}
