import type { Invocation } from '../../engine/contracts/refs.ts';

/**
 * The parts of Adaptive Cards 1.5 that we use, as Teams takes them. What a client would read as Markdown is only ever
 * in a TextBlock and in facts; a RichTextBlock shows its runs as they stand.
 */
export type Element = TextBlock | RichText | Container | FactSet | Table | Picture | ActionSet | Input;

interface Common {
  readonly id?: string;
  readonly spacing?: 'None' | 'Small' | 'Default' | 'Medium' | 'Large';
  readonly separator?: boolean;
}

export type Colour = 'Default' | 'Good' | 'Warning' | 'Attention' | 'Accent';

export interface TextBlock extends Common {
  readonly type: 'TextBlock';
  readonly text: string;
  readonly wrap: true;
  readonly style?: 'heading';
  readonly size?: 'Small' | 'Medium' | 'Large';
  readonly weight?: 'Bolder';
  readonly color?: Colour;
  readonly isSubtle?: boolean;
}

export interface TextRun {
  readonly type: 'TextRun';
  readonly text: string;
  readonly weight?: 'Bolder';
  readonly italic?: true;
  readonly strikethrough?: true;
  readonly fontType?: 'Monospace';
  readonly size?: 'Small' | 'Medium';
  readonly color?: Colour;
  readonly isSubtle?: true;
  readonly selectAction?: { readonly type: 'Action.OpenUrl'; readonly url: string };
}

export interface RichText extends Common {
  readonly type: 'RichTextBlock';
  readonly inlines: readonly TextRun[];
}

export interface Container extends Common {
  readonly type: 'Container';
  readonly style?: 'emphasis';
  readonly items: readonly Element[];
}

interface FactSet extends Common {
  readonly type: 'FactSet';
  readonly facts: readonly { readonly title: string; readonly value: string }[];
}

interface Table extends Common {
  readonly type: 'Table';
  readonly firstRowAsHeader: true;
  readonly showGridLines: true;
  readonly columns: readonly { readonly width: number; readonly horizontalCellContentAlignment?: 'Right' }[];
  readonly rows: readonly {
    readonly type: 'TableRow';
    readonly cells: readonly { readonly type: 'TableCell'; readonly items: readonly RichText[] }[];
  }[];
}

interface Picture extends Common {
  readonly type: 'Image';
  readonly url: string;
  readonly altText: string;
}

export interface ActionSet extends Common {
  readonly type: 'ActionSet';
  readonly actions: readonly CardAction[];
}

/** What a press carries back to us. Neither secret nor trusted. */
export interface Pressed {
  readonly run: Invocation;
  /** The message is one that only its reader sees. */
  readonly own?: true;
}

export type CardAction =
  | {
      readonly type: 'Action.Execute';
      readonly title: string;
      readonly verb: 'run';
      readonly data: Pressed;
      readonly style?: 'positive' | 'destructive';
      /** For clients that don't know Action.Execute: the same press comes as a message. */
      readonly fallback: SubmitAction;
    }
  | SubmitAction
  | {
      readonly type: 'Action.ShowCard';
      readonly title: string;
      readonly style?: 'positive' | 'destructive';
      readonly card: {
        readonly type: 'AdaptiveCard';
        readonly body: readonly Element[];
      };
    }
  | { readonly type: 'Action.OpenUrl'; readonly title: string; readonly url: string };

export interface SubmitAction {
  readonly type: 'Action.Submit';
  readonly title: string;
  readonly style?: 'positive' | 'destructive';
  readonly data: Readonly<Record<string, unknown>>;
}

export type Input =
  | (InputCommon & {
      readonly type: 'Input.Text';
      readonly isMultiline?: true;
      readonly maxLength: number;
      readonly placeholder?: string;
    })
  | (InputCommon & { readonly type: 'Input.Number'; readonly min?: number; readonly max?: number })
  | (InputCommon & {
      readonly type: 'Input.ChoiceSet';
      readonly style: 'compact' | 'expanded' | 'filtered';
      readonly isMultiSelect: boolean;
      readonly wrap: true;
      readonly choices: readonly Choice[];
      readonly placeholder?: string;
      /** Not of 1.5, but Teams' own: it asks us for choices while a person types. */
      readonly 'choices.data'?: {
        readonly type: 'Data.Query';
        readonly dataset: string;
        readonly associatedInputs: 'auto';
      };
    });

interface InputCommon extends Common {
  readonly id: string;
  readonly label: string;
  readonly value?: string | number;
}

export interface Choice {
  readonly title: string;
  readonly value: string;
}

export interface MentionEntity {
  readonly type: 'mention';
  readonly text: string;
  readonly mentioned: { readonly id: string; readonly name: string };
}

export interface AdaptiveCard {
  readonly $schema: 'http://adaptivecards.io/schemas/adaptive-card.json';
  readonly type: 'AdaptiveCard';
  readonly version: '1.5';
  readonly body: readonly Element[];
  readonly actions?: readonly SubmitAction[];
  readonly refresh?: {
    readonly action: {
      readonly type: 'Action.Execute';
      readonly title: string;
      readonly verb: 'view';
      readonly data: { readonly view: string };
    };
  };
  readonly msteams: {
    readonly width?: 'Full';
    readonly entities?: readonly MentionEntity[];
  };
}

export const CARD_TYPE = 'application/vnd.microsoft.card.adaptive';

export const SCHEMA = 'http://adaptivecards.io/schemas/adaptive-card.json';
