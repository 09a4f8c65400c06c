import type { Caller } from '../contracts/command.ts';
import { ActivateError, asActivateError } from '../contracts/errors.ts';
import { parseTarget } from '../contracts/refs.ts';
import { differences } from '../document/compare.ts';
import {
  type ConfigDocument,
  type DeclaredAlert,
  type DeclaredConnection,
  type DeclaredSync,
  readDocument,
  writeDocument,
} from '../document/document.ts';
import { readSettings, writeSettings } from '../document/settings.ts';
import { secretFromEnvironment } from '../env.ts';
import { alertSettings } from '../model/alert.ts';
import { parseSchedule } from '../schedule/cron.ts';
import type { DocumentChange, Services, SyncDetail, SyncDraft } from '../services.ts';
import { parseSettings } from '../setup/index.ts';
import type { ConnectionKind, ConnectionRecord } from '../store/connections.ts';
import { reportElsewhere } from '../store/syncs.ts';
import type { VerbParts } from './parts.ts';

type Verbs = Omit<Services, 'documents'>;

/** An installation as a file: writing it, comparing with it, and making it so. By the very verbs that forms use. */
export function documentVerbs(parts: VerbParts, verbs: Verbs): Services['documents'] {
  const books = new Books(parts, verbs);
  return {
    write: async (name) => writeDocument(onlyAbout(await books.current(), name)),
    plan: async (text) => books.plan(readDocument(text)),
    apply: async (text, by) => books.apply(readDocument(text), by),
  };
}

/** What a sync needs of a document, when it is all that is wanted. */
function onlyAbout(whole: ConfigDocument, name: string | undefined): ConfigDocument {
  if (name === undefined) {
    return whole;
  }
  const alert = whole.alerts[name];
  const sync = whole.syncs[name];
  const modelName = (alert ?? sync)?.model;
  if (modelName === undefined) {
    throw new ActivateError('NOT_FOUND', `There is no alert or sync "${name}".`, {
      fields: { name: `There is no alert or sync "${name}".` },
    });
  }
  const model = whole.models[modelName];
  const pick = <T>(from: Readonly<Record<string, T>>, key: string | undefined): Record<string, T> => {
    const found = key === undefined ? undefined : from[key];
    return key === undefined || found === undefined ? {} : { [key]: found };
  };
  return {
    sources: pick(whole.sources, model?.source),
    destinations: pick(whole.destinations, sync?.destination),
    models: pick(whole.models, modelName),
    alerts: pick(whole.alerts, name),
    syncs: pick(whole.syncs, name),
  };
}

class Books {
  private readonly parts: VerbParts;
  private readonly verbs: Verbs;

  constructor(parts: VerbParts, verbs: Verbs) {
    this.parts = parts;
    this.verbs = verbs;
  }

  /** All there is now, as a document. */
  async current(): Promise<ConfigDocument> {
    const [sources, destinations, models, details] = await Promise.all([
      this.verbs.sources.list(),
      this.verbs.destinations.list(),
      this.verbs.models.list(),
      this.verbs.syncs.list(),
    ]);
    const connections = (records: readonly ConnectionRecord[]) =>
      Object.fromEntries(records.map((record) => [record.name, this.declared(record)]));
    const described = (kind: SyncDetail['kind']) =>
      details.filter((detail) => detail.kind === kind).map((detail) => [detail.sync.name, detail] as const);
    return {
      sources: connections(sources),
      destinations: connections(destinations.map(({ record }) => record)),
      models: Object.fromEntries(
        models.map(({ name, source, key, sql }) => [name, { source, key: [...key], sql: trimmed(sql) }]),
      ),
      alerts: Object.fromEntries(described('alert').map(([name, detail]) => [name, declaredAlert(detail)])),
      syncs: Object.fromEntries(described('sync').map(([name, detail]) => [name, declaredSync(detail)])),
    };
  }

