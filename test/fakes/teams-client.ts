import {
  APP,
  directOf,
  type FakeTeams,
  GENERAL,
  GROUP,
  type Posted,
  SALES,
  TENANT,
  teamsId,
} from './teams.ts';
import { actionOf, cardFaults, inputsOf, type Json } from './teams-cards.ts';

/** Teams gives up on a bot after this long. */
const PATIENCE_MS = 15_000;

export interface Where {
  /** A channel by its id; the personal chat with the bot when left out. */
  readonly channel?: string;
  readonly group?: boolean;
  /** The first message of a thread. */
  readonly thread?: string;
}

/** What a bot answered to one HTTP request. */
export interface Answered {
  readonly status: number;
  readonly body: Json | undefined;
}

/** A dialog on somebody's screen. */
export interface Shown {
  readonly title: string;
  readonly card: Json;
}

/** Teams on one person's screen. */
export interface Client {
  /** Types a message; mentions the bot where it has to be. */
  say(text: string, where?: Where, more?: Json): Promise<Answered>;
  /** Presses a button of a message, by its title. A dialog that it opens is on the screen then. */
  press(message: Posted, title: string): Promise<Answered>;
  /** What a message looks like to this person, when it asks for that. */
  look(message: Posted): Promise<Json>;
  /** Opens an action from the `/` menu. */
  action(command: string, where?: Where): Promise<Answered>;
  /** Fills in the dialog that is open, by field name, and presses a button of it. */
  submit(values: Readonly<Record<string, string | readonly string[]>>, title?: string): Promise<Answered>;
  search(field: string, typed: string, values?: Json): Promise<readonly { title: string; value: string }[]>;
  consent(message: Posted, action: 'accept' | 'decline'): Promise<Answered>;
  /** Something that Teams tells of itself. */
  event(type: string, more: Json, where?: Where): Promise<Answered>;
  /** Sends an activity as it stands. */
  send(activity: Json, token?: string): Promise<Answered>;
  activity(type: string, where: Where, more: Json): Json;
  readonly dialog: Shown | undefined;
}

let sent = 0;

