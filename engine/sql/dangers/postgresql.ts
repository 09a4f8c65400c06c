import type { Dangers } from './dangers.ts';

export const postgresql: Dangers = {
  openers: ['select', 'with', 'values', 'table'],
  // Functions that do more than read, though they can be called in a SELECT, some even in a read-only transaction.
  functions: [
    ['makes the database wait', /^pg_sleep/],
    ['acts on other sessions', /^pg_(terminate_backend|cancel_backend|log_backend_memory_contexts)$/],
    ['changes settings', /^set_config$/],
    ['reads or writes files of the server', /^(pg_read_|pg_ls_|pg_stat_file$|pg_file_|pg_current_logfile$)/],
    ['reads or writes large objects', /^(lo_|loread$|lowrite$)/],
    ['opens connections of its own', /^(dblink|postgres_fdw_)/],
    ['takes locks that outlive the query', /^pg_(try_)?advisory_/],
    ['moves a sequence on', /^(nextval|setval)$/],
    ['sends notifications', /^pg_notify$/],
    [
      'runs text as SQL',
      /^(query_to_xml|cursor_to_xml|ts_stat$|ts_rewrite$|crosstab|connectby$|xpath_table$|exec_sql$|cron_)/,
    ],
    [
      'operates the server',
      /^(pg_reload_conf|pg_rotate_logfile|pg_switch_wal|pg_switch_xlog|pg_promote|pg_create_|pg_drop_|pg_replication_|pg_logical_|pg_copy_|pg_wal_replay_|pg_(start|stop)_backup|pg_backup_|pg_stat_(statements_)?reset|pg_stat_clear|pg_export_snapshot|pg_import_system_collations|pg_sync_|pg_extension_config_dump|pg_prewarm|pg_buffercache_evict|brin_|gin_clean_pending_list|txid_current$|pg_current_xact_id$)/,
    ],
  ],
  phrases: [],
};