  async plan(wanted: ConfigDocument): Promise<readonly DocumentChange[]> {
    const now = await this.current();
    const known = { ...now.models, ...wanted.models };
    const change = (
      kind: DocumentChange['kind'],
      name: string,
      before: unknown,
      after: unknown,
    ): DocumentChange => {
      const found = before === undefined ? [] : differences(before, after);
      const action = before === undefined ? 'create' : found.length === 0 ? 'none' : 'update';
      return { kind, name, action, differences: found };
    };
    const connections = (kind: ConnectionKind): readonly DocumentChange[] =>
      Object.entries(wanted[`${kind}s`]).map(([name, one]) => this.connectionChange(kind, name, now, one));
    const models = Object.entries(wanted.models).map(([name, one]) =>
      change('model', name, now.models[name], { ...one, sql: trimmed(one.sql) }),
    );
    const alerts = Object.entries(wanted.alerts).map(([name, one]) => {
      mustKnow(known, one.model, `alerts.${name}`);
      return change('alert', name, now.alerts[name], { ...reportsNow(now.alerts[name]), ...wholeAlert(one) });
    });
    const syncs = await Promise.all(
      Object.entries(wanted.syncs).map(async ([name, one]) => {
        mustKnow(known, one.model, `syncs.${name}`);
        const whole = await this.wholeSync(one, known);
        return change('sync', name, now.syncs[name], { ...reportsNow(now.syncs[name]), ...whole });
      }),
    );
    return [...connections('source'), ...connections('destination'), ...models, ...alerts, ...syncs];
  }

  async apply(wanted: ConfigDocument, by: Caller): Promise<readonly DocumentChange[]> {
    const changes = await this.plan(wanted);
    const models = { ...(await this.current()).models, ...wanted.models };
    const altered = new Set(
      changes.flatMap(({ kind, name, action }) => (kind === 'model' && action !== 'none' ? [name] : [])),
    );
    for (const { kind, name, action } of changes) {
      const model = kind === 'alert' ? wanted.alerts[name]?.model : wanted.syncs[name]?.model;
      if (action === 'none' && !altered.has(model ?? '')) {
        continue;
      }
      try {
        await this.applyOne(kind, name, action, { wanted, models, by });
      } catch (thrown) {
        throw inContext(thrown, `${kind} ${name}`);
      }
    }
    return changes;
  }

  private async applyOne(
    kind: DocumentChange['kind'],
    name: string,
    action: DocumentChange['action'],
    about: { wanted: ConfigDocument; models: ConfigDocument['models']; by: Caller },
  ): Promise<void> {
    const { wanted, models, by } = about;
    switch (kind) {
      case 'source':
      case 'destination':
        return this.connect(kind, name, wanted[`${kind}s`][name] as DeclaredConnection, by);
      case 'model':
        // A model is stored with what uses it.
        return;
      case 'alert':
        return this.applyAlert(name, wanted.alerts[name] as DeclaredAlert, action, models, by);
      case 'sync':
        return this.applySync(name, wanted.syncs[name] as DeclaredSync, action, models, by);
      default:
        return kind satisfies never;
    }
  }

  private connectionChange(
    kind: ConnectionKind,
    name: string,
    now: ConfigDocument,
    wanted: DeclaredConnection,
  ): DocumentChange {
    const before = now[`${kind}s`][name];
    const found =
      before === undefined ? [] : [...differences(withoutSecrets(before), withoutSecrets(wanted))];
    for (const [field, reference] of Object.entries(wanted.secrets)) {
      const value = secretFromEnvironment(reference);
      if (value === undefined && before?.secrets[field] === undefined) {
        const sentence = `${kind}s.${name}.secrets.${field}: ${reference} is not set.`;
        throw new ActivateError('INPUT_INVALID', sentence, {
          fix: 'Set it in the environment of Activate, with a name that begins with CONNECTION_.',
          fields: { yaml: sentence },
        });
      }
      if (value !== undefined && before !== undefined && value !== this.stored(kind, name)[field]) {
        found.push({ path: `secrets.${field}`, before: '(another)', after: reference });
      }
    }
    const action = before === undefined ? 'create' : found.length === 0 ? 'none' : 'update';
    return { kind, name, action, differences: found };
  }

  private readonly unsealed = new Map<string, Readonly<Record<string, string>>>();

  private stored(kind: ConnectionKind, name: string): Readonly<Record<string, string>> {
    return this.unsealed.get(`${kind} ${name}`) ?? {};
  }

