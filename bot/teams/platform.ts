import type { Dispatch } from '../../engine/contracts/chat.ts';
import type { Db } from '../../engine/contracts/db.ts';
import type { Log } from '../../engine/contracts/log.ts';
import type { Platform } from '../platform.ts';
import { createAdapter } from './adapter.ts';
import { createAnswerer } from './answer.ts';
import type { Buttons } from './buttons.ts';
import { createDirectory } from './directory.ts';
import { asUnavailable } from './errors.ts';
import { createShelf } from './files.ts';
import { createGraph } from './graph.ts';
import { createHttp } from './http.ts';
import { createPeople } from './people.ts';
import { createReceiver } from './receive.ts';
import { conversation, keepPost, postOf, prune } from './store.ts';
import { createTalk } from './talk.ts';
import { type Credential, createTokens } from './token.ts';
import { createUpload } from './upload.ts';
import { createWeb } from './web.ts';

/** 60 messages in 30 s to one conversation; what is beyond 1800 an hour Teams asks to wait with. */
const PACE_MS = 500;
const PRUNE_MS = 60 * 60_000;

export interface TeamsConfig {
  readonly db: Db;
  readonly appId: string;
  readonly tenantId: string;
  readonly credential: Credential;
  readonly buttons: Buttons;
  /** Where people and Microsoft reach the bot; without it there are no links to files and no large pictures. */
  readonly publicUrl?: string;
  /** Microsoft Graph, where the app may read there. */
  readonly graphUrl?: string;
  readonly loginUrl?: string;
  readonly openIdUrl?: string;
  /** Where conversations are reached before anybody there has spoken. */
  readonly serviceUrl?: string;
  readonly paceMs?: number;
  /** How long Teams may take for one call; 15 s when left out. */
  readonly timeoutMs?: number;
  /** How long an answer may take before a person is told that it comes later; 8 s when left out. */
  readonly answerWithinMs?: number;
  readonly log: Log;
  readonly now?: () => Date;
}

const LOGIN = 'https://login.microsoftonline.com';
const OPEN_ID = 'https://login.botframework.com/v1/.well-known/openidconfiguration';
const SERVICE = 'https://smba.trafficmanager.net/teams/';

/** Microsoft Teams as a chat platform. Connects to nothing before it is asked to. */
export function createTeams(config: TeamsConfig): Platform {
  const { db, log, buttons, now = () => new Date(), serviceUrl = SERVICE } = config;
  const { appId, tenantId, credential, loginUrl = LOGIN, openIdUrl = OPEN_ID, timeoutMs } = config;
  const tokens = createTokens({ appId, tenantId, credential, loginUrl, now });
  const web = createWeb({ tokens, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  const adapter = createAdapter({ appId, tenantId, openIdUrl, loginUrl, tokens, web, now });
  const graph = config.graphUrl === undefined ? undefined : createGraph(web, config.graphUrl);
  const directory = createDirectory({ db, adapter, web, graph, tenantId, serviceUrl, log, now });
  const shelf = createShelf({ db, publicUrl: config.publicUrl, now });
  const talk = createTalk({ db, adapter, web, shelf, buttons, serviceUrl, log, now });
  const http = createHttp({ adapter, db, log, now });
  const { readTeam: _, ...lookups } = directory;

  return {
    id: 'teams',
    paceMs: config.paceMs ?? PACE_MS,
    ...lookups,
    post: async (to, message, options) => {
      const posted = await talk.post(to, message, options);
      if (options?.mark !== undefined) {
        await keepPost(db, options.mark, posted, now()).catch((error: unknown) =>
          log.error({ error }, 'Mark of a message could not be kept'),
        );
      }
      return posted;
    },
    update: async (posted, { card }) => {
      await asUnavailable(talk.update(posted, card));
    },
    find: async (to, mark, since) => {
      const known = await postOf(db, mark);
      if (known !== undefined || graph === undefined || to.kind === 'person') {
        return known;
      }
      const place = await conversation(db, to.id);
      return place === undefined ? undefined : asUnavailable(graph.find(place, to.thread, mark, since));
    },
    receive: async (dispatch: Dispatch, signal: AbortSignal) => {
      const answers = createAnswerer({ talk, buttons, log });
      const people = createPeople({ db, appId, directory, log, now });
      const upload = createUpload({ db, adapter, web, talk, log, now });
      const { answerWithinMs } = config;
      const hear = createReceiver({
        ...{ db, dispatch, answers, talk, people, upload, log, now },
        ...(answerWithinMs === undefined ? {} : { answerWithinMs }),
      });
      http.listen(hear, signal);
      keepTidy(db, log, now, signal);
    },
    routes: { path: '/teams', handler: http.handler },
  };
}

/** Deletes now and then what is over, until the signal fires. */
function keepTidy(db: Db, log: Log, now: () => Date, signal: AbortSignal): void {
  const tidy = (): void => {
    prune(db, now()).catch((error: unknown) => log.warn({ error }, 'Old Teams records could not be deleted'));
  };
  tidy();
  const timer = setInterval(tidy, PRUNE_MS).unref();
  signal.addEventListener('abort', () => clearInterval(timer));
}
