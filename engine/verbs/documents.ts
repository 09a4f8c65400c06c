import type { Caller } from '../contracts/command.ts';
import { ActivateError, asActivateError } from '../contracts/errors.ts';
import { differences } from '../document/compare.ts';
import {
  alertSettingsIn,
  approvalNow,
  declaredAlert,
  declaredSync,
  policyIn,
  reportsNow,
  syncSettingsIn,
  trimmed,
  wholeAlert,
  wholeSync,
  wordsIn,
} from '../document/declared.ts';
import {
  type ConfigDocument,
  type DeclaredAlert,
  type DeclaredConnection,
  type DeclaredDbt,
  type DeclaredSync,
  linesOf,
  readDocument,
  writeDocument,
} from '../document/document.ts';
import { type LineOf, Mistakes, whileApplying } from '../document/mistakes.ts';
import { parseSchedule } from '../schedule/cron.ts';
import type { DocumentChange, Services, SyncDetail, SyncDraft } from '../services.ts';
import { mustBeAmong, problem } from '../setup/problem.ts';
import type { ConnectionRecord } from '../store/connections.ts';
import { DeclaredConnections } from './declared-connections.ts';
import { DeclaredDbtProjects } from './declared-dbt.ts';
import type { VerbParts } from './parts.ts';

type DeclaredModel = ConfigDocument['models'][string];
type Verbs = Omit<Services, 'documents'>;

/** An installation as a file: writing it, comparing with it, and making it so. By the very verbs that forms use. */
export function documentVerbs(parts: VerbParts, verbs: Verbs): Services['documents'] {
  const books = new Books(parts, verbs);
  return {
    write: async (name) => writeDocument(onlyAbout(await books.current(), name)),
    plan: async (text) => books.plan(readDocument(text), linesOf(text)),
    apply: async (text, by) => books.apply(readDocument(text), linesOf(text), by),
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
    dbt: pick(whole.dbt, model?.dbt?.split('/')[0]),
    models: pick(whole.models, modelName),
    alerts: pick(whole.alerts, name),
    syncs: pick(whole.syncs, name),
  };
}

class Books {
  private readonly verbs: Verbs;
  private readonly connections: DeclaredConnections;
  private readonly dbt: DeclaredDbtProjects;

  constructor(parts: VerbParts, verbs: Verbs) {
    this.verbs = verbs;
    this.connections = new DeclaredConnections(parts, verbs);
    this.dbt = new DeclaredDbtProjects(parts, verbs);
  }

  /** All there is now, as a document. */
  async current(): Promise<ConfigDocument> {
    const [sources, destinations, models, details, projects] = await Promise.all([
      this.verbs.sources.list(),
      this.verbs.destinations.list(),
      this.verbs.models.list(),
      this.verbs.syncs.list(),
      this.verbs.dbt.list(),
    ]);
    const read = new Map(details.map(({ model, dbt }) => [model.name, dbt]));
    const connections = (records: readonly ConnectionRecord[]) =>
      Object.fromEntries(records.map((record) => [record.name, this.connections.declared(record)]));
    const described = (kind: SyncDetail['kind']) =>
      details.filter((detail) => detail.kind === kind).map((detail) => [detail.sync.name, detail] as const);
    return {
      sources: connections(sources),
      destinations: connections(destinations.map(({ record }) => record)),
      dbt: Object.fromEntries(projects.map((state) => [state.project.name, this.dbt.declared(state)])),
      models: Object.fromEntries(
        models.map(({ name, source, key, sql, personal }) => [
          name,
          {
            source,
            key: [...key],
            ...(personal == null ? {} : { personal: [...personal] }),
            ...(read.get(name) === undefined ? {} : { dbt: read.get(name) }),
            sql: trimmed(sql),
          },
        ]),
      ),
      alerts: Object.fromEntries(described('alert').map(([name, detail]) => [name, declaredAlert(detail)])),
      syncs: Object.fromEntries(described('sync').map(([name, detail]) => [name, declaredSync(detail)])),
    };
  }

