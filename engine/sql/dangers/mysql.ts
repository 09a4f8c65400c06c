import type { Dangers } from './dangers.ts';

/** MySQL and MariaDB. */
export const mysql: Dangers = {
  openers: ['select', 'with', 'values', 'table'],
  functions: [
    ['makes the database wait', /^(sleep|benchmark)$/],
    ['waits for another server', /^(master_pos_wait|source_pos_wait|master_gtid_wait|wait_(for|until)_\w+)$/],
    [
      'takes locks that outlive the query',
      /^(get_lock|release_lock|release_all_locks|service_(get|release)_\w+)$/,
    ],
    ['reads files of the server', /^load_file$/],
    ['moves a sequence on', /^(nextval|setval)$/],
    ['runs programs', /^(sys_(exec|eval|set))$/],
    [
      'operates the server',
      /^(asynchronous_connection_failover_|group_replication_|keyring_|audit_log_|mysql_firewall_|version_tokens_|gen_dictionary_)/,
    ],
  ],
  phrases: [
    ['would lock rows', /^lock in share mode/],
    ['would move a sequence on', /^(next|previous) value for/],
    ['would move a sequence on', /^\. (nextval|currval)\b/],
    ['would change a variable', /^: =/],
  ],
};
