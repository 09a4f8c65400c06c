export type JiraFlavor = 'cloud' | 'dc';

/** What decides whether a value can be taken. */
export interface Takes {
  readonly flavor: JiraFlavor;
  readonly people: readonly { readonly id: string }[];
  /** Who can be given issues. */
  readonly assignable: readonly string[];
  /** Fields of the screens, by id. */
  readonly screen: ReadonlyMap<string, object>;
}

const custom = (type: string, name: string, more: object = {}): object => ({
  required: false,
  name,
  schema: { type: 'any', custom: `com.atlassian.jira.plugin.system.customfieldtypes:${type}` },
  operations: ['set'],
  ...more,
});
const system = (name: string, type: string, label: string, more: object = {}): object => ({
  required: false,
  name: label,
  schema: { type, system: name },
  operations: ['set'],
  ...more,
});

/** A screen with a field of each kind. */
export function freshScreen(): Map<string, object> {
  const choices = [
    { id: '501', value: 'Sales' },
    { id: '502', value: 'Support' },
  ];
  return new Map([
    ['summary', system('summary', 'string', 'Summary', { required: true })],
    ['description', system('description', 'string', 'Description')],
    ['assignee', system('assignee', 'user', 'Assignee')],
    ['duedate', system('duedate', 'date', 'Due date')],
    ['reporter', system('reporter', 'user', 'Reporter', { required: true, hasDefaultValue: true })],
    ['labels', system('labels', 'array', 'Labels')],
    [
      'priority',
      system('priority', 'priority', 'Priority', {
        required: true,
        hasDefaultValue: true,
        allowedValues: [
          { id: '1', name: 'Highest' },
          { id: '3', name: 'Medium' },
        ],
      }),
    ],
    [
      'components',
      system('components', 'array', 'Components', { allowedValues: [{ id: '71', name: 'API' }] }),
    ],
    ['customfield_1', custom('textfield', 'Account')],
    ['customfield_2', custom('textarea', 'Background')],
    ['customfield_3', custom('float', 'Seats')],
    ['customfield_4', custom('datepicker', 'Customer since')],
    ['customfield_5', custom('datetime', 'Trial ends')],
    ['customfield_6', custom('select', 'Team', { allowedValues: choices })],
    ['customfield_7', custom('multicheckboxes', 'Teams', { allowedValues: choices })],
    ['customfield_8', custom('userpicker', 'Second owner')],
  ]);
}

/** All that is wrong, by field: one is enough to refuse the issue. */
export function errorsIn(fields: Readonly<Record<string, unknown>>, side: Takes): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => {
      const field = side.screen.get(name) as { readonly schema: { readonly custom?: string } } | undefined;
      if (field === undefined) {
        return [[name, `Field '${name}' cannot be set. It is not on the appropriate screen, or unknown.`]];
      }
      const [takes, says] = rules[field.schema.custom?.split(':').at(-1) ?? name] ?? [() => true, ''];
      return takes(value, side) ? [] : [[name, `${says} (${JSON.stringify(value)})`]];
    }),
  );
}

type Rule = readonly [takes: (value: unknown, side: Takes) => boolean, otherwise: string];

const text = (value: unknown): boolean =>
  typeof value === 'string' && value.length <= 255 && !/\n/.test(value);
const day = (value: unknown): boolean => /^\d{4}-\d\d-\d\d$/.test(String(value));
const document: Rule = [
  (value, { flavor }) => value === null || isRich(value, flavor),
  'Operation value must be an Atlassian Document',
];

const rules: Readonly<Record<string, Rule>> = {
  summary: [text, 'At most 255 characters, and no new lines.'],
  textfield: [text, 'At most 255 characters, and no new lines.'],
  description: document,
  textarea: document,
  duedate: [day, 'Enter the date as yyyy-MM-dd.'],
  datepicker: [day, 'Enter the date as yyyy-MM-dd.'],
  datetime: [
    (value) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}$/.test(String(value)),
    'Enter the time as yyyy-MM-ddTHH:mm:ss.SSSZ.',
  ],
  float: [(value) => typeof value === 'number', 'Operation value must be a number'],
  labels: [
    (value) => (value as readonly string[]).every((label) => !/\s/.test(label)),
    'The label contains spaces which is invalid.',
  ],
  assignee: [
    (value, { flavor, people, assignable }) => {
      const { accountId, name } = value as { readonly accountId?: string; readonly name?: string };
      const id = flavor === 'cloud' ? accountId : name;
      return people.some((person) => person.id === id) && assignable.includes(id ?? '');
    },
    'The user cannot be assigned issues.',
  ],
};

/** A document without an empty text in it; on Data Center text. */
export function isRich(value: unknown, flavor: JiraFlavor): boolean {
  return flavor === 'dc'
    ? typeof value === 'string'
    : (value as { readonly type?: string } | null)?.type === 'doc' &&
        !JSON.stringify(value).includes('"text":""');
}
