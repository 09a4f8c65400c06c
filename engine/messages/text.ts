import type { Rich } from '../contracts/card.ts';
import { ActivateError, asActivateError } from '../contracts/errors.ts';
import type { Column } from '../contracts/source.ts';
import type { AlertSettings } from '../model/alert.ts';
import { compileTemplate, type Scope, type Template } from '../template/template.ts';

type Texts = Pick<AlertSettings, 'title' | 'message'> & {
  readonly recovery?: string | undefined;
  readonly trigger?: AlertSettings['trigger'] | undefined;
  readonly threshold?: AlertSettings['threshold'] | undefined;
};

const recoveryByDefault = 'Back to normal.';

/** The columns that a message can use: those of the model, or the count alone when the count is what is watched. */
function messageColumns(settings: Texts, columns: readonly Column[]): readonly Column[] {
  const counting = settings.trigger === 'threshold' && settings.threshold?.on === 'count';
  return counting ? [{ name: 'count', type: 'number', native: 'bigint' }] : columns;
}

/** The texts of an alert, compiled. Throws TEMPLATE_INVALID whose `fields` names the text at fault. */
export class AlertText {
  readonly columns: readonly string[];
  private readonly title: Template;
  private readonly message: Template;
  private readonly recovery: Template;

  constructor(settings: Texts, model: { readonly columns: readonly Column[] }) {
    const columns = messageColumns(settings, model.columns);
    this.title = compiled('title', settings.title, columns);
    this.message = compiled('message', settings.message, columns);
    this.recovery = compiled('recovery', settings.recovery ?? recoveryByDefault, columns);
    this.columns = [...new Set([...this.title.columns, ...this.message.columns, ...this.recovery.columns])];
  }

  write(scope: Scope, recovered: boolean): { readonly title: Rich; readonly text: Rich } {
    return {
      title: this.title.render(scope),
      text: (recovered ? this.recovery : this.message).render(scope),
    };
  }
}

function compiled(field: string, source: string, columns: readonly Column[]): Template {
  try {
    return compileTemplate(source, columns);
  } catch (thrown) {
    const error = asActivateError(thrown);
    const sentence = error.fix === undefined ? error.message : `${error.message} ${error.fix}`;
    throw new ActivateError(error.code, error.message, {
      cause: error,
      ...(error.fix === undefined ? {} : { fix: error.fix }),
      fields: { [field]: sentence },
    });
  }
}
