import type { Values } from '../../engine/contracts/form.ts';
import {
  type AddressKind,
  addressFields,
  type DatabaseLogin,
  databaseLoginOf,
  type Tls,
} from '../shared/database-login.ts';

const kind: AddressKind = {
  name: 'MySQL or MariaDB',
  schemes: ['mysql', 'mariadb'],
  port: 3306,
  user: 'one of its own',
  socket: 'socket',
  tls: { parameter: 'ssl-mode', of: tlsOf, words: 'DISABLED, REQUIRED or VERIFY_IDENTITY' },
};

/** What a connection needs: one URL, or its parts. */
export const config = addressFields(kind);

export type Login = DatabaseLogin;

/** Reads the fields into a login; CONFIG_INVALID names the field at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  return databaseLoginOf(values, kind);
}

/** As the client of MySQL means it. */
function tlsOf(mode: string): Tls | undefined {
  switch (mode.toUpperCase()) {
    case 'DISABLED':
      return 'off';
    case 'PREFERRED':
    case 'REQUIRED':
      return 'require';
    case 'VERIFY_CA':
    case 'VERIFY_IDENTITY':
      return 'verify';
    default:
      return undefined;
  }
}
