import { defineConnector } from '../../engine/contracts/connector.ts';
import { config, loginOf } from './config.ts';
import { objectsOf } from './objects.ts';
import { createReading } from './reader.ts';
import { warningsForReading, warningsForWriting } from './rights.ts';
import { createSession } from './session.ts';
import { checking, sourceOf } from './source.ts';

/** MySQL 8 and MariaDB 10.4 and newer. */
export const mysql = defineConnector({
  id: 'mysql',
  name: 'MySQL / MariaDB',
  summary: 'Reads tables and queries of a MySQL or MariaDB database, and writes rows to its tables.',
  config,
  offers: ['source', 'objects'],
  hosts: [],
  setup: [
    "Make a user of its own for reading: `create user activate identified by '…'`. To write, make another one.",
    'Let the one that reads see what it needs and nothing else: `grant select, show view on shop.* to activate`. With `FILE` it could read files of the server by a function of SQL; testing the connection says what it may do that reading does not need. Best of all, connect to a replica.',
    'Let the one that writes change the tables it fills and no others: `grant select, insert, update on shop.… to activate`, and `delete` where rows are to be removed. It reads them to find rows.',
    'Let it make tables that only its own connection sees, and that are gone with it: `grant create temporary tables on shop.* to activate`. Rows stand there first, because MySQL would otherwise take any unique index of a table for a match and change the wrong row.',
    'Give each table that is filled a unique index on the columns that find a row, as `create unique index by_email on accounts (email)`. It has to hold whole values, and the table has to be one of InnoDB.',
    'Text that is too long and numbers that do not fit are refused, however the server is set; decimals are rounded to what their column holds, and fractions of a second are cut or rounded. Times are written in UTC.',
    "Keys are compared as the column's collation does: under the usual ones `CASE` and `case` are one key.",
  ],
  verified:
    'Tested against a real MariaDB 10.11 server. Statements are those that the manual of MySQL 8 gives too, but they were not run there.',
  tried: ['software'],
  open: async (values, context) => {
    const login = loginOf(values);
    const session = await createSession(login, context.applicationName);
    const reading = createReading(login, context.applicationName);
    return {
      source: sourceOf(reading),
      objects: objectsOf(session, context.now),
      check: (use) =>
        use === 'source'
          ? reading.read(checking, (reader) => warningsForReading(reader, login))
          : session.read((link) => warningsForWriting(link, login)),
      close: () => session.close(),
    };
  },
});
