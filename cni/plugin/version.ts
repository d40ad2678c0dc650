/** The versions of the CNI specification that the plugin speaks, and what came with which. Imports nothing: the client uses it. */

export const VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
export type Version = (typeof VERSIONS)[number];

export const LATEST: Version = '1.1.0';

/** What a configuration without cniVersion is written in (SPEC 0.1.0 knew the key, but did not ask for it). */
export const UNMARKED: Version = '0.1.0';

export function isVersion(text: string): text is Version {
  return (VERSIONS as readonly string[]).includes(text);
}

export function isAtLeast(version: Version, since: Version): boolean {
  return VERSIONS.indexOf(version) >= VERSIONS.indexOf(since);
}

/** The answer to VERSION. @param asked cniVersion of the request, in which the answer is written when we speak it */
export function versionAnswer(asked: unknown): object {
  const cniVersion = typeof asked === 'string' && isVersion(asked) ? asked : LATEST;
  return { cniVersion, supportedVersions: VERSIONS };
}
