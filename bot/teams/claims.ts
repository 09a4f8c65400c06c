import type { Heard } from './heard.ts';
import { BOT_SERVICE } from './web.ts';

/** Clocks may differ by this much. */
const SKEW_S = 300;

interface Claims {
  readonly iss?: unknown;
  readonly aud?: unknown;
  readonly exp?: unknown;
  readonly serviceurl?: unknown;
}

/**
 * Why a request can't be from Teams for this bot; undefined when it may be. Asked before anything is looked up for it; the
 * signature is the SDK's to check. Stricter than the SDK, which also takes tokens that the bot itself gets for its own
 * calls, lets an activity without a service address through, and knows nothing of tenants.
 */
export function whyRefused(
  authorization: string,
  activity: Heard,
  config: { readonly appId: string; readonly tenantId: string; readonly now: () => Date },
): string | undefined {
  const claims = claimsOf(authorization);
  if (claims === undefined) {
    return 'it carries no token';
  }
  if (claims.iss !== BOT_SERVICE) {
    return 'its token was not issued by the Bot Service';
  }
  if (config.appId === '' || claims.aud !== config.appId) {
    return 'its token is for another bot';
  }
  if (typeof claims.exp !== 'number' || claims.exp + SKEW_S < config.now().getTime() / 1000) {
    return 'its token is over';
  }
  if (activity.channelId !== 'msteams') {
    return 'it is not from Teams';
  }
  if (typeof activity.serviceUrl !== 'string' || claims.serviceurl !== activity.serviceUrl) {
    return 'its token is for another service address';
  }
  return tenantOf(activity) === config.tenantId.toLowerCase() ? undefined : 'it is from another tenant';
}

/** The tenant that an activity says it is from, in small letters. */
function tenantOf(activity: Heard): string | undefined {
  const data: unknown = activity.channelData;
  const tenant = typeof data === 'object' && data !== null && 'tenant' in data ? data.tenant : undefined;
  const id = typeof tenant === 'object' && tenant !== null && 'id' in tenant ? tenant.id : undefined;
  const named = id ?? activity.conversation?.tenantId;
  return typeof named === 'string' ? named.toLowerCase() : undefined;
}

function claimsOf(authorization: string): Claims | undefined {
  const [, payload] = /^Bearer [\w-]+\.([\w-]+)\.[\w-]+$/.exec(authorization) ?? [];
  try {
    const parsed: unknown = JSON.parse(Buffer.from(payload ?? '', 'base64url').toString('utf8'));
    return typeof parsed === 'object' && parsed !== null ? parsed : undefined;
  } catch {
    // No token, or none of ours to read.
    return undefined;
  }
}
