import type { App } from '../boot.ts';
import { ensureDatabase } from '../boot.ts';
import type { Caller } from '../contracts/command.ts';
import { parseSchedule } from '../schedule/cron.ts';
import { actedBy, writeAudit } from '../store/audit.ts';
import { demoPeople } from './people.ts';
import { fillWarehouse, freeTierUsedUp, moveWarehouse } from './warehouse.ts';

const title = '{{ workspace }} has used up its free tier';

const message = `{{ owner_email | mention }} *{{ workspace }}* ({{ country }}) is at {{ used | number }} of {{ included | number }} free events this month, with {{ members }} members.
*Next:* offer the Team plan while they are at it. [Open the account](https://crm.northwind.example/workspaces/{{ workspace_id }})`;

/**
 * Sets up the demo on the embedded server: a warehouse that moves, a source on it, and the alert that tags the account
 * owner when a workspace has used up its free tier. What is there already is left as it is.
 */
export async function startDemo(app: App, signal: AbortSignal): Promise<void> {
  if (app.embedded === undefined) {
    return;
  }
  const url = app.embedded.url('demo');
  if (await ensureDatabase(app.embedded, 'demo', app.log)) {
    await fillWarehouse(url);
  }
  const by = await storyteller(app);
  const connector = app.services.connectors.find((one) => one.id === 'postgres');
  if (connector !== undefined) {
    // Each start has another port, so the address is stored anew.
    await app.services.sources.connect('demo', connector, { url }, by);
  }
  const made = await app.db.query("select 1 from audit where command = 'demo'");
  if (made.length === 0) {
    await app.services.alerts.create(
      {
        name: 'pql-free-tier',
        source: 'demo',
        sql: freeTierUsedUp,
        key: ['workspace_id'],
        schedule: parseSchedule('every 10 seconds', by.timeZone),
        settings: {
          trigger: 'added',
          watch: [],
          title,
          message,
          targets: [{ type: 'channel', to: 'local:sales-pql' }],
          tag: [],
          mode: 'card',
          burst: 20,
          cooldownDays: 90,
          silentFirst: true,
          platform: 'local',
        },
      },
      by,
    );
    const entry = {
      at: new Date(),
      kind: 'command',
      ...actedBy(by),
      command: 'demo',
      subject: 'pql-free-tier',
      input: {},
      outcome: 'ok',
    } as const;
    await app.db.transaction((sql) => writeAudit(sql, entry));
  }
  await moveWarehouse(url, app.log, signal);
}

async function storyteller(app: App): Promise<Caller> {
  const person = { kind: 'person', platform: 'local', id: demoPeople[0].id } as const;
  const conversation = { kind: 'conversation', platform: 'local', id: 'data-alerts' } as const;
  return { ...(await app.identify(person)), person, conversation, platform: 'local' };
}
