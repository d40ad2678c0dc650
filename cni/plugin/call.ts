/**
 * One execution of the plugin, as its client saw it (the CNI_* environment and stdin), checked and put into words. Decides
 * what is asked, not whether it can be done. SPEC 1.1.0 section 2, "Parameters".
 */
import { checkName } from '../attachment.ts';
import { type Args, parseArgs } from './args.ts';
import { type NetworkConfig, readConfig } from './config.ts';
import { CniCode, CniError } from './error.ts';
import { type Json, object } from './json.ts';
import { environment, type Verb, verbOf } from './verb.ts';
import { isAtLeast, isVersion, UNMARKED, VERSIONS, type Version } from './version.ts';

/** As it travels from the client to the daemon. */
export interface Call {
  /** Those that begin with CNI_. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
  /** The same in every attempt to get this one call answered. */
  readonly token?: string | undefined;
}

export interface Request {
  readonly verb: Verb;
  readonly version: Version;
  /** Empty for GC, STATUS and VERSION. */
  readonly id: string;
  readonly ifname: string;
  /** Empty when there is none (DEL). */
  readonly netns: string;
  readonly args: Args;
  readonly config: NetworkConfig;
}

/** @throws CniError 'decoding' */
export function readStdin(stdin: string): Json {
  try {
    return object(JSON.parse(stdin), 'the network configuration');
  } catch (error) {
    if (error instanceof CniError) throw new CniError(CniCode.decoding, error.message);
    throw new CniError(CniCode.decoding, `the network configuration on stdin is not valid JSON`, {
      details: (error as Error).message,
    });
  }
}

/** @throws CniError */
export function readRequest({ env }: Pick<Call, 'env'>, raw: Json): Request {
  const verb = verbOf(env);
  const version = readVersion(raw.cniVersion);
  const since = { CHECK: '0.4.0', GC: '1.1.0', STATUS: '1.1.0' }[verb as string] as Version | undefined;
  if (since && !isAtLeast(version, since)) {
    throw new CniError(
      CniCode.incompatibleVersion,
      `${verb} is part of CNI ${since}, the configuration of ${version}`,
    );
  }
  // DEL has to succeed whatever has become of the rest of the configuration since.
  const config = readConfig(verb === 'DEL' ? { name: raw.name, ipam: raw.ipam } : raw, version);
  const { CNI_CONTAINERID: id = '', CNI_IFNAME: ifname = '', CNI_NETNS: netns = '' } = env;
  const ofOnePod = verb === 'ADD' || verb === 'DEL' || verb === 'CHECK';
  if (!ofOnePod) return { verb, version, id: '', ifname: '', netns: '', args: {}, config };
  if (id === '') throw environment('CNI_CONTAINERID', 'is not set');
  if (ifname === '') throw environment('CNI_IFNAME', 'is not set');
  try {
    checkName({ id, ifname });
  } catch (error) {
    throw environment('CNI_CONTAINERID or CNI_IFNAME', (error as Error).message);
  }
  if (netns === '' && verb !== 'DEL') throw environment('CNI_NETNS', 'is not set');
  // What a wrong argument was once accepted for has to be deleted all the same.
  const args = verb === 'DEL' ? {} : parseArgs(env.CNI_ARGS ?? '');
  return { verb, version, id, ifname, netns, args, config };
}

function readVersion(asked: unknown): Version {
  if (asked === undefined || asked === '') return UNMARKED;
  if (typeof asked === 'string' && isVersion(asked)) return asked;
  throw new CniError(
    CniCode.incompatibleVersion,
    `incompatible CNI versions: the configuration is of ${JSON.stringify(asked)}, this plugin speaks ${VERSIONS.join(', ')}`,
  );
}
