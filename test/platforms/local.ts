import type { Raw } from '../../engine/contracts/refs.ts';
import {
  type Chat,
  everybody,
  forged,
  plain,
  rooms,
  type Seen,
  type Shown,
  type Who,
  whoIs,
} from './chat.ts';

/** The local chat, over the requests that its pages make. */
export function localChat(): Chat {
  let url = '';
  const open = new Map<Who, string>();
  const call = (path: string, as: Who, body?: Raw | URLSearchParams): Promise<Response> =>
    fetch(`${url}${path}`, {
      headers: { cookie: `activate_person=${as}`, origin: url, 'x-requested-by': 'page' },
      ...(body === undefined ? {} : { method: 'POST', body: new URLSearchParams(body) }),
    });
  const act = async (path: string, as: Who, body: Raw | URLSearchParams): Promise<void> => {
    const response = await call(path, as, body);
    const { form, error } = (await response.json()) as { form?: string; error?: string };
    if (error !== undefined) {
      throw new Error(error);
    }
    if (form === undefined) {
      open.delete(as);
    } else {
      open.set(as, form);
    }
  };
  const pressed = async (message: Seen, label: string, by: Who, change: (run: string) => string) => {
    const [, item = ''] = (await page(by, message.id)) ?? [];
    const run = runsOf(item).find(([name]) => name === label)?.[1];
    if (run === undefined) {
      throw new Error(`nothing to press is called ${label}`);
    }
    const { command, input } = JSON.parse(change(run)) as { command: string; input: object };
    await act('/run', by, { command, input: JSON.stringify(input), message: message.id });
  };
  const listed = async (place: string, as: Who): Promise<readonly (readonly [string, string])[]> => {
    const text = await (await call(`/c/${place}`, as)).text();
    return [...text.matchAll(/<li class="message [^>]*id="message-(\d+)".*?<\/li>\n/gs)].map(
      ([item, id = '']) => [id, item] as const,
    );
  };
  const places = (as: Who): readonly string[] => [...Object.values(rooms), directOf(as)];
  const page = async (as: Who, id: string): Promise<readonly [string, string] | undefined> => {
    for (const place of places(as)) {
      const found = (await listed(place, as)).find(([one]) => one === id);
      if (found !== undefined) {
        return found;
      }
    }
    return undefined;
  };

  return {
    platform: 'local',
    by: 'command',
    env: {},
    begin: async ({ running }) => {
      url = running.url ?? '';
    },
    person: (who) => ({ kind: 'person', platform: 'local', id: who }),
    room: (room) => ({ kind: 'conversation', platform: 'local', id: rooms[room] }),
    type: (line, by, room) => act(`/c/${rooms[room]}/messages`, by, { text: `/activate ${line}` }),
    press: (message, label, by) => pressed(message, label, by, (run) => run),
    forge: async (message, label, by) => {
      await pressed(message, label, by, (run) => JSON.stringify(forged(JSON.parse(run) as object)));
      return true;
    },
    dialog: async (by) => shown(open.get(by)),
    open: async (by) => shown(open.get(by)),
    submit: async (answers, by) => {
      await act('/dialog', by, filled(open.get(by) ?? '', answers, rooms.data));
      return errorsOf(open.get(by) ?? '');
    },
    choose: async (field, typed, by) => {
      const body = filled(open.get(by) ?? '', {}, rooms.data);
      body.set('field', field);
      body.set('typed', typed);
      const [first] = (await (await call('/options', by, body)).json()) as { value: string }[];
      return String(first?.value);
    },
    messages: async (where, as) =>
      (await listed(where === 'direct' ? directOf(as) : rooms[where], as)).map(seen),
    files: async (as) => {
      const pages = await Promise.all(
        places(as).map(async (place) => (await call(`/c/${place}`, as)).text()),
      );
      const all = pages.join('');
      const links = [...all.matchAll(/href="(\/files\/\d+)"[^>]*>.*?<b>(.*?)<\/b>/gs)];
      const files = await Promise.all(
        links.map(async ([, path = '', name = '']) => ({
          name,
          bytes: Buffer.from(await (await call(path, as)).arrayBuffer()),
        })),
      );
      const pictures = [...all.matchAll(/src="data:image\/png;base64,([^"]+)"/g)];
      return [
        ...files,
        ...pictures.map(([, data = '']) => ({ name: 'picture.png', bytes: Buffer.from(data, 'base64') })),
      ];
    },
    violations: [],
    close: async () => undefined,
  };
}

function directOf(who: Who): string {
  return `direct-${who}`;
}

function shown(form: string | undefined): Shown | undefined {
  return form === undefined
    ? undefined
    : { title: wordsOf(/<h2[^>]*>(.*?)<\/h2>/s.exec(form)?.[1] ?? ''), text: wordsOf(form) };
}

function runsOf(item: string): readonly (readonly [string, string])[] {
  return [...item.matchAll(/<button[^>]*data-run="([^"]*)"[^>]*>(.*?)<\/button>/gs)].map(
    ([, run = '', label = '']) => [wordsOf(label), plain(run)] as const,
  );
}

