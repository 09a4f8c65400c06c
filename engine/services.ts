import type { Which } from './approvals/decide.ts';
import type { Sample } from './cards/hold.ts';
import type { Card } from './contracts/card.ts';
import type { Caller, Role } from './contracts/command.ts';
import type { Connector, PartName, Parts } from './contracts/connector.ts';
import type { Options } from './contracts/form.ts';
import type { MessageRef, Raw, Target } from './contracts/refs.ts';
import type { Column, Table } from './contracts/source.ts';
import type { Heard } from './dbt/hear.ts';
import type { HookRequest } from './dbt/hooks.ts';
import type { Place } from './dbt/settings.ts';
import type { Difference } from './document/compare.ts';
import type { Leave } from './mail/unsubscribe.ts';
import type { AlertSettings } from './model/alert.ts';
import type { ApprovalPolicy } from './model/policy.ts';
import type { PersonalColumns } from './personal/columns.ts';
import type { ChangeKind } from './planner/chunks.ts';
import type { DryRun } from './run/rehearse.ts';
import type { Schedule } from './schedule/cron.ts';
import type { DeliveryFramework } from './setup/index.ts';
import type { AuditRow, AuditVerdict } from './store/audit.ts';
import type { ConnectionRecord } from './store/connections.ts';
import type { DbtProject, KeptModel } from './store/dbt.ts';
import type { Delivery } from './store/deliveries.ts';
import type { Draft } from './store/drafts.ts';
import type { Hold } from './store/holds.ts';
import type { MailRecord } from './store/mails.ts';
import type { Model } from './store/models.ts';
import type { Person } from './store/people.ts';
import type { Answer, Reaction } from './store/reactions.ts';
import type { Rejection } from './store/rejections.ts';
import type { Run, RunScope } from './store/runs.ts';
import type { Suppression, SuppressionQuery } from './store/suppressions.ts';
import type { Sync } from './store/syncs.ts';
import type { TaskRecord } from './store/tasks.ts';

interface Described {
  readonly sync: Sync;
  readonly model: Model;
  readonly source: ConnectionRecord;
  readonly lastRun: Run | undefined;
  /** The dbt model that its query reads, as `shop/accounts`. */
  readonly dbt: string | undefined;
  /** Its rows are compared inside its warehouse. */
  readonly inside: boolean;
  /** Where it goes, as a person calls it: "#sales-pql", "the person in owner_email", "salesforce". */
  readonly goesTo: readonly string[];
}

/** An alert with everything that describes it. */
export interface AlertDetail extends Described {
  readonly kind: 'alert';
  readonly settings: AlertSettings;
  /** People to tag, by name. */
  readonly tags: readonly string[];
}

/** A sync with everything that describes it. */
export type SyncDetail =
  | AlertDetail
  | (Described & { readonly kind: 'sync'; readonly destination: ConnectionRecord });

/** What a sync that is no alert is to be. `settings` are its framework's. */
export interface SyncDraft {
  readonly name: string;
  readonly framework: DeliveryFramework;
  readonly source: string;
  readonly sql: string;
  readonly key: readonly string[];
  /** The model's name, where it is not the sync's own. */
  readonly model?: string;
  /** The dbt model that the query reads, as `shop/accounts`. */
  readonly dbt?: string | undefined;
  readonly destination: string;
  readonly settings: unknown;
  readonly schedule: Schedule;
  /** The first run comes at once, and not when the schedule says. */
  readonly startsNow: boolean;
  /** As `formatTarget` writes it; where it is made when left out, or where it is now. */
  readonly reportTo?: string | undefined;
  /** What has to be approved; what is usual when left out, or what is so now. */
  readonly policy?: ApprovalPolicy | undefined;
}

/** What applying a file does to one thing. */
export interface DocumentChange {
  readonly kind: 'source' | 'destination' | 'dbt' | 'model' | 'alert' | 'sync';
  readonly name: string;
  readonly action: 'create' | 'update' | 'none';
  readonly differences: readonly Difference[];
  /** It was asked for, and somebody has to approve it. */
  readonly waits?: boolean;
}

