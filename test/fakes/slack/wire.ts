import { createHmac } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Json } from './blocks.ts';
import type { Posted } from './state.ts';

/** What the fake takes for genuine. */
export const TOKENS = { bot: 'xoxb-fake', app: 'xapp-fake', secret: 'fake-signing-secret' } as const;

/** A request as Slack signs it; `at` in seconds since 1970, `secret` to forge one. */
export function signedRequest(
  type: string,
  payload: Json,
  options: { readonly at?: number; readonly secret?: string } = {},
): { readonly body: string; readonly headers: Record<string, string> } {
  const json = type === 'events_api';
  const form =
    type === 'slash_commands' ? (payload as Record<string, string>) : { payload: JSON.stringify(payload) };
  const body = json ? JSON.stringify(payload) : new URLSearchParams(form).toString();
  const at = String(options.at ?? Math.floor(Date.now() / 1000));
  const signature = createHmac('sha256', options.secret ?? TOKENS.secret)
    .update(`v0:${at}:${body}`)
    .digest('hex');
  return {
    body,
    headers: {
      'content-type': json ? 'application/json' : 'application/x-www-form-urlencoded',
      'x-slack-request-timestamp': at,
      'x-slack-signature': `v0=${signature}`,
    },
  };
}

/** The mark that a message carries unseen. */
export function markOf(message: Posted): unknown {
  return (message.metadata?.['event_payload'] as Json | undefined)?.['mark'];
}

/** What Slack sends when the button or the choice of this label is pressed. */
export function pressable(blocks: readonly Json[], label: string): Json {
  for (const block of blocks) {
    for (const element of (block['type'] === 'actions' ? block['elements'] : []) as Json[]) {
      if ((element['text'] as Json | undefined)?.['text'] === label) {
        return { type: 'button', action_id: element['action_id'], value: element['value'] };
      }
      const options = (element['options'] ?? []) as Json[];
      const option = options.find((one) => (one['text'] as Json)['text'] === label);
      if (option !== undefined) {
        return { type: 'static_select', action_id: element['action_id'], selected_option: option };
      }
    }
  }
  throw new Error(`nothing to press is called ${label}`);
}

/** What Slack sends of an input: what was typed, or what it began with. */
export function stateOf(element: Json, value: string | readonly string[] | undefined): Json {
  const type = String(element['type']);
  if (type === 'checkboxes' || type.startsWith('multi_')) {
    const values = value === undefined ? [] : [value].flat();
    return { type, selected_options: values.map((one) => ({ value: one })) };
  }
  if (type.endsWith('select')) {
    const initial = (element['initial_option'] as Json | undefined)?.['value'];
    const chosen = value ?? initial;
    return { type, selected_option: chosen === undefined ? null : { value: chosen } };
  }
  return { type, value: value ?? element['initial_value'] ?? null };
}

/** The whole body of a request. */
export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) {
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Answers with plain text. */
export function send(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

/** Answers with JSON that is text already. */
export function sendJson(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Record<string, string> = {},
): void {
  const all = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers };
  response.writeHead(status, all);
  response.end(text);
}
