import { isDeepStrictEqual } from 'node:util';
import { ActivateError, asActivateError } from '../contracts/errors.ts';
import { parseTarget } from '../contracts/refs.ts';
import { type AlertSettings, alertSettings } from '../model/alert.ts';
import { type ApprovalPolicy, approvalPolicy, defaultPolicy } from '../model/policy.ts';
import { parseSchedule, type Schedule } from '../schedule/cron.ts';
import type { SyncDetail } from '../services.ts';
import { parseSettings, settingNames } from '../setup/index.ts';
import { mustBeAmong, problem } from '../setup/problem.ts';
import type { FrameworkId } from '../store/syncs.ts';
import type { DeclaredAlert, DeclaredConnection, DeclaredSync } from './document.ts';
import { camel, readSettings, snake, writeSettings } from './settings.ts';

const own = ['framework', 'model', 'destination', 'schedule', 'time_zone', 'report_to', 'paused', 'approval'];

/** What of a declaration is its framework's. */
function settingsIn(declared: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(declared).filter(([name]) => !own.includes(name)));
}

/** Everything in a declaration that could be a column's name. */
export function wordsIn(declared: unknown): readonly string[] {
  return (JSON.stringify(declared).match(/[A-Za-z_][\w ]*/g) ?? []).map((word) => word.trim());
}

/** What syncs and alerts have in common, as it will be kept. Throws INPUT_INVALID at the name at fault. */
function whole(declared: DeclaredAlert | DeclaredSync) {
  const { schedule, time_zone, report_to, paused } = declared;
  const policy = policyIn(declared);
  if (report_to !== undefined && parseTarget(report_to) === undefined) {
    throw problem(
      'report_to',
      `"${report_to}" is no place to report to.`,
      'Write it as export does: slack:C0123456789.',
    );
  }
  const { cron, timeZone } = scheduleOf(schedule, time_zone);
  return {
    schedule: cron,
    time_zone: timeZone,
    ...(report_to === undefined ? {} : { report_to }),
    paused,
    ...(policy === undefined ? {} : { approval: approvalOf(policy).approval }),
  };
}

function scheduleOf(schedule: string, timeZone: string): Schedule {
  try {
    return parseSchedule(schedule, timeZone);
  } catch (thrown) {
    const { message, fix, fields } = asActivateError(thrown);
    throw fields === undefined ? problem('schedule', message, fix) : thrown;
  }
}

/** The settings of an alert. Throws INPUT_INVALID at each name at fault. */
export function alertSettingsIn(wanted: DeclaredAlert): AlertSettings {
  const given = settingsIn(wanted);
  mustBeSettings(given, Object.keys(alertSettings.shape));
  const parsed = alertSettings.safeParse(readSettings('notify', given, []));
  if (parsed.success) {
    return parsed.data;
  }
  const fields = Object.fromEntries(
    parsed.error.issues.map(({ path, message }) => [path.join('.'), message]),
  );
  throw new ActivateError('INPUT_INVALID', Object.values(fields).join(' '), { fields });
}

/** The settings of a sync over these columns. Throws INPUT_INVALID at the name at fault. */
export function syncSettingsIn(
  wanted: DeclaredSync,
  columns: readonly string[],
): Readonly<Record<string, unknown>> {
  const given = settingsIn(wanted);
  mustBeSettings(given, settingNames(wanted.framework));
  return parseSettings(wanted.framework, readSettings(wanted.framework, given, columns));
}

/** A name that nothing reads would be a wish that nobody hears. */
function mustBeSettings(given: Readonly<Record<string, unknown>>, known: readonly string[]): void {
  const names = known.map(snake);
  for (const name of Object.keys(given)) {
    mustBeAmong(name, name, names, 'setting');
  }
}

export function wholeAlert(wanted: DeclaredAlert): object {
  return { model: wanted.model, ...whole(wanted), ...writeSettings('notify', alertSettingsIn(wanted)) };
}