/** One thing that a run did, or tried, with a row. */
export interface WhyStep {
  readonly runId: number;
  readonly at: Date;
  readonly cause: string;
  /** Who asked for the run. */
  readonly person: string | null;
  /** Who approved it, where it had to be. */
  readonly approvedBy: string | null;
  readonly kind: ChangeKind;
  /** Columns that changed. */
  readonly changed: readonly string[];
  readonly delivered: boolean;
}

/** What became of one row. */
export interface Why {
  readonly sync: Sync;
  readonly key: string;
  /** As it was told last. */
  readonly row: Readonly<Record<string, string | null>> | undefined;
  readonly rejection: Rejection | undefined;
  readonly task: TaskRecord | undefined;
  readonly messages: readonly Delivery[];
  /** Mails to the person of the row, newest first. */
  readonly mails: readonly MailRecord[];
  /** Newest first. */
  readonly steps: readonly WhyStep[];
}

/** What an alert is to be, checked and complete. */
export interface AlertDraft {
  readonly name: string;
  readonly source: string;
  readonly sql: string;
  /** The model's name, where it is not the alert's own. */
  readonly model?: string;
  /** The dbt model that the query reads, as `shop/accounts`. */
  readonly dbt?: string | undefined;
  readonly key: readonly string[];
  readonly settings: AlertSettings;
  readonly schedule: Schedule;
  /** As `formatTarget` writes it; where it is made when left out, or where it is now. */
  readonly reportTo?: string | undefined;
  readonly policy?: ApprovalPolicy | undefined;
}

/** What was found out about a query before an alert is made of it. */
export interface Finding {
  readonly columns: readonly Column[];
  readonly sample: Table;
  readonly rows: number;
  readonly suggestedKey: readonly string[];
  /** What a run of the query costs, as a sentence, where the warehouse bills by it. */
  readonly cost: string | undefined;
  /** Sentences about duplicate or missing keys and the like. */
  readonly warnings: readonly string[];
}

/** What became of addresses that are not to be written to. */
export interface Suppressed {
  readonly added: number;
  /** They were there already. */
  readonly known: number;
  /** They are no addresses. */
  readonly unusable: number;
}

/** A dbt project that is to be connected; `given` has its fields by name, secret ones too. */
export interface DbtDraft {
  readonly name: string;
  readonly source: string;
  readonly place: Place;
  readonly given: Raw;
}

/** How a dbt project stands. */
export interface DbtState {
  readonly project: DbtProject;
  readonly models: number;
  readonly schemas: readonly string[];
  /** What does not look as it should, in sentences. */
  readonly warnings: readonly string[];
  /** Where its runs are told, when it has a webhook; a path where the bot has no address. */
  readonly webhook: string | undefined;
  readonly lastEvent: { readonly receivedAt: Date; readonly note: string | null } | undefined;
}

/** A destination, by its name, or a channel. */
export type ApproverPlace =
  | { readonly kind: 'destination'; readonly name: string }
  | { readonly kind: 'channel'; readonly target: Target };

