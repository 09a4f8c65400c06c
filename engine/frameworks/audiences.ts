import { createHash } from 'node:crypto';
import type { Connections } from '../connections.ts';
import type { Audiences, Call, Identifier, Member, Outcome } from '../contracts/destination.ts';
import { ActivateError } from '../contracts/errors.ts';
import { type DeliveryParts, deliverChanges, type Step } from '../delivery/changes.ts';
import { columnsOf, factsOf, valuesOf } from '../delivery/rows.ts';
import { stillWanted } from '../delivery/still-wanted.ts';
import { type Normaliser, normaliser } from '../identity/normalise.ts';
import { Refused } from '../mapping/convert.ts';
import { columnsRead, createMapper, type Facts, type Mapper } from '../mapping/mapper.ts';
import { type AudiencesSettings, audiencesSettings } from '../model/audiences.ts';
import type { PlanEntry } from '../planner/chunks.ts';
import { isInDoubt, possibleLines } from '../planner/doubt.ts';
import { connectionById } from '../store/connections.ts';
import type { RunCounts } from '../store/runs.ts';
import type { Sync } from '../store/syncs.ts';
import type { Framework, PlannedRun, PlanTotals } from './framework.ts';

export interface AudiencesParts extends DeliveryParts {
  readonly connections: Connections;
}

/** Rows become people on a list: added as they enter, removed as they leave. */
export function createAudiences(parts: AudiencesParts): Framework {
  return {
    id: 'audiences',
    request: (sync, model) => {
      const { identifiers, traits } = settingsOf(sync);
      const named = [...Object.values(identifiers), ...columnsRead(traits, model.columns)];
      return { columns: [...new Set([...model.key, ...named])], kind: 'difference', silentFirst: false };
    },
    objection: (sync, totals) => objectionTo(settingsOf(sync), totals),
    deliver: (planned) => deliver(parts, planned),
  };
}

function settingsOf(sync: Sync): AudiencesSettings {
  return audiencesSettings.parse(sync.settings);
}

function objectionTo(settings: AudiencesSettings, totals: PlanTotals): string | undefined {
  const { rows, before, removed } = totals;
  const { atLeast, atMost, listName } = settings;
  const said = (number: number): string => number.toLocaleString('en');
  if (rows === 0 && removed > 0) {
    return `The query gave nobody, while ${said(before)} are on ${listName}. All of them would be removed.`;
  }
  if (rows < atLeast) {
    return `The query gave ${said(rows)} people; ${listName} is to have at least ${said(atLeast)}.`;
  }
  return atMost !== undefined && rows > atMost
    ? `The query gave ${said(rows)} people; ${listName} is to have at most ${said(atMost)}.`
    : undefined;
}

async function deliver(parts: AudiencesParts, planned: PlannedRun): Promise<RunCounts> {
  const { sync } = planned;
  const settings = settingsOf(sync);
  const destinationId = sync.destinationId as number;
  const record = await connectionById(parts.db, 'destination', destinationId);
  const audiences = await parts.connections.part(record, 'audiences');
  const writer = new MemberWriter(planned, settings, audiences);
  writer.wanted = await stillWanted(planned, {
    keyWidth: Math.max(1, planned.model.key.length),
    knownBy: (line) => writer.knownBy(line),
    wants: (line) => writer.wants(line),
  });
  return deliverChanges<Member>(parts, planned, destinationId, {
    limits: audiences.limits,
    // A person who is known by several things is taken off by one of them: who belongs there is put back after that.
    verbs: ['remove', 'add'],
    mayBeThere: writer.wanted.size === 0 ? undefined : (entry) => writer.mayBeThere(entry),
    steps: (entry) => writer.steps(entry),
    write: (verb, members, call) => handOver(audiences, settings.list, verb as Verb, members, call),
  });
}

type Verb = 'remove' | 'add';

function handOver(
  audiences: Audiences,
  list: string,
  verb: Verb,
  members: readonly Member[],
  call: Call,
): Promise<readonly Outcome[]> {
  return verb === 'add' ? audiences.add(list, members, call) : audiences.remove(list, members, call);
}

/** Turns rows into members of a list. */
class MemberWriter {
  private readonly planned: PlannedRun;
  private readonly settings: AudiencesSettings;
  private readonly facts: (key: string) => Facts;
  private readonly identifiers: readonly { readonly identifier: Identifier; readonly at: number }[];
  private readonly rules: Normaliser;
  private readonly traits: Mapper;
  /** Identifiers that a row leaves but another still has. */
  wanted: ReadonlyMap<string, Buffer | undefined> = new Map();