/** A sync as it will be written once it is there: with what is left out filled in. */
export function wholeSync(wanted: DeclaredSync, columns: readonly string[]): object {
  const { framework, model, destination } = wanted;
  const settings = writeSettings(framework, syncSettingsIn(wanted, columns));
  return { framework, model, destination, ...whole(wanted), ...settings };
}

export function declaredSync(detail: SyncDetail): DeclaredSync {
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

/** All that a sync or an alert does, with its query and its key, for people to compare. */
export function describedWhole(detail: SyncDetail): object {
  const { model, source } = detail;
  const declared = detail.kind === 'alert' ? declaredAlert(detail) : declaredSync(detail);
  const dbt = detail.dbt === undefined ? {} : { dbt: detail.dbt };
  return { source: source.name, ...dbt, query: trimmed(model.sql), key: model.key, ...declared };
}

export function declaredAlert(detail: SyncDetail): DeclaredAlert {
  const settings = detail.kind === 'alert' ? detail.settings : {};
  return { model: detail.model.name, ...scheduled(detail), ...writeSettings('notify', settings) };
}

function scheduled({ sync }: SyncDetail) {
  return {
    schedule: sync.cron,
    time_zone: sync.timeZone,
    ...(sync.reportTo === null ? {} : { report_to: sync.reportTo }),
    paused: sync.state === 'paused',
    ...approvalOf(sync.policy),
  };
}

/** A policy as a file has it, without what is usual; nothing for one that never asks. */
function approvalOf(policy: Readonly<Record<string, unknown>>): Pick<DeclaredSync, 'approval'> {
  const usual: Readonly<Record<string, unknown>> = approvalPolicy.parse({});
  const whole: Readonly<Record<string, unknown>> = approvalPolicy.parse(policy);
  const told = Object.keys(whole).filter((name) => !isDeepStrictEqual(whole[name], usual[name]));
  return told.length === 0
    ? {}
    : { approval: Object.fromEntries(told.map((name) => [snake(name), whole[name]])) };
}

/** The policy that a file asks for; undefined when it does not say. Throws INPUT_INVALID at the name at fault. */
export function policyIn({ approval }: DeclaredAlert | DeclaredSync): ApprovalPolicy | undefined {
  if (approval === undefined) {
    return undefined;
  }
  const names = Object.keys(approvalPolicy.shape).map(snake);
  for (const name of Object.keys(approval)) {
    mustBeAmong(`approval.${name}`, name, names, 'setting');
  }
  const given = Object.entries(approval).map(([name, value]) => [
    camel(name),
    ['adds', 'changes', 'removes'].includes(name) ? String(value) : value,
  ]);
  const parsed = approvalPolicy.safeParse(Object.fromEntries(given));
  if (parsed.success) {
    return parsed.data;
  }
  const [issue] = parsed.error.issues;
  throw problem(
    `approval.${snake(issue?.path.map(String).join('.') ?? '')}`,
    issue?.message ?? 'It is no policy.',
  );
}

/** What has to be approved stays as it is when a file does not say; a new sync gets what is usual for its kind. */
export function approvalNow(
  now: DeclaredAlert | DeclaredSync | undefined,
  framework: FrameworkId,
  settings: Readonly<Record<string, unknown>>,
): Pick<DeclaredSync, 'approval'> {
  if (now !== undefined) {
    return now.approval === undefined ? {} : { approval: now.approval };
  }
  return approvalOf(defaultPolicy(framework, settings));
}

/** Where trouble is reported stays as it is when a file does not say. */
export function reportsNow(now: DeclaredAlert | DeclaredSync | undefined): Pick<DeclaredSync, 'report_to'> {
  return now?.report_to === undefined ? {} : { report_to: now.report_to };
}

export function withoutSecrets({ connector, config }: DeclaredConnection): unknown {
  return {
    connector,
    config: Object.fromEntries(Object.entries(config).map(([name, value]) => [name, String(value)])),
  };
}

/** SQL as it is kept and compared: without blanks around it. */
export function trimmed(sql: string): string {
  return sql.trim();
}
