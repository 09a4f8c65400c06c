import type { DbtModel } from './model.ts';
import type { Node } from './node.ts';

interface Test {
  readonly id: string;
  /** Unique ids of what it is about, or the name of a model as older versions have it. */
  readonly about: readonly string[];
  readonly kind: string | undefined;
  readonly columns: readonly string[];
}

/** The tests of a manifest: which model each is about, and the keys that they prove. */
export class Tests {
  private readonly byModel = new Map<string, Test[]>();

  add(id: string, given: Node): void {
    const { attached_node, depends_on, test_metadata, column_name } = given;
    const kwargs = test_metadata?.kwargs ?? {};
    const column = column_name ?? kwargs['column_name'];
    const combination = kwargs['combination_of_columns'];
    const ref = /ref\(\s*(?:'[^']*'\s*,\s*)?'([^']+)'/.exec(String(kwargs['model'] ?? ''))?.[1];
    const depends = (depends_on?.nodes ?? []).filter((one) => /^(model|seed|snapshot)\./.test(one));
    const named = depends.filter((one) => ref !== undefined && one.split('.')[2] === ref);
    const test: Test = {
      id,
      // A relationship depends on both ends, and is about one.
      about: attached_node ? [attached_node] : named.length > 0 ? named : depends,
      kind: test_metadata?.name ?? undefined,
      columns: Array.isArray(combination)
        ? combination.map(String)
        : typeof column === 'string'
          ? [column]
          : [],
    };
    for (const model of test.about) {
      const known = this.byModel.get(model);
      if (known === undefined) {
        this.byModel.set(model, [test]);
      } else {
        known.push(test);
      }
    }
  }

  about({ uniqueId }: Pick<DbtModel, 'uniqueId'>): {
    readonly ids: readonly string[];
    readonly key: readonly string[];
  } {
    const tests = this.byModel.get(uniqueId) ?? [];
    const present = new Set(tests.filter((one) => one.kind === 'not_null').flatMap((one) => one.columns));
    const unique = tests.find(
      (one) => one.kind === 'unique' && one.columns.every((name) => present.has(name)),
    );
    const together = tests.find((one) => one.kind === 'unique_combination_of_columns');
    return { ids: tests.map((one) => one.id), key: (unique ?? together)?.columns ?? [] };
  }
}
