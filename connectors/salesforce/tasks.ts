import type { DescribeSObjectResult, Field } from 'jsforce';
import type {
  FieldSpec,
  NewTask,
  Outcome,
  TaskRef,
  Tasks,
  Value,
} from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { type Catalog, specsOf } from './discovery.ts';
import { outcomeOf, refusalsOf } from './errors.ts';
import type { Session } from './session.ts';
import { isId, quoted, type Row, rowsOf } from './soql.ts';

const mostInSubject = 255;
const mostInDescription = 32_000;
/** A request that nobody waits for any more may still be at work behind slow triggers. */
const findLagMs = 30_000;
/** Clocks of two machines, apart. */
const clockSlackMs = 300_000;

/** Tasks of Salesforce. A project is a record type of Task, or `Task` where the org has none of its own. */
export function tasksOf(session: Session, catalog: Catalog): Tasks {
  const write = (record: Readonly<Record<string, Value>>, signal: AbortSignal): Promise<string> =>
    writeTask(session, record, signal);
  const one = async (id: string, fields: string, signal: AbortSignal): Promise<Row> => {
    const row = await taskById(session, id, fields, signal);
    if (row === undefined || row['IsDeleted'] === true) {
      throw new ActivateError('ROW_REJECTED', 'The task is no longer in Salesforce.');
    }
    return row;
  };
  return {
    limits: { rows: 1, concurrency: 2 },
    findLagMs,
    projects: async (typed) => projectsOf(await catalog.fresh('Task'), typed),
    fields: async () => ownFields(await catalog.fresh('Task'), session.login.taskKeyField),
    create: (task, signal) => createTask(session, task, signal),
    find: async (_project, mark, since, signal) => {
      const id = await findTask(session, mark, since, signal);
      return id === undefined ? undefined : { id, url: urlOf(session, id) };
    },
    state: async (id, signal) => {
      const row = await taskById(session, id, 'IsClosed, IsDeleted', signal);
      if (row === undefined || row['IsDeleted'] === true) {
        return 'gone';
      }
      return row['IsClosed'] === true ? 'closed' : 'open';
    },
    update: async (id, { title, body, assignee, due, fields }, signal) => {
      const { Description: description } = await one(id, 'Description, IsDeleted', signal);
      const owner = assignee === undefined ? undefined : await userBy(session, assignee, signal);
      await write(
        {
          ...fields,
          Id: id,
          Subject: cut(title, mostInSubject),
          Description: described(body, tailOf(String(description ?? ''))),
          ...(due === undefined ? {} : { ActivityDate: due }),
          ...(owner === undefined ? {} : { OwnerId: owner }),
        },
        signal,
      );
    },
    comment: async (id, text, signal) => {
      const { Description: description } = await one(id, 'Description, IsDeleted', signal);
      const before = String(description ?? '');
      // Said already, by an attempt whose answer was lost.
      if (lines(before).join('\n').endsWith(`\n\n${text.trim()}`)) {
        return;
      }
      if (before.length + text.length + 2 > mostInDescription) {
        throw new ActivateError('ROW_REJECTED', 'The text of the task has no room for a comment.');
      }
      await write({ Id: id, Description: `${before}\n\n${text.trim()}` }, signal);
    },
    close: async (id, signal) => {
      if ((await one(id, 'IsClosed, IsDeleted', signal))['IsClosed'] !== true) {
        await write({ Id: id, Status: await statusOf(session, true, signal) }, signal);
      }
    },
    reopen: async (id, signal) => {
      if ((await one(id, 'IsClosed, IsDeleted', signal))['IsClosed'] === true) {
        await write({ Id: id, Status: await statusOf(session, false, signal) }, signal);
      }
    },
  };
}

/** Throws when tasks can't be made like this; answers with warnings. */
export async function checkTasks({ login }: Session, catalog: Catalog): Promise<readonly string[]> {
  const kind = await catalog.fresh('Task');
  if (!kind.createable || !kind.updateable) {
    throw new ActivateError('PERMISSION_DENIED', 'The user of the connection may not make and edit tasks.', {
      fix: 'Give it the right "Edit Tasks".',
    });
  }
  const { taskKeyField } = login;
  if (taskKeyField === undefined) {
    return [];
  }
  const field = kind.fields.find(({ name }) => name === taskKeyField);
  const fault = faultOf(field);
  if (fault !== undefined) {
    throw new ActivateError('CONFIG_INVALID', `The key field of tasks ${fault}.`, {
      fix: 'In the setup of Activity, make a text field of 40 characters or more that is an External ID and unique, and let the user write it.',
      fields: { taskKeyField: `This field ${fault}.` },
    });
  }
  return [];
}

