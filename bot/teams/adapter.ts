import type { Activity, CloudAdapter, ConversationAccount, TurnContext } from 'botbuilder';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { whyRefused } from './claims.ts';
import type { Heard } from './heard.ts';
import type { Tokens } from './token.ts';
import { type Answer, BOT_SERVICE, pathOf, type Web } from './web.ts';

/** Where a conversation is reached: its id as Teams writes it, and the address of the service that keeps it. */
export interface Address {
  readonly serviceUrl: string;
  readonly conversation: string;
}

/** A member of a team or chat, as the roster has them. */
export interface Member {
  readonly id: string;
  readonly name?: string;
  readonly email?: string;
  readonly userPrincipalName?: string;
  readonly aadObjectId?: string;
  readonly tenantId?: string;
  /** `user`, `guest` or `anonymous`. */
  readonly userRole?: string;
}

/** What an invoke is answered with. */
export interface InvokeAnswer {
  readonly status: number;
  readonly body?: object;
}

/** All that we use of Microsoft's SDK, so that it can be changed for another one here. */
export interface Adapter {
  /**
   * Verifies who sent an activity, then has it handled. Resolves with what the HTTP request is answered with; throws
   * AUTH_REJECTED when it didn't come from Teams, for this bot and this tenant.
   */
  hear(
    authorization: string,
    activity: Heard,
    handle: (activity: Heard) => Promise<InvokeAnswer>,
  ): Promise<InvokeAnswer>;
  /** Posts into a conversation or thread; the new message's id. */
  send(to: Address, activity: Heard): Promise<string>;
  /** Replaces a message of ours. */
  update(at: Address, id: string, activity: Heard): Promise<void>;
  remove(at: Address, id: string): Promise<void>;
  /** Begins a thread in a channel with a message; the message's id. */
  begin(serviceUrl: string, channel: string, activity: Heard): Promise<string>;
  /** The id of the personal chat with somebody, which is made when there is none. */
  open(serviceUrl: string, person: string): Promise<string>;
  member(at: Address, person: string): Promise<Member>;
  members(
    at: Address,
    page?: string,
  ): Promise<{ readonly members: readonly Member[]; readonly next?: string }>;
}

export interface AdapterConfig {
  readonly appId: string;
  readonly tenantId: string;
  readonly openIdUrl: string;
  readonly loginUrl: string;
  readonly tokens: Tokens;
  readonly web: Web;
  readonly now: () => Date;
}

const CHANNEL = 'msteams';
const PAGE = 500;

/** Loads the SDK, which takes most of a second, when it is first needed. */
export function createAdapter(config: AdapterConfig): Adapter {
  let loaded: Promise<Sdk> | undefined;
  const sdk = (): Promise<Sdk> => {
    loaded ??= load(config);
    return loaded;
  };
  const bot = { id: `28:${config.appId}`, name: 'Activate' };
  const within = async <T>(at: Address, work: (sdk: Sdk, context: TurnContext) => Promise<T>): Promise<T> => {
    const ready = await sdk();
    return result(async (keep) => {
      // The type asks for more of a conversation than its id, and services refuse what is empty.
      const conversation = { id: at.conversation } as ConversationAccount;
      const reference = { channelId: CHANNEL, serviceUrl: at.serviceUrl, bot, conversation };
      await ready.adapter.continueConversationAsync(config.appId, reference, async (context) =>
        keep(await work(ready, context)),
      );
    });
  };
  const create = async (serviceUrl: string, parameters: object): Promise<string> => {
    const { adapter } = await sdk();
    return result(async (keep) => {
      await adapter.createConversationAsync(
        config.appId,
        CHANNEL,
        serviceUrl,
        BOT_SERVICE,
        parameters as Parameters<CloudAdapter['createConversationAsync']>[4],
        async (context) => keep(context.activity.conversation.id),
      );
    });
  };

  return {
    hear: async (authorization, activity, handle) => {
      const why = whyRefused(authorization, activity, config);
      if (why !== undefined) {
        throw new ActivateError('AUTH_REJECTED', `The request was refused: ${why}.`);
      }
      return hear(await sdk(), authorization, activity, handle);
    },
    send: (to, activity) =>
      within(to, async (_, context) => {
        // The turn has an id that the SDK made up, and would answer to it.
        context.activity.id = '';
        return (await context.sendActivity(activity))?.id ?? '';
      }),
    update: (at, id, activity) =>
      within(at, async (_, context) => void (await context.updateActivity({ ...activity, id }))),
    remove: (at, id) => within(at, (_, context) => context.deleteActivity(id)),
    begin: async (serviceUrl, channel, activity) => {
      const id = await create(serviceUrl, {
        isGroup: true,
        channelData: { channel: { id: channel }, tenant: { id: config.tenantId } },
        tenantId: config.tenantId,
        activity,
      });
      return /;messageid=(.+)$/.exec(id)?.[1] ?? '';
    },
    open: (serviceUrl, person) =>
      create(serviceUrl, {
        isGroup: false,
        bot,
        members: [{ id: person }],
        channelData: { tenant: { id: config.tenantId } },
        tenantId: config.tenantId,
      }),
    member: (at, person) =>
      within(at, async ({ TeamsInfo }, context) => TeamsInfo.getMember(context, person) as Promise<Member>),
    members: (at, page) =>
      within(at, async ({ TeamsInfo }, context) => {
        const read = await TeamsInfo.getPagedMembers(context, PAGE, page);
        const next = read.continuationToken;
        return {
          members: read.members as readonly Member[],
          ...(next === undefined || next === null || next === '' ? {} : { next }),
        };
      }),
  };
}