  async plan(given: ConfigDocument, lineOf: LineOf): Promise<readonly DocumentChange[]> {
    const wanted = await this.withQueries(given);
    const now = await this.current();
    const known = {
      sources: Object.keys({ ...now.sources, ...wanted.sources }),
      destinations: Object.keys({ ...now.destinations, ...wanted.destinations }),
      models: { ...now.models, ...wanted.models },
    };
    const mistakes = new Mistakes(lineOf);
    const each = async <T>(
      part: keyof ConfigDocument,
      things: Readonly<Record<string, T>>,
      changeOf: (name: string, one: T) => DocumentChange | Promise<DocumentChange | undefined>,
    ): Promise<readonly DocumentChange[]> => {
      const changes = await Promise.all(
        Object.entries(things).map(([name, one]) => mistakes.at([part, name], () => changeOf(name, one))),
      );
      return changes.filter((one) => one !== undefined);
    };
    const all = [
      await each('sources', wanted.sources, (name, one) => this.connections.change('source', name, now, one)),
      await each('destinations', wanted.destinations, (name, one) =>
        this.connections.change('destination', name, now, one),
      ),
      await each('dbt', wanted.dbt, (name, one) => {
        mustBeAmong('source', one.source, known.sources, 'source');
        return this.dbt.change(name, now, one);
      }),
      await each('models', wanted.models, async (name, one) => {
        await this.mustHaveQuery(one);
        mustBeAmong('source', one.source, known.sources, 'source');
        const { personal } = now.models[name] ?? {};
        const kept = personal === undefined ? {} : { personal };
        return changeOf('model', name, now.models[name], { ...kept, ...one, sql: trimmed(one.sql) });
      }),
      await each('alerts', wanted.alerts, (name, one) => {
        mustBeAmong('model', one.model, Object.keys(known.models), 'model');
        const before = now.alerts[name];
        const after = { ...reportsNow(before), ...approvalNow(before, 'notify', {}), ...wholeAlert(one) };
        return changeOf('alert', name, now.alerts[name], after);
      }),
      await each('syncs', wanted.syncs, async (name, one) => {
        mustBeAmong('model', one.model, Object.keys(known.models), 'model');
        mustBeAmong('destination', one.destination, known.destinations, 'destination');
        const columns = await mistakes.at(['models', one.model, 'sql'], () =>
          this.columnsFor(one, known.models[one.model] as DeclaredModel, now),
        );
        if (columns === undefined) {
          return undefined;
        }
        const before = now.syncs[name];
        const usual = approvalNow(before, one.framework, syncSettingsIn(one, columns));
        return changeOf('sync', name, before, {
          ...reportsNow(before),
          ...usual,
          ...wholeSync(one, columns),
        });
      }),
    ];
    mistakes.mustBeNone();
    return all.flat();
  }

  async apply(given: ConfigDocument, lineOf: LineOf, by: Caller): Promise<readonly DocumentChange[]> {
    const wanted = await this.withQueries(given);
    const changes = await this.plan(wanted, lineOf);
    const models = { ...(await this.current()).models, ...wanted.models };
    const altered = new Set(
      changes.flatMap(({ kind, name, action }) => (kind === 'model' && action !== 'none' ? [name] : [])),
    );
    const made: DocumentChange[] = [];
    const waiting = new Set<string>();
    for (const change of changes) {
      const { kind, name, action } = change;
      const model = kind === 'alert' ? wanted.alerts[name]?.model : wanted.syncs[name]?.model;
      if (action === 'none' && !altered.has(model ?? '')) {
        made.push(change);
        continue;
      }
      try {
        await this.applyOne(kind, name, action, { wanted, models, by });
        made.push(change);
      } catch (thrown) {
        if (asActivateError(thrown).code !== 'AWAITS_APPROVAL') {
          throw whileApplying(thrown, pathOf(change), lineOf);
        }
        made.push({ ...change, waits: true });
        waiting.add(model ?? '');
      }
    }
    await this.markPersonal(wanted, altered, lineOf, by);
    // A model is stored with what uses it, and waits with it.
    return made.map((change) =>
      change.kind === 'model' && waiting.has(change.name) ? { ...change, waits: true } : change,
    );
  }

