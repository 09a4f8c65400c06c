import type { Member } from './adapter.ts';
import type { GraphUser } from './graph.ts';
import type { Person } from './store.ts';

/** An address that our tenant vouches for. The sign-in name of a guest looks like one, and is none. */
export function emailOf({ email, userPrincipalName, standing }: Person): string | undefined {
  if (standing === 'stranger') {
    return undefined;
  }
  const named = standing === 'guest' || isGuestName(userPrincipalName) ? null : userPrincipalName;
  return email ?? named ?? undefined;
}

/** Guests have the name of their own organisation in their sign-in name here, as `sam_contoso.com#EXT#@ours`. */
function isGuestName(name: string | null | undefined): boolean {
  return name?.toUpperCase().includes('#EXT#') === true;
}

/** Whether a member of a roster is none of ours. What Teams doesn't say speaks for them; another tenant against them. */
export function standingOf(member: Member, tenantId: string): Person['standing'] {
  const role = member.userRole?.toLowerCase();
  if (role === 'guest' || isGuestName(member.userPrincipalName)) {
    return 'guest';
  }
  const elsewhere = member.tenantId !== undefined && member.tenantId.toLowerCase() !== tenantId.toLowerCase();
  return elsewhere || role === 'anonymous' ? 'stranger' : null;
}

/** The same of a user in the directory, which holds our own people and guests, and nobody else. */
export function standingOfUser({ userType, userPrincipalName }: GraphUser): Person['standing'] {
  return userType?.toLowerCase() === 'guest' || isGuestName(userPrincipalName) ? 'guest' : null;
}

/** Older rosters say objectId in place of aadObjectId; a bot, or somebody of another tenant, may have neither. */
export function objectIdOf(member: Member): string | undefined {
  return member.aadObjectId ?? ('objectId' in member ? String(member.objectId) : undefined);
}