/** The verbs that commands are made of. Errors are ActivateErrors whose sentences are for the person. */
export interface Services {
  readonly now: () => Date;
  readonly connectors: readonly Connector[];
  readonly sources: {
    list(): Promise<readonly ConnectionRecord[]>;
    /** Tries the connection, stores it, and answers with warnings about its rights. */
    connect(name: string, connector: Connector, config: Raw, by: Caller): Promise<readonly string[]>;
    tables(source: string, typed: string): Promise<readonly string[]>;
    selectAll(source: string, table: string): Promise<string>;
    /** Proves that it is one SELECT and answers with at most `rows` rows. */
    preview(source: string, sql: string, rows: number): Promise<Table>;
  };
  readonly destinations: {
    list(): Promise<readonly { readonly record: ConnectionRecord; readonly connector: Connector }[]>;
    /** Tries the connection, stores it, and answers with warnings about its rights. */
    connect(name: string, connector: Connector, config: Raw, by: Caller): Promise<readonly string[]>;
    /** The part of a destination that serves a framework. Throws CONFIG_INVALID when it has none. */
    part<P extends PartName>(name: string, part: P): Promise<Parts[P]>;
    connectorOf(name: string): Promise<Connector>;
  };
  readonly models: {
    list(): Promise<readonly (Model & { readonly usedBy: readonly string[]; readonly source: string })[]>;
    /** Runs the query and looks at it. With a key given, warns when it is NULL or comes twice. */
    examine(source: string, sql: string, key?: readonly string[]): Promise<Finding>;
    /** What was found within the last minute; examines when nothing was. */
    recall(source: string, sql: string, key?: readonly string[]): Promise<Finding>;
    /** The columns of the query, at most a minute old. */
    columns(source: string, sql: string): Promise<readonly Column[]>;
  };
  readonly syncs: {
    list(): Promise<readonly SyncDetail[]>;
    show(name: string): Promise<SyncDetail>;
    /** Whether a sync can work like this, asked of its destination; throws at the field at fault. Answers with warnings. */
    check(
      draft: SyncDraft,
    ): Promise<{ readonly warnings: readonly string[]; readonly columns: readonly Column[] }>;
    /** What the rows of a sample would become. */
    rehearse(draft: SyncDraft, finding: Finding): Promise<DryRun>;
    /** What a run would do just now. Nothing is sent. */
    dryRun(name: string): Promise<DryRun>;
    create(draft: SyncDraft, by: Caller): Promise<SyncDetail>;
    /** Throws AWAITS_APPROVAL when somebody has to agree first, as `create` and `remove` do. */
    update(name: string, draft: SyncDraft, by: Caller): Promise<SyncDetail>;
    pause(name: string): Promise<void>;
    /** Answers with when it runs next; undefined when that is up to dbt. */
    resume(name: string): Promise<Date | undefined>;
    remove(name: string, by: Caller): Promise<void>;
    /** Silence until then; null ends it. */
    mute(name: string, until: Date | null): Promise<void>;
    /** Why rows are refused just now, most frequent first. */
    reasons(name: string): Promise<
      readonly {
        readonly reason: string;
        readonly count: number;
        readonly example: string;
        readonly since: Date;
      }[]
    >;
    /** Rows that are refused just now, of one reason or of all. */
    rejections(name: string, reason: string | undefined, limit: number): Promise<readonly Rejection[]>;
    /** Leaves refused rows out as long as they stay as they are; answers with how many. */
    skip(name: string, which: { readonly reason?: string; readonly key?: string }): Promise<number>;
    why(name: string, key: string): Promise<Why>;
  };
  readonly alerts: {
    show(name: string): Promise<AlertDetail>;
    /** Compiles the templates against the columns; throws TEMPLATE_INVALID with `fields` saying which of `title`, `message`, `recovery`. */
    checkMessage(
      columns: readonly Column[],
      settings: Pick<AlertSettings, 'title' | 'message'> & {
        readonly recovery?: string | undefined;
        readonly trigger?: AlertSettings['trigger'] | undefined;
        readonly threshold?: AlertSettings['threshold'];
      },
    ): void;
    /** The card as it will look for the first row of the sample (or made-up values when there is none), mentions resolved. */
    previewCard(draft: AlertDraft, finding: Finding): Promise<Card>;
    create(draft: AlertDraft, by: Caller): Promise<AlertDetail>;
    update(name: string, draft: AlertDraft, by: Caller): Promise<AlertDetail>;
    /** Sends one real row's message to this person only. Answers with where it went. */
    test(name: string, by: Caller): Promise<MessageRef>;
  };
  readonly mail: {
    /** Sends one real row's mail to this person's own address, which is the answer. */
    test(name: string, by: Caller): Promise<string>;
    /** The next run sends mails again of which nobody can say whether they arrived; answers with how many. */
    resend(name: string, key: string | undefined): Promise<number>;
    /** Who is not written to, newest first. */
    suppressions(
      query: SuppressionQuery,
      limit: number,
    ): Promise<{ readonly rows: readonly Suppression[]; readonly total: number }>;
    /** Writes to these addresses no more, on one list, or on all when it is empty. */
    suppress(addresses: readonly string[], list: string, note: string | undefined): Promise<Suppressed>;
    /** The same for what a query gives in its first column. */
    suppressFound(source: string, sql: string, list: string, note: string | undefined): Promise<Suppressed>;
    /** Writes to an address again; answers with what was in the way. Throws INPUT_INVALID at the field `address`. */
    unsuppress(address: string, list: string | undefined): Promise<readonly Suppression[]>;
    /** What a link to unsubscribe says; undefined when it is none of ours. */
    readLink(token: string): Leave | undefined;
    /** Takes somebody off a list, or off all when its name is empty. Doing it twice is harmless. */
    leave(leave: Leave): Promise<void>;
  };
  readonly runs: {
    /**
     * Starts a run, shown on a card in the conversation; throws INPUT_INVALID when one is going on. With `anew` it takes
     * the place of one that waits for approval.
     */
    start(
      name: string,
      by: Caller,
      cause: 'manual' | 'retry',
      how?: { readonly scope?: RunScope; readonly anew?: boolean },
    ): Promise<Run>;
    /** Waits for a run to end. */
    finished(runId: number, timeoutMs: number): Promise<Run>;
    recent(name: string, limit: number): Promise<readonly Run[]>;
  };
  readonly cards: {
    /** Stores an answer to a card and redraws all its copies. Answers with the pressed one as it looks now. */
    answer(deliveryId: string, answer: Answer, by: Caller, until: Date | null): Promise<Card>;
    /** Takes an answer back. */
    release(deliveryId: string, answer: Answer, by: Caller): Promise<Card>;
    /** All there is to know of the row behind a card: values, what was said when, answers. */
    details(deliveryId: string): Promise<{
      readonly delivery: Delivery;
      readonly sync: Sync;
      readonly row: Readonly<Record<string, string | null>> | undefined;
      readonly history: readonly Delivery[];
      readonly reactions: readonly Reaction[];
    }>;
  };
  readonly people: {
    /** Options for people on the caller's platform while they type. */
    search(typed: string, by: Caller): Promise<Options>;
    identities(by: Caller): Promise<readonly string[]>;
    /** Everybody whose name or address holds what was typed; `knownAs` as `formatTarget` writes it. */
    matching(typed: string): Promise<readonly (Person & { readonly knownAs: readonly string[] })[]>;
    /** Whether the configuration says that this person is an admin. */
    isAdminByConfiguration(person: Pick<Person, 'email'>): boolean;
    /** Gives somebody a role. Throws NOT_ALLOWED for the last admin and for admins by configuration. */
    giveRole(
      typed: string,
      role: Role,
      by: Caller,
    ): Promise<{ readonly name: string; readonly before: Role }>;
  };
  readonly places: {
    /** Options for channels on the caller's platform while they type. */
    search(typed: string, by: Caller): Promise<Options>;
    /** A channel or person as typed (`#sales`, `slack:C1`, `@mia`, an e-mail address) as a target; throws INPUT_INVALID. */
    resolve(typed: string, by: Caller): Promise<Target>;
    /** As a person calls it: "#sales", "Mia Lopez". */
    nameOf(target: Target): Promise<string>;
  };
  readonly dbt: {
    list(): Promise<readonly DbtState[]>;
    /** Reads the manifest, stores the project, and answers with how it stands. */
    connect(draft: DbtDraft, by: Caller): Promise<DbtState>;
    /** Reads the manifest now. What is wrong with it is said in the project's `trouble`. */
    refresh(name: string): Promise<DbtState>;
    /** Models of the projects of a source while somebody types; values as `dbt:shop/accounts`. */
    search(source: string, typed: string): Promise<Options>;
    /** A model by its reference, `shop/accounts`, with what reads it. Throws INPUT_INVALID at the field `table`. */
    model(
      reference: string,
    ): Promise<{ readonly model: KeptModel; readonly sql: string; readonly warnings: readonly string[] }>;
    /** Whether we are told of the runs that build a model. */
    hasWebhook(reference: string): Promise<boolean>;
    /** What reads a project's models, as a YAML file of exposures for its repository. */
    exposures(project?: string): Promise<string>;
    /** A request to a project's webhook. */
    hear(project: string, request: HookRequest): Promise<Heard>;
    /** Follows runs of dbt, reads manifests, and says what is to be said: a chore of every worker. */
    tend(signal: AbortSignal): Promise<void>;
  };
  readonly documents: {
    /** Everything as a YAML file, or what one alert or sync needs; secrets as references. */
    write(name?: string): Promise<string>;
    /** What applying a file would change. Throws INPUT_INVALID naming every mistake. */
    plan(text: string): Promise<readonly DocumentChange[]>;
    /** Makes it so. What is not in the file is left as it is. */
    apply(text: string, by: Caller): Promise<readonly DocumentChange[]>;
  };
  readonly personal: {
    /** Whether a reply to this person may show personal data as it is: their role allows it, and it is a direct conversation. */
    mayBeShown(by: Caller): boolean;
    /** The columns of a model that tell who somebody is, and whether somebody named them. */
    of(
      model: string,
    ): Promise<{ readonly model: Model; readonly columns: PersonalColumns; readonly named: boolean }>;
    /** Names them; null: they are recognised. Throws INPUT_INVALID for a column that is not there. */
    mark(model: string, columns: readonly string[] | null, by: Caller): Promise<void>;
  };
  readonly audit: {
    /** Entries about a thing or a person, or all, newest first; with `before`, older ones than this number. */
    entries(
      about: string | undefined,
      limit: number,
      before?: number,
    ): Promise<{ readonly rows: readonly AuditRow[]; readonly total: number }>;
    /** Names that entries are about. */
    subjects(typed: string): Promise<readonly string[]>;
    /** Whether the log is as it was written; `expect` is a head that was noted down before. */
    verify(expect?: string): Promise<AuditVerdict>;
  };
  readonly approvals: {
    /** What waits for this person's decision, and what of others'. */
    waiting(by: Caller): Promise<{ readonly mine: readonly Hold[]; readonly others: readonly Hold[] }>;
    /** What this person asked for lately, newest first. */
    asked(by: Caller): Promise<readonly Hold[]>;
    /** Decides. Answers with the card as it is then; throws NOT_ALLOWED or OUTDATED, and nothing is decided. */
    approve(which: Which, by: Caller): Promise<Card>;
    reject(
      which: Which,
      how: { readonly reason: string; readonly pause: boolean },
      by: Caller,
    ): Promise<Card>;
    /** Hands the decision on to a person as well, as `places.resolve` reads them. */
    delegate(which: Which, to: string, by: Caller): Promise<Card>;
    /** Posts one more copy of the card to this person alone. */
    review(which: Which, by: Caller): Promise<void>;
    /** Changes that a hold is about, masked for whoever may not see personal data there. */
    sample(
      which: Which,
      wanted: { readonly show: ChangeKind | 'all'; readonly limit: number },
      by: Caller,
    ): Promise<Sample>;
    /** What of a sync has to be approved, as it is now. */
    policy(name: string): Promise<ApprovalPolicy>;
    /** What is usual for such a sync at its destination. */
    usual(draft: Pick<SyncDraft, 'framework' | 'settings' | 'destination'>): Promise<ApprovalPolicy>;
    setPolicy(name: string, policy: ApprovalPolicy, by: Caller): Promise<SyncDetail>;
    /** People and groups that can be named as approvers, while somebody types. */
    candidates(typed: string, by: Caller): Promise<Options>;
    /** What was chosen among them as it is kept: people by their e-mail address. Throws INPUT_INVALID for the unknown. */
    entries(chosen: readonly string[]): Promise<readonly string[]>;
    /** Who decides at a destination or in a channel, where a sync does not say so itself. */
    approversAt(place: ApproverPlace): Promise<readonly string[]>;
    setApproversAt(place: ApproverPlace, approvers: readonly string[], by: Caller): Promise<void>;
    /** What approvers are called. */
    namesOf(approvers: readonly string[]): Promise<readonly string[]>;
    /** Draws what is to be drawn, reminds, asks more people, and ends what nobody decided: a chore of every worker. */
    tend(signal: AbortSignal): Promise<void>;
  };
  readonly drafts: {
    mine(by: Caller): Promise<readonly Draft[]>;
  };
  /** A one-time link to a page with this command's form; undefined when the bot has no address people can reach. */
  formLink(command: string, input: Raw, by: Caller): Promise<string | undefined>;
}
