import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import mattermost from '@mattermost/client';
import { Agent, type BodyInit, FormData, fetch, type Response } from 'undici';
import type { Attachment as File } from '../../engine/contracts/chat.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Attachment } from './card.ts';
import { failure, UNTRUSTED } from './errors.ts';
import type { Dialog } from './form.ts';

/** How long Mattermost may take for one call. */
const TIMEOUT_MS = 15_000;

export interface WebConfig {
  readonly url: string;
  readonly token: string;
  /** Certificates in PEM that are trusted besides the usual ones. */
  readonly ca?: readonly string[];
  readonly timeoutMs?: number;
  readonly now: () => Date;
}

/** An answer to a slash command, in the reply itself or at its `response_url`. */
export interface CommandAnswer {
  readonly response_type: 'ephemeral' | 'in_channel';
  readonly text: string;
  readonly attachments: readonly Attachment[];
  /** Else Mattermost reads the text as Slack would. */
  readonly skip_slack_parsing: true;
}

type Options = Parameters<InstanceType<typeof mattermost.Client4>['getOptions']>[0];

/**
 * Mattermost's own client for its REST API, over connections of ours: its `fetch` can't be told of certificates or of a
 * time limit, and its errors leave out the headers that say how long to wait. It never retries: the engine does, and it
 * looks first. Failures are ActivateErrors; a call that changes something and got no answer is OUTCOME_UNKNOWN.
 */
export class Web extends mattermost.Client4 {
  /** As the server named it in its last answer, `11.2.0`. */
  version: string | undefined;
  private readonly dispatcher: Agent;
  private readonly timeoutMs: number;
  private readonly now: () => Date;

  constructor(config: WebConfig) {
    super();
    this.setUrl(config.url.replace(/\/+$/, ''));
    this.setToken(config.token);
    this.setIncludeCookies(false);
    this.timeoutMs = config.timeoutMs ?? TIMEOUT_MS;
    this.now = config.now;
    // An idle connection is closed before the server closes it: a post on a dead one would have an unknown outcome.
    this.dispatcher = new Agent({
      connections: 64,
      keepAliveTimeout: 4000,
      ...(config.ca === undefined ? {} : { connect: { ca: [...config.ca] } }),
    });
  }

  protected override doFetch = async <T>(url: string, options: Options): Promise<T> => {
    const answer = await this.exchange(url, options);
    this.version = /^(\d+\.\d+\.\d+)/.exec(answer.headers.get('x-version-id') ?? '')?.[1] ?? this.version;
    const text = await this.textOf(answer, options);
    const parsed = parse(text);
    const what = nameOf(this.getUrl(), url, options);
    if (answer.status === 429) {
      throw new ActivateError('RATE_LIMITED', 'Mattermost asks us to slow down.', {
        retryAfterMs: this.waitOf(answer),
        cause: { status: 429, id: String(parsed?.['id'] ?? ''), message: '' },
      });
    }
    if (answer.status >= 500 && answer.status !== 501) {
      throw this.lost(options, `Mattermost answered ${what} with status ${answer.status}.`);
    }
    if (answer.status >= 300) {
      const { id = '', message = '' } = parsed ?? {};
      throw failure(what, { status: answer.status, id: String(id), message: String(message) });
    }
    // The address for answers to a command says no more than "ok".
    if (parsed === undefined && text !== '' && text !== 'ok') {
      throw this.lost(options, `Mattermost answered ${what} with something that isn't JSON.`);
    }
    return parsed as T;
  };

  /** Opens a dialog with a permission that lasts three seconds on older servers. */
  async openDialog(trigger: string, url: string, dialog: Dialog): Promise<void> {
    await this.doFetch(`${this.getBaseRoute()}/actions/dialogs/open`, {
      method: 'post',
      body: JSON.stringify({ trigger_id: trigger, url, dialog }),
    });
  }

  /** Answers at the address that came with a command. Only its last part is used: the rest is where we know the server to be. */
  async respond(responseUrl: string, answer: CommandAnswer): Promise<void> {
    const id = /\/hooks\/commands\/([a-z0-9]+)$/.exec(responseUrl)?.[1];
    if (id === undefined) {
      throw failure('response_url', { status: 404, id: 'response_url', message: '' });
    }
    await this.doFetch(`${this.getUrl()}/hooks/commands/${id}`, {
      method: 'post',
      body: JSON.stringify(answer),
    });
  }

  /** Uploads a file for a post to come; its id. */
  async upload(channel: string, file: File): Promise<string> {
    const form = new FormData();
    form.append('channel_id', channel);
    form.append('files', new Blob([new Uint8Array(file.bytes)], { type: file.type }), file.name);
    const answer = await this.doFetch<{ readonly file_infos?: readonly { readonly id: string }[] }>(
      `${this.getBaseRoute()}/files`,
      { method: 'post', body: form },
    );
    const [info] = answer.file_infos ?? [];
    if (info === undefined) {
      throw new ActivateError('UNAVAILABLE', 'Mattermost did not take the file.');
    }
    return info.id;
  }

