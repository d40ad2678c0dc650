/** Plays libcni over a list of plugins: each gets what the one before has made, DEL goes the other way round (SPEC 1.1.0 section 4). */
import { type CniCall, type CniOutput, type CniResult, cni } from './cni.ts';

/** Of Debian's containernetworking-plugins. */
export const REFERENCE_PLUGINS = '/usr/lib/cni';

export interface ListCall extends Omit<CniCall, 'command' | 'config' | 'stdin' | 'path'> {
  readonly cniVersion: string;
  /** Configurations in order, those of the reference plugins by their `type`. */
  readonly plugins: readonly { readonly type: string; readonly [key: string]: unknown }[];
  /** Command that runs what follows it in the node's namespace. */
  readonly within: readonly string[];
  /** By capability; each plugin gets those that it has. */
  readonly capabilities?: Readonly<Record<string, unknown>>;
  /** CHECK and DEL: what ADD has answered. */
  readonly prevResult?: CniOutput | undefined;
}

/** @returns the last plugin's answer, or the first that failed */
export async function cniList(verb: 'ADD' | 'CHECK' | 'DEL', call: ListCall): Promise<CniResult> {
  const { plugins, cniVersion, within, capabilities = {}, ...rest } = call;
  let { prevResult } = call;
  let last: CniResult | undefined;
  for (const plugin of verb === 'DEL' ? [...plugins].reverse() : plugins) {
    const own = Object.keys(Object(plugin.capabilities)).filter((name) => name in capabilities);
    const config = {
      ...plugin,
      cniVersion,
      name: 'fabric',
      ...(own.length > 0 && {
        runtimeConfig: Object.fromEntries(own.map((name) => [name, capabilities[name]])),
      }),
      ...(prevResult && { prevResult }),
    };
    last = await cni(verb, {
      ...rest,
      path: REFERENCE_PLUGINS,
      ...(plugin.type === 'weft-cni'
        ? { config }
        : { stdin: JSON.stringify(config), command: [...within, `${REFERENCE_PLUGINS}/${plugin.type}`] }),
    });
    if (last.status !== 0) return last;
    if (verb === 'ADD') prevResult = last.output;
  }
  if (!last) throw new Error('a list without plugins');
  return last;
}