  constructor(planned: PlannedRun, settings: AudiencesSettings, audiences: Audiences) {
    this.planned = planned;
    this.settings = settings;
    this.facts = factsOf(planned);
    this.rules = normaliser(settings.normaliser);
    this.traits = createMapper(settings.traits, [], columnsOf(planned));
    this.identifiers = Object.entries(settings.identifiers).map(([name, column]) => {
      const identifier = audiences.identifiers.find((one) => one.name === name);
      if (identifier === undefined) {
        throw new ActivateError(
          'CONFIG_INVALID',
          `The destination does not know people by ${name} any more.`,
          {
            fix: 'Edit the sync.',
          },
        );
      }
      return { identifier, at: planned.columns.indexOf(column) };
    });
  }

  steps(entry: PlanEntry): readonly Step<Member>[] {
    const { line, previous, key } = entry;
    const member = line === undefined ? undefined : this.member(line, key);
    // Who is kept off the list is not on it, even when they were before the share was set.
    const now = member === undefined || this.isHeldOut(member.identifiers) ? undefined : member;
    const possible = previous === undefined ? [] : possibleLines(previous, this.planned.columns.length);
    const before = possible.map((one) => this.told(one));
    return [...before.flatMap((one) => this.removal(key, one, now)), ...this.addition(now, before, entry)];
  }

  /** What a row's person is known by on the list, as `NAME value`; nothing for a row that can't be used. */
  knownBy(line: Buffer): readonly string[] {
    return Object.entries(this.told(line)).map(([name, value]) => `${name} ${value}`);
  }

  /** What of that belongs on the list. */
  wants(line: Buffer): readonly string[] {
    return this.isHeldOut(this.told(line)) ? [] : this.knownBy(line);
  }

  /** Whether a row brings somebody who was left on the list for its sake. */
  mayBeThere({ line }: PlanEntry): boolean {
    return line !== undefined && this.knownBy(line).some((name) => this.wanted.has(name));
  }

  private removal(
    key: string,
    before: Member['identifiers'],
    now: Member | undefined,
  ): readonly Step<Member>[] {
    const gone = Object.entries(before).filter(
      ([name, value]) => now?.identifiers[name] !== value && !this.wanted.has(`${name} ${value}`),
    );
    return gone.length === 0
      ? []
      : [
          {
            verb: 'remove',
            word: 'removed from the list',
            item: { key, identifiers: Object.fromEntries(gone), traits: {} },
          },
        ];
  }

  private addition(
    now: Member | undefined,
    before: readonly Member['identifiers'][],
    entry: PlanEntry,
  ): readonly Step<Member>[] {
    if (now === undefined) {
      return [];
    }
    const same =
      this.settings.traits.length === 0 &&
      before.length === 1 &&
      !isInDoubt(entry) &&
      this.planned.run.scope !== 'everything' &&
      !this.planned.sync.resend &&
      JSON.stringify(before[0]) === JSON.stringify(now.identifiers);
    return same || entry.silent ? [] : [{ verb: 'add', word: 'added to the list', item: now }];
  }

  private member(line: Buffer, key: string): Member {
    const row = valuesOf(line, this.planned.columns);
    const { identifiers, unusable } = this.identify(line);
    if (Object.keys(identifiers).length === 0) {
      const names = Object.keys(this.settings.identifiers).join(', ');
      throw new Refused(
        names,
        unusable[0] ?? `The row has nothing in ${names}, by which the person is found.`,
      );
    }
    return { key, identifiers, traits: this.traits.map(row, this.facts(key), () => undefined) };
  }

  /** The identifiers that were sent for a row that was told. */
  private told(line: Buffer): Member['identifiers'] {
    return this.identify(line).identifiers;
  }

  private identify(line: Buffer): { identifiers: Record<string, string>; unusable: readonly string[] } {
    const row = valuesOf(line, this.planned.columns);
    const identifiers: Record<string, string> = {};
    const unusable: string[] = [];
    const options = this.settings.country === undefined ? {} : { country: this.settings.country };
    for (const { identifier, at } of this.identifiers) {
      const found = this.rules.identify(identifier, row[at] ?? null, options);
      if (found !== undefined && 'value' in found) {
        identifiers[identifier.name] = found.value;
      } else if (found !== undefined) {
        unusable.push(found.unusable);
      }
    }
    return { identifiers, unusable };
  }

  /** The same people for ever, whatever row they are in: chosen by who they are. */
  private isHeldOut(identifiers: Member['identifiers']): boolean {
    const percent = this.settings.holdoutPercent;
    if (percent === 0) {
      return false;
    }
    const [first = ''] = Object.values(identifiers);
    const drawn = createHash('sha256').update(`${this.planned.sync.id}\n${first}`).digest().readUInt32BE();
    return (drawn / 2 ** 32) * 100 < percent;
  }
}
