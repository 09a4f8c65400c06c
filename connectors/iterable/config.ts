import { field, type Values } from '../../engine/contracts/form.ts';
import { webAddress } from '../shared/login.ts';

export const config = {
  apiKey: field.secret({
    label: 'API key',
    help: 'Paste a server-side key of the project, without JWT.',
  }),
  region: field.choice({
    label: 'Data center',
    help: 'You see it by the address at which you use Iterable.',
    of: { us: 'United States: app.iterable.com', eu: 'Europe: app.eu.iterable.com' },
  }),
  projectType: field.choice({
    label: 'Project type',
    help: 'By what the project knows its users. You see it in the settings of the project.',
    of: { email: 'Email-based', userId: 'UserID-based', hybrid: 'Hybrid' },
  }),
  strangers: field.optional(
    field.choice({
      label: 'People Iterable lacks',
      help: 'What lists do about people whom Iterable does not know. Left empty, they are left out.',
      of: { leave: 'Leave them out', make: 'Make users of them' },
    }),
  ),
  newFields: field.optional(
    field.choice({
      label: 'New fields',
      help: 'What becomes of fields that Iterable does not have. Left empty, what the project says.',
      of: { make: 'Make them', leave: 'Leave them out and say so' },
    }),
  ),
  baseUrl: field.optional(
    field.text({
      label: 'Base URL',
      help: 'Leave it empty to call Iterable itself. Fill it in for a proxy of yours.',
    }),
  ),
};

const hosts = { us: 'api.iterable.com', eu: 'api.eu.iterable.com' } as const;

/** A way to say who a user is, by the name that requests have for it. */
export type Identifier = 'email' | 'userId';

/** A user, by what the project knows them by. */
export interface Who {
  readonly email?: string;
  readonly userId?: string;
}

/** Where, as whom and how to call. */
export interface Login {
  /** Without a slash at its end. */
  readonly base: string;
  readonly apiKey: string;
  /** Those that the project knows its users by, the surest first. A request has one of them. */
  readonly identifiers: readonly Identifier[];
  /** Lists make users of people whom Iterable does not know. */
  readonly makesUsers: boolean;
  /** Undefined where the project decides. */
  readonly makesFields: boolean | undefined;
}

const identifiersOf = { email: ['email'], userId: ['userId'], hybrid: ['userId', 'email'] } as const;

/** Reads the fields; CONFIG_INVALID names the one at fault. */
export function loginOf(values: Values<typeof config>): Login {
  const base = webAddress(values.baseUrl ?? `https://${hosts[values.region]}`);
  return {
    base,
    apiKey: values.apiKey.trim(),
    identifiers: identifiersOf[values.projectType],
    makesUsers: values.strangers === 'make',
    makesFields: values.newFields === undefined ? undefined : values.newFields === 'make',
  };
}
