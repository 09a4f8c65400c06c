import type { Dispatch } from '../../engine/contracts/chat.ts';
import { ROLES, type Role } from '../../engine/contracts/command.ts';
import type { PersonRef } from '../../engine/contracts/refs.ts';
import type { Buttons } from './buttons.ts';

/** The rest of the house, which is put together after the platforms are. */
export interface House {
  readonly dispatch: Pick<Dispatch, 'mayOpenForm'>;
  identify(person: PersonRef): Promise<{ readonly role: Role }>;
}

/** Tells buttons apart by the commands they stand for. */
export function createButtons(parts: {
  readonly commands: readonly { readonly name: string; readonly access: Role }[];
  /** What everybody may do who has no role of their own. */
  readonly defaultRole: Role;
  readonly house: () => House | undefined;
}): Buttons {
  const needed = new Map(parts.commands.map(({ name, access }) => [name, ROLES.indexOf(access)]));
  const usual = ROLES.indexOf(parts.defaultRole);
  return {
    opensForm: (run) => parts.house()?.dispatch.mayOpenForm(run) ?? false,
    restricted: ({ command }) => (needed.get(command) ?? 0) > usual,
    allowed: async ({ command }, person) => {
      const house = parts.house();
      const role = house === undefined ? -1 : ROLES.indexOf((await house.identify(person)).role);
      return role >= (needed.get(command) ?? 0);
    },
  };
}