/** The SDK hands results to callbacks; this gets them out again. */
async function result<T>(work: (keep: (value: T) => void) => Promise<void>): Promise<T> {
  const kept: T[] = [];
  await work((value) => void kept.push(value));
  const [value] = kept;
  if (value === undefined && kept.length === 0) {
    throw new ActivateError('BUG', 'The Teams SDK did not call back.');
  }
  return value as T;
}

type Packages = typeof import('botbuilder');

interface Sdk {
  readonly adapter: CloudAdapter;
  readonly TeamsInfo: Packages['TeamsInfo'];
  process(
    authorization: string,
    activity: Heard,
    logic: (context: TurnContext) => Promise<void>,
  ): Promise<InvokeAnswer | undefined>;
}

async function load(config: AdapterConfig): Promise<Sdk> {
  const {
    CloudAdapter: Base,
    ConfigurationBotFrameworkAuthentication,
    TeamsInfo,
  } = await import('botbuilder');
  const authentication = new ConfigurationBotFrameworkAuthentication(
    {
      MicrosoftAppId: config.appId,
      MicrosoftAppTenantId: config.tenantId,
      ValidateAuthority: true,
      ToChannelFromBotLoginUrl: config.loginUrl,
      ToChannelFromBotOAuthScope: BOT_SERVICE,
      ToBotFromChannelTokenIssuer: BOT_SERVICE,
      OAuthUrl: BOT_SERVICE,
      ToBotFromChannelOpenIdMetadataUrl: config.openIdUrl,
      ToBotFromEmulatorOpenIdMetadataUrl: config.openIdUrl,
      CallerId: 'urn:botframework:azure',
    },
    {
      isValidAppId: async (appId: string) => appId === config.appId,
      // Never, whatever the app id: the SDK takes an empty one for a wish to trust everybody.
      isAuthenticationDisabled: async () => false,
      createCredentials: async () => ({
        signRequest: async (request) => {
          request.headers.set('authorization', `Bearer ${await config.tokens(BOT_SERVICE)}`);
          return request;
        },
      }),
    },
    undefined,
    undefined,
    { httpClient: transport(config.web) },
  );
  class Opened extends Base {
    /** What `process` does, without its writing to the console. */
    heard(authorization: string, activity: Heard, logic: (context: TurnContext) => Promise<void>) {
      return this.processActivity(authorization, activity as Activity, logic);
    }
  }
  const adapter = new Opened(authentication);
  return {
    adapter,
    TeamsInfo,
    process: async (authorization, activity, logic) => adapter.heard(authorization, activity, logic),
  };
}

type ConnectorOptions = NonNullable<
  ConstructorParameters<Packages['ConfigurationBotFrameworkAuthentication']>[4]
>;
type HttpClient = NonNullable<ConnectorOptions['httpClient']>;

/** The SDK's requests over our own way out: its own would try again by itself and could post twice. */
function transport(web: Web): HttpClient {
  return {
    sendRequest: async (request) => {
      const answer: Answer = await web.send(
        {
          method: request.method,
          url: request.url,
          headers: Object.fromEntries(request.headers.headersArray().map(({ name, value }) => [name, value])),
          ...(request.body === undefined || request.body === null ? {} : { body: String(request.body) }),
        },
        `${request.method} ${pathOf(request.url)}`,
      );
      const headers = request.headers.clone();
      for (const name of headers.headerNames()) {
        headers.remove(name);
      }
      for (const [name, value] of Object.entries(answer.headers)) {
        headers.set(name, value);
      }
      return { status: answer.status, headers, request, bodyAsText: answer.text };
    },
  };
}

async function hear(
  sdk: Sdk,
  authorization: string,
  activity: Heard,
  handle: (activity: Heard) => Promise<InvokeAnswer>,
): Promise<InvokeAnswer> {
  let verified = false;
  try {
    const answered = await sdk.process(authorization, activity, async (context) => {
      verified = true;
      const value = await handle(activity);
      if (activity.type === 'invoke') {
        await context.sendActivity({ type: 'invokeResponse', value });
      }
    });
    return answered ?? { status: 200 };
  } catch (thrown) {
    if (verified) {
      throw thrown;
    }
    const status = thrown instanceof Error && 'statusCode' in thrown ? thrown.statusCode : undefined;
    const named = thrown instanceof Error ? thrown.name : '';
    if (status === 401 || named === 'JsonWebTokenError' || named === 'NotBeforeError') {
      throw new ActivateError('AUTH_REJECTED', 'The request is not signed by Teams.', { cause: thrown });
    }
    throw new ActivateError('UNAVAILABLE', "Microsoft's signing keys can't be read.", { cause: thrown });
  }
}
