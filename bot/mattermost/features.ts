/** What a server's dialogs can do beyond the plain ones. */
export interface Features {
  /** As the server says it, `11.2.0`; undefined when it did not. */
  readonly version: string | undefined;
  /** A submitted dialog can be followed by the next one in its place (11.1). */
  readonly steps: boolean;
  /** Several choices in one select (11.0). */
  readonly many: boolean;
  /** Choices are asked for while a person types (11.0, over HTTPS only). */
  readonly dynamic: boolean;
}

/** The features of a version, for callbacks to this address. A server that does not say gets plain dialogs. */
export function featuresOf(version: string | undefined, callbackUrl: string): Features {
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(version ?? '') ?? [];
  const at = (wanted: number): boolean => Number(major) * 1000 + Number(minor) >= wanted;
  return {
    version,
    steps: at(11_001),
    many: at(11_000),
    dynamic: at(11_000) && callbackUrl.startsWith('https://'),
  };
}