  /** Groups that the server lets be mentioned, best matches of `typed` by its own judgement. */
  async groups(
    typed: string,
    limit: number,
  ): Promise<readonly { readonly id: string; readonly name?: string; readonly display_name: string }[]> {
    const query = new URLSearchParams({ q: typed, per_page: String(limit), filter_allow_reference: 'true' });
    return this.doFetch(`${this.getBaseRoute()}/groups?${query}`, { method: 'get' });
  }

  /** People of a group; pages count from 0. */
  async groupMembers(
    group: string,
    page: number,
    limit: number,
  ): Promise<readonly { readonly id: string }[]> {
    const query = new URLSearchParams({ page: String(page), per_page: String(limit) });
    const answer = await this.doFetch<{ readonly members: readonly { readonly id: string }[] }>(
      `${this.getBaseRoute()}/groups/${group}/members?${query}`,
      { method: 'get' },
    );
    return answer.members;
  }

  private async exchange(url: string, options: Options): Promise<Response> {
    const { headers, ...rest } = this.getOptions(options);
    const isForm = options.body instanceof FormData;
    const own = Object.entries(headers).filter(([name]) => !isForm || name.toLowerCase() !== 'content-type');
    try {
      return await fetch(url, {
        method: (options.method ?? 'get').toUpperCase(),
        headers: Object.fromEntries(own),
        ...('body' in rest && rest.body !== undefined ? { body: rest.body as BodyInit } : {}),
        redirect: 'manual',
        dispatcher: this.dispatcher,
        signal: AbortSignal.timeout(this.timeoutMs),
      });
    } catch (error) {
      throw this.unanswered(options, error);
    }
  }

  private async textOf(answer: Response, options: Options): Promise<string> {
    try {
      return await answer.text();
    } catch (error) {
      throw this.unanswered(options, error);
    }
  }

  private unanswered(options: Options, error: unknown): ActivateError {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code)) {
      return new ActivateError('UNAVAILABLE', `Mattermost's certificate is not trusted (${code}).`, {
        cause: { status: 0, id: UNTRUSTED, message: code },
        fix: 'Name the certificate of your own authority in MATTERMOST_CA_FILE.',
      });
    }
    if (NOT_SENT.has(code)) {
      return new ActivateError('UNAVAILABLE', `Mattermost can't be reached (${code}).`, {
        cause: error,
        fix: 'Check MATTERMOST_URL and the network between Activate and Mattermost.',
      });
    }
    const why = cause instanceof Error ? cause.message : String(cause);
    return this.lost(options, `The connection to Mattermost was lost (${why}).`, error);
  }

  /** A read can simply be done again; of anything else nobody knows whether it happened. */
  private lost(options: Options, message: string, cause?: unknown): ActivateError {
    const reads = (options.method ?? 'get').toLowerCase() === 'get';
    return new ActivateError(reads ? 'UNAVAILABLE' : 'OUTCOME_UNKNOWN', message, { cause });
  }

  /** Retry-After in seconds, or X-Ratelimit-Reset: seconds, or the second of the epoch at which it is over. */
  private waitOf(answer: Response): number {
    const named = Number(answer.headers.get('retry-after') ?? answer.headers.get('x-ratelimit-reset'));
    const seconds = named > 1e9 ? named - this.now().getTime() / 1000 : named;
    return Number.isFinite(seconds) && seconds > 0 ? Math.ceil(seconds * 1000) : 1000;
  }
}

/** Errors that come before anything was sent. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** The path of a call without what may be private: ids and addresses. */
function nameOf(base: string, url: string, options: Options): string {
  const path = url.slice(base.length).replace(/\?.*$/, '');
  const words = path.split('/').map((word) => (/^[a-z_0-9]{1,20}$/.test(word) || word === '' ? word : '…'));
  return `${(options.method ?? 'get').toUpperCase()} ${words.join('/')}`;
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    // A proxy's page, say; the caller words it.
    return undefined;
  }
}

/**
 * The certificates to trust when there is a file with one's own: given ones replace the usual, so that these are added.
 * Without a file NODE_EXTRA_CA_CERTS counts, as in all of Node. CONFIG_INVALID when the file can't be read.
 */
export function readAuthorities(file: string): readonly string[] {
  try {
    const text = readFileSync(file, 'utf8');
    if (!text.includes('-----BEGIN CERTIFICATE-----')) {
      throw new Error('it holds no certificate in PEM');
    }
    return [...rootCertificates, text];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ActivateError('CONFIG_INVALID', `MATTERMOST_CA_FILE can't be used: ${why}.`, {
      cause: error,
      fix: 'Name a file with certificates in PEM that Activate may read.',
    });
  }
}