  /** A model that names a dbt model and has no query reads all of it. One that can't be found is left without. */
  private async withQueries(wanted: ConfigDocument): Promise<ConfigDocument> {
    const models = Object.entries(wanted.models).map(async ([name, model]) => {
      const found =
        model.dbt === undefined || model.sql !== ''
          ? undefined
          : await this.verbs.dbt.model(model.dbt).catch(() => undefined);
      return [name, found === undefined ? model : { ...model, sql: found.sql }] as const;
    });
    return { ...wanted, models: Object.fromEntries(await Promise.all(models)) };
  }

  private async mustHaveQuery({ sql, dbt }: DeclaredModel): Promise<void> {
    if (sql !== '') {
      return;
    }
    if (dbt === undefined) {
      throw problem('sql', 'Write one SELECT, or name a dbt model.');
    }
    await this.verbs.dbt.model(dbt).catch((thrown: unknown) => {
      const { message, fix } = asActivateError(thrown);
      throw problem('dbt', message, fix ?? 'A dbt project that is new has to be applied first.');
    });
  }

  /** Once the models are there: they are stored with what uses them. */
  private async markPersonal(
    wanted: ConfigDocument,
    altered: ReadonlySet<string>,
    lineOf: LineOf,
    by: Caller,
  ): Promise<void> {
    const there = new Map((await this.verbs.models.list()).map((model) => [model.name, model]));
    for (const [name, { personal }] of Object.entries(wanted.models)) {
      const now = there.get(name);
      const differs = JSON.stringify(personal) !== JSON.stringify(now?.personal ?? undefined);
      if (personal !== undefined && now !== undefined && altered.has(name) && differs) {
        await this.verbs.personal.mark(name, personal, by).catch((thrown: unknown) => {
          throw whileApplying(thrown, ['models', name, 'personal'], lineOf);
        });
      }
    }
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
        return this.connections.connect(kind, name, wanted[`${kind}s`][name] as DeclaredConnection, by);
      case 'dbt':
        return this.dbt.connect(name, wanted.dbt[name] as DeclaredDbt, by);
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
      await this.verbs.syncs.update(name, draft, by);
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
    const draft = {
      name,
      source: model.source,
      sql: model.sql,
      dbt: model.dbt,
      key: model.key,
      model: wanted.model,
      settings: alertSettingsIn(wanted),
      schedule: parseSchedule(wanted.schedule, wanted.time_zone),
      reportTo: wanted.report_to,
      policy: policyIn(wanted),
    };
    if (action === 'create') {
      await this.verbs.alerts.create(draft, by);
    } else {
      await this.verbs.alerts.update(name, draft, by);
    }
    await this.settle(name, wanted);
  }

  /** What a sync and an alert have beside what they do: whether they are on. */
  private async settle(name: string, { paused }: Pick<DeclaredSync, 'paused'>): Promise<void> {
    const { sync } = await this.verbs.syncs.show(name);
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
    const settings = syncSettingsIn(
      wanted,
      columns.map((column) => column.name),
    );
    return {
      name,
      framework: wanted.framework,
      source: model.source,
      sql: model.sql,
      dbt: model.dbt,
      key: model.key,
      model: wanted.model,
      destination: wanted.destination,
      settings,
      schedule: parseSchedule(wanted.schedule, wanted.time_zone),
      startsNow: true,
      reportTo: wanted.report_to,
      policy: policyIn(wanted),
    };
  }

  /** The columns that a sync can name. */
  private async columnsFor(
    wanted: DeclaredSync,
    model: DeclaredModel,
    now: ConfigDocument,
  ): Promise<readonly string[]> {
    // A source that is only about to be connected can't be asked for its columns yet.
    return now.sources[model.source] === undefined
      ? wordsIn(wanted)
      : (await this.verbs.models.columns(model.source, model.sql)).map((column) => column.name);
  }
}

/** Where a thing stands in a file. */
function pathOf({ kind, name }: DocumentChange): readonly string[] {
  return [kind === 'dbt' ? kind : `${kind}s`, name];
}

function changeOf(
  kind: DocumentChange['kind'],
  name: string,
  before: unknown,
  after: unknown,
): DocumentChange {
  const found = before === undefined ? [] : differences(before, after);
  const action = before === undefined ? 'create' : found.length === 0 ? 'none' : 'update';
  return { kind, name, action, differences: found };
}
