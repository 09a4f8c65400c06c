import type { Dispatch, Reply } from '../../engine/contracts/chat.ts';
import type { Db } from '../../engine/contracts/db.ts';
import type { Log } from '../../engine/contracts/log.ts';
import type { Invocation } from '../../engine/contracts/refs.ts';
import type { InvokeAnswer } from './adapter.ts';
import { type Answerer, type Asked, lateDialog, pressCard, pressNote } from './answer.ts';
import { pressedOf } from './buttons.ts';
import { drawFound, readDataset, readForm, readInputs } from './form.ts';
import type { Heard } from './heard.ts';
import { createOnce } from './once.ts';
import type { People } from './people.ts';
import { lineOf, originOf } from './read.ts';
import { viewOf } from './store.ts';
import type { Talk } from './talk.ts';
import type { Upload } from './upload.ts';

/** Hears one activity that was verified, and says what its HTTP request is answered with. */
export type Hear = (activity: Heard) => Promise<InvokeAnswer>;

/** Teams gives up between 10 and 15 s. */
const ANSWER_WITHIN_MS = 8000;
const SEARCH_WITHIN_MS = 4000;

interface Parts {
  readonly db: Db;
  readonly dispatch: Dispatch;
  readonly answers: Answerer;
  readonly talk: Talk;
  readonly people: People;
  readonly upload: Upload;
  readonly log: Log;
  readonly now: () => Date;
  /** How long an answer may take before the person is told that it comes later. */
  readonly answerWithinMs?: number;
}

const taken: InvokeAnswer = { status: 200 };

/** Builds the receiver. */
export function createReceiver(parts: Parts): Hear {
  const once = createOnce(parts);
  return async (activity) => {
    await parts.people.meet(activity);
    if (activity.name === 'application/search') {
      return hearSearch(parts, activity);
    }
    return once(activity, () => route(parts, activity));
  };
}

async function route(parts: Parts, activity: Heard): Promise<InvokeAnswer> {
  switch (activity.type) {
    case 'message':
      // Answered at once: the work has no time limit, and Teams tries again what is not.
      inBackground(parts, hearMessage(parts, activity));
      return taken;
    case 'invoke':
      return hearInvoke(parts, activity);
    case 'conversationUpdate':
      inBackground(parts, parts.people.changed(activity));
      return taken;
    case 'installationUpdate':
      inBackground(parts, hearInstallation(parts, activity));
      return taken;
    default:
      parts.log.debug({ type: activity.type }, 'Teams sent something that nobody here wants');
      return taken;
  }
}

function inBackground(parts: Parts, work: Promise<void>): void {
  work.catch((error: unknown) => parts.log.error({ error }, 'Teams activity failed'));
}

async function hearInvoke(parts: Parts, activity: Heard): Promise<InvokeAnswer> {
  switch (activity.name) {
    case 'adaptiveCard/action':
      return hearPress(parts, activity);
    case 'task/fetch':
      return hearFetch(parts, activity, pressedOf(dataOf(activity)));
    case 'composeExtension/fetchTask':
      return hearFetch(parts, activity, commandOf(activity));
    case 'task/submit':
    case 'composeExtension/submitAction':
      return hearSubmit(parts, activity);
    case 'fileConsent/invoke':
      inBackground(parts, parts.upload.consented(activity));
      return taken;
    default:
      parts.log.debug({ name: activity.name }, 'Teams asked for something that nobody here knows');
      return { status: 501 };
  }
}

