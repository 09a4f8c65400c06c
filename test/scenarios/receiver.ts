import { Webhook } from 'standardwebhooks';
import { type Answer, type FakeHttp, type Received, startFakeHttp } from '../fakes/http.ts';
import { at } from './addresses.ts';
import { overHttp } from './far-sides.ts';
import type { FarSide } from './stage.ts';

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

export interface Message {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface Inbox {
  /** What was answered, by the id of the message: a repeat is answered the same and does nothing. */
  readonly answers: Map<string, Answer>;
  readonly files: Map<string, Buffer>;
}

/**
 * A receiver of webhooks that does what our page asks of one: checks signatures, knows repeats by their id, takes the
 * messages one by one, and refuses those that bring `refuse me`.
 */
export async function startReceiver(
  take: (message: Message, id: string) => object,
): Promise<FakeHttp<Inbox>> {
  const once = (request: Received, { answers }: Inbox, answer: () => Answer): Answer => {
    const id = request.headers['webhook-id'] ?? '';
    const given = answers.get(id) ?? answer();
    if ((given.status ?? 200) < 300) {
      answers.set(id, given);
    }
    return given;
  };
  return startFakeHttp<Inbox>(
    { answers: new Map(), files: new Map() },
    {
      'POST /hook': (request, inbox) =>
        once(request, inbox, () => {
          const { type, data } = request.json<{ type: string; data: unknown }>();
          const id = request.headers['webhook-id'] ?? '';
          if (type === 'ping') {
            return { json: {} };
          }
          const results = ([data].flat() as Message['data'][]).map((row) => {
            const refused = !/delete|remove/.test(type) && /refuse.me/.test(JSON.stringify(row));
            return refused
              ? { key: row['key'], status: 422, error: 'Not this one.' }
              : { key: row['key'], ...take({ type, data: row }, id) };
          });
          if (Array.isArray(data)) {
            return { json: { results } };
          }
          const [only] = results;
          return only?.status === 422 ? { status: 422, json: only } : { json: only };
        }),
      'PUT /hook/:file': (request, inbox) =>
        once(request, inbox, () => {
          const path = request.params['file'] ?? '';
          if (request.headers['if-none-match'] === '*' && inbox.files.has(path)) {
            return { status: 412 };
          }
          inbox.files.set(path, request.body);
          return { json: {} };
        }),
    },
    (request) => (isSigned(request) ? undefined : { status: 401 }),
  );
}

function isSigned({ body, headers }: Received): boolean {
  const sent = new Date(Number(headers['webhook-timestamp']) * 1000);
  const wanted = new Webhook(secret).sign(headers['webhook-id'] ?? '', sent, body.toString());
  return (headers['webhook-signature'] ?? '').split(' ').includes(wanted);
}

export function toReceiver(
  fake: FakeHttp<Inbox>,
  rows = 1,
): Pick<FarSide, 'port' | 'writes' | 'stumble' | 'close' | 'connection'> {
  return {
    ...overHttp(fake),
    connection: (port) => ({
      config: { rows: String(rows) },
      secrets: { url: at(`${fake.url}/hook`, port), secret },
    }),
  };
}