function seen([id, item]: readonly [string, string]): Seen {
  const names = [...item.matchAll(/<span class="mention[^"]*">@(.*?)<\/span>/g)].flatMap(([, name = '']) => {
    const who = whoIs(name);
    return who === undefined ? [] : [who];
  });
  return {
    id,
    text: wordsOf(item.slice(item.indexOf('<article'))),
    mentions: everybody.filter((who) => names.includes(who)),
    buttons: runsOf(item).map(([label]) => label),
    edited: item.includes('class="edited"'),
    alone: item.includes('Only visible to you'),
  };
}

function wordsOf(html: string): string {
  return plain(
    html.replace(/<br>|<\/(?:div|p|h\d|dt|dd|td|th|button|label)>/g, '\n').replace(/<[^>]*>/g, ''),
  );
}

function errorsOf(form: string): Raw {
  const fields = [...form.matchAll(/id="field-(\w+)-error">(.*?)<\/p>/gs)].map(
    ([, name = '', sentence = '']) => [name, wordsOf(sentence)] as const,
  );
  const whole = /class="form-error"[^>]*>(.*?)<\/p>/s.exec(form)?.[1];
  return { ...Object.fromEntries(fields), ...(whole === undefined ? {} : { '': wordsOf(whole) }) };
}

/** What a browser would send of this form: what stands in it, with the answers typed over it. */
function filled(form: string, answers: Readonly<Record<string, string | readonly string[]>>, room: string) {
  const body = new URLSearchParams({ conversation: room });
  body.set('command', /data-command="([^"]*)"/.exec(form)?.[1] ?? '');
  for (const [, name = '', value = ''] of form.matchAll(
    /<input type="(?:hidden|text)"[^>]*?name="([fh]\.\w+)" value="([^"]*)"/g,
  )) {
    body.set(name, plain(value));
  }
  for (const [, name = '', value = ''] of form.matchAll(
    /<textarea[^>]*name="(f\.\w+)"[^>]*>\n(.*?)<\/textarea>/gs,
  )) {
    body.set(name, plain(value));
  }
  for (const [, name = '', inside = ''] of form.matchAll(
    /<select[^>]*name="(f\.\w+)"[^>]*>(.*?)<\/select>/gs,
  )) {
    body.set(name, plain(/<option value="([^"]*)" selected/.exec(inside)?.[1] ?? ''));
  }
  for (const [, name = '', value = ''] of form.matchAll(
    /<input type="radio" name="(f\.\w+)" value="([^"]*)" checked/g,
  )) {
    body.set(name, plain(value));
  }
  for (const [, name = '', value = ''] of form.matchAll(/data-field="(\w+)" data-many="([^"]*)"/g)) {
    body.delete(`f.${name}`);
    several(body, name, JSON.parse(plain(value)) as string[]);
  }
  for (const [name, value] of Object.entries(answers)) {
    if (typeof value === 'string') {
      body.set(`f.${name}`, value);
    } else {
      several(body, name, value);
    }
  }
  return body;
}

function several(body: URLSearchParams, name: string, values: readonly string[]): void {
  body.delete(`m.${name}`);
  for (const value of values.length === 0 ? [''] : values) {
    body.append(`m.${name}`, value);
  }
}
