import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { connectors } from '../../connectors/index.ts';
import { check, type Field } from '../../engine/contracts/form.ts';

describe('the list of connectors', () => {
  it('holds every file and folder of connectors/ but what they share, and nothing else', () => {
    const there = readdirSync(new URL('../../connectors/', import.meta.url))
      .filter((name) => name !== 'index.ts' && name !== 'shared')
      .map((name) => name.replace(/\.ts$/, ''));

    expect(connectors.map((connector) => connector.id).toSorted()).toEqual(there.toSorted());
  });

  it.each(connectors.map((connector) => [connector.id, connector] as const))(
    '%s says what it is',
    (_id, connector) => {
      expect(connector.name.length).toBeLessThanOrEqual(24);
      expect(connector.summary).toMatch(/^[A-Z].*\.$/s);
    },
  );

  it.each(
    connectors.flatMap((connector) =>
      Object.entries(connector.config).map(
        ([name, field]) => [`${connector.id} ${name}`, name, field as Field] as const,
      ),
    ),
  )('%s fits into every platform and says what it wants', (_id, name, field) => {
    expect(name).toMatch(/^[a-z][A-Za-z0-9]*$/);
    expect(field.label.length).toBeLessThanOrEqual(24);
    expect(field.help?.length ?? 0).toBeLessThanOrEqual(150);
    expect(check({ [name]: field }, {}).ok).toBe(field.optional);
  });
});