function faultOf(field: Field | undefined): string | undefined {
  if (field === undefined) {
    return 'is not there, or hidden from the user of the connection';
  }
  // An External ID that is not unique keeps nothing from being made twice.
  if (!field.externalId || !field.unique) {
    return 'is not both an External ID and unique';
  }
  if (field.length < 40) {
    return 'has less than 40 characters';
  }
  return field.createable ? undefined : "can't be written by the user of the connection";
}

function projectsOf(
  { recordTypeInfos }: DescribeSObjectResult,
  typed: string,
): readonly { value: string; label: string }[] {
  const own = recordTypeInfos
    .filter(({ available, master }) => available && !master)
    .map(({ recordTypeId, name }) => ({ value: recordTypeId, label: `Tasks: ${name}`.slice(0, 75) }));
  return [{ value: 'Task', label: 'Tasks' }, ...own]
    .filter(({ label }) => label.toLowerCase().includes(typed.trim().toLowerCase()))
    .slice(0, 100);
}

/** Beyond those that every task has, and those that a task does not keep as they are written. */
function ownFields(kind: DescribeSObjectResult, keyField: string | undefined): readonly FieldSpec[] {
  const taken = ['Id', 'Subject', 'Description', 'OwnerId', 'ActivityDate', 'RecordTypeId', keyField];
  return specsOf(kind)
    .filter(({ name }) => !taken.includes(name) && !/^(Is)?Recur/.test(name))
    .map((spec) => ({ ...spec, key: false }));
}

/** By insert and not by upsert, which would open a task again that somebody has closed since an earlier attempt. */
async function createTask(session: Session, task: NewTask, signal: AbortSignal): Promise<TaskRef> {
  const { taskKeyField } = session.login;
  const { title, body, assignee, due, mark, project, fields } = task;
  const owner = assignee === undefined ? undefined : await userBy(session, assignee, signal);
  const record = {
    ...fields,
    Subject: cut(title, mostInSubject),
    Description: described(body, markLine(mark)),
    ...(due === undefined ? {} : { ActivityDate: due }),
    ...(owner === undefined ? {} : { OwnerId: owner }),
    ...(taskKeyField === undefined ? {} : { [taskKeyField]: mark }),
    ...(isId(project) ? { RecordTypeId: project } : {}),
  };
  const id = await writeTask(session, record, signal);
  const notes = [
    ...(assignee !== undefined && owner === undefined
      ? [
          'Salesforce has no active user with this e-mail address: the task belongs to the user of the connection.',
        ]
      : []),
    ...(title.length > mostInSubject ? [`The title was cut to ${mostInSubject} characters.`] : []),
    ...(body.length > roomAbove(markLine(mark)) ? ['The text was cut to what a task takes.'] : []),
  ];
  return { id, url: urlOf(session, id), ...(notes.length === 0 ? {} : { note: notes.join(' ') }) };
}

/** Makes a task, or changes the one whose `Id` stands in the record. Answers with its Id. */
async function writeTask(
  session: Session,
  record: Readonly<Record<string, Value>>,
  signal: AbortSignal,
): Promise<string> {
  await session.mayCall(signal);
  const makes = record['Id'] === undefined;
  const api = session.api({ signal, repeatable: !makes });
  const results: unknown = makes
    ? await api.create('Task', [record])
    : await api.update('Task', [{ ...record, Id: String(record['Id']) }]);
  const [result] = Array.isArray(results) ? (results as readonly Row[]) : [];
  if (result?.['success'] === true) {
    return String(result['id']);
  }
  if (result === undefined) {
    throw new ActivateError('OUTCOME_UNKNOWN', 'Salesforce did not say whether the task was written.');
  }
  const refusals = refusalsOf(result['errors']);
  const { taskKeyField } = session.login;
  const mark = taskKeyField === undefined ? undefined : record[taskKeyField];
  if (makes && typeof mark === 'string' && refusals[0]?.code === 'DUPLICATE_VALUE') {
    const there = await findByKey(session, String(taskKeyField), mark, signal);
    if (there !== undefined) {
      return there;
    }
  }
  throw thrownOf(
    outcomeOf(refusals, {
      operation: makes ? 'insert' : 'update',
      match: String(taskKeyField),
      values: record,
    }),
  );
}