export function clientOf(fake: FakeTeams, botUrl: string, person: string): Client {
  let open:
    | (Shown & { readonly where: Where; readonly from?: Posted; readonly command?: string })
    | undefined;
  const name = fake.state.people.find(({ id }) => id === person)?.name ?? person;

  const activity = (type: string, where: Where, more: Json): Json => {
    sent += 1;
    const thread = where.thread === undefined ? '' : `;messageid=${where.thread}`;
    const place =
      where.channel !== undefined
        ? { id: `${where.channel}${thread}`, conversationType: 'channel', isGroup: true }
        : where.group === true
          ? { id: GROUP, conversationType: 'groupChat', isGroup: true, name: 'Deal room' }
          : { id: directOf(person), conversationType: 'personal' };
    const channel = fake.state.channels.find(({ id }) => id === where.channel);
    const team = fake.state.teams.find(({ id }) => id === channel?.team);
    return {
      type,
      id: `f:${process.pid}-${sent}`,
      channelId: 'msteams',
      serviceUrl: fake.serviceUrl,
      timestamp: new Date().toISOString(),
      from: { id: teamsId(person), aadObjectId: person, name },
      recipient: { id: `28:${APP}`, name: 'Activate' },
      conversation: { ...place, tenantId: TENANT },
      localTimezone: 'Europe/Paris',
      channelData: {
        tenant: { id: TENANT },
        ...(team === undefined ? {} : { team: { id: team.id, name: team.name, aadGroupId: team.groupId } }),
        ...(channel === undefined ? {} : { channel: { id: channel.id, name: channel.name } }),
      },
      ...more,
    };
  };
  const send = async (given: Json, token = fake.token()): Promise<Answered> => {
    const began = performance.now();
    const response = await fetch(`${botUrl}/teams/messages`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json; charset=utf-8',
        ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(given),
    });
    const text = await response.text();
    if (performance.now() - began > PATIENCE_MS) {
      fake.state.violations.push(`${String(given['name'] ?? given['type'])} was answered too late`);
    }
    const json = response.headers.get('content-type')?.startsWith('application/json') === true;
    return { status: response.status, body: json ? (JSON.parse(text) as Json) : undefined };
  };
  const whereOf = (message: Posted): Where =>
    message.conversation === directOf(person)
      ? {}
      : message.conversation === GROUP
        ? { group: true }
        : { channel: message.conversation, thread: message.thread ?? message.id };
  const shown = (answered: Answered, where: Where, from?: Posted, command?: string): Answered => {
    const task = answered.body?.['task'] as
      | { type: string; value: { title: string; card: Json } }
      | undefined;
    if (task?.type !== 'continue') {
      open = undefined;
      return answered;
    }
    const card = (task.value.card as { content: Json }).content;
    fake.state.violations.push(...cardFaults(card));
    open = {
      title: task.value.title,
      card,
      where,
      ...(from === undefined ? {} : { from }),
      ...(command === undefined ? {} : { command }),
    };
    return answered;
  };
  const invoke = (name: string, where: Where, value: Json, from?: Posted): Promise<Answered> =>
    send(activity('invoke', where, { name, value, ...(from === undefined ? {} : { replyToId: from.id }) }));

  return {
    get dialog() {
      return open;
    },
    activity,
    send,
    event: (type, more, where = {}) => send(activity(type, where, more)),
    say: (text, where = {}, more = {}) => {
      const mention = '<at>Activate</at>';
      const entity = { type: 'mention', text: mention, mentioned: { id: `28:${APP}`, name: 'Activate' } };
      const needed = where.channel !== undefined || where.group === true;
      const heard = needed ? { text: `${mention} ${text}`, entities: [entity] } : { text };
      return send(activity('message', where, { ...heard, ...more }));
    },
    press: async (message, title) => {
      const where = whereOf(message);
      const action = actionOf(cardOf(message), title);
      const data = action['data'] as { msteams?: { type?: string } };
      if (data.msteams?.type === 'task/fetch') {
        return shown(await invoke('task/fetch', where, { data }, message), where, message);
      }
      if (action['type'] === 'Action.Submit') {
        return send(activity('message', where, { value: data, replyToId: message.id }));
      }
      const value = { action: { type: 'Action.Execute', verb: action['verb'], data }, trigger: 'manual' };
      const answered = await invoke('adaptiveCard/action', where, value, message);
      if (answered.body?.['type'] === 'application/vnd.microsoft.card.adaptive') {
        fake.state.violations.push(...cardFaults(answered.body['value']));
      }
      return answered;
    },
    look: async (message) => {
      const { refresh } = cardOf(message) as { refresh?: { action: Json } };
      if (refresh === undefined) {
        return cardOf(message);
      }
      const value = { action: refresh.action, trigger: 'automatic' };
      const answered = await invoke('adaptiveCard/action', whereOf(message), value, message);
      fake.state.violations.push(...cardFaults(answered.body?.['value']));
      return answered.body?.['value'] as Json;
    },
    action: async (command, where = { channel: SALES }) => {
      const value = { commandId: command, commandContext: 'compose', context: { theme: 'default' } };
      return shown(await invoke('composeExtension/fetchTask', where, value), where, undefined, command);
    },
    submit: async (values, title) => {
      if (open === undefined) {
        throw new Error('no dialog is open');
      }
      const { card, where, from, command } = open;
      const [first] = (card['actions'] ?? []) as Json[];
      const action = title === undefined ? first : actionOf(card, title);
      const data = { ...(action?.['data'] as Json), ...filled(card, values) };
      const asked =
        command === undefined ? { data } : { commandId: command, commandContext: 'compose', data };
      const name = command === undefined ? 'task/submit' : 'composeExtension/submitAction';
      return shown(await invoke(name, where, asked, from), where, from, command);
    },
    search: async (field, typed, values = {}) => {
      const input = inputsOf(open?.card).find(({ id }) => id === `f_${field}` || id === `g_${field}`);
      const query = input?.['choices.data'] as { dataset: string };
      const value = {
        queryText: typed,
        queryOptions: { skip: 0, top: 15 },
        dataset: query.dataset,
        data: values,
      };
      const answered = await invoke('application/search', open?.where ?? {}, value, open?.from);
      const found = answered.body?.['value'] as { results: { title: string; value: string }[] } | undefined;
      return found?.results ?? [];
    },
    consent: (message, choice) => {
      const [attachment] = message.activity['attachments'] as { name: string; content: Json }[];
      const uploadInfo = {
        uploadUrl: `${fake.http.url}/upload/1`,
        contentUrl: 'https://corp.sharepoint.com/rows.csv',
        name: attachment?.name,
        uniqueId: 'item-1',
        fileType: 'csv',
      };
      const value = {
        type: 'fileUpload',
        action: choice,
        context: attachment?.content[choice === 'accept' ? 'acceptContext' : 'declineContext'],
        ...(choice === 'accept' ? { uploadInfo } : {}),
      };
      return invoke('fileConsent/invoke', {}, value, message);
    },
  };
}

/** The card of a message. */
export function cardOf(message: Posted): Json {
  const [attachment] = message.activity['attachments'] as { content: Json }[];
  return attachment?.content ?? {};
}

/** Values at the inputs of a form: what stands there already, and what is typed over it. */
function filled(card: Json, values: Readonly<Record<string, string | readonly string[]>>): Json {
  const inputs = inputsOf(card);
  const known = inputs.map(({ id }) => String(id).replace(/^[fg]_/, ''));
  const unknown = Object.keys(values).filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new Error(`The form has no ${unknown.join(', ')}, only: ${known.join(', ')}`);
  }
  return Object.fromEntries(
    inputs.map(({ id, value }) => {
      const name = String(id).replace(/^[fg]_/, '');
      const given = values[name];
      return [
        id,
        given === undefined ? String(value ?? '') : typeof given === 'string' ? given : given.join(','),
      ];
    }),
  );
}

/** The bot was added to the team. */
export function added(): Json {
  return {
    membersAdded: [{ id: `28:${APP}` }],
    channelData: {
      tenant: { id: TENANT },
      eventType: 'teamMemberAdded',
      team: { id: GENERAL, name: 'Northwind', aadGroupId: 'group-of-northwind' },
    },
  };
}
