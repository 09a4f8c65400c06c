import { type Caller, ROLES, type Role } from '../contracts/command.ts';

/** Whether somebody's role lets them see personal data at all; `needed` is the least role that does. */
export function maySee({ role }: Pick<Caller, 'role'>, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}

/**
 * Whether a reply may show personal data as it is: to somebody whose role allows it, and in a direct conversation. What
 * only they see in a channel doesn't count: screens are shared, and the form is open in front of others.
 */
export function mayBeShown(by: Pick<Caller, 'role' | 'direct'>, needed: Role): boolean {
  return by.direct === true && maySee(by, needed);
}
