import { parsedUrl } from '../../engine/contracts/url.ts';

export interface Account {
  readonly host: string;
  /** As a signed token names it: in capital letters, and without the region that the name of a host has. */
  readonly name: string;
}

/**
 * What a person knows their account by: `myorg-myaccount`, `MYORG.MYACCOUNT`, `xy12345.eu-central-1.aws`, with
 * `.privatelink` or without, or the address of any page of it. Undefined when it is none of these.
 */
export function accountOf(text: string): Account | undefined {
  const typed = text.trim().replace(/^"(.*)"$/, '$1');
  const host = /^https?:\/\//i.test(typed) ? (parsedUrl(typed)?.hostname ?? '') : typed.replace(/\/.*$/, '');
  const [, identifier = '', domain = 'snowflakecomputing.com'] =
    /^(.+?)(?:\.(snowflakecomputing\.(?:com|cn)))?$/i.exec(host) ?? [];
  const labels = identifier.split('.');
  if (labels.length > 5 || !labels.every((label) => /^[A-Za-z0-9](?:[\w-]*[A-Za-z0-9])?$/.test(label))) {
    return undefined;
  }
  const [first = '', ...rest] = labels;
  // A region has a dash in its name, an account has none: this is how SHOW and the web pages write it, not a host.
  const isPair = rest[0] !== undefined && !/-|^(privatelink|global)$/i.test(rest[0]);
  const [name, region] = isPair ? [`${first}-${rest[0]}`, rest.slice(1)] : [first, rest];
  return {
    host: [name, ...region, domain].join('.').toLowerCase().replaceAll('_', '-'),
    // The part behind the dash is none of an old account that can move between regions.
    name: (region[0]?.toLowerCase() === 'global' ? (name.split('-')[0] ?? name) : name).toUpperCase(),
  };
}