function sentWith(activity: Heard): Readonly<Record<string, unknown>> {
  const value: unknown = activity.value;
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function dataOf(activity: Heard): unknown {
  return sentWith(activity)['data'];
}

/** The command that was chosen from the `/` menu or among the bot's actions: its id is the command's name. */
function commandOf(activity: Heard): { readonly run: Invocation } | undefined {
  const id = sentWith(activity)['commandId'];
  return typeof id === 'string' ? { run: { command: id, input: {} } } : undefined;
}

async function hearMessage(parts: Parts, activity: Heard): Promise<void> {
  const origin = originOf(activity);
  // A client that doesn't know Action.Execute sends a press as a message with a value.
  const pressed = pressedOf(activity.value);
  if (pressed !== undefined) {
    const asked = askedBy(activity, pressed.run, pressed.own);
    return parts.answers.byMessage(await parts.dispatch.run(pressed.run, origin), asked);
  }
  // In a thread, `replyToId` is the message that was answered, and no button of ours.
  const { message: _, ...place } = origin;
  const line = lineOf(activity);
  const reply = await parts.dispatch.typed(line, place);
  await parts.answers.byMessage(reply, { origin: place, again: parts.dispatch.parse(line) });
}

function askedBy(activity: Heard, again: Invocation, own: true | undefined): Asked {
  return { origin: originOf(activity), again, ...(own === undefined ? {} : { own }) };
}

/** Somebody added the app for themselves: what it can do is the first thing to say. */
async function hearInstallation(parts: Parts, activity: Heard): Promise<void> {
  if (activity.action !== 'add' || activity.conversation?.conversationType !== 'personal') {
    return parts.people.changed(activity);
  }
  const home = { command: 'home', input: {} };
  const { message: _, ...origin } = originOf(activity);
  await parts.answers.byMessage(await parts.dispatch.run(home, origin), { origin, again: home });
}

async function hearPress(parts: Parts, activity: Heard): Promise<InvokeAnswer> {
  const action = sentWith(activity)['action'];
  const { verb, data } = typeof action === 'object' && action !== null ? (action as Press) : {};
  if (verb === 'view') {
    return showView(parts, activity, data);
  }
  const pressed = pressedOf(data);
  if (pressed === undefined) {
    return pressNote('This button is from an older version. Ask again, please.');
  }
  const asked = askedBy(activity, pressed.run, pressed.own);
  const running = parts.dispatch.run(pressed.run, asked.origin);
  return inTime(parts, running, asked, {
    answer: (reply) => parts.answers.toPress(reply, asked),
    late: pressNote('⏳ Working on it. The answer comes as a message.'),
  });
}

interface Press {
  readonly verb?: unknown;
  readonly data?: unknown;
}

/** The card as this viewer may use it. */
async function showView(parts: Parts, activity: Heard, data: unknown): Promise<InvokeAnswer> {
  const view = typeof data === 'object' && data !== null && 'view' in data ? data.view : undefined;
  const card = typeof view === 'string' ? await viewOf(parts.db, view) : undefined;
  if (card === undefined) {
    const value = { code: 'NotFound', message: 'This card is too old to be shown anew.' };
    return {
      status: 200,
      body: { statusCode: 404, type: 'application/vnd.microsoft.error', value },
    };
  }
  return pressCard(await parts.talk.viewFor(card, originOf(activity).person));
}

async function hearFetch(
  parts: Parts,
  activity: Heard,
  pressed: { readonly run: Invocation; readonly own?: true } | undefined,
): Promise<InvokeAnswer> {
  const run = pressed?.run ?? { command: 'home', input: {} };
  const asked = askedBy(activity, run, pressed?.own);
  return inTime(parts, parts.dispatch.run(run, asked.origin), asked, {
    answer: (reply) => parts.answers.toDialog(reply, asked, 'opens'),
    late: lateDialog(),
  });
}

async function hearSubmit(parts: Parts, activity: Heard): Promise<InvokeAnswer> {
  const data = dataOf(activity);
  const sent = readForm(data);
  // Otherwise a button of a card that is shown in a dialog.
  const pressed = sent === undefined ? pressedOf(data) : undefined;
  const run =
    sent === undefined
      ? pressed?.run
      : { command: sent.form.command, input: { ...sent.typed, ...sent.form.hidden } };
  if (run === undefined) {
    return taken;
  }
  const asked = askedBy(activity, run, pressed?.own);
  return inTime(parts, parts.dispatch.run(run, asked.origin), asked, {
    answer: (reply) => parts.answers.toDialog(reply, asked, 'submitted'),
    late: lateDialog(),
  });
}

/** Answers within Teams' patience; what takes longer is said by message. */
async function inTime(
  parts: Parts,
  running: Promise<Reply>,
  asked: Asked,
  how: { readonly answer: (reply: Reply) => Promise<InvokeAnswer>; readonly late: InvokeAnswer },
): Promise<InvokeAnswer> {
  const reply = await within(running, parts.answerWithinMs ?? ANSWER_WITHIN_MS);
  if (reply !== undefined) {
    return how.answer(reply);
  }
  inBackground(
    parts,
    running.then((late) => parts.answers.byMessage(late, asked)),
  );
  return how.late;
}

async function hearSearch(parts: Parts, activity: Heard): Promise<InvokeAnswer> {
  const value = sentWith(activity);
  const search = typeof value['dataset'] === 'string' ? readDataset(value['dataset']) : undefined;
  const typed = typeof value['queryText'] === 'string' ? value['queryText'] : '';
  const { origin } = askedBy(activity, { command: '', input: {} }, undefined);
  const draft = search?.draft === undefined || search.draft === '' ? {} : { draft: search.draft };
  const looking =
    search === undefined
      ? Promise.resolve([])
      : parts.dispatch.options(
          search.command,
          search.field,
          typed,
          { ...readInputs(value['data']), ...draft },
          origin,
        );
  const found = await within(looking, SEARCH_WITHIN_MS);
  if (found === undefined) {
    parts.log.warn({ field: search?.field }, 'Choices did not reach Teams in time');
  }
  const results = drawFound(found ?? [], search?.many ?? false);
  return {
    status: 200,
    body: {
      statusCode: 200,
      type: 'application/vnd.microsoft.search.searchResponse',
      value: { results },
    },
  };
}

/** What the promise comes to within the time; undefined when it takes longer (it goes on all the same). */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