function thrownOf(outcome: Outcome): ActivateError {
  const reason = outcome.state === 'ok' ? '' : outcome.reason;
  return new ActivateError(outcome.state === 'retry' ? 'UNAVAILABLE' : 'ROW_REJECTED', reason);
}

/** By the key field; without one by the line in its text, which SOQL can't search: those made since are looked through. */
async function findTask(
  session: Session,
  mark: string,
  since: Date,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { taskKeyField } = session.login;
  if (taskKeyField !== undefined) {
    return findByKey(session, taskKeyField, mark, signal);
  }
  const from = new Date(since.getTime() - clockSlackMs).toISOString();
  const rows = await rowsOf(
    session.api({ signal }),
    `SELECT Id, Description FROM Task WHERE CreatedDate >= ${from}`,
  );
  const found = rows.find((row) => lines(String(row['Description'] ?? '')).includes(markLine(mark)));
  return found === undefined ? undefined : String(found['Id']);
}

async function findByKey(
  session: Session,
  field: string,
  mark: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const soql = `SELECT Id FROM Task WHERE ${field} = ${quoted(mark)}`;
  const [row] = await rowsOf(session.api({ signal }), soql);
  return row === undefined ? undefined : String(row['Id']);
}

/** Also one in the archive, where tasks go after a year. */
async function taskById(
  session: Session,
  id: string,
  fields: string,
  signal: AbortSignal,
): Promise<Row | undefined> {
  if (!isId(id)) {
    return undefined;
  }
  const soql = `SELECT Id, ${fields} FROM Task WHERE Id = ${quoted(id)}`;
  return (await rowsOf(session.api({ signal }), soql, true))[0];
}

/** Several users may share an address: the one who was there last. */
async function userBy(session: Session, email: string, signal: AbortSignal): Promise<string | undefined> {
  const soql = `SELECT Id FROM User WHERE Email = ${quoted(email)} AND IsActive = true ORDER BY LastLoginDate DESC NULLS LAST LIMIT 1`;
  const [row] = await rowsOf(session.api({ signal }), soql);
  return row === undefined ? undefined : String(row['Id']);
}

/** The org's own word for done, or for not begun: each org names and translates them as it likes. */
async function statusOf(session: Session, closed: boolean, signal: AbortSignal): Promise<string> {
  const rows = await rowsOf(
    session.api({ signal }),
    `SELECT ApiName, IsDefault FROM TaskStatus WHERE IsClosed = ${closed} ORDER BY SortOrder`,
  );
  const status = rows.find((row) => row['IsDefault'] === true) ?? rows[0];
  if (status === undefined) {
    throw new ActivateError('CONFIG_INVALID', `Tasks have no status that is ${closed ? 'closed' : 'open'}.`, {
      fix: 'Add one in the setup of Salesforce.',
    });
  }
  return String(status['ApiName']);
}

function markLine(mark: string): string {
  return `Activate reference ${mark}`;
}

/** What stands below the text of ours: the line with the mark, and comments after it. */
function tailOf(description: string): string {
  const at = /^Activate reference [A-Za-z0-9]+\r?$/m.exec(description)?.index;
  return at === undefined ? '' : description.slice(at);
}

function described(body: string, tail: string): string {
  return tail === '' ? cut(body, mostInDescription) : `${cut(body, roomAbove(tail))}\n\n${tail}`;
}

function roomAbove(tail: string): number {
  return mostInDescription - tail.length - 2;
}

/** Salesforce may give line breaks back as two signs. */
function lines(text: string): readonly string[] {
  return text.split(/\r?\n/);
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, Math.max(0, most - 1))}…`;
}

function urlOf({ login }: Session, id: string): string {
  return `${login.home}/${id}`;
}