  private declared(record: ConnectionRecord): DeclaredConnection {
    const secrets = this.parts.vault.unseal(record.secrets);
    this.unsealed.set(`${record.kind} ${record.name}`, secrets);
    const reference = (field: string): string =>
      `\${CONNECTION_${`${record.name}_${field}`.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}}`;
    return {
      connector: record.connector,
      config: { ...record.config },
      secrets: Object.fromEntries(Object.keys(secrets).map((field) => [field, reference(field)])),
    };
  }

  private async connect(
    kind: ConnectionKind,
    name: string,
    wanted: DeclaredConnection,
    by: Caller,
  ): Promise<void> {
    const connector = this.parts.connections.connector(wanted.connector);
    const stored = this.stored(kind, name);
    const secrets = Object.entries(wanted.secrets).map(([field, reference]) => [
      field,
      secretFromEnvironment(reference) ?? stored[field] ?? '',
    ]);
    const config = Object.entries(wanted.config).map(([field, value]) => [field, String(value)]);
    const given = Object.fromEntries([...config, ...secrets]) as Record<string, string>;
    await (kind === 'source' ? this.verbs.sources : this.verbs.destinations).connect(
      name,
      connector,
      given,
      by,
    );
  }

  private async applySync(
    name: string,
    wanted: DeclaredSync,
    action: DocumentChange['action'],
    models: ConfigDocument['models'],
    by: Caller,
  ): Promise<void> {
    const draft = await this.draftOf(name, wanted, models);
    if (action === 'create') {
      await this.verbs.syncs.create(draft, by);
    } else {
      await this.verbs.syncs.update(name, draft);
    }
    await this.settle(name, wanted);
  }

  private async applyAlert(
    name: string,
    wanted: DeclaredAlert,
    action: DocumentChange['action'],
    models: ConfigDocument['models'],
    by: Caller,
  ): Promise<void> {
    const model = models[wanted.model] as ConfigDocument['models'][string];
    const settings = alertSettings.safeParse(readSettings('notify', settingsIn(wanted), []));
    if (!settings.success) {
      const [issue] = settings.error.issues;
      throw new ActivateError('INPUT_INVALID', `${issue?.path.join('.')}: ${issue?.message}`);
    }
    const draft = {
      name,
      source: model.source,
      sql: model.sql,
      key: model.key,
      settings: settings.data,
      schedule: parseSchedule(wanted.schedule, wanted.time_zone),
    };
    if (action === 'create') {
      await this.verbs.alerts.create(draft, by);
    } else {
      await this.verbs.alerts.update(name, draft, by);
    }
    await this.settle(name, wanted);
  }

  /** What a sync and an alert have beside what they do: where they report, and whether they are on. */
  private async settle(
    name: string,
    { report_to, paused }: Pick<DeclaredSync, 'report_to' | 'paused'>,
  ): Promise<void> {
    const { sync } = await this.verbs.syncs.show(name);
    if (report_to !== undefined && report_to !== sync.reportTo) {
      await reportElsewhere(this.parts.db, sync.id, report_to);
    }
    if (paused && sync.state === 'active') {
      await this.verbs.syncs.pause(name);
    } else if (!paused && sync.state === 'paused') {
      await this.verbs.syncs.resume(name);
    }
  }

  private async draftOf(
    name: string,
    wanted: DeclaredSync,
    models: ConfigDocument['models'],
  ): Promise<SyncDraft> {
    const model = models[wanted.model] as ConfigDocument['models'][string];
    const columns = await this.verbs.models.columns(model.source, model.sql);
    const settings = readSettings(
      wanted.framework,
      settingsIn(wanted),
      columns.map((column) => column.name),
    );
    return {
      name,
      framework: wanted.framework,
      source: model.source,
      sql: model.sql,
      key: model.key,
      model: wanted.model,
      destination: wanted.destination,
      settings,
      schedule: parseSchedule(wanted.schedule, wanted.time_zone),
      startsNow: true,
      reportTo: wanted.report_to,
    };
  }

