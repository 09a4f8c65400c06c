import { defineConnector } from '../../engine/contracts/connector.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { config, loginOf } from './config.ts';
import { objectsOf } from './objects.ts';
import { createSession, type Link } from './session.ts';

/** MySQL 8 and MariaDB 10.4 and newer. */
export const mysql = defineConnector({
  id: 'mysql',
  name: 'MySQL / MariaDB',
  summary: 'Writes rows to tables of a MySQL or MariaDB database.',
  config,
  offers: ['objects'],
  hosts: [],
  setup: [
    "Make a user of its own: `create user activate identified by '…'`.",
    'Let it change the tables it fills and no others: `grant select, insert, update on shop.… to activate`, and `delete` where rows are to be removed. It reads them to find rows.',
    'Let it make tables that only its own connection sees, and that are gone with it: `grant create temporary tables on shop.* to activate`. Rows stand there first, because MySQL would otherwise take any unique index of a table for a match and change the wrong row.',
    'Give each table that is filled a unique index on the columns that find a row, as `create unique index by_email on accounts (email)`. It has to hold whole values, and the table has to be one of InnoDB.',
    'Text that is too long and numbers that do not fit are refused, however the server is set; decimals are rounded to what their column holds, and fractions of a second are cut or rounded. Times are written in UTC.',
    "Keys are compared as the column's collation does: under the usual ones `CASE` and `case` are one key.",
  ],
  verified:
    'Tested against a real MariaDB 10.11 server. Statements are those that the manual of MySQL 8 gives too, but they were not run there.',
  open: async (values, context) => {
    const login = loginOf(values);
    const session = await createSession(login, context.applicationName);
    return {
      objects: objectsOf(session, context.now),
      check: () => session.read(warningsOf),
      close: () => session.close(),
    };
  },
});

async function warningsOf(link: Link): Promise<readonly string[]> {
  const [row] = await link.ask('SELECT VERSION(), @@global.read_only');
  const [version = null, readOnly = null] = row ?? [];
  const [major = 0, minor = 0] = (version ?? '').split('.').map((part) => Number.parseInt(part, 10));
  const isMaria = /mariadb/i.test(version ?? '');
  if (isMaria ? major < 10 || (major === 10 && minor < 4) : major < 8) {
    throw new ActivateError('CONFIG_INVALID', `The server is ${isMaria ? 'MariaDB' : 'MySQL'} ${version}.`, {
      fix: 'Use MySQL 8.0 or newer, or MariaDB 10.4 or newer.',
    });
  }
  return readOnly === '1'
    ? ['The server takes no changes: it is read-only. If it is a replica, connect to the primary server.']
    : [];
}