  /** A sync as it will be written once it is there: with what is left out filled in. */
  private async wholeSync(wanted: DeclaredSync, models: ConfigDocument['models']): Promise<object> {
    const model = models[wanted.model] as ConfigDocument['models'][string];
    const source = await this.verbs.sources.list();
    // A source that is only about to be connected can't be asked for its columns yet.
    const columns = source.some((record) => record.name === model.source)
      ? (await this.verbs.models.columns(model.source, model.sql)).map((column) => column.name)
      : wordsIn(wanted);
    const settings = parseSettings(
      wanted.framework,
      readSettings(wanted.framework, settingsIn(wanted), columns),
    );
    return {
      framework: wanted.framework,
      model: wanted.model,
      destination: wanted.destination,
      ...whole(wanted),
      ...writeSettings(wanted.framework, settings),
    };
  }
}

const own = ['framework', 'model', 'destination', 'schedule', 'time_zone', 'report_to', 'paused'];

/** What of a declaration is its framework's. */
function settingsIn(declared: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(declared).filter(([name]) => !own.includes(name)));
}

/** Everything in a declaration that could be a column's name. */
function wordsIn(declared: unknown): readonly string[] {
  return (JSON.stringify(declared).match(/[A-Za-z_][\w ]*/g) ?? []).map((word) => word.trim());
}

function whole({ schedule, time_zone, report_to, paused }: DeclaredAlert | DeclaredSync) {
  if (report_to !== undefined && parseTarget(report_to) === undefined) {
    const sentence = `report_to: "${report_to}" is no place to report to. Write it as export does: slack:C0123456789.`;
    throw new ActivateError('INPUT_INVALID', sentence, { fields: { yaml: sentence } });
  }
  const { cron, timeZone } = parseSchedule(schedule, time_zone);
  return {
    schedule: cron,
    time_zone: timeZone,
    ...(report_to === undefined ? {} : { report_to }),
    paused,
  };
}

function wholeAlert(wanted: DeclaredAlert): object {
  const settings = alertSettings.safeParse(readSettings('notify', settingsIn(wanted), []));
  const given = settings.success ? writeSettings('notify', settings.data) : settingsIn(wanted);
  return { model: wanted.model, ...whole(wanted), ...given };
}

function declaredSync(detail: SyncDetail): DeclaredSync {
  const { sync, model } = detail;
  const framework = sync.framework as DeclaredSync['framework'];
  return {
    framework,
    model: model.name,
    destination: detail.kind === 'sync' ? detail.destination.name : '',
    ...scheduled(detail),
    // Read once more: in the order in which they are declared, not in the database's.
    ...writeSettings(framework, parseSettings(framework, sync.settings)),
  };
}

function declaredAlert(detail: SyncDetail): DeclaredAlert {
  const settings = detail.kind === 'alert' ? detail.settings : {};
  return { model: detail.model.name, ...scheduled(detail), ...writeSettings('notify', settings) };
}

function scheduled({ sync }: SyncDetail) {
  return {
    schedule: sync.cron,
    time_zone: sync.timeZone,
    ...(sync.reportTo === null ? {} : { report_to: sync.reportTo }),
    paused: sync.state === 'paused',
  };
}

/** Where trouble is reported stays as it is when a file does not say. */
function reportsNow(now: DeclaredAlert | DeclaredSync | undefined): Pick<DeclaredSync, 'report_to'> {
  return now?.report_to === undefined ? {} : { report_to: now.report_to };
}

function withoutSecrets({ connector, config }: DeclaredConnection): unknown {
  return {
    connector,
    config: Object.fromEntries(Object.entries(config).map(([name, value]) => [name, String(value)])),
  };
}

function mustKnow(models: ConfigDocument['models'], name: string, where: string): void {
  if (models[name] === undefined) {
    const sentence = `${where}.model: there is no model "${name}".`;
    throw new ActivateError('INPUT_INVALID', sentence, { fields: { yaml: sentence } });
  }
}

/** SQL as it is kept and compared: without blanks around it. */
function trimmed(sql: string): string {
  return sql.trim();
}

function inContext(thrown: unknown, what: string): ActivateError {
  const error = asActivateError(thrown);
  const said = error.fields === undefined ? error.message : Object.values(error.fields).join(' ');
  return new ActivateError(error.code, `${what}: ${said}`, {
    cause: error,
    fix: error.fix ?? 'What comes before it in the file was applied, the rest was not.',
  });
}
